// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The script that is run on hosts, with a real shell and real processes. */
@Timeout(120)
class HostScriptTest {
  private static final long TIMEOUT_MILLIS = 60_000;

  private final String mark = UUID.randomUUID().toString().replace("-", "");
  private final List<Process> processes = new ArrayList<>();

  private final List<Path> segments = new ArrayList<>();
  @TempDir Path base;

  @AfterEach
  void end() throws IOException {
    processes.forEach(Process::destroyForcibly);
    for (Path segment : segments) {
      Files.deleteIfExists(segment);
    }
  }

  private Object uid() throws IOException {
    return Files.getAttribute(base, "unix:uid");
  }

  private Process start(String variable, String... command) throws IOException {
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("MARK", variable);
    Process process = builder.start();
    processes.add(process);
    return process;
  }

  /** Its command line is there only when the shell has begun. */
  private static void awaitOutput(Process process) throws IOException {
    assertTrue(process.getInputStream().read() >= 0);
  }

  @Test
  void shouldEndWhatCarriesTheMarkAndNothingElse() throws Exception {
    Process byEnvironment = start(HostScript.mark(mark, 1), "sh", "-c", "echo; sleep 600");
    Process byCommand =
        start("x", "sh", "-c", "echo; while :; do sleep 1; done", "sh", HostScript.mark(mark, 2));
    Process deaf =
        start(
            HostScript.mark(mark, 1), "sh", "-c", "trap '' TERM; echo; while :; do sleep 1; done");
    Process newer = start(HostScript.mark(mark, 3), "sh", "-c", "echo; sleep 600");
    Process other =
        start(HostScript.mark(mark.substring(1) + "0", 1), "sh", "-c", "echo; sleep 600");
    for (Process process : processes) {
      awaitOutput(process);
    }
    RemoteShell shell = new RemoteShell(List.of(), TIMEOUT_MILLIS);
    HostState looked = shell.look(Host.local(1), mark, 0, Set.of());
    assertTrue(looked.isThere(), looked::toString);
    assertTrue(looked.memoryBytes() > 0 && looked.cores() > 0, looked::toString);
    assertTrue(byEnvironment.isAlive() && byCommand.isAlive() && deaf.isAlive());
    HostState cleared = shell.look(Host.local(1), mark, 2, Set.of());
    assertTrue(cleared.isThere(), cleared::toString);
    assertEquals(0, cleared.leftovers(), cleared::toString);
    for (Process process : List.of(byEnvironment, byCommand, deaf)) {
      assertTrue(process.waitFor(1, TimeUnit.MINUTES));
    }
    assertTrue(other.isAlive() && newer.isAlive());
  }

  private static String run(Path tmp, String script) throws IOException, InterruptedException {
    ProcessBuilder builder = new ProcessBuilder("sh", "-s").redirectErrorStream(true);
    builder.environment().put("TMPDIR", tmp.toString());
    Process process = builder.start();
    try (OutputStream in = process.getOutputStream()) {
      in.write(script.getBytes(StandardCharsets.UTF_8));
    }
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), said);
    return said;
  }

  /** Of a family of processes, on this host, of this user. */
  private Path segment(String host, int family, int rank) throws IOException {
    Path file =
        Path.of("/dev/shm/vader_segment.%s.%s.%04x0001.%d".formatted(host, uid(), family, rank));
    segments.add(file);
    return Files.write(file, new byte[4096]);
  }

  private Path session(String host, String name, int family) throws IOException {
    String top = "ompi.%s.%s".formatted(host, uid());
    Path session = Files.createDirectories(base.resolve(top).resolve(name));
    Files.createDirectories(session.resolve("1/0"));
    Files.writeString(
        session.resolve("contact.txt"), ((long) family << 16) + ".0;tcp://192.0.2.1:5\n99\n");
    return session;
  }

  @Test
  void shouldDeleteWhatALaunchHasLeftAndNothingElse() throws Exception {
    String host = run(base, "uname -n | cut -d. -f1").strip();
    // No launch of anybody's, or as good as: 1 in 65,536.
    int told = 0xf000 + new Random().nextInt(0x0f00);
    int found = told + 1;
    int other = told + 2;
    int live = told + 3;
    ProcessBuilder builder = new ProcessBuilder("sh", "-c", "echo; sleep 600");
    builder.environment().put("MARK", HostScript.mark(mark, 2));
    builder.environment().put("PMIX_NAMESPACE", String.valueOf(((long) found << 16) + 1));
    Process rank = builder.start();
    processes.add(rank);
    awaitOutput(rank);
    String elsewhere = host + "x";
    List<Path> gone =
        List.of(
            segment(host, told, 0),
            segment(host, found, 0),
            segment(host, found, 11),
            session(host, "pid.999999999", told),
            session(host, "jf." + found, found));
    Path used = segment(host, live, 0);
    List<Path> stay =
        List.of(
            used,
            segment(host, other, 0),
            segment(elsewhere, told, 0),
            session(host, "pid.999999998", other),
            session(host, "pid." + ProcessHandle.current().pid(), told),
            session(host, "jf." + other, other),
            session(elsewhere, "jf." + told, told));
    Path target = Files.createDirectories(base.resolve("target"));
    Path link = base.resolve("ompi.%s.%s/jf.%d".formatted(host, uid(), told));
    Files.createSymbolicLink(link, target);
    try (FileChannel channel = FileChannel.open(used)) {
      MappedByteBuffer mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, 4096);
      String said = run(base, HostScript.look(mark, 2, List.of(told, live)));
      assertTrue(said.contains("leftovers=0"), said);
      assertEquals(0, mapped.get(0));
    }
    for (Path file : gone) {
      assertFalse(Files.exists(file), file::toString);
    }
    for (Path file : stay) {
      assertTrue(Files.exists(file), file::toString);
    }
    assertTrue(Files.exists(target) && Files.exists(link));
  }

  @Test
  void shouldKnowAnMpirunsFamily() throws IOException {
    session("somewhere", "pid.4711", 6107);
    assertEquals(OptionalInt.of(6107), JobFamily.of(base, 4711));
    assertEquals(OptionalInt.empty(), JobFamily.of(base, 471));
    Files.writeString(base.resolve("ompi.somewhere.%s/pid.4711/contact.txt".formatted(uid())), "");
    assertEquals(OptionalInt.empty(), JobFamily.of(base, 4711));
    assertEquals(OptionalInt.empty(), JobFamily.of(base.resolve("nowhere"), 4711));
    assertEquals(Path.of("/t"), JobFamily.sessions(Map.of("TMPDIR", "/t", "TMP", "/u")));
    assertEquals(Path.of("/tmp"), JobFamily.sessions(Map.of()));
  }

  private static Path agent(Path folder, String body) throws IOException {
    Path agent = folder.resolve("agent");
    Files.writeString(agent, "#!/bin/sh\n" + body + "\n");
    Files.setPosixFilePermissions(agent, PosixFilePermissions.fromString("rwx------"));
    return agent;
  }

  @Test
  void shouldReachHostsThroughAnAgentThatAnswersLikeSsh(@TempDir Path folder) throws Exception {
    Path agent =
        agent(
            folder,
            "shift; host=$1; shift; [ $host = up ] || { echo $host: unreachable >&2; exit 255; }; exec sh -c \"$*\"");
    RemoteShell shell = new RemoteShell(List.of(agent.toString(), "-q"), TIMEOUT_MILLIS);
    assertTrue(shell.look(new Host("up", 1, 1), mark, 0, Set.of()).isThere());
    HostState gone = shell.look(new Host("down", 1, 1), mark, 0, Set.of());
    assertFalse(gone.isThere());
    assertEquals("agent exit code 255: down: unreachable", gone.problem());
  }

  @Test
  void shouldTakeAHostThatIsSilentOrTalksNonsenseForGone(@TempDir Path folder) throws Exception {
    Host host = new Host("h", 1, 1);
    HostState silent =
        new RemoteShell(List.of(agent(folder, "exec sleep 600").toString()), 300)
            .look(host, mark, 0, Set.of());
    assertEquals("no answer for 0.3 s", silent.problem());
    HostState strange =
        new RemoteShell(List.of(agent(folder, "echo hello").toString()), TIMEOUT_MILLIS)
            .look(host, mark, 2, Set.of());
    assertEquals("it answers, but runs no shell script: 'hello'", strange.problem());
    HostState missing =
        new RemoteShell(List.of("/no/such/agent"), TIMEOUT_MILLIS).look(host, mark, 2, Set.of());
    assertTrue(missing.problem().contains("/no/such/agent"), missing::problem);
  }
}

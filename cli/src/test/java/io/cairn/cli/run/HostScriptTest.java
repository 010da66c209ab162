// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
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

  @AfterEach
  void end() {
    processes.forEach(Process::destroyForcibly);
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
    HostState looked = shell.look(Host.local(1), mark, 0);
    assertTrue(looked.isThere(), looked::toString);
    assertTrue(looked.memoryBytes() > 0 && looked.cores() > 0, looked::toString);
    assertTrue(byEnvironment.isAlive() && byCommand.isAlive() && deaf.isAlive());
    HostState cleared = shell.look(Host.local(1), mark, 2);
    assertTrue(cleared.isThere(), cleared::toString);
    assertEquals(0, cleared.leftovers(), cleared::toString);
    for (Process process : List.of(byEnvironment, byCommand, deaf)) {
      assertTrue(process.waitFor(1, TimeUnit.MINUTES));
    }
    assertTrue(other.isAlive() && newer.isAlive());
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
    assertTrue(shell.look(new Host("up", 1, 1), mark, 0).isThere());
    HostState gone = shell.look(new Host("down", 1, 1), mark, 0);
    assertFalse(gone.isThere());
    assertEquals("agent exit code 255: down: unreachable", gone.problem());
  }

  @Test
  void shouldTakeAHostThatIsSilentOrTalksNonsenseForGone(@TempDir Path folder) throws Exception {
    Host host = new Host("h", 1, 1);
    HostState silent =
        new RemoteShell(List.of(agent(folder, "exec sleep 600").toString()), 300)
            .look(host, mark, 0);
    assertEquals("no answer for 0.3 s", silent.problem());
    HostState strange =
        new RemoteShell(List.of(agent(folder, "echo hello").toString()), TIMEOUT_MILLIS)
            .look(host, mark, 2);
    assertEquals("it answers, but runs no shell script: 'hello'", strange.problem());
    HostState missing =
        new RemoteShell(List.of("/no/such/agent"), TIMEOUT_MILLIS).look(host, mark, 2);
    assertTrue(missing.problem().contains("/no/such/agent"), missing::problem);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Runs short scripts on hosts, through the agent by which mpirun reaches them too ({@code ssh}, or
 * one that answers like it). What a script is to find doesn't stand in any command line: the script
 * is fed to a shell.
 */
final class RemoteShell {
  private static final int LIMIT_BYTES = 64 * 1024;

  private final List<String> agent;
  private final long timeoutMillis;

  /**
   * @param agent the remote agent and its first words
   */
  RemoteShell(List<String> agent, long timeoutMillis) {
    this.agent = List.copyOf(agent);
    this.timeoutMillis = timeoutMillis;
  }

  /** As mpirun, which starts nothing through its agent there. */
  static boolean isThisMachine(String name) {
    try {
      InetAddress address = InetAddress.getByName(name.substring(name.indexOf('@') + 1));
      return address.isLoopbackAddress() || NetworkInterface.getByInetAddress(address) != null;
    } catch (IOException e) {
      return false;
    }
  }

  /** Why a command doesn't come to a good end in time; empty if it does. */
  static Optional<String> problem(ProcessBuilder builder, long timeoutMillis)
      throws IOException, InterruptedException {
    Process process = builder.start();
    process.getOutputStream().close();
    Text said = new Text();
    Thread out = Pipes.follow(process.getInputStream(), said::append, "trial-out");
    Thread err = Pipes.follow(process.getErrorStream(), said::append, "trial-err");
    if (!process.waitFor(timeoutMillis, TimeUnit.MILLISECONDS)) {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly();
      return Optional.of(
          "no end after " + Times.show(TimeUnit.MILLISECONDS.toNanos(timeoutMillis)));
    }
    if (process.exitValue() == 0) {
      return Optional.empty();
    }
    out.join(timeoutMillis);
    err.join(timeoutMillis);
    String first =
        said.toString()
            .lines()
            .map(String::strip)
            .filter(line -> !line.isEmpty() && !line.startsWith("---"))
            .findFirst()
            .orElse("");
    return Optional.of("exit code " + process.exitValue() + (first.isEmpty() ? "" : ": " + first));
  }

  /** What a script printed; or why it could not be run. */
  record Answer(boolean there, String text) {}

  /** Blocks for no longer than the timeout. */
  Answer run(Host host, String script) throws InterruptedException {
    List<String> command = new ArrayList<>();
    if (!host.isLocal() && !isThisMachine(host.name())) {
      command.addAll(agent);
      command.add(host.name());
    }
    command.addAll(List.of("sh", "-s"));
    Process process;
    try {
      process = new ProcessBuilder(command).start();
    } catch (IOException e) {
      return new Answer(false, e.getMessage());
    }
    Text out = new Text();
    Text err = new Text();
    List<Thread> readers =
        List.of(
            Pipes.follow(process.getInputStream(), out::append, "host-out"),
            Pipes.follow(process.getErrorStream(), err::append, "host-err"));
    try (OutputStream in = process.getOutputStream()) {
      in.write(script.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      // The agent has ended; its exit code says why.
    }
    if (!process.waitFor(timeoutMillis, TimeUnit.MILLISECONDS)) {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly();
      return new Answer(
          false, "no answer for " + Times.show(TimeUnit.MILLISECONDS.toNanos(timeoutMillis)));
    }
    for (Thread reader : readers) {
      reader.join(timeoutMillis);
    }
    if (process.exitValue() != 0) {
      String said = err.toString().strip().lines().findFirst().orElse("");
      return new Answer(
          false,
          "%s exit code %d%s"
              .formatted(
                  host.isLocal() ? "sh" : "agent",
                  process.exitValue(),
                  said.isEmpty() ? "" : ": " + said));
    }
    return new Answer(true, out.toString());
  }

  /** What a thread reads and another one looks at. */
  private static final class Text {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    synchronized void append(byte[] more) {
      if (bytes.size() < LIMIT_BYTES) {
        bytes.writeBytes(more);
      }
    }

    @Override
    public synchronized String toString() {
      return bytes.toString(StandardCharsets.UTF_8);
    }
  }

  /** Blocks for no longer than the timeout. */
  HostState look(Host host, String run, int clearUpTo, Collection<Integer> families)
      throws InterruptedException {
    Answer answer = run(host, HostScript.look(run, clearUpTo, families));
    return answer.there()
        ? HostScript.parse(host, answer.text().toLowerCase(Locale.ROOT))
        : HostState.gone(host, answer.text());
  }
}

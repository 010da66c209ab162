// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
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

  /** What a script printed; or why it could not be run. */
  record Answer(boolean there, String text) {}

  /** Blocks for no longer than the timeout. */
  Answer run(Host host, String script) throws InterruptedException {
    List<String> command = new ArrayList<>();
    if (!host.isLocal()) {
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
  HostState look(Host host, String mark, boolean clear) throws InterruptedException {
    Answer answer = run(host, HostScript.text(mark, clear));
    return answer.there()
        ? HostScript.parse(host, answer.text().toLowerCase(Locale.ROOT))
        : HostState.gone(host, answer.text());
  }
}

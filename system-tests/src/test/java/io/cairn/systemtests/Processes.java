// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/** Real processes, found in {@code /proc} by a mark in their environment. */
final class Processes {

  /** Variable that marks every process of a test; its value is different in each test. */
  static final String MARK = "SYSTEMTESTS_MARK";

  private static final Path PROC = Path.of("/proc");
  private static final int MAX_DUMP_CHARS = 40_000;

  private Processes() {}

  /**
   * A process that is alive.
   *
   * @param rank its rank in the world, or -1
   * @param command its command line, shortened
   */
  record Marked(long pid, int rank, String command) {

    boolean isRank() {
      return rank >= 0;
    }

    void kill() {
      // The end of a process that has just ended by itself is what is wanted as well.
      ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
    }

    @Override
    public String toString() {
      return pid + (isRank() ? " (rank " + rank + ")" : "") + ": " + command;
    }
  }

  static List<Marked> withMark(String mark) {
    List<Marked> found = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(PROC, "[0-9]*")) {
      for (Path entry : entries) {
        marked(entry, mark).ifPresent(found::add);
      }
    } catch (IOException e) {
      throw new AssertionError("can't list /proc", e);
    }
    return found;
  }

  private static Optional<Marked> marked(Path entry, String mark) {
    try {
      List<String> environment = strings(entry.resolve("environ"));
      if (!environment.contains(MARK + "=" + mark)) {
        return Optional.empty();
      }
      long pid = Long.parseLong(entry.getFileName().toString());
      return Optional.of(new Marked(pid, rank(environment), shown(entry)));
    } catch (IOException e) {
      // It has ended meanwhile, or belongs to somebody else.
      return Optional.empty();
    }
  }

  private static String shown(Path entry) throws IOException {
    return strings(entry.resolve("cmdline")).stream()
        .filter(word -> word.length() < 80)
        .collect(Collectors.joining(" "));
  }

  /** Of a process; -1 if it is none. */
  static int rank(long pid) {
    try {
      return rank(strings(PROC.resolve(pid + "/environ")));
    } catch (IOException e) {
      return -1; // It has ended.
    }
  }

  private static int rank(List<String> environment) {
    return environment.stream()
        .filter(v -> v.startsWith("OMPI_COMM_WORLD_RANK="))
        .map(v -> Integer.parseInt(v.substring(v.indexOf('=') + 1)))
        .findFirst()
        .orElse(-1);
  }

  /** The command line of a process that isn't there any more. */
  static final String ENDED = "(it has ended)";

  /** Of a process, shortened. */
  static String commandLine(long pid) {
    try {
      return shown(PROC.resolve(Long.toString(pid)));
    } catch (IOException e) {
      return ENDED;
    }
  }

  private static List<String> strings(Path file) throws IOException {
    return List.of(Files.readString(file, StandardCharsets.ISO_8859_1).split("\0"));
  }

  /** Where every thread of a JVM stands, or why that can't be told. */
  static String threads(Marked process) {
    String javaHome = System.getProperty("java.home");
    return "---- threads of "
        + process
        + "\n"
        + output(List.of(javaHome + "/bin/jcmd", Long.toString(process.pid()), "Thread.print"), 10)
        + waitChannels(process.pid());
  }

  private static String waitChannels(long pid) {
    StringBuilder text = new StringBuilder();
    try (DirectoryStream<Path> tasks =
        Files.newDirectoryStream(PROC.resolve(pid + "/task"), "[0-9]*")) {
      for (Path task : tasks) {
        String status = Files.readString(task.resolve("stat"), StandardCharsets.ISO_8859_1);
        String name = status.substring(status.indexOf('(') + 1, status.lastIndexOf(')'));
        char state = status.charAt(status.lastIndexOf(')') + 2);
        text.append(task.getFileName()).append(' ').append(name).append(' ').append(state);
        text.append(' ').append(Files.readString(task.resolve("wchan"))).append('\n');
      }
    } catch (IOException e) {
      text.append("(it has ended: ").append(e).append(")\n");
    }
    return text.toString();
  }

  /** What a short command prints on both streams; never fails and never hangs. */
  static String output(List<String> command, int timeoutSeconds) {
    try {
      File file = File.createTempFile("systemtests", ".out");
      try {
        Process process =
            new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(file).start();
        if (!process.waitFor(timeoutSeconds, TimeUnit.SECONDS)) {
          process.destroyForcibly();
        }
        String text = Files.readString(file.toPath());
        return text.length() <= MAX_DUMP_CHARS ? text : text.substring(0, MAX_DUMP_CHARS) + "...\n";
      } finally {
        Files.deleteIfExists(file.toPath());
      }
    } catch (IOException e) {
      return command + ": " + e + "\n";
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return command + ": interrupted\n";
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.samples;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** One {@code mpirun} of the demo, and what it prints. */
final class Launch implements AutoCloseable {

  private static final String RANK_VARIABLE = "OMPI_COMM_WORLD_RANK=";
  private static final String END = "\0";

  private final Process mpirun;
  private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();
  private final List<String> all = new ArrayList<>();
  private int openStreams = 2;

  Launch(Path folder, int ranks, List<String> jvmOptions, Class<?> program, List<String> arguments)
      throws IOException {
    List<String> command = new ArrayList<>(List.of("mpirun", "-n", Integer.toString(ranks)));
    command.add(System.getProperty("java.home") + "/bin/java");
    command.add("-XX:+UseSerialGC");
    command.addAll(jvmOptions);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), program.getName()));
    command.addAll(arguments);
    ProcessBuilder builder = new ProcessBuilder(command).directory(folder.toFile());
    // More ranks than cores, and more threads in a rank than one: nothing is bound to a core.
    builder.environment().putIfAbsent("OMPI_MCA_rmaps_base_oversubscribe", "1");
    builder.environment().putIfAbsent("OMPI_MCA_mpi_yield_when_idle", "1");
    builder.environment().putIfAbsent("OMPI_MCA_hwloc_base_binding_policy", "none");
    mpirun = builder.start();
    mpirun.getOutputStream().close();
    follow(mpirun.getInputStream());
    follow(mpirun.getErrorStream());
    // Whoever stops the demo doesn't want to find its ranks later.
    Runtime.getRuntime().addShutdownHook(new Thread(this::close));
  }

  private void follow(InputStream stream) {
    Thread reader =
        new Thread(
            () -> {
              try (BufferedReader in =
                  new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
                in.lines().forEach(lines::add);
              } catch (IOException | UncheckedIOException e) {
                // It was killed: what was read is all there is.
              } finally {
                lines.add(END);
              }
            },
            "reader");
    reader.setDaemon(true);
    reader.start();
  }

  /** The next line; empty if there was none for so long. */
  Optional<String> next(long millis) throws InterruptedException {
    while (!ended()) {
      String line = lines.poll(millis, TimeUnit.MILLISECONDS);
      if (line == null) {
        return Optional.empty();
      }
      if (!line.equals(END)) {
        all.add(line);
        return Optional.of(line);
      }
      openStreams--;
    }
    return Optional.empty();
  }

  /** Whether everything it printed has been read. */
  boolean ended() {
    return openStreams == 0;
  }

  int exitCode() throws InterruptedException {
    return mpirun.waitFor();
  }

  /** Everything it printed. */
  List<String> printed() {
    return all;
  }

  /** SIGKILL for one rank, as an out-of-memory killer or a broken node would; its process id. */
  Optional<Long> kill(int rank) {
    Optional<ProcessHandle> victim =
        mpirun.descendants().filter(process -> isRank(process, rank)).findFirst();
    return victim.filter(ProcessHandle::destroyForcibly).map(ProcessHandle::pid);
  }

  private static boolean isRank(ProcessHandle process, int rank) {
    try {
      String environment =
          Files.readString(
              Path.of("/proc/" + process.pid() + "/environ"), StandardCharsets.ISO_8859_1);
      return List.of(environment.split("\0", -1)).contains(RANK_VARIABLE + rank);
    } catch (IOException e) {
      return false; // it has ended
    }
  }

  @Override
  public void close() {
    List<ProcessHandle> left = mpirun.descendants().toList();
    mpirun.destroyForcibly();
    left.forEach(ProcessHandle::destroyForcibly);
  }
}

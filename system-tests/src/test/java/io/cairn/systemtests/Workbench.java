// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A test's own folder and processes. After each test, passed or failed, no process is left running
 * and no file is left anywhere; a test that leaves a process running fails.
 */
final class Workbench implements BeforeEachCallback, AfterEachCallback {

  private static final long END_MILLIS = 20_000;

  private final List<MpiJob> jobs = new ArrayList<>();
  private final List<Path> mounts = new ArrayList<>();
  private final List<Nodes> nodes = new ArrayList<>();
  private Path base;
  private Path shared;
  private int folders;

  @Override
  public void beforeEach(ExtensionContext context) throws IOException {
    // Short: Open MPI's sockets have paths of limited length.
    base = Files.createTempDirectory(Path.of("/tmp"), "cst");
    Files.createDirectory(base.resolve("tmp"));
    shared = Files.createTempDirectory(Path.of("/dev/shm"), "cst");
    newFolder();
  }

  @Override
  public void afterEach(ExtensionContext context) throws Exception {
    List<Processes.Marked> left = new ArrayList<>();
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(END_MILLIS);
    boolean failed = context.getExecutionException().isPresent();
    for (MpiJob job : jobs) {
      List<Processes.Marked> alive = job.processes();
      while (!failed && !alive.isEmpty() && System.nanoTime() < deadline) {
        Thread.sleep(20);
        alive = job.processes();
      }
      left.addAll(alive);
      job.killAll();
    }
    for (Nodes some : nodes) {
      some.close();
    }
    for (Path mount : mounts) {
      Processes.output(List.of("umount", "--lazy", mount.toString()), 30);
    }
    delete(base);
    delete(shared);
    if (!failed && !left.isEmpty()) {
      throw new AssertionError(
          "left running:\n"
              + left.stream().map(Processes.Marked::toString).collect(Collectors.joining("\n")));
    }
  }

  /** Begins a launch; defaults make it quick and bounded. */
  MpiJob.Builder job(int ranks, Class<?> program) {
    return job(ranks, program.getName());
  }

  MpiJob.Builder job(int ranks, String program) {
    return new MpiJob.Builder(this, ranks, program);
  }

  /** Begins a launch of an executable file. */
  MpiJob.Builder executable(int ranks, Path program) {
    return job(ranks, program.toString()).executable();
  }

  /** Begins a program that isn't a rank; it starts mpirun itself. */
  MpiJob.Builder program(Class<?> program) {
    return new MpiJob.Builder(this, 0, program.getName());
  }

  /** Where the next launches run, and where their jobs keep their epochs by default. */
  Path folder() {
    return base.resolve("work" + folders);
  }

  private void newFolder() throws IOException {
    folders++;
    Files.createDirectory(folder());
  }

  /** From now on launches run in another, empty folder. */
  void emptyFolder() {
    try {
      newFolder();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The files of a job that runs in the current folder and has the default options. */
  JobFiles files(Class<?> program) {
    return files(program.getSimpleName());
  }

  JobFiles files(String job) {
    return new JobFiles(folder().resolve("cairn-jobs").resolve(job));
  }

  /**
   * Mounts a small file system of its own.
   *
   * @throws IOException if this user or system can't
   */
  Path smallFileSystem(int megabytes) throws IOException {
    Path mount = Files.createDirectory(base.resolve("small" + mounts.size()));
    String said =
        Processes.output(
            List.of(
                "mount",
                "-t",
                "tmpfs",
                "-o",
                "size=" + megabytes + "m,mode=0700",
                "tmpfs",
                mount.toString()),
            30);
    if (!Files.readString(Path.of("/proc/self/mounts")).contains(" " + mount + " ")) {
      throw new IOException("can't mount a tmpfs: " + said.strip());
    }
    mounts.add(mount);
    return mount;
  }

  /**
   * Starts nodes for this test; without the rights or tools for it the test is skipped, and says
   * so.
   *
   * @param slots of each
   */
  Nodes nodes(int count, int slots) throws IOException {
    Optional<String> problem = Nodes.problem();
    if (problem.isPresent()) {
      System.out.println("skipped: " + problem.get());
      abort(problem.get());
    }
    Nodes started =
        new Nodes(count, slots, Files.createDirectory(base.resolve("n" + nodes.size())));
    nodes.add(started);
    return started;
  }

  String newMark() {
    return UUID.randomUUID().toString();
  }

  void started(MpiJob job) {
    jobs.add(job);
  }

  /** What mpirun needs here: as root, on few cores, without leaving files anywhere. */
  void mpiEnvironment(Map<String, String> environment) {
    mpiEnvironment(environment, base.resolve("tmp"), shared);
  }

  static void mpiEnvironment(Map<String, String> environment, Path temporary, Path shared) {
    environment.put("OMPI_ALLOW_RUN_AS_ROOT", "1");
    environment.put("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    environment.put("OMPI_MCA_rmaps_base_oversubscribe", "1");
    environment.put("OMPI_MCA_mpi_yield_when_idle", "1");
    // A JVM has more threads than the one core that a rank would be bound to.
    environment.put("OMPI_MCA_hwloc_base_binding_policy", "none");
    // What Open MPI takes within one machine anyhow; looking for networks would last 0.2 s.
    environment.put("OMPI_MCA_pml", "ob1");
    // Without treematch, in which MPI_Dist_graph_create may hang, without Cairn too.
    environment.put("OMPI_MCA_topo", "basic");
    // mpirun asks the ranks to end before it kills them; a second for each kill of a test is a
    // minute of all.
    environment.put("OMPI_MCA_odls_base_sigkill_timeout", "0");
    environment.put("TMPDIR", temporary.toString());
    environment.put("OMPI_MCA_btl_vader_backing_directory", shared.toString());
  }

  static void delete(Path folder) {
    try {
      Files.walkFileTree(
          folder,
          new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes a)
                throws IOException {
              // A test may have taken the right to write from its user.
              directory.toFile().setWritable(true);
              return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes a) throws IOException {
              Files.delete(file);
              return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, IOException e)
                throws IOException {
              Files.delete(directory);
              return FileVisitResult.CONTINUE;
            }
          });
    } catch (IOException e) {
      throw new UncheckedIOException("can't clean up " + folder, e);
    }
  }
}

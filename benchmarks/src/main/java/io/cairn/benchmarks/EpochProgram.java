// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.Cairn;
import io.cairn.api.Region;
import io.cairn.natives.NativePages;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import mpi.MPI;
import mpi.MPIException;

/**
 * A program with one large region, every page of which is written between epochs. Before or after
 * each epoch it copies the region into warm memory, and writes and syncs it to a file of its own,
 * all ranks at once as in an epoch. With Cairn disabled it does all but the epochs.
 */
public final class EpochProgram {

  private static final int SAFE_POINTS = 20_000_000;
  private static final int SAFE_POINT_BATCHES = 5;

  private final Cairn cairn;
  private final Region region;
  private final Memory warm;
  private final Path rawFile;
  private final int rank = MPI.COMM_WORLD.getRank();
  private final EpochWatch watch = new EpochWatch();
  private final RankFigures figures = new RankFigures();

  private EpochProgram(Cairn cairn, Region region, Path rawFile) throws MPIException {
    this.cairn = cairn;
    this.region = region;
    this.rawFile = rawFile;
    warm = new Memory(region.lengthBytes());
  }

  /** Arguments: bytes per rank, epochs, content, directory, bytes a second or 0. */
  public static void main(String[] args) {
    Cairn.run(
        args,
        cairn -> {
          Region region = cairn.region("region", Long.parseLong(args[0]));
          cairn.restore();
          Path directory = Path.of(args[3]);
          EpochProgram program =
              new EpochProgram(cairn, region, directory.resolve("raw-" + MPI.COMM_WORLD.getRank()));
          long bandwidth = Long.parseLong(args[4]);
          program.measureEpochs(Integer.parseInt(args[1]), Content.valueOf(args[2]), bandwidth);
          if (bandwidth == 0) {
            program.measureSolver(Integer.parseInt(args[1]), Content.valueOf(args[2]));
          }
          program.printMemory();
          // Last: after millions of safe points a second the agents would propose one far ahead.
          program.measureSafePoints();
        });
  }

  // ---- epochs

  private void measureEpochs(int epochs, Content content, long bandwidth) throws Exception {
    cairn.addListener(watch);
    List<Long> copies = new ArrayList<>();
    List<Long> raws = new ArrayList<>();
    List<Long> directs = new ArrayList<>();
    List<Long> pauses = new ArrayList<>();
    List<Long> durables = new ArrayList<>();
    List<Long> commits = new ArrayList<>();
    // The first one isn't counted: file systems and JIT compilers have a first time, too.
    for (int i = 0; i <= epochs; i++) {
      Memory.fill(warm.pages, region.address(), region.lengthBytes(), content, 1L + i * 31L + rank);
      long copy = copy();
      // Each goes first every other time: the disk may remember what came before.
      long raw = 0;
      long direct = 0;
      for (int turn = 0; turn < 3; turn++) {
        switch ((i + turn) % 3) {
          case 0 -> raw = rawWrite(bandwidth);
          case 1 -> direct = bandwidth > 0 ? 0 : rawDirectWrite();
          default -> {
            if (cairn.isEnabled()) {
              watch.epoch(cairn);
            }
          }
        }
      }
      if (i > 0) {
        directs.add(RankFigures.longest(direct));
        copies.add(RankFigures.longest(copy));
        raws.add(RankFigures.longest(raw));
        pauses.add(RankFigures.longest(watch.pauseNanos));
        durables.add(
            RankFigures.longest(watch.pauseNanos) + RankFigures.longest(watch.durableNanos));
        commits.add(RankFigures.longest(watch.committedNanos));
      }
    }
    figures.printAll("copy", copies);
    figures.printAll("raw", raws);
    if (bandwidth == 0) {
      figures.printAll("raw-direct", directs);
    }
    if (cairn.isEnabled()) {
      figures.printAll("pause", pauses);
      figures.printAll("durable", durables);
      figures.printAll("committed", commits);
      figures.print("image-bytes", watch.imageBytes);
      for (int i = 0; i < epochs; i++) {
        figures.say(
            "epoch %d: pause %d ms (copy %d), durable %d ms, committed %d ms (raw %d, direct %d)",
            i + 1,
            pauses.get(i) / 1_000_000,
            copies.get(i) / 1_000_000,
            durables.get(i) / 1_000_000,
            commits.get(i) / 1_000_000,
            raws.get(i) / 1_000_000,
            directs.get(i) / 1_000_000);
      }
    }
  }

  /** For programs that only want to know that the agents are there. */
  static void commitOne(Cairn cairn) throws Exception {
    EpochWatch watch = new EpochWatch();
    cairn.addListener(watch);
    watch.epoch(cairn);
  }

  private long copy() throws MPIException {
    MPI.COMM_WORLD.barrier();
    long begin = System.nanoTime();
    warm.pages.copy(region.address(), warm.address, region.lengthBytes());
    return System.nanoTime() - begin;
  }

  private long rawWrite(long bandwidth) throws MPIException, IOException {
    MPI.COMM_WORLD.barrier();
    long begin = System.nanoTime();
    NativePages pages = warm.pages;
    RawWrite.writeAndSync(pages, region.address(), region.lengthBytes(), rawFile, bandwidth);
    return removed(begin);
  }

  private long rawDirectWrite() throws MPIException, IOException {
    MPI.COMM_WORLD.barrier();
    long begin = System.nanoTime();
    NativePages pages = warm.pages;
    RawWrite.writeDirectAndSync(pages, region.address(), region.lengthBytes(), rawFile);
    return removed(begin);
  }

  /** The time since then; the file is removed when all ranks are done. */
  private long removed(long begin) throws MPIException, IOException {
    long nanos = System.nanoTime() - begin;
    MPI.COMM_WORLD.barrier();
    Files.delete(rawFile);
    return nanos;
  }

  // ---- a solver on all cores, while an epoch is written

  private static final int SOLVER_STEPS = 2_000;
  private static final int SOLVER_WORK = 100_000;

  private double heat = 1;

  /** Some tenths of a millisecond of arithmetic, in registers. */
  private void step() {
    double x = heat;
    for (int i = 0; i < SOLVER_WORK; i++) {
      x = x * 0.999999 + 1e-6;
    }
    heat = x;
  }

  private long steps() throws Exception {
    MPI.COMM_WORLD.barrier();
    long begin = System.nanoTime();
    steps(SOLVER_STEPS);
    return System.nanoTime() - begin;
  }

  private void steps(int count) {
    for (int i = 0; i < count; i++) {
      step();
      cairn.safePoint();
    }
  }

  /** At the same pace: who slows down makes the agreed safe point a distant one. */
  private void stepUntilCommitted() throws Exception {
    watch.awaitCommit(() -> steps(SOLVER_STEPS / 10));
  }

  /**
   * What some steps take longer if an epoch is written meanwhile, less the pause, beside the time
   * that its writer had a core. With other work on the machine neither says much.
   */
  private void measureSolver(int epochs, Content content) throws Exception {
    if (!cairn.isEnabled()) {
      return;
    }
    watch.solving = true;
    List<Long> losses = new ArrayList<>();
    List<Long> writers = new ArrayList<>();
    List<Long> quiets = new ArrayList<>();
    for (int i = 0; i <= epochs; i++) {
      Memory.fill(
          warm.pages, region.address(), region.lengthBytes(), content, -1L - i * 31L - rank);
      long quiet = steps();
      long core = writerNanos();
      watch.ask(cairn);
      long busy = steps();
      stepUntilCommitted();
      quiet = (quiet + steps()) / 2;
      if (i > 0) {
        quiets.add(RankFigures.longest(quiet));
        losses.add(RankFigures.longest(Math.max(0, busy - quiet - watch.pauseNanos)));
        writers.add(RankFigures.longest(writerNanos() - core));
      }
    }
    figures.printAll("solver-quiet", quiets);
    figures.printAll("solver-loss", losses);
    figures.printAll("writer-core", writers);
  }

  /** How long the threads that encode and write have had a core. */
  private static long writerNanos() {
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    long nanos = 0;
    for (Thread thread : Thread.getAllStackTraces().keySet()) {
      if (thread.getName().equals("cairn-writer") || thread.getName().equals("cairn-disk")) {
        nanos += Math.max(0, threads.getThreadCpuTime(thread.getId()));
      }
    }
    return nanos;
  }

  // ---- safe points through the public door

  private volatile long index;
  private volatile long target = Long.MAX_VALUE;

  private void measureSafePoints() throws MPIException {
    double least = Double.MAX_VALUE;
    double leastReference = Double.MAX_VALUE;
    for (int batch = 0; batch < SAFE_POINT_BATCHES; batch++) {
      leastReference = Math.min(leastReference, volatileStoreAndLoad());
      least = Math.min(least, safePoints());
    }
    MPI.COMM_WORLD.barrier();
    figures.printDecimal("safe-point", least);
    figures.printDecimal("volatile-store-and-load", leastReference);
  }

  private double safePoints() {
    long begin = System.nanoTime();
    for (int i = 0; i < SAFE_POINTS; i++) {
      cairn.safePoint();
    }
    return (double) (System.nanoTime() - begin) / SAFE_POINTS;
  }

  // One writer, as in the gate.
  private double volatileStoreAndLoad() {
    long begin = System.nanoTime();
    for (int i = 0; i < SAFE_POINTS; i++) {
      long next = index + 1;
      index = next;
      if (target <= next) {
        throw new IllegalStateException("counted to the end");
      }
    }
    return (double) (System.nanoTime() - begin) / SAFE_POINTS;
  }

  // ---- memory

  private void printMemory() throws IOException, MPIException {
    figures.print("resident", RankFigures.longest(status("VmRSS:")));
    figures.print("resident-peak", RankFigures.longest(status("VmHWM:")));
    figures.print("anonymous", RankFigures.longest(status("RssAnon:")));
  }

  private static long status(String name) throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith(name)) {
        return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
      }
    }
    throw new IOException("no " + name + " in /proc/self/status");
  }
}

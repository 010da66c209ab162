// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.Cairn;
import io.cairn.api.CheckpointListener;
import io.cairn.api.Region;
import io.cairn.natives.NativePages;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import mpi.MPI;
import mpi.MPIException;

/**
 * A program with one large region, every page of which is written between epochs. Before or after
 * each epoch it copies the region into warm memory, and writes and syncs it to a file of its own,
 * all ranks at once as in an epoch. With Cairn disabled it does all but the epochs.
 */
public final class EpochProgram {

  private static final long COMMIT_LIMIT_NANOS = 300_000_000_000L;
  private static final int SAFE_POINTS = 20_000_000;
  private static final int SAFE_POINT_BATCHES = 5;

  private final Cairn cairn;
  private final Region region;
  private final Memory warm;
  private final Path rawFile;
  private final int rank = MPI.COMM_WORLD.getRank();
  private final Watch watch = new Watch();

  /** What happened to the last epoch. */
  private static final class Watch implements CheckpointListener {
    long begin;
    long pauseNanos;
    long durableNanos;
    long committedNanos;
    long imageBytes;
    boolean committed;
    boolean solving;

    @Override
    public void beforeCut(CutEvent event) {
      begin = System.nanoTime();
    }

    @Override
    public void captured(CapturedEvent event) {
      pauseNanos = event.pauseNanos();
    }

    @Override
    public void committed(CommittedEvent event) {
      committedNanos = System.nanoTime() - begin;
      durableNanos = event.durableNanos();
      imageBytes = event.imageBytes();
      committed = true;
    }

    @Override
    public void abandoned(AbandonedEvent event) {
      if (solving) {
        // Ranks that compete for cores may miss the agreed safe point; the next epoch is tried at
        // once.
        return;
      }
      throw new IllegalStateException("epoch " + event.epoch() + ": " + event.reason());
    }
  }

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
            program.measureSolver(Integer.parseInt(args[1]));
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
              epoch(cairn, watch);
            }
          }
        }
      }
      if (i > 0) {
        directs.add(longest(direct));
        copies.add(longest(copy));
        raws.add(longest(raw));
        pauses.add(longest(watch.pauseNanos));
        durables.add(longest(watch.pauseNanos) + longest(watch.durableNanos));
        commits.add(longest(watch.committedNanos));
      }
    }
    printAll("copy", copies);
    printAll("raw", raws);
    if (bandwidth == 0) {
      printAll("raw-direct", directs);
    }
    if (cairn.isEnabled()) {
      printAll("pause", pauses);
      printAll("durable", durables);
      printAll("committed", commits);
      print("image-bytes", watch.imageBytes);
      for (int i = 0; i < epochs; i++) {
        say(
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

  /** Asks for an epoch and waits for its commit, a safe point every millisecond. */
  private static void epoch(Cairn cairn, Watch watch) throws Exception {
    watch.committed = false;
    MPI.COMM_WORLD.barrier();
    cairn.requestCheckpoint();
    awaitCommit(cairn, watch);
  }

  private static void awaitCommit(Cairn cairn, Watch watch) throws Exception {
    long begin = System.nanoTime();
    do {
      cairn.safePoint();
      Thread.sleep(1);
      if (System.nanoTime() - begin > COMMIT_LIMIT_NANOS) {
        throw new IllegalStateException("no epoch was committed in five minutes");
      }
    } while (longest(watch.committed ? 0 : 1) > 0);
  }

  /** For programs that only want to know that the agents are there. */
  static void commitOne(Cairn cairn) throws Exception {
    Watch watch = new Watch();
    cairn.addListener(watch);
    epoch(cairn, watch);
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
    long begin = System.nanoTime();
    do {
      steps(SOLVER_STEPS / 10);
      if (System.nanoTime() - begin > COMMIT_LIMIT_NANOS) {
        throw new IllegalStateException("no epoch was committed in five minutes");
      }
    } while (longest(watch.committed ? 0 : 1) > 0);
  }

  /**
   * What some steps take longer if an epoch is written meanwhile, less the pause, beside the time
   * that its writer had a core. With other work on the machine neither says much.
   */
  private void measureSolver(int epochs) throws Exception {
    if (!cairn.isEnabled()) {
      return;
    }
    watch.solving = true;
    List<Long> losses = new ArrayList<>();
    List<Long> writers = new ArrayList<>();
    List<Long> quiets = new ArrayList<>();
    for (int i = 0; i <= epochs; i++) {
      long quiet = steps();
      watch.committed = false;
      long core = writerNanos();
      cairn.requestCheckpoint();
      long busy = steps();
      stepUntilCommitted();
      quiet = (quiet + steps()) / 2;
      if (i > 0) {
        quiets.add(longest(quiet));
        losses.add(longest(Math.max(0, busy - quiet - watch.pauseNanos)));
        writers.add(longest(writerNanos() - core));
      }
    }
    printAll("solver-quiet", quiets);
    printAll("solver-loss", losses);
    printAll("writer-core", writers);
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
    printDecimal("safe-point", least);
    printDecimal("volatile-store-and-load", leastReference);
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
    print("resident", longest(status("VmRSS:")));
    print("resident-peak", longest(status("VmHWM:")));
    print("anonymous", longest(status("RssAnon:")));
  }

  private static long status(String name) throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith(name)) {
        return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
      }
    }
    throw new IOException("no " + name + " in /proc/self/status");
  }

  // ---- over all ranks

  private static long longest(long mine) throws MPIException {
    LongBuffer value = MPI.newLongBuffer(1).put(0, mine);
    MPI.COMM_WORLD.allReduce(value, 1, MPI.LONG, MPI.MAX);
    return value.get(0);
  }

  /** The median, and half of what the middle half of them covers, as a part of it. */
  private void printAll(String name, List<Long> values) {
    List<Long> sorted = new ArrayList<>(values);
    Collections.sort(sorted);
    int count = sorted.size();
    long median = median(values);
    print(name, median);
    double middle = sorted.get(count - 1 - count / 4) - sorted.get(count / 4);
    printDecimal(name + "-spread", median == 0 ? 0 : middle / 2 / median);
  }

  private static long median(List<Long> values) {
    List<Long> sorted = new ArrayList<>(values);
    Collections.sort(sorted);
    return sorted.get(sorted.size() / 2);
  }

  private void print(String name, long value) {
    if (rank == 0) {
      System.out.println(name + " " + value);
    }
  }

  private void printDecimal(String name, double value) {
    if (rank == 0) {
      System.out.println(name + " " + String.format(Locale.ROOT, "%.2f", value));
    }
  }

  private void say(String format, Object... values) {
    if (rank == 0) {
      System.out.println("  " + String.format(Locale.ROOT, format, values));
    }
  }
}

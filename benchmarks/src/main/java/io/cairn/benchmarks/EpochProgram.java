// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.Cairn;
import io.cairn.api.CheckpointListener;
import io.cairn.api.Region;
import io.cairn.natives.NativePages;
import java.io.IOException;
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
      throw new IllegalStateException("epoch " + event.epoch() + ": " + event.reason());
    }
  }

  private EpochProgram(Cairn cairn, Region region, Path rawFile) throws MPIException {
    this.cairn = cairn;
    this.region = region;
    this.rawFile = rawFile;
    warm = new Memory(region.lengthBytes());
  }

  /** Arguments: bytes per rank, epochs, content, directory. */
  public static void main(String[] args) {
    Cairn.run(
        args,
        cairn -> {
          Region region = cairn.region("region", Long.parseLong(args[0]));
          cairn.restore();
          Path directory = Path.of(args[3]);
          EpochProgram program =
              new EpochProgram(cairn, region, directory.resolve("raw-" + MPI.COMM_WORLD.getRank()));
          program.measureEpochs(Integer.parseInt(args[1]), Content.valueOf(args[2]));
          program.printMemory();
          // Last: after millions of safe points a second the agents would propose one far ahead.
          program.measureSafePoints();
        });
  }

  // ---- epochs

  private void measureEpochs(int epochs, Content content) throws Exception {
    cairn.addListener(watch);
    List<Long> copies = new ArrayList<>();
    List<Long> raws = new ArrayList<>();
    List<Long> pauses = new ArrayList<>();
    List<Long> durables = new ArrayList<>();
    List<Long> commits = new ArrayList<>();
    // The first one isn't counted: file systems and JIT compilers have a first time, too.
    for (int i = 0; i <= epochs; i++) {
      Memory.fill(warm.pages, region.address(), region.lengthBytes(), content, 1L + i * 31L + rank);
      long copy = copy();
      // Each goes first every other time: the disk may remember what came before.
      long raw = i % 2 == 0 ? rawWrite() : 0;
      if (cairn.isEnabled()) {
        epoch(cairn, watch);
      }
      raw = i % 2 == 0 ? raw : rawWrite();
      if (i > 0) {
        copies.add(longest(copy));
        raws.add(longest(raw));
        pauses.add(longest(watch.pauseNanos));
        durables.add(longest(watch.pauseNanos) + longest(watch.durableNanos));
        commits.add(longest(watch.committedNanos));
      }
    }
    print("copy", median(copies));
    print("raw", median(raws));
    if (cairn.isEnabled()) {
      print("pause", median(pauses));
      print("durable", median(durables));
      print("committed", median(commits));
      print("image-bytes", watch.imageBytes);
      for (int i = 0; i < epochs; i++) {
        say(
            "epoch %d: pause %d ms (copy %d), durable %d ms, committed %d ms (raw %d)",
            i + 1,
            pauses.get(i) / 1_000_000,
            copies.get(i) / 1_000_000,
            durables.get(i) / 1_000_000,
            commits.get(i) / 1_000_000,
            raws.get(i) / 1_000_000);
      }
    }
  }

  /** Asks for an epoch and waits for its commit, a safe point every millisecond. */
  private static void epoch(Cairn cairn, Watch watch) throws Exception {
    watch.committed = false;
    MPI.COMM_WORLD.barrier();
    cairn.requestCheckpoint();
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
    warm.pages.dump(region.address(), warm.address, region.lengthBytes());
    return System.nanoTime() - begin;
  }

  private long rawWrite() throws MPIException, IOException {
    MPI.COMM_WORLD.barrier();
    long begin = System.nanoTime();
    NativePages pages = warm.pages;
    RawWrite.writeAndSync(pages, region.address(), region.lengthBytes(), rawFile);
    long nanos = System.nanoTime() - begin;
    MPI.COMM_WORLD.barrier();
    Files.delete(rawFile);
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

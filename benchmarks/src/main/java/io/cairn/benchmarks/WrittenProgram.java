// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.Cairn;
import io.cairn.api.Region;
import io.cairn.natives.NativePages;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import mpi.MPI;
import mpi.MPIException;

/**
 * A program with one large region, of which it writes single pages, spread at random, between
 * epochs. Three kinds of epochs take turns: a full one; one that takes from it what wasn't written
 * since; and one for which nothing was written at all.
 */
public final class WrittenProgram {

  /** Every third image is full: {@code cairn.full.every}. */
  static final int FULL_EVERY = 3;

  // In the first turns of {@code cairn.pages=auto} it is found out whether noticing writes pays.
  private static final int UNCOUNTED_TURNS = 2;

  private final Cairn cairn;
  private final Region region;
  private final long pageBytes = new NativePages().pageSizeBytes();
  private final NativePages memory = new NativePages();
  private final EpochWatch watch = new EpochWatch();
  private final RankFigures figures = new RankFigures();
  private final SplittableRandom random;

  /** The epochs of one kind. */
  private static final class Kind {
    final String name;
    final List<Long> pauses = new ArrayList<>();
    final List<Long> durables = new ArrayList<>();
    final List<Long> bytes = new ArrayList<>();

    Kind(String name) {
      this.name = name;
    }
  }

  private WrittenProgram(Cairn cairn, Region region, long seed) throws MPIException {
    this.cairn = cairn;
    this.region = region;
    random = new SplittableRandom(seed + MPI.COMM_WORLD.getRank());
  }

  /** Arguments: bytes per rank, epochs of each kind, part of the pages that is written, seed. */
  public static void main(String[] args) {
    Cairn.run(
        args,
        cairn -> {
          Region region = cairn.region("region", Long.parseLong(args[0]));
          cairn.restore();
          new WrittenProgram(cairn, region, Long.parseLong(args[3]))
              .measure(Integer.parseInt(args[1]), Double.parseDouble(args[2]));
        });
  }

  private void measure(int epochs, double part) throws Exception {
    Memory.fill(memory, region.address(), region.lengthBytes(), Content.RANDOM, random.nextLong());
    cairn.addListener(watch);
    int pages = Math.max(1, (int) (part * region.lengthBytes() / pageBytes));
    Kind full = new Kind("full");
    Kind written = new Kind("written");
    Kind unwritten = new Kind("unwritten");
    for (int turn = 0; turn < UNCOUNTED_TURNS + epochs; turn++) {
      boolean counts = turn >= UNCOUNTED_TURNS;
      // Full ones, too: what is found to be written takes its time in each cut.
      write(pages);
      epoch(full, counts);
      write(pages);
      epoch(written, counts);
      epoch(unwritten, counts);
    }
    for (Kind kind : List.of(full, written, unwritten)) {
      figures.printAll(kind.name + "-pause", kind.pauses);
      figures.printAll(kind.name + "-durable", kind.durables);
      figures.printAll(kind.name + "-bytes", kind.bytes);
      figures.say(
          "%s: pauses (us) %s, durable (ms) %s",
          kind.name,
          kind.pauses.stream().map(nanos -> nanos / 1_000).toList(),
          kind.durables.stream().map(nanos -> nanos / 1_000_000).toList());
    }
    figures.print("written-page-bytes", 2L * pages * pageBytes);
  }

  private void epoch(Kind kind, boolean counts) throws Exception {
    watch.epoch(cairn);
    if (counts) {
      kind.pauses.add(RankFigures.longest(watch.pauseNanos));
      kind.durables.add(
          RankFigures.longest(watch.pauseNanos) + RankFigures.longest(watch.durableNanos));
      kind.bytes.add(watch.imageBytes);
    }
  }

  /** Eight bytes in each of so many different pages. */
  private void write(int pages) {
    int all = (int) (region.lengthBytes() / pageBytes);
    BitSet chosen = new BitSet(all);
    while (chosen.cardinality() < pages) {
      chosen.set(random.nextInt(all));
    }
    chosen.stream()
        .forEach(
            page -> {
              ByteBuffer bytes = memory.view(region.address() + page * pageBytes, (int) pageBytes);
              int words = (int) (pageBytes / Long.BYTES);
              bytes.putLong(random.nextInt(words) * Long.BYTES, random.nextLong());
            });
  }
}

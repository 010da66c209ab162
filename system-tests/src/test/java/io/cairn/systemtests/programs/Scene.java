// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import io.cairn.api.CheckpointListener;
import io.cairn.coordinate.Ledger;
import io.cairn.natives.Shim;
import io.cairn.samples.EventLines;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongSupplier;
import mpi.MPI;
import mpi.MPIException;

/** What the programs have in common. */
final class Scene {

  /**
   * {@code RANK:N}: this rank halts when it is told of the N-th commit; {@code RANK:N:late}: or of
   * the first after it that has late messages.
   */
  private static final String HALT = "systemtests.halt";

  private static final int BLOCK = 20;
  private static final int MOST_BLOCKS = 1_000;

  /** Of a ledger that is there already, and keeps its own. */
  private static final long STATE_LIMIT_BYTES = 1L << 30;

  private Scene() {}

  /** Counts what a rank is told of. */
  static final class Told implements CheckpointListener {
    private long commits;
    private long abandoned;

    long commits() {
      return commits;
    }

    long abandoned() {
      return abandoned;
    }

    void reset() {
      commits = 0;
      abandoned = 0;
    }

    @Override
    public void committed(CommittedEvent event) {
      commits++;
    }

    @Override
    public void abandoned(AbandonedEvent event) {
      abandoned++;
    }
  }

  /**
   * How a program passes its safe points: quickly, or so that epochs are begun where the test wants
   * them. Arguments: millis (of a step); cuts (after each so many steps the program waits until it
   * has been cut with what it has in flight there); settle (each so many-th time until that epoch
   * is settled, too, so that late messages have to be fetched).
   */
  static final class Pace implements CheckpointListener {
    private final Cairn cairn;
    private final long millis;
    private final long cuts;
    private final long settle;
    private long cut;
    private long settled;

    Pace(Cairn cairn, Map<String, Long> numbers) {
      this.cairn = cairn;
      millis = numbers.getOrDefault("millis", 0L);
      cuts = numbers.getOrDefault("cuts", 0L);
      settle = numbers.getOrDefault("settle", 0L);
      cairn.addListener(this);
    }

    @Override
    public void beforeCut(CutEvent event) {
      cut = event.epoch();
    }

    @Override
    public void committed(CommittedEvent event) {
      settled = event.epoch();
    }

    @Override
    public void abandoned(AbandonedEvent event) {
      settled = event.epoch();
    }

    /** After {@code step} steps, at the same place on all ranks. */
    void safePoint(long step) throws MPIException, InterruptedException {
      long before = cut;
      if (millis > 0) {
        Thread.sleep(millis);
      }
      cairn.safePoint();
      if (cuts > 0 && step % cuts == 0) {
        boolean whole = settle > 0 && step / cuts % settle == 0;
        for (int i = 0; !all(cut > before && (!whole || settled >= cut)); i++) {
          if (i == MOST_BLOCKS * BLOCK) {
            throw new IllegalStateException(
                "cut for epoch %d, settled %d; expected one after %d"
                    .formatted(cut, settled, before));
          }
          Thread.sleep(1);
          cairn.safePoint();
        }
      }
    }

    /** The program's result, and what the shim had to do for it, over all ranks. */
    void result(long digest) throws MPIException {
      Scene.result(digest);
      if (cairn.isEnabled()) {
        Ledger.Statistics mine = Shim.ledger(STATE_LIMIT_BYTES).statistics();
        long[] sums = {mine.drained(), mine.replayed()};
        MPI.COMM_WORLD.allReduce(sums, sums.length, MPI.LONG, MPI.SUM);
        say(0, "shim drained=%d replayed=%d".formatted(sums[0], sums[1]));
      }
    }

    private static boolean all(boolean mine) throws MPIException {
      int[] every = {mine ? 1 : 0};
      MPI.COMM_WORLD.allReduce(every, 1, MPI.INT, MPI.MIN);
      return every[0] != 0;
    }
  }

  /** Tells of epochs, and halts where the test wants it. */
  static void watch(Cairn cairn) throws MPIException {
    int rank = MPI.COMM_WORLD.getRank();
    cairn.addListener(new EventLines(rank));
    String halt = System.getProperty(HALT);
    if (halt != null && halt.startsWith(rank + ":")) {
      String[] parts = halt.split(":", -1);
      cairn.addListener(new Halt(Integer.parseInt(parts[1]), parts.length > 2));
    }
  }

  private static final class Halt implements CheckpointListener {
    private final boolean late;
    private int left;

    Halt(int commits, boolean late) {
      left = commits;
      this.late = late;
    }

    @Override
    public void committed(CommittedEvent event) {
      left--;
      if (left <= 0 && (!late || event.lateMessages() > 0)) {
        Runtime.getRuntime().halt(137);
      }
    }
  }

  /** Arguments of the form {@code name=number}. */
  static Map<String, Long> numbers(String[] args, String... defaults) {
    Map<String, Long> numbers = new TreeMap<>();
    for (String[] all : Arrays.asList(defaults, args)) {
      for (String argument : all) {
        int equals = argument.indexOf('=');
        numbers.put(argument.substring(0, equals), Long.parseLong(argument.substring(equals + 1)));
      }
    }
    return numbers;
  }

  /**
   * Goes on, without changing anything, until all ranks have been told of so many commits or
   * abandoned epochs: how long a disk takes is nobody's promise. Collective.
   *
   * @return how many safe points that took
   */
  static long safePointsUntil(Cairn cairn, long wanted, LongSupplier told)
      throws MPIException, InterruptedException {
    for (int block = 0; block <= MOST_BLOCKS; block++) {
      long[] fewest = {told.getAsLong()};
      MPI.COMM_WORLD.allReduce(fewest, 1, MPI.LONG, MPI.MIN);
      if (fewest[0] >= wanted) {
        return (long) block * BLOCK;
      }
      for (int i = 0; i < BLOCK; i++) {
        Thread.sleep(1);
        cairn.safePoint();
      }
    }
    throw new IllegalStateException(
        "a rank was told " + told.getAsLong() + " times, expected " + wanted + " times");
  }

  /** Sums up over all ranks, and prints on rank 0. */
  static void result(long digest) throws MPIException {
    long[] sum = {digest};
    MPI.COMM_WORLD.allReduce(sum, 1, MPI.LONG, MPI.SUM);
    say(0, "result " + Long.toHexString(sum[0]));
  }

  /** A line of one rank, in one piece. */
  static void say(int rank, String line) throws MPIException {
    if (MPI.COMM_WORLD.getRank() == rank) {
      System.out.print(line + "\n");
      System.out.flush();
    }
  }

  /** Mixes a value into a digest whose order matters. */
  static long mix(long digest, long value) {
    long z = (digest ^ value) * 0xBF58476D1CE4E5B9L + 0x9E3779B97F4A7C15L;
    return z ^ (z >>> 29);
  }
}

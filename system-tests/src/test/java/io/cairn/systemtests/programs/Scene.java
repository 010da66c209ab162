// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import io.cairn.api.CheckpointListener;
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

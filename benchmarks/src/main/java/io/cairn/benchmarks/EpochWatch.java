// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.Cairn;
import io.cairn.api.CheckpointListener;
import mpi.MPI;
import mpi.MPIException;

/** What happened to the last epoch; asks for one and waits for it. */
final class EpochWatch implements CheckpointListener {

  private static final long COMMIT_LIMIT_NANOS = 300_000_000_000L;

  private long begin;
  long pauseNanos;
  long durableNanos;
  long committedNanos;
  long imageBytes;
  private long number;
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
    number = event.epoch();
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

  /** Asks for an epoch and waits for its commit, a safe point every millisecond. */
  void epoch(Cairn cairn) throws Exception {
    long before = number;
    MPI.COMM_WORLD.barrier();
    ask(cairn);
    awaitCommit(
        () -> {
          cairn.safePoint();
          Thread.sleep(1);
        });
    if (before > 0 && number != before + 1) {
      throw new IllegalStateException("one epoch after " + before + " expected, found " + number);
    }
  }

  /**
   * All ranks, behind a barrier: one of them asks, as a wish that comes late is for another one.
   */
  void ask(Cairn cairn) throws MPIException {
    committed = false;
    if (MPI.COMM_WORLD.getRank() == 0) {
      cairn.requestCheckpoint();
    }
  }

  /** Some part of a program, with safe points. */
  interface Steps {
    void run() throws Exception;
  }

  /** Goes on until all ranks know that the epoch is committed. */
  void awaitCommit(Steps steps) throws Exception {
    long start = System.nanoTime();
    do {
      steps.run();
      if (System.nanoTime() - start > COMMIT_LIMIT_NANOS) {
        throw new IllegalStateException("no epoch was committed in five minutes");
      }
    } while (RankFigures.longest(committed ? 0 : 1) > 0);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import io.cairn.image.FaultPoint;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;

/** How, and when, a running job is to die. */
sealed interface Kill {

  /** Points that only the rank that writes the store's records comes to. */
  Set<FaultPoint> OF_RANK_0 =
      EnumSet.range(FaultPoint.BEFORE_PENDING_RECORD, FaultPoint.DURING_PRUNE);

  /** Points that need an epoch to come back to. */
  Set<FaultPoint> OF_RESTORE = EnumSet.of(FaultPoint.DURING_RESTORE, FaultPoint.AFTER_RESTORE);

  /** Points that only jobs with slower tiers come to; {@link TiersIT} has those. */
  Set<FaultPoint> OF_TIERS =
      EnumSet.range(FaultPoint.BEFORE_PROTECTION, FaultPoint.AFTER_RECOVERED_IMAGE);

  /** Makes the launch die so. */
  void prepare(MpiJob.Builder launch);

  /** Waits for the moment, and kills from outside if that is the way. */
  void strike(MpiJob job);

  /** Whether it can happen to a job with or without a committed epoch. */
  default boolean isPossible(boolean committed) {
    return true;
  }

  /**
   * A rank halts at a point of the program.
   *
   * @param nth at the how manieth time, from 1
   */
  record AtFaultPoint(FaultPoint point, int rank, int nth) implements Kill {
    @Override
    public void prepare(MpiJob.Builder launch) {
      launch.environment("CAIRN_TEST_FAULT", point + ":" + rank + ":" + nth);
    }

    @Override
    public void strike(MpiJob job) {}

    @Override
    public boolean isPossible(boolean committed) {
      return committed || !OF_RESTORE.contains(point);
    }
  }

  /**
   * SIGKILL from outside.
   *
   * @param rank of one rank, or of all and mpirun if empty
   * @param commits when this many more epochs are committed (0: counted from the start)
   * @param millis and then so much later
   */
  record AtTime(Optional<Integer> rank, int commits, int millis) implements Kill {
    @Override
    public void prepare(MpiJob.Builder launch) {}

    @Override
    public void strike(MpiJob job) {
      if (commits > 0) {
        job.awaitLinesOrEnd(commits, "event committed rank=0 ");
      }
      boolean lives = job.livesFor(millis);
      if (rank.isEmpty() && lives) {
        job.killAll();
      }
      // So early that mpirun has not started it yet: then as soon as it has.
      while (rank.isPresent() && lives && !job.kill(rank.get())) {
        lives = job.livesFor(5);
      }
    }
  }

  /**
   * A plan for one job: its share of the fault points, and kills at any time.
   *
   * @param share which of the {@code shares} that together have every fault point
   */
  static List<Kill> plan(SplittableRandom random, int ranks, int kills, int share, int shares) {
    List<Kill> plan = new ArrayList<>();
    List<FaultPoint> points = List.copyOf(EnumSet.complementOf(EnumSet.copyOf(OF_TIERS)));
    for (int i = share; i < points.size() && plan.size() < kills; i += shares) {
      FaultPoint point = points.get(i);
      int rank = OF_RANK_0.contains(point) ? 0 : random.nextInt(ranks);
      // A process restores once.
      int nth = point == FaultPoint.AFTER_RESTORE ? 1 : 1 + random.nextInt(3);
      plan.add(new AtFaultPoint(point, rank, nth));
    }
    while (plan.size() < kills) {
      Optional<Integer> rank =
          random.nextInt(3) == 0 ? Optional.empty() : Optional.of(random.nextInt(ranks));
      boolean early = random.nextInt(4) == 0;
      plan.add(
          new AtTime(rank, early ? 0 : 1 + random.nextInt(3), random.nextInt(early ? 1_000 : 60)));
    }
    for (int i = plan.size() - 1; i > 0; i--) {
      Collections.swap(plan, i, random.nextInt(i + 1));
    }
    return plan;
  }
}

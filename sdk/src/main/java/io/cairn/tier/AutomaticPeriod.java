// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.coordinate.AutomaticInterval;
import io.cairn.coordinate.MeanTime;
import io.cairn.image.Recent;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Which epochs a tier protects: one that is committed when at least the optimum has passed since
 * the last one that it protects, by what a protection costs the application and how often that is
 * lost which it protects against; and at least so much that the network and the storage are not
 * used for it all the time. One of a tier, at rank 0; not thread-safe.
 *
 * <pre>
 * idle --&gt; under way [taken] --&gt; idle [ended]
 * </pre>
 *
 * As long as nothing is known of the cost each epoch is due.
 */
final class AutomaticPeriod {

  /** Each protection is some rounds of messages of all ranks, whatever it costs. */
  static final long LEAST_NANOS = TimeUnit.SECONDS.toNanos(1);

  /** The network and the storage are the application's, too. */
  static final int LEAST_TIMES_TAKEN = 3;

  /** A choice that differs by less is not told. */
  private static final double TOLD_CHANGE = 0.1;

  /** What the choice goes by. */
  enum Ground {
    /** {@link AutomaticInterval#optimumNanos}. */
    OPTIMUM,
    /** The optimum is less than {@link #LEAST_NANOS}. */
    SHORTEST,
    /** The optimum is less than what a protection takes, some times over. */
    TAKEN
  }

  /**
   * A choice and its reason.
   *
   * @param nanos least time between two epochs that are protected
   * @param costNanos what a protection costs the application
   */
  record Choice(long nanos, Ground ground, long costNanos, MeanTime failures) {

    /** For the log, after the tier's name. */
    String describe() {
      String why =
          switch (ground) {
            case OPTIMUM -> "";
            case SHORTEST -> ", the shortest";
            case TAKEN -> ", " + LEAST_TIMES_TAKEN + " times what that takes";
          };
      return "protects an epoch every %s%s: that costs %s, and what it protects against is every %s (%s)"
          .formatted(
              AutomaticInterval.seconds(nanos),
              why,
              AutomaticInterval.seconds(costNanos),
              AutomaticInterval.seconds(failures.nanos()),
              failures.source());
    }
  }

  private final Supplier<MeanTime> failures;
  private final Consumer<Choice> report;
  private final Recent costs = new Recent();
  private final Recent taken = new Recent();
  private OptionalLong last = OptionalLong.empty(); // when the last one was committed
  private OptionalLong before = OptionalLong.empty(); // and the one before that
  private boolean underWay;
  private long toldNanos = -1;

  /**
   * @param failures asked for each decision
   * @param report told what is chosen, when something is known of the cost and whenever the choice
   *     has changed a good deal
   */
  AutomaticPeriod(Supplier<MeanTime> failures, Consumer<Choice> report) {
    this.failures = failures;
    this.report = report;
  }

  /** Nothing can be decided, as what the last one costs is still to be seen. */
  boolean isUnderWay() {
    return underWay;
  }

  /** Whether the tier protects an epoch that was committed then. Only when none is under way. */
  boolean isDue(long committedNanos) {
    if (underWay) {
      throw new IllegalStateException("the last protection is still under way");
    }
    if (costs.isEmpty()) {
      return true;
    }
    Choice choice = choose();
    return last.isEmpty() || committedNanos - last.getAsLong() >= choice.nanos();
  }

  private Choice choose() {
    long cost = (long) costs.median();
    MeanTime mean = failures.get();
    long optimum = AutomaticInterval.optimumNanos(cost, mean.nanos());
    long shortest = Math.max(LEAST_NANOS, (long) (LEAST_TIMES_TAKEN * taken.median()));
    Ground ground =
        optimum >= shortest
            ? Ground.OPTIMUM
            : shortest == LEAST_NANOS ? Ground.SHORTEST : Ground.TAKEN;
    Choice next = new Choice(Math.max(optimum, shortest), ground, cost, mean);
    if (Math.abs(next.nanos() - toldNanos) > TOLD_CHANGE * toldNanos) {
      toldNanos = next.nanos();
      report.accept(next);
    }
    return next;
  }

  /** The protection of an epoch that was committed then begins. */
  void taken(long committedNanos) {
    before = last;
    last = OptionalLong.of(committedNanos);
    underWay = true;
  }

  /**
   * It has ended.
   *
   * @param done whether the epoch is protected: else the next one may be due at once
   * @param costNanos what that has cost; empty if all was there already
   * @param takenNanos from its beginning to its end
   */
  void ended(boolean done, OptionalLong costNanos, long takenNanos) {
    underWay = false;
    if (!done) {
      last = before;
    } else if (costNanos.isPresent()) {
      costs.add((double) costNanos.getAsLong());
      taken.add((double) takenNanos);
      choose();
    }
  }
}

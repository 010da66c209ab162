// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

import io.cairn.image.Recent;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * How much time passes between the starts of two epochs: as much as loses least, by what an epoch
 * has cost the application and how often the job fails. One of a kind of failure and of what
 * protects from it; not thread-safe.
 *
 * <pre>
 * UNKNOWN_COST -> any other   [committed]
 * </pre>
 *
 * That an epoch protects only when it is durable, some time after its cut, loses that time with
 * each failure, whatever the interval: it doesn't matter here.
 */
public final class AutomaticInterval {

  /**
   * Between which the choice is.
   *
   * @param firstNanos before the first epoch, when nothing is known: soon, but not in the middle of
   *     the start
   * @param mostNanos how often a job fails is a guess, and to lose an hour is bad enough
   */
  public record Bounds(long firstNanos, long leastNanos, long mostNanos) {

    /** 5 seconds, 1 second, 1 hour. */
    public static final Bounds STANDARD =
        new Bounds(
            TimeUnit.SECONDS.toNanos(5), TimeUnit.SECONDS.toNanos(1), TimeUnit.HOURS.toNanos(1));
  }

  /** The storage is the application's, too: it is not written to all the time. */
  static final int LEAST_TIMES_DURABLE = 3;

  /** An epoch that takes more than a hundredth of the time is begun more rarely than at most. */
  static final int MOST_TIMES_COST = 100;

  /** A choice that differs by less is not told. */
  private static final double TOLD_CHANGE = 0.1;

  /** What the choice goes by. */
  public enum Ground {
    /** No epoch has been committed yet. */
    UNKNOWN_COST,
    /** {@link #optimumNanos}. */
    OPTIMUM,
    /** The optimum is less than is sensible. */
    SHORTEST,
    /** The optimum is less than what an epoch takes to become durable, some times over. */
    DURABLE,
    /** The optimum is more than is sensible. */
    LONGEST
  }

  /**
   * A choice and its reason.
   *
   * @param nanos time between the starts of two epochs
   * @param costNanos what an epoch costs the application
   */
  public record Choice(long nanos, Ground ground, long costNanos, MeanTime failures) {

    /** For the log. */
    public String describe() {
      String why =
          switch (ground) {
            case UNKNOWN_COST -> "";
            case OPTIMUM -> "";
            case SHORTEST -> ", the shortest";
            case DURABLE ->
                ", " + LEAST_TIMES_DURABLE + " times what an epoch takes to become durable";
            case LONGEST -> ", the longest";
          };
      String cost =
          ground == Ground.UNKNOWN_COST
              ? "what an epoch costs isn't known yet"
              : "an epoch costs " + seconds(costNanos);
      return "next epoch in %s%s: %s, failures every %s (%s)"
          .formatted(seconds(nanos), why, cost, seconds(failures.nanos()), failures.source());
    }
  }

  private final Bounds bounds;
  private final Supplier<MeanTime> failures;
  private final Consumer<Choice> report;
  private final Recent costs = new Recent();
  private final Recent durable = new Recent();
  private Choice choice;
  private long toldNanos;

  /**
   * @param failures asked at first, and after each commit
   * @param report told what is chosen, at first and whenever it has changed a good deal
   */
  public AutomaticInterval(Bounds bounds, Supplier<MeanTime> failures, Consumer<Choice> report) {
    this.bounds = bounds;
    this.failures = failures;
    this.report = report;
    choose(new Choice(bounds.firstNanos(), Ground.UNKNOWN_COST, 0, failures.get()));
  }

  /** Time between the start of the last epoch and that of the next. */
  public long nanos() {
    return choice.nanos();
  }

  /** An epoch has been committed, which tells what epochs cost. */
  void committed(EpochReport epoch) {
    costs.add((double) epoch.costNanos());
    durable.add((double) epoch.durableNanos());
    long cost = (long) costs.median();
    MeanTime mean = failures.get();
    long optimum = optimumNanos(cost, mean.nanos());
    long shortest = Math.max(bounds.leastNanos(), (long) (LEAST_TIMES_DURABLE * durable.median()));
    long longest = Math.max(Math.max(bounds.mostNanos(), MOST_TIMES_COST * cost), shortest);
    if (optimum < shortest) {
      Ground ground = shortest == bounds.leastNanos() ? Ground.SHORTEST : Ground.DURABLE;
      choose(new Choice(shortest, ground, cost, mean));
    } else if (optimum > longest) {
      choose(new Choice(longest, Ground.LONGEST, cost, mean));
    } else {
      choose(new Choice(optimum, Ground.OPTIMUM, cost, mean));
    }
  }

  private void choose(Choice next) {
    choice = next;
    if (Math.abs(next.nanos() - toldNanos) > TOLD_CHANGE * toldNanos) {
      toldNanos = next.nanos();
      report.accept(next);
    }
  }

  /**
   * The time between the starts of two checkpoints by which a long computation ends earliest: J. T.
   * Daly, A higher order estimate of the optimum checkpoint interval for restart dumps, Future
   * Generation Computer Systems 22, 2006, equation 37, which is about the time that is computed in
   * between, and what a checkpoint costs is added to.
   *
   * @param costNanos what a checkpoint costs, 0 or more
   * @param meanNanos mean time between failures, above 0
   */
  public static long optimumNanos(long costNanos, long meanNanos) {
    if (costNanos >= 2.0 * meanNanos) {
      return saturatingSum(meanNanos, costNanos);
    }
    double ratio = costNanos / (2.0 * meanNanos);
    return (long) (Math.sqrt(2.0 * costNanos * meanNanos) * (1 + Math.sqrt(ratio) / 3 + ratio / 9));
  }

  /** A time as such choices are told, in seconds or hours. */
  public static String seconds(long nanos) {
    double seconds = nanos / 1e9;
    if (seconds >= 2 * 3600) {
      return String.format(Locale.ROOT, "%.1f h", seconds / 3600);
    }
    return String.format(Locale.ROOT, seconds < 10 ? "%.3f s" : "%.0f s", seconds);
  }

  private static long saturatingSum(long a, long b) {
    return a > Long.MAX_VALUE - b ? Long.MAX_VALUE : a + b;
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.cairn.coordinate.AutomaticInterval.Bounds;
import io.cairn.coordinate.AutomaticInterval.Choice;
import io.cairn.coordinate.AutomaticInterval.Ground;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is chosen, by what, and when it is told. */
class AutomaticIntervalTest {

  private static final double SECOND = 1e9;

  private final List<Choice> told = new ArrayList<>();
  private MeanTime failures = MeanTime.given(Duration.ofHours(24));

  private AutomaticInterval interval() {
    return new AutomaticInterval(Bounds.STANDARD, () -> failures, told::add);
  }

  private static EpochReport epoch(double costSeconds, double durableSeconds) {
    // The cost's three parts.
    long part = (long) (costSeconds * SECOND / 4);
    return new EpochReport(
        1, 1, true, "", part, 0, 0, 0, 0, (long) (durableSeconds * SECOND), part, 2 * part, 0);
  }

  private static double seconds(AutomaticInterval interval) {
    return interval.nanos() / SECOND;
  }

  /** Equation 37, and what the checkpoint costs; seconds. */
  @ParameterizedTest
  @CsvSource({
    // sqrt(2 * 0.2 * 86400) = 185.9032, times 1.00035866
    "0.2, 86400, 185.969891",
    // sqrt(2 * 300 * 86400) = 7200, ratio 1/576: 1 + 1/72 + 1/5184
    "300, 86400, 7301.388889",
    // ratio 1/4: 3600 * (1 + 1/6 + 1/36)
    "1800, 3600, 4300",
    // From twice the mean time on: the mean time, and the cost.
    "7200, 3600, 10800",
    "10000, 3600, 13600",
    "0, 3600, 0"
  })
  void shouldBeTheOptimumOfThePaper(double cost, double mean, double expected) {
    assertEquals(
        expected,
        AutomaticInterval.optimumNanos((long) (cost * SECOND), (long) (mean * SECOND)) / SECOND,
        1e-6);
  }

  /**
   * The paper's complete model of the whole time, M e^(R/M) (e^((t + d) / M) - 1) T / t, is least
   * where 1 - t / M = e^(-(t + d) / M).
   */
  @Test
  void shouldBeWhereTheCompleteModelIsLeast() {
    double mean = 3600;
    for (double cost = 1e-4; cost < mean / 2; cost *= 3) {
      double low = 0;
      double high = mean;
      for (int i = 0; i < 200; i++) {
        double t = (low + high) / 2;
        if (1 - t / mean > Math.exp(-(t + cost) / mean)) {
          low = t;
        } else {
          high = t;
        }
      }
      double optimum =
          AutomaticInterval.optimumNanos((long) (cost * SECOND), (long) (mean * SECOND)) / SECOND;
      assertEquals(low + cost, optimum, 0.004 * optimum, "cost " + cost);
    }
  }

  @Test
  void shouldNotOverflow() {
    long longest = Duration.ofDays(3_650).toNanos();
    assertEquals(
        longest * Math.sqrt(2.0) * (1 + Math.sqrt(0.5) / 3 + 0.5 / 9),
        (double) AutomaticInterval.optimumNanos(longest, longest),
        longest * 1e-9);
    assertEquals(Long.MAX_VALUE, AutomaticInterval.optimumNanos(Long.MAX_VALUE, longest));
  }

  @Test
  void shouldBeginTheFirstEpochSoonBecauseNothingIsKnownOfItsCost() {
    AutomaticInterval interval = interval();
    assertEquals(5, seconds(interval));
    assertEquals(Ground.UNKNOWN_COST, told.get(0).ground());
    assertEquals(
        "next epoch in 5.000 s: what an epoch costs isn't known yet, failures every 24.0 h (given)",
        told.get(0).describe());
  }

  @Test
  void shouldGoByPauseAndHoldAndTakenCoresTogether() {
    AutomaticInterval interval = interval();
    interval.committed(epoch(0.2, 1));
    assertEquals(185.969891, seconds(interval), 1e-6);
    assertEquals(
        "next epoch in 186 s: an epoch costs 0.200 s, failures every 24.0 h (given)",
        told.get(1).describe());
  }

  @Test
  void shouldAskHowOftenTheJobFailsAfterEachEpoch() {
    AutomaticInterval interval = interval();
    interval.committed(epoch(0.2, 1));
    failures = MeanTime.estimated(23, Duration.ofHours(24).toNanos());
    interval.committed(epoch(0.2, 1));
    assertEquals(53.7, seconds(interval), 0.1);
    assertEquals(
        "next epoch in 54 s: an epoch costs 0.200 s, failures every 2.0 h (23 seen in 24.0 h, and 1 in 24 h assumed)",
        told.get(2).describe());
  }

  @Test
  void shouldNotBeginEpochsAllTheTimeWhenTheyCostNothing() {
    AutomaticInterval interval = interval();
    interval.committed(epoch(0, 0.1));
    assertEquals(1, seconds(interval));
    assertEquals(
        "next epoch in 1.000 s, the shortest: an epoch costs 0.000 s, failures every 24.0 h (given)",
        told.get(1).describe());
  }

  @Test
  void shouldLeaveTheStorageAloneForAWhile() {
    AutomaticInterval interval = interval();
    interval.committed(epoch(0.2, 100));
    assertEquals(300, seconds(interval));
    assertEquals(
        "next epoch in 300 s, 3 times what an epoch takes to become durable:"
            + " an epoch costs 0.200 s, failures every 24.0 h (given)",
        told.get(1).describe());
  }

  @Test
  void shouldNotRelyOnAJobThatNeverFails() {
    failures = MeanTime.given(Duration.ofDays(1_000));
    AutomaticInterval interval = interval();
    interval.committed(epoch(0.2, 1));
    assertEquals(3600, seconds(interval));
    assertEquals(
        "next epoch in 3600 s, the longest: an epoch costs 0.200 s, failures every 24000.0 h (given)",
        told.get(1).describe());
    // Where it would take a hundredth of the time, it's rarer.
    interval = interval();
    interval.committed(epoch(60, 100));
    assertEquals(6000, seconds(interval));
    // And never more often than the storage can take.
    interval = interval();
    interval.committed(epoch(0.2, 1900));
    assertEquals(5700, seconds(interval));
  }

  @Test
  void shouldGoByTheCostWhenItIsMoreThanTheJobLives() {
    failures = MeanTime.given(Duration.ofSeconds(10));
    AutomaticInterval interval = interval();
    interval.committed(epoch(24, 2));
    assertEquals(34, seconds(interval));
    assertEquals(Ground.OPTIMUM, told.get(1).ground());
  }

  @Test
  void shouldNotBeMovedByOneBadMoment() {
    AutomaticInterval interval = interval();
    interval.committed(epoch(0.2, 1));
    interval.committed(epoch(0.2, 1));
    interval.committed(epoch(50, 900));
    assertEquals(185.969891, seconds(interval), 1e-6);
    // But by what lasts.
    interval.committed(epoch(50, 900));
    interval.committed(epoch(50, 900));
    assertEquals(2956.1, seconds(interval), 0.1);
  }

  @Test
  void shouldTellOnlyWhatHasChangedAGoodDeal() {
    AutomaticInterval interval = interval();
    interval.committed(epoch(0.2, 1));
    assertEquals(2, told.size());
    failures = MeanTime.given(Duration.ofHours(26));
    interval.committed(epoch(0.2, 1));
    assertEquals(2, told.size());
    assertEquals(193.6, seconds(interval), 0.1);
    // 9% more and 9% more are 19% more than what was told.
    failures = MeanTime.given(Duration.ofHours(31));
    interval.committed(epoch(0.2, 1));
    assertEquals(3, told.size());
    assertEquals(interval.nanos(), told.get(2).nanos());
    failures = MeanTime.given(Duration.ofHours(24));
    interval.committed(epoch(0.2, 1));
    assertEquals(4, told.size());
  }

  @Test
  void shouldEstimateFromWhatWasSeenAndAssumed() {
    assertEquals(Duration.ofHours(24).toNanos(), MeanTime.estimated(0, 0).nanos());
    assertEquals(
        Duration.ofHours(9).toNanos(),
        MeanTime.estimated(3, Duration.ofHours(12).toNanos()).nanos());
    assertEquals("0 seen in 0.0 h, and 1 in 24 h assumed", MeanTime.estimated(0, 0).source());
    MeanTime ofNodes = MeanTime.estimatedOfNodes(1, Duration.ofHours(32).toNanos());
    assertEquals(Duration.ofHours(100).toNanos(), ofNodes.nanos());
    assertEquals("1 seen in 32.0 h, and 1 in 168 h assumed", ofNodes.source());
    assertEquals(new MeanTime(5_000_000_000L, "given"), MeanTime.given(Duration.ofSeconds(5)));
    assertThrows(IllegalArgumentException.class, () -> new MeanTime(0, "given"));
  }
}

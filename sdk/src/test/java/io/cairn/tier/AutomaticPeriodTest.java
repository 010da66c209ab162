// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.coordinate.MeanTime;
import io.cairn.tier.AutomaticPeriod.Choice;
import io.cairn.tier.AutomaticPeriod.Ground;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** Which epochs are due, by what, and when that is told. */
class AutomaticPeriodTest {
  private static final long SECOND = 1_000_000_000L;

  /** Of 0.2 s and 24 h, in nanoseconds to the millisecond: 185.969891 s. */
  private static final long OPTIMUM = 185_970_000_000L;

  private final List<Choice> told = new ArrayList<>();
  private MeanTime failures = MeanTime.given(Duration.ofHours(24));
  private final AutomaticPeriod period = new AutomaticPeriod(() -> failures, told::add);

  private static OptionalLong cost(double seconds) {
    return OptionalLong.of((long) (seconds * SECOND));
  }

  private void protect(long committed, double costSeconds) {
    assertTrue(period.isDue(committed));
    period.taken(committed);
    period.ended(true, cost(costSeconds), SECOND / 10);
  }

  @Test
  void shouldProtectEachEpochAsLongAsNothingIsKnownOfTheCost() {
    assertTrue(period.isDue(5));
    period.taken(5);
    assertTrue(period.isUnderWay());
    assertThrows(IllegalStateException.class, () -> period.isDue(6));
    period.ended(true, OptionalLong.empty(), SECOND); // all was there
    assertFalse(period.isUnderWay());
    assertTrue(period.isDue(6));
    assertEquals(List.of(), told);
  }

  @Test
  void shouldProtectWhatIsCommittedAnOptimumAfterTheLastThatIsProtected() {
    protect(1_000, 0.2);
    assertFalse(period.isDue(1_001));
    assertFalse(period.isDue(1_000 + OPTIMUM - SECOND / 1_000));
    assertTrue(period.isDue(1_000 + OPTIMUM));
    protect(7_000 + OPTIMUM, 0.2);
    assertFalse(period.isDue(6_000 + 2 * OPTIMUM - SECOND / 1_000));
    assertTrue(period.isDue(7_000 + 2 * OPTIMUM));
  }

  @Test
  void shouldNotCountAProtectionThatFailed() {
    protect(0, 0.2);
    assertTrue(period.isDue(OPTIMUM));
    period.taken(OPTIMUM);
    period.ended(false, OptionalLong.empty(), SECOND);
    assertTrue(period.isDue(OPTIMUM + 1));
    period.taken(OPTIMUM + 1);
    period.ended(true, cost(0.2), SECOND / 10);
    assertFalse(period.isDue(OPTIMUM + SECOND));
  }

  @Test
  void shouldCountFromWhatIsProtectedAlreadyToo() {
    protect(0, 0.2);
    period.taken(OPTIMUM);
    period.ended(true, OptionalLong.empty(), SECOND);
    assertFalse(period.isDue(OPTIMUM + SECOND));
  }

  @Test
  void shouldNotUseTheNetworkAllTheTimeWhereThatCostsNothing() {
    protect(0, 0);
    assertFalse(period.isDue(SECOND - 1));
    assertTrue(period.isDue(SECOND));
    assertEquals(List.of(new Choice(SECOND, Ground.SHORTEST, 0, failures)), told);
    assertTrue(told.get(0).describe().startsWith("protects an epoch every 1.000 s, the shortest:"));

    period.taken(SECOND);
    period.ended(true, OptionalLong.empty(), 500 * SECOND); // all was there: that tells nothing
    assertTrue(period.isDue(2 * SECOND));
    for (int i = 0; i < 3; i++) {
      period.taken(SECOND);
      period.ended(true, cost(0), 4 * SECOND);
    }
    assertFalse(period.isDue(13 * SECOND - 1));
    assertTrue(period.isDue(13 * SECOND));
    assertEquals(new Choice(12 * SECOND, Ground.TAKEN, 0, failures), told.get(1));
    assertTrue(
        told.get(1)
            .describe()
            .startsWith(
                "protects an epoch every 12 s, 3 times what that takes: that costs 0.000 s"),
        told.get(1)::describe);
    assertEquals(2, told.size());
  }

  @Test
  void shouldGoByTheMedianOfTheLastCosts() {
    protect(0, 0.2);
    protect(1 * OPTIMUM, 0.2);
    protect(2 * OPTIMUM, 500); // one bad moment
    assertFalse(period.isDue(3 * OPTIMUM - SECOND));
    assertTrue(period.isDue(3 * OPTIMUM));
  }

  @Test
  void shouldTellTheChoiceOnceItHasChangedByMoreThanATenth() {
    protect(0, 0.2);
    assertEquals(1, told.size());
    assertEquals(
        "protects an epoch every 186 s: that costs 0.200 s, and what it protects against is every"
            + " 24.0 h (given)",
        told.get(0).describe());
    failures = MeanTime.given(Duration.ofHours(28)); // 8 % more time
    assertFalse(period.isDue(SECOND));
    assertEquals(1, told.size());
    failures = MeanTime.given(Duration.ofHours(30)); // 12 % more
    assertFalse(period.isDue(SECOND));
    assertFalse(period.isDue(SECOND));
    assertEquals(2, told.size());
    failures = MeanTime.given(Duration.ofHours(20));
    assertFalse(period.isDue(SECOND));
    assertEquals(3, told.size());
  }
}

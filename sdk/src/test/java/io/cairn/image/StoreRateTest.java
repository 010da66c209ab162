// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

final class StoreRateTest {
  private static final long BYTES = 2 * StoreRate.LEAST_BYTES;

  private final StoreRate rate = new StoreRate(0);

  private void image(long bytes, long writeNanos, long syncNanos) {
    rate.begin();
    rate.took(bytes, writeNanos);
    rate.took(0, syncNanos);
    rate.finish();
    rate.begin();
  }

  @Test
  void shouldCountWhatTheSyncTakes() {
    assertEquals(StoreRate.FIRST_GUESS, rate.nanosPerByte());
    image(BYTES, BYTES, 3 * BYTES);
    assertEquals(4, rate.nanosPerByte());
  }

  @Test
  void shouldNotJudgeByOneBadMoment() {
    image(BYTES, BYTES, BYTES);
    image(BYTES, BYTES, 99 * BYTES);
    assertEquals(2, rate.nanosPerByte());
    image(BYTES, BYTES, 2 * BYTES);
    assertEquals(3, rate.nanosPerByte());
  }

  @Test
  void shouldForgetHowItWas() {
    for (int i = 0; i < 20; i++) {
      image(BYTES, BYTES, BYTES);
    }
    for (int i = 0; i < 3; i++) {
      image(BYTES, 0, 5 * BYTES);
    }
    assertEquals(5, rate.nanosPerByte());
  }

  @Test
  void shouldBelieveAnImageThatIsSlowerAtOnceButNotOneThatSeemsFaster() {
    image(BYTES, BYTES, BYTES);
    rate.took(StoreRate.LEAST_BYTES - 1, 100 * StoreRate.LEAST_BYTES);
    assertEquals(2, rate.nanosPerByte(), "too few bytes");
    rate.took(1, 0);
    assertEquals(100, rate.nanosPerByte());
    rate.begin();
    rate.took(BYTES, BYTES);
    assertEquals(2, rate.nanosPerByte(), "its sync is still to come");
  }

  @Test
  void shouldNotTakeASyncForTheTimeOfAFewBytes() {
    image(StoreRate.LEAST_BYTES - 1, 0, 1L << 40);
    assertEquals(StoreRate.FIRST_GUESS, rate.nanosPerByte());
  }

  @Test
  void shouldKnowALimitBeforehandAndNotExceedIt() {
    StoreRate limited = new StoreRate(5);
    assertEquals(5, limited.nanosPerByte());
    limited.took(BYTES, BYTES);
    limited.finish();
    assertEquals(5, limited.nanosPerByte());
  }
}

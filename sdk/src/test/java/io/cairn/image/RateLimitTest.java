// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InterruptedIOException;
import org.junit.jupiter.api.Test;

/** By a clock that only sleeping moves. */
final class RateLimitTest {
  private static final long SECOND = 1_000_000_000;

  // Near its end, so that it wraps around.
  private long now = Long.MAX_VALUE - SECOND;
  private final long start = now;
  private long longestSleep;

  private RateLimit limit(long bytesPerSecond) {
    return new RateLimit(
        bytesPerSecond,
        () -> now,
        nanos -> {
          longestSleep = Math.max(longestSleep, nanos);
          now += nanos;
        });
  }

  private static void write(RateLimit limit, long bytes) throws IOException {
    for (long left = bytes; left > 0; ) {
      int piece = limit.piece((int) Math.min(left, Integer.MAX_VALUE));
      limit.await(piece, () -> false);
      left -= piece;
    }
  }

  private void assertSeconds(double expected) {
    assertEquals(expected, (now - start) / 1e9, 0.11);
  }

  @Test
  void shouldTakeAsLongAsTheBytesDo() throws IOException {
    RateLimit limit = limit(1 << 20);
    write(limit, 10 << 20);
    assertSeconds(10);
    assertTrue(longestSleep <= SECOND / 50, "slept " + longestSleep);
  }

  @Test
  void shouldNotMakeUpForLongSilences() throws IOException {
    RateLimit limit = limit(1 << 20);
    write(limit, 1 << 20);
    now += 7 * SECOND;
    write(limit, 2 << 20);
    assertSeconds(1 + 7 + 2);
  }

  @Test
  void shouldLetATwentiethOfASecondPassBeforeItIsPaid() throws IOException {
    RateLimit limit = limit(20 << 20);
    for (int silence = 0; silence < 2; silence++) {
      long begin = now;
      limit.await(1 << 20, () -> false);
      limit.await(1 << 20, () -> false);
      assertEquals(begin, now);
      limit.await(1 << 20, () -> false);
      assertEquals(begin + SECOND / 20, now);
      now += 3 * SECOND;
    }
  }

  @Test
  void shouldCountTimeThatIsSpentElsewhere() throws IOException {
    RateLimit limit = limit(100 << 20);
    for (int i = 0; i < 100; i++) {
      write(limit, 1 << 20);
      now += SECOND / 200;
    }
    // Ten milliseconds each, of which five are another's.
    assertSeconds(1);
  }

  @Test
  void shouldEndAWaitThatIsOfNoUse() throws IOException {
    RateLimit limit = limit(1);
    int piece = limit.piece(1 << 20);
    limit.await(piece, () -> false);
    long end = now + SECOND;
    IOException e = assertThrows(IOException.class, () -> limit.await(piece, () -> now - end >= 0));
    assertTrue(e.getMessage().contains("bandwidth"), e.getMessage());
    assertTrue(now - end < SECOND / 50);
    Thread.currentThread().interrupt();
    assertThrows(InterruptedIOException.class, () -> limit.await(piece, () -> false));
    assertTrue(Thread.interrupted());
  }

  @Test
  void shouldLetAllPassWithoutALimit() throws IOException {
    assertEquals(0, RateLimit.NONE.nanosPerByte());
    assertEquals(Integer.MAX_VALUE, RateLimit.NONE.piece(Integer.MAX_VALUE));
    assertEquals(Long.MAX_VALUE, RateLimit.NONE.syncEveryBytes());
    RateLimit.NONE.await(Integer.MAX_VALUE, () -> true);
    assertEquals(RateLimit.NONE, RateLimit.of(0));
    assertThrows(IllegalArgumentException.class, () -> RateLimit.of(-1));
  }

  @Test
  void shouldWriteInPiecesOfATwentiethOfASecond() {
    assertEquals(10 << 20, limit(200 << 20).piece(1 << 30));
    assertEquals(100, limit(200 << 20).piece(100));
    assertEquals(4096, limit(10).piece(1 << 30));
    assertEquals(100 << 20, limit(200 << 20).syncEveryBytes());
    assertEquals(1 << 20, limit(10).syncEveryBytes());
    assertEquals(5, limit(200_000_000).nanosPerByte());
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class QuietWaitTest {

  /** However long the wait takes: one question a millisecond, and a few more at its beginning. */
  @Test
  void shouldAskSeldom() {
    AtomicLong asked = new AtomicLong();
    long begin = System.nanoTime();
    String text =
        assertThrows(
                TransportException.class,
                () ->
                    QuietWait.until(
                        () -> asked.incrementAndGet() < 0,
                        Duration.ofMillis(300),
                        () -> "this test"))
            .getMessage();
    long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begin);
    // Twice that, as a pause may end early.
    assertTrue(asked.get() <= 2 * (millis + 10), asked + " questions in " + millis + " ms");
    assertTrue(text.matches("waited for \\d+ ms in this test, at most 300 ms are .*"), text);
  }

  @Test
  void shouldReturnWhenItIsDone() {
    AtomicLong asked = new AtomicLong();
    QuietWait.until(() -> asked.incrementAndGet() == 5, Duration.ofMinutes(1), () -> "this test");
    assertEquals(5, asked.get());
  }
}

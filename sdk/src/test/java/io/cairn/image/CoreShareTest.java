// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

/** How much of a core the writer has. */
final class CoreShareTest {
  private static final long MILLI = 1_000_000;

  private final CoreShare core = new CoreShare();

  /** An image that was computed on so long, of which the writer had a core for 10 ms. */
  private void image(long elapsedMillis) {
    core.begin();
    core.took((elapsedMillis - 5) * MILLI, 4 * MILLI);
    core.took(5 * MILLI, 6 * MILLI);
    core.finish();
  }

  @Test
  void shouldHaveACoreToItselfAsFarAsIsKnown() {
    assertEquals(1, core.slowdown());
    core.begin();
    assertEquals(1, core.slowdown());
  }

  @Test
  void shouldFindOutInTheFirstImage() {
    core.begin();
    core.took(20 * MILLI, 10 * MILLI);
    assertEquals(2, core.slowdown());
    core.took(20 * MILLI, 20 * MILLI);
    assertEquals(40.0 / 30, core.slowdown());
  }

  @Test
  void shouldNotJudgeByALittleComputing() {
    core.begin();
    core.took(90 * MILLI, 10 * MILLI - 1);
    assertEquals(1, core.slowdown());
    core.finish();
    core.begin();
    assertEquals(1, core.slowdown());
    image(20);
    core.begin();
    core.took(90 * MILLI, 10 * MILLI - 1);
    core.finish();
    assertEquals(2, core.slowdown());
  }

  @Test
  void shouldGoByTheMedianOfTheLastImages() {
    image(20);
    image(90);
    image(30);
    assertEquals(3, core.slowdown());
    // What comes after them doesn't change it before its end.
    core.begin();
    core.took(90 * MILLI, 10 * MILLI);
    assertEquals(3, core.slowdown());
  }

  @Test
  void shouldForgetAnImageThatWasGivenUp() {
    core.begin();
    core.took(90 * MILLI, 10 * MILLI);
    core.begin();
    assertEquals(1, core.slowdown());
    core.took(20 * MILLI, 10 * MILLI);
    core.finish();
    assertEquals(2, core.slowdown());
  }

  /** Two clocks, which needn't agree on short times. */
  @Test
  void shouldNeverBeFasterThanWithACoreToItself() {
    core.begin();
    core.took(10 * MILLI, 12 * MILLI);
    assertEquals(1, core.slowdown());
    core.finish();
    assertEquals(1, core.slowdown());
  }
}

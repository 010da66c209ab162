// SPDX-License-Identifier: Apache-2.0
package io.cairn.testing;

import java.util.List;
import java.util.SplittableRandom;

/**
 * Whether the images of a test's job take bytes from each other. One of both each time: {@code
 * -Ddamage.seed=N} repeats it, {@code -Ddamage.all=true} runs both.
 */
public final class Chained {
  private static final boolean ALL = Boolean.getBoolean("damage.all");
  private static final long SEED = Long.getLong("damage.seed", System.nanoTime() & 0xffffff);

  static {
    System.out.println("-Ddamage.seed=" + SEED + (ALL ? " -Ddamage.all=true" : ""));
  }

  private Chained() {}

  /**
   * The forms that a case is run in.
   *
   * @param what names the case, so that each draws for itself
   */
  public static List<Boolean> forms(Object... what) {
    long name = List.of(what).toString().hashCode();
    return ALL
        ? List.of(false, true)
        : List.of(new SplittableRandom(SEED * 31 + name).nextBoolean());
  }
}

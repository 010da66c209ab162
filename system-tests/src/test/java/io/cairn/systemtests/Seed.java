// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import java.util.SplittableRandom;

/**
 * Where all chance in these tests comes from. Another run repeats it with {@code
 * -Dsystemtests.seed=N}.
 */
final class Seed {

  /** Not {@code cairn.*}: those are the SDK's options. */
  private static final String PROPERTY = "systemtests.seed";

  private Seed() {}

  /** Chance for one test; its seed is printed, and belongs into the test's failures. */
  static SplittableRandom random(String test) {
    return new SplittableRandom(value() * 31 + test.hashCode());
  }

  static long value() {
    return Holder.VALUE;
  }

  private static final class Holder {
    static final long VALUE = Long.getLong(PROPERTY, System.nanoTime() % 1_000_000_007L);

    static {
      System.out.println("seed: -D" + PROPERTY + "=" + VALUE);
    }
  }
}

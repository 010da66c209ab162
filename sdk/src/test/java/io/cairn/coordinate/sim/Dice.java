// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate.sim;

import java.util.SplittableRandom;

/** All that is random in a simulation, from one seed. */
public final class Dice {

  private final SplittableRandom random;

  public Dice(long seed) {
    random = new SplittableRandom(seed);
  }

  /** 0 to {@code bound} - 1. */
  public int below(int bound) {
    return random.nextInt(bound);
  }

  /** {@code low} to {@code high}, both included. */
  public int between(int low, int high) {
    return high <= low ? low : low + random.nextInt(high - low + 1);
  }

  public boolean chance(double probability) {
    return random.nextDouble() < probability;
  }

  public double share() {
    return random.nextDouble();
  }

  public long next() {
    return random.nextLong();
  }

  /** Mostly short, sometimes {@code limit}-long, as delays are. */
  long delay(long limitNanos) {
    double share = random.nextDouble();
    return 1 + (long) (limitNanos * share * share * share);
  }
}

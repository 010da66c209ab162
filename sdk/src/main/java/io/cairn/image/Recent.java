// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.util.Arrays;

/** The median of the last few measurements, which one bad moment doesn't change. */
public final class Recent {
  private static final int REMEMBERED = 5;

  private final double[] last = new double[REMEMBERED];
  private final double[] sorted = new double[REMEMBERED];
  private int count;
  private double median;

  /** A measurement. */
  public void add(double value) {
    last[count % REMEMBERED] = value;
    count++;
    int known = Math.min(count, REMEMBERED);
    System.arraycopy(last, 0, sorted, 0, known);
    Arrays.sort(sorted, 0, known);
    // Of two the smaller one: what disturbs makes slower.
    median = sorted[(known - 1) / 2];
  }

  /** Whether nothing has been measured yet. */
  public boolean isEmpty() {
    return count == 0;
  }

  /** The median of what was measured last. */
  public double median() {
    return median;
  }
}

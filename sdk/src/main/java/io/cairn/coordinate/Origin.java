// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

/**
 * Where this launch begins; the same on all ranks.
 *
 * @param generation number of this launch of the job
 * @param epoch the restored epoch, which is the first base; 0 if nothing was restored
 * @param safePoint index of the safe point at which it was cut; 0 if nothing was restored
 */
public record Origin(long generation, long epoch, long safePoint) {

  public Origin {
    if (generation < 0 || epoch < 0 || safePoint < 0) {
      throw new IllegalArgumentException(
          "negative origin: generation "
              + generation
              + ", epoch "
              + epoch
              + ", safe point "
              + safePoint);
    }
  }

  /** The first launch of a job, or one that starts afresh. */
  public static Origin fresh(long generation) {
    return new Origin(generation, 0, 0);
  }
}

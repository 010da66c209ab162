// SPDX-License-Identifier: Apache-2.0
package io.cairn.samples;

/**
 * A 64-bit digest of numbered values, modulo 2^64 the sum of a term for each: so ranks add up their
 * parts in any order, and the sum tells every bit that differs.
 */
final class Digest {

  private long sum;

  void add(long index, double value) {
    sum += mix(mix(index + 0x9E3779B97F4A7C15L) ^ Double.doubleToRawLongBits(value));
  }

  long value() {
    return sum;
  }

  /** The finalizer of SplitMix64 (Steele, Lea and Flood 2014). */
  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}

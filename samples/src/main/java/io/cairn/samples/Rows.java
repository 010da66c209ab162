// SPDX-License-Identifier: Apache-2.0
package io.cairn.samples;

/** Rows dealt out in blocks, as evenly as can be. */
final class Rows {

  private Rows() {}

  static int first(int order, int rank, int size) {
    return (int) ((long) order * rank / size);
  }

  static int count(int order, int rank, int size) {
    return first(order, rank + 1, size) - first(order, rank, size);
  }

  static int owner(int row, int order, int size) {
    int rank = (int) ((long) row * size / order);
    while (first(order, rank + 1, size) <= row) {
      rank++;
    }
    while (first(order, rank, size) > row) {
      rank--;
    }
    return rank;
  }
}

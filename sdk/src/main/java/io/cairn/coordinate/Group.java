// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

/** Blocking agreement among all ranks, used while starting and by background threads. */
public interface Group {

  /** This process's rank in the world. */
  int rank();

  /** How many ranks the world has. */
  int size();

  /**
   * Every rank's contribution (any length), by rank. All ranks call it the same number of times, in
   * the same order.
   */
  byte[][] allGather(byte[] mine);
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.store.ErasureCode;

/**
 * How large redundancy sets are.
 *
 * @param dataShards k
 * @param parityShards m: so many members can be lost
 */
public record SetSize(int dataShards, int parityShards) {
  public SetSize {
    if (dataShards < 1 || parityShards < 1 || dataShards + parityShards > ErasureCode.MAX_SHARDS) {
      throw new IllegalArgumentException(
          "redundancy set of "
              + dataShards
              + "+"
              + parityShards
              + ": expected 1 or more of each, at most "
              + ErasureCode.MAX_SHARDS
              + " together");
    }
  }

  /** k + m. */
  public int members() {
    return dataShards + parityShards;
  }

  @Override
  public String toString() {
    return dataShards + "+" + parityShards;
  }
}

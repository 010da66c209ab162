// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import java.util.HashSet;
import java.util.List;

/**
 * Ranks of different failure groups whose images are encoded together: of n members, any m may be
 * lost. Each image is cut into k = n - m chunks; there are n stripes of k data and m parity shards,
 * no two of them at the same member.
 *
 * <pre>
 *                 position 0   1   2   3          n = 4, m = 1
 *   stripe 0               P   c0  c1  c2
 *   stripe 1               c2  P   c0  c1         cN: the member's chunk N is data shard N
 *   stripe 2               c1  c2  P   c0         P: parity shard
 *   stripe 3               c0  c1  c2  P
 * </pre>
 *
 * <p>So all members store and send the same amount, as in RAID 5 and 6 and in SCR's sets.
 *
 * @param index its number in the layout
 * @param members the ranks, in the order of their positions
 * @param parityShards m, at least 1 and less than the number of members
 */
public record RedundancySet(int index, List<Integer> members, int parityShards) {

  public RedundancySet {
    members = List.copyOf(members);
    if (parityShards < 1 || parityShards >= members.size()) {
      throw new IllegalArgumentException(
          parityShards + " parity shards for " + members.size() + " members");
    }
    if (new HashSet<>(members).size() != members.size()) {
      throw new IllegalArgumentException("a rank twice among " + members);
    }
  }

  /** n: members, stripes, and shards of a stripe. */
  public int size() {
    return members.size();
  }

  /** k: chunks of an image, and data shards of a stripe. */
  public int dataShards() {
    return members.size() - parityShards;
  }

  /** Where a shard of a stripe is: data shards first, then parity. */
  public int position(int stripe, int shard) {
    int data = dataShards();
    return shard < data
        ? (stripe + parityShards + shard) % size()
        : (stripe + shard - data) % size();
  }

  /** The rank that has a shard of a stripe. */
  public int holder(int stripe, int shard) {
    return members.get(position(stripe, shard));
  }

  /** The stripe that a member's chunk is a data shard of; the chunk's number is the shard's. */
  int stripeOf(int position, int chunk) {
    return Math.floorMod(position - parityShards - chunk, size());
  }

  /** The stripe that a member holds this parity shard of; rows count from 0. */
  int stripeOfParity(int position, int row) {
    return Math.floorMod(position - row, size());
  }

  /** How long each chunk, and each parity shard, is. */
  static long chunkBytes(long longestImageBytes, int dataShards) {
    long chunk = (longestImageBytes + dataShards - 1) / dataShards;
    return Math.max(ALIGNMENT, (chunk + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
  }

  /** How much of a chunk an image has; what it lacks counts as zeros. */
  static long present(long imageBytes, long chunkBytes, int chunk) {
    return Math.max(0, Math.min(chunkBytes, imageBytes - chunk * chunkBytes));
  }

  private static final long ALIGNMENT = 4096;
}

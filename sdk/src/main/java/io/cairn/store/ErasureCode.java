// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import java.nio.ByteBuffer;

/**
 * A systematic Reed-Solomon code over GF(2^8): data shards 0 to k-1, parity shards k to k+m-1. Any
 * k of them give back all. With one parity shard it is the XOR of the data. All shards are equally
 * long. Threads may share it; it needs no MPI.
 */
public interface ErasureCode {

  /** k + m is at most this. */
  int MAX_SHARDS = 255;

  /**
   * How a shard comes out of k others.
   *
   * @param dataShards k, at least 1
   * @param parityShards m, at least 1
   * @param available k distinct shard numbers, in the order in which {@link Recipe#combine} gets
   *     the shards; {@code wanted} may be among them
   * @param wanted any shard's number
   * @throws IllegalArgumentException if a number is out of range, or the available ones aren't k
   *     distinct
   */
  Recipe recipe(int dataShards, int parityShards, int[] available, int wanted);

  /** A linear combination of k shards. Threads may share it. */
  interface Recipe {

    /**
     * Fills what remains of the destination.
     *
     * @param sources k buffers, in the order of the available shards; all buffers are direct, as
     *     much remains in each of them, none shares memory with the destination; positions stay
     */
    void combine(ByteBuffer[] sources, ByteBuffer destination);
  }
}

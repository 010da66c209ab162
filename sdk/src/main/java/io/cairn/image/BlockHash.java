// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.nio.ByteBuffer;
import net.openhft.hashing.Access;
import net.openhft.hashing.LongTupleHashFunction;

/**
 * 128 bits of XXH3 of a block. Equal blocks are taken to be the same: of 2^40 different ones, two
 * have the same hash with a probability of 2^-49.
 */
public final class BlockHash {
  private static final LongTupleHashFunction XXH3 = LongTupleHashFunction.xx128();
  private static final Access<ByteBuffer> ACCESS = Access.toByteBuffer();

  private final long[] result = XXH3.newResultArray();

  /** Hashes what remains in a little-endian buffer, and leaves its position alone. */
  public void of(ByteBuffer block) {
    XXH3.hash(block, ACCESS, block.position(), block.remaining(), result);
  }

  /** The first 64 bits of the last one. */
  public long low() {
    return result[0];
  }

  /** The others. */
  public long high() {
    return result[1];
  }
}

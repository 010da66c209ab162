// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/** What {@link ShardWriter} and {@link ShardReader} share; the grammar is the package's. */
final class ShardFormat {
  static final int MAGIC = 0x50524e43; // "CNRP"
  static final int END_MAGIC = 0x454e4350; // "PCNE"
  static final int VERSION = 1;
  static final int HEADER_BYTES = 80;
  static final int FOOTER_BYTES = 24;
  static final int LEAST_PIECE_BYTES = 4096;
  static final int MOST_PIECE_BYTES = 64 << 20;

  private ShardFormat() {}

  static int crc(ByteBuffer bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes.duplicate());
    return (int) crc.getValue();
  }

  /** A shard's digest: it is of all that the file says, as the index has the pieces' checksums. */
  static long digest(int headerCrc, int indexCrc) {
    return (long) headerCrc << 32 | (indexCrc & 0xffffffffL);
  }

  static int pieces(long lengthBytes, int pieceBytes) {
    return Math.toIntExact((lengthBytes + pieceBytes - 1) / pieceBytes);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/**
 * Constants of the grammar in the package's description, and what writer and reader both compute.
 */
final class ImageFormat {
  static final int VERSION = 2;

  static final long HEADER_MAGIC = magic("CAIRNIMG");
  static final long INDEX_MAGIC = magic("CAIRNIDX");
  static final long FOOTER_MAGIC = magic("CAIRNEND");

  /** Written in the byte order of the saved memory. */
  static final int BYTE_ORDER_MARK = 0x01020304;

  /**
   * Magic, format version, header length, and the checksum at the end: the same in every version.
   */
  static final int HEADER_MIN_BYTES = 8 + 4 + 4 + 4;

  static final int HEADER_MAX_BYTES = 64 << 10;

  /** The header without job id and padding. */
  static final int HEADER_FIXED_BYTES = 92;

  /** The header's length, and where large raw payloads begin, are multiples of this. */
  static final int ALIGNMENT = 4096;

  /** Raw payloads of this length and more are aligned. */
  static final int ALIGNED_FROM_BYTES = 64 << 10;

  static final int INDEX_HEAD_BYTES = 8 + 4 + 4;
  static final int SECTION_FIXED_BYTES = 4 + 4 + 4 + 8 + 8;
  static final int EXTENT_BYTES = 4 + 4 + 4 + 4;
  static final int ANCESTOR_BYTES = 8 + 8 + 8;

  /** What an LZ4 payload has before the LZ4 block. */
  static final int RAW_CRC_BYTES = 4;

  /** Most images that one may refer to. */
  static final int MAX_ANCESTORS = 1000;

  /** A longer range of the parent is several extents. */
  static final int MAX_PARENT_BYTES = 1 << 30;

  static final int FOOTER_BYTES = 8 + 8 + 8 + 4 + 4 + 8;

  /** Bytes that a section's name may have. */
  static final int MAX_NAME_BYTES = 200;

  static {
    if (ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
      throw new UnsupportedOperationException("images are little-endian, and this machine is not");
    }
  }

  private ImageFormat() {}

  static long magic(String eightLetters) {
    return littleEndian(eightLetters.getBytes(StandardCharsets.US_ASCII)).getLong();
  }

  static ByteBuffer littleEndian(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  static long blockCount(long lengthBytes, int blockBytes) {
    return lengthBytes / blockBytes + (lengthBytes % blockBytes == 0 ? 0 : 1);
  }

  static long aligned(long offset) {
    return (offset + ALIGNMENT - 1) & -ALIGNMENT;
  }

  /** Where a payload begins, if the one before it ends at an offset. */
  static long payloadOffset(long offset, Codec codec, int storedLength) {
    return codec == Codec.RAW && storedLength >= ALIGNED_FROM_BYTES ? aligned(offset) : offset;
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }

  static long firstEightBytes(MessageDigest digest) {
    return littleEndian(digest.digest()).getLong();
  }

  static String hex(int value) {
    return String.format("0x%08x", value);
  }

  static String hex(long value) {
    return String.format("0x%016x", value);
  }
}

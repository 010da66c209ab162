// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.nio.file.Path;
import java.util.Arrays;

/**
 * A stored block, how to check it, and where its bytes go: all of them or, where newer images have
 * the rest, parts of them. Reused from block to block.
 */
public final class BlockJob {
  Path file;
  long offset;
  int storedLength;
  int rawLength;
  Codec codec;
  int storedCrc;
  BlockSink sink;
  long sinkOffset; // where the block begins in the section

  /** Begin and end of each part in the section, in order; one part has no gap to the next. */
  long[] parts = new long[16];

  int partCount;

  /** Where in all that is read, from 0: which of several failures is told. */
  long number;

  /** The extent that the cursor is at, without any part of it. */
  void begin(Path image, ExtentCursor extent, BlockSink destination) {
    file = image;
    offset = extent.payloadOffset();
    storedLength = extent.storedLength();
    rawLength = extent.lengthBytes();
    codec = extent.codec();
    storedCrc = extent.storedCrc();
    sink = destination;
    sinkOffset = extent.from();
    partCount = 0;
  }

  /** Some bytes of the section, behind those that were added before. */
  void add(long from, long to) {
    if (partCount > 0 && parts[2 * partCount - 1] == from) {
      parts[2 * partCount - 1] = to;
      return;
    }
    if (2 * partCount == parts.length) {
      parts = Arrays.copyOf(parts, 2 * parts.length);
    }
    parts[2 * partCount] = from;
    parts[2 * partCount + 1] = to;
    partCount++;
  }

  /** Whether all of the block is needed. */
  boolean isWhole() {
    return partCount == 1 && parts[1] - parts[0] == rawLength;
  }

  void copyFrom(BlockJob other) {
    file = other.file;
    offset = other.offset;
    storedLength = other.storedLength;
    rawLength = other.rawLength;
    codec = other.codec;
    storedCrc = other.storedCrc;
    sink = other.sink;
    sinkOffset = other.sinkOffset;
    if (parts.length < other.parts.length) {
      parts = new long[other.parts.length];
    }
    System.arraycopy(other.parts, 0, parts, 0, 2 * other.partCount);
    partCount = other.partCount;
    number = other.number;
  }
}

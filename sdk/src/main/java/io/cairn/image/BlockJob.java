// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.nio.file.Path;

/** A stored block, how to check it, and where its bytes go; reused from block to block. */
public final class BlockJob {
  Path file;
  long offset;
  int storedLength;
  int rawLength;
  Codec codec;
  int storedCrc;
  int rawCrc;
  BlockSink sink;
  long sinkOffset;

  /** Where in all that is read, from 0: which of several failures is told. */
  long number;

  void copyFrom(BlockJob other) {
    file = other.file;
    offset = other.offset;
    storedLength = other.storedLength;
    rawLength = other.rawLength;
    codec = other.codec;
    storedCrc = other.storedCrc;
    rawCrc = other.rawCrc;
    sink = other.sink;
    sinkOffset = other.sinkOffset;
    number = other.number;
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

/**
 * Goes through the extents of a section, forward only: where they are in the file follows from
 * those before them.
 */
final class ExtentCursor {
  private final OffHeap index;
  private final long end;
  private long next;
  private long payloadEnd;

  private Codec codec;
  private long at;
  private long from;
  private long to;
  private long paddingOffset;
  private long payloadOffset;
  private int storedLength;

  /** Before the first extent. */
  ExtentCursor(OffHeap index, Section section) {
    this.index = index;
    next = section.firstExtent();
    end = next + section.extentCount() * ImageFormat.EXTENT_BYTES;
    payloadEnd = section.payloadOffset();
  }

  /** Goes to the next extent; returns false if there is none. */
  boolean next() {
    if (next == end) {
      return false;
    }
    at = next;
    next += ImageFormat.EXTENT_BYTES;
    codec = Codec.of(index.getInt(at));
    from = to;
    to += index.getInt(at + 4);
    storedLength = index.getInt(at + 8);
    paddingOffset = payloadEnd;
    payloadOffset = ImageFormat.payloadOffset(payloadEnd, codec, storedLength);
    payloadEnd = payloadOffset + storedLength;
    return true;
  }

  /** Goes forward to the extent that has a byte of the section, which there must be. */
  void seek(long offset) {
    while (to <= offset) {
      if (!next()) {
        throw new IllegalArgumentException("byte " + offset + " of a section of " + to);
      }
    }
    if (offset < from) {
      throw new IllegalArgumentException("backward from " + from + " to " + offset);
    }
  }

  Codec codec() {
    return codec;
  }

  /** Where it begins in the section. */
  long from() {
    return from;
  }

  /** Where it ends in the section. */
  long to() {
    return to;
  }

  int lengthBytes() {
    return (int) (to - from);
  }

  /** Where zeros begin that are before the payload. */
  long paddingOffset() {
    return paddingOffset;
  }

  long payloadOffset() {
    return payloadOffset;
  }

  int storedLength() {
    return storedLength;
  }

  int storedCrc() {
    return index.getInt(at + 12);
  }
}

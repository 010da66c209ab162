// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

/** How the bytes of an extent are stored. Codes are part of the format. */
public enum Codec {
  /** All bytes are zero; nothing is stored. */
  ZERO(0),
  /** Stored as they are. */
  RAW(1),
  /** A checksum of what it is made of, and one LZ4 block. */
  LZ4(2),
  /**
   * Not at all: they are the parent image's, in the section of the same name and at the same place.
   */
  PARENT(3);

  private final int code;

  Codec(int code) {
    this.code = code;
  }

  /** The code in the file. */
  public int code() {
    return code;
  }

  /** The codec with that code, or null. */
  static Codec of(int code) {
    return switch (code) {
      case 0 -> ZERO;
      case 1 -> RAW;
      case 2 -> LZ4;
      case 3 -> PARENT;
      default -> null;
    };
  }
}

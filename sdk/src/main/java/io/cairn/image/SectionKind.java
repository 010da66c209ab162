// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

/** What a section of an image holds. Codes are part of the format. */
public enum SectionKind {
  /** A named region's memory. */
  REGION(1),
  /** What a registered callback wrote. */
  CALLBACK(2),
  /** A registered primitive array's elements, in the byte order of the header's mark. */
  ARRAY(3),
  /** The ledger's counts of the cut; has no name. */
  COUNTS(4),
  /** The channel state; has no name. */
  CHANNELS(5);

  private final int code;

  SectionKind(int code) {
    this.code = code;
  }

  /** The code in the file. */
  public int code() {
    return code;
  }

  /** Whether the application named it. */
  public boolean named() {
    return this == REGION || this == CALLBACK || this == ARRAY;
  }

  /** The kind with that code, or null. */
  static SectionKind of(int code) {
    for (SectionKind kind : values()) {
      if (kind.code == code) {
        return kind;
      }
    }
    return null;
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

/** The element type of a registered primitive array. Codes are part of the format. */
public enum ElementType {
  /** Not an array. */
  NONE(0, 1),
  BOOLEAN(1, 1),
  BYTE(2, 1),
  CHAR(3, 2),
  SHORT(4, 2),
  INT(5, 4),
  LONG(6, 8),
  FLOAT(7, 4),
  DOUBLE(8, 8);

  private final int code;
  private final int elementBytes;

  ElementType(int code, int elementBytes) {
    this.code = code;
    this.elementBytes = elementBytes;
  }

  /** The code in the file. */
  public int code() {
    return code;
  }

  /** Size of an element in bytes. */
  public int elementBytes() {
    return elementBytes;
  }

  /** The type with that code, or null. */
  static ElementType of(int code) {
    for (ElementType type : values()) {
      if (type.code == code) {
        return type;
      }
    }
    return null;
  }
}

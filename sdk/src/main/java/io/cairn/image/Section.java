// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

/**
 * A part of an image, as its index has it.
 *
 * @param kind what it holds
 * @param type element type if it is an array, else {@link ElementType#NONE}
 * @param name as registered; empty for {@link SectionKind#COUNTS} and {@link SectionKind#CHANNELS}
 * @param lengthBytes length before encoding
 * @param extentCount number of extents
 * @param firstExtent where in the index its first extent is
 * @param payloadOffset where in the file its payloads begin, before any padding
 */
public record Section(
    SectionKind kind,
    ElementType type,
    String name,
    long lengthBytes,
    long extentCount,
    long firstExtent,
    long payloadOffset) {

  /**
   * Whether the other one is the same thing of another image, so that bytes may be taken from it.
   */
  boolean matches(Section other) {
    return kind == other.kind
        && type == other.type
        && name.equals(other.name)
        && lengthBytes == other.lengthBytes;
  }
}

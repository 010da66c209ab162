// SPDX-License-Identifier: Apache-2.0
package io.cairn.api;

import java.nio.ByteBuffer;

/** Range checks of a region's typed views. */
final class Views {

  private Views() {}

  /** How many elements the whole region holds, if a buffer can: its bytes are counted by an int. */
  static int wholeLength(Region region, int elementBytes, String sliceMethod) {
    long lengthBytes = region.lengthBytes();
    if (lengthBytes > Integer.MAX_VALUE) {
      throw new IllegalStateException(
          "region '%s' has %,d bytes, and a Java buffer holds at most %,d; view it in slices with %s,"
                  .formatted(region.name(), lengthBytes, Integer.MAX_VALUE, sliceMethod)
              + " or as a whole with bytes()");
    }
    return (int) lengthBytes / elementBytes;
  }

  /** The bytes of {@code count} elements, in native order. */
  static ByteBuffer slice(Region region, long fromElement, int count, int elementBytes) {
    long elements = region.lengthBytes() / elementBytes;
    if (fromElement < 0 || count < 0 || fromElement > elements - count) {
      throw new IndexOutOfBoundsException(
          "elements %,d to %,d (excluded) of %d bytes each are not inside region '%s', which has %,d"
              .formatted(fromElement, fromElement + count, elementBytes, region.name(), elements));
    }
    long sliceBytes = (long) count * elementBytes;
    if (sliceBytes > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "a view of %,d elements of %d bytes is larger than a Java buffer's %,d bytes; take at most %,d at once"
              .formatted(count, elementBytes, Integer.MAX_VALUE, Integer.MAX_VALUE / elementBytes));
    }
    return region.byteBuffer(fromElement * elementBytes, (int) sliceBytes);
  }
}

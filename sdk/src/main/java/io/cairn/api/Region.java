// SPDX-License-Identifier: Apache-2.0
package io.cairn.api;

import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import net.openhft.chronicle.bytes.BytesStore;

/**
 * Named, page-aligned memory outside the Java heap whose bytes are saved with every epoch and come
 * back with {@code restore()}. Its length is any 64-bit number of bytes; it starts zeroed.
 *
 * <p>Views share the region's memory, are direct (they go straight into {@code mpi.Comm} calls),
 * are in native byte order, and have a position of 0 and a limit equal to their capacity. A Java
 * buffer can't be larger than 2 GiB: a larger region is viewed slice by slice, or through {@link
 * #bytes()}.
 *
 * <p>Views are valid until the Cairn they came from is closed; using one after that is undefined.
 * Any thread may read and write, but no thread may write while the application is inside {@code
 * safePoint()}.
 */
public interface Region {

  /** The name under which the region is saved; unique in the program. */
  String name();

  /** Length in bytes, as asked for. */
  long lengthBytes();

  /** Address of the first byte, a multiple of the system's page size; for native code. */
  long address();

  /**
   * A view of {@code lengthBytes} bytes from {@code offsetBytes} on.
   *
   * @throws IndexOutOfBoundsException if the range isn't inside the region
   */
  ByteBuffer byteBuffer(long offsetBytes, int lengthBytes);

  /**
   * The whole region with 64-bit offsets from 0, for reading and writing at any offset.
   *
   * <p>Owned by the region: don't release it.
   */
  BytesStore<?, ?> bytes();

  /**
   * The whole region as a byte buffer.
   *
   * @throws IllegalStateException if the region is 2 GiB or larger; the message says how to slice
   *     it
   */
  default ByteBuffer asByteBuffer() {
    return byteBuffer(0, Views.wholeLength(this, Byte.BYTES, "byteBuffer(fromByte, count)"));
  }

  /**
   * The whole region as ints; a remainder of fewer than 4 bytes is left out.
   *
   * @throws IllegalStateException if the region is 2 GiB or larger; the message says how to slice
   *     it
   */
  default IntBuffer asIntBuffer() {
    return intBuffer(0, Views.wholeLength(this, Integer.BYTES, "intBuffer(fromElement, count)"));
  }

  /**
   * The whole region as longs; a remainder of fewer than 8 bytes is left out.
   *
   * @throws IllegalStateException if the region is 2 GiB or larger; the message says how to slice
   *     it
   */
  default LongBuffer asLongBuffer() {
    return longBuffer(0, Views.wholeLength(this, Long.BYTES, "longBuffer(fromElement, count)"));
  }

  /**
   * The whole region as floats; a remainder of fewer than 4 bytes is left out.
   *
   * @throws IllegalStateException if the region is 2 GiB or larger; the message says how to slice
   *     it
   */
  default FloatBuffer asFloatBuffer() {
    return floatBuffer(0, Views.wholeLength(this, Float.BYTES, "floatBuffer(fromElement, count)"));
  }

  /**
   * The whole region as doubles; a remainder of fewer than 8 bytes is left out.
   *
   * @throws IllegalStateException if the region is 2 GiB or larger; the message says how to slice
   *     it
   */
  default DoubleBuffer asDoubleBuffer() {
    return doubleBuffer(
        0, Views.wholeLength(this, Double.BYTES, "doubleBuffer(fromElement, count)"));
  }

  /**
   * A view of {@code count} ints from element {@code fromElement} on.
   *
   * @throws IndexOutOfBoundsException if the range isn't inside the region
   * @throws IllegalArgumentException if the view would be 2 GiB or larger
   */
  default IntBuffer intBuffer(long fromElement, int count) {
    return Views.slice(this, fromElement, count, Integer.BYTES).asIntBuffer();
  }

  /**
   * A view of {@code count} longs from element {@code fromElement} on.
   *
   * @throws IndexOutOfBoundsException if the range isn't inside the region
   * @throws IllegalArgumentException if the view would be 2 GiB or larger
   */
  default LongBuffer longBuffer(long fromElement, int count) {
    return Views.slice(this, fromElement, count, Long.BYTES).asLongBuffer();
  }

  /**
   * A view of {@code count} floats from element {@code fromElement} on.
   *
   * @throws IndexOutOfBoundsException if the range isn't inside the region
   * @throws IllegalArgumentException if the view would be 2 GiB or larger
   */
  default FloatBuffer floatBuffer(long fromElement, int count) {
    return Views.slice(this, fromElement, count, Float.BYTES).asFloatBuffer();
  }

  /**
   * A view of {@code count} doubles from element {@code fromElement} on.
   *
   * @throws IndexOutOfBoundsException if the range isn't inside the region
   * @throws IllegalArgumentException if the view would be 2 GiB or larger
   */
  default DoubleBuffer doubleBuffer(long fromElement, int count) {
    return Views.slice(this, fromElement, count, Double.BYTES).asDoubleBuffer();
  }
}

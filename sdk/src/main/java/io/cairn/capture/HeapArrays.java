// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import io.cairn.image.ElementType;
import java.lang.reflect.Array;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Copies primitive arrays to and from direct buffers, in native byte order. */
public final class HeapArrays {
  private HeapArrays() {}

  /** The element type of a primitive array; {@link ElementType#NONE} for anything else. */
  public static ElementType typeOf(Object array) {
    Class<?> component = array.getClass().getComponentType();
    if (component == null || !component.isPrimitive()) {
      return ElementType.NONE;
    }
    return ElementType.valueOf(component.getName().toUpperCase(java.util.Locale.ROOT));
  }

  /** Length of an array in bytes. */
  public static long lengthBytes(ElementType type, Object array) {
    return (long) Array.getLength(array) * type.elementBytes();
  }

  /** Copies elements from {@code offset} (in bytes) on into a chunk. */
  static void copyOut(
      ElementType type,
      Object array,
      long offset,
      StagingPool.Chunk chunk,
      int at,
      int lengthBytes) {
    int from = (int) (offset / type.elementBytes());
    int count = lengthBytes / type.elementBytes();
    int to = at / type.elementBytes();
    switch (type) {
      case BOOLEAN -> {
        boolean[] values = (boolean[]) array;
        for (int i = 0; i < count; i++) {
          chunk.bytes.put(at + i, (byte) (values[from + i] ? 1 : 0));
        }
      }
      case BYTE -> chunk.bytes.put(at, (byte[]) array, from, count);
      case CHAR -> chunk.chars.put(to, (char[]) array, from, count);
      case SHORT -> chunk.shorts.put(to, (short[]) array, from, count);
      case INT -> chunk.ints.put(to, (int[]) array, from, count);
      case LONG -> chunk.longs.put(to, (long[]) array, from, count);
      case FLOAT -> chunk.floats.put(to, (float[]) array, from, count);
      case DOUBLE -> chunk.doubles.put(to, (double[]) array, from, count);
      case NONE -> throw new AssertionError("no array");
    }
  }

  /** Copies all that remains in the window to the elements from {@code offset} (in bytes) on. */
  public static void copyIn(ElementType type, Object array, long offset, ByteBuffer window) {
    int to = (int) (offset / type.elementBytes());
    int count = window.remaining() / type.elementBytes();
    ByteBuffer source = window.duplicate().order(ByteOrder.nativeOrder());
    switch (type) {
      case BOOLEAN -> {
        boolean[] values = (boolean[]) array;
        for (int i = 0; i < count; i++) {
          values[to + i] = source.get() != 0;
        }
      }
      case BYTE -> source.get((byte[]) array, to, count);
      case CHAR -> source.asCharBuffer().get((char[]) array, to, count);
      case SHORT -> source.asShortBuffer().get((short[]) array, to, count);
      case INT -> source.asIntBuffer().get((int[]) array, to, count);
      case LONG -> source.asLongBuffer().get((long[]) array, to, count);
      case FLOAT -> source.asFloatBuffer().get((float[]) array, to, count);
      case DOUBLE -> source.asDoubleBuffer().get((double[]) array, to, count);
      case NONE -> throw new AssertionError("no array");
    }
  }
}

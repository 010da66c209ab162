// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * A short text in the longs of a pulse: one rank contributes it, all others contribute zeros, the
 * sum is the text.
 */
final class PulseText {

  /** How many longs a text takes; 768 bytes. */
  static final int LONGS = 96;

  private static final int BYTES = LONGS * Long.BYTES;

  private PulseText() {}

  /** Writes the text to {@code longs} from {@code offset}, cut off where it is too long. */
  static void put(String text, long[] longs, int offset) {
    ByteBuffer buffer = ByteBuffer.allocate(BYTES);
    // The encoder stops before a character that doesn't fit as a whole.
    StandardCharsets.UTF_8
        .newEncoder()
        .onMalformedInput(java.nio.charset.CodingErrorAction.REPLACE)
        .onUnmappableCharacter(java.nio.charset.CodingErrorAction.REPLACE)
        .encode(java.nio.CharBuffer.wrap(text.replace('\0', ' ')), buffer, true);
    buffer.rewind().asLongBuffer().get(longs, offset, LONGS);
  }

  /** Reads what {@link #put} wrote. */
  static String get(long[] longs, int offset) {
    ByteBuffer buffer = ByteBuffer.allocate(BYTES);
    buffer.asLongBuffer().put(longs, offset, LONGS);
    String padded = StandardCharsets.UTF_8.decode(buffer).toString();
    int end = padded.indexOf('\0');
    return end < 0 ? padded : padded.substring(0, end);
  }
}

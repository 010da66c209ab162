// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A message between two agents, little-endian: {@code Frame --> Kind (8 bits), Generation (64),
 * Epoch (64), Base (64), BareCut (64), Payload}.
 *
 * @param epoch the pending epoch; in a bare cut the last one that was begun
 * @param base the last committed epoch
 * @param bareCut the last bare cut that was begun in this generation; the payload counts from it or
 *     from {@code base}, whichever is later
 */
record Frame(Kind kind, long generation, long epoch, long base, long bareCut, byte[] payload) {

  private static final int HEADER_BYTES = 1 + 4 * Long.BYTES;

  enum Kind {
    /** A {@link Ledger.OutgoingMarker}. */
    MARKER((byte) 1),
    /** {@link CollectiveCounts}. */
    COUNTS((byte) 2),
    /** A {@link Ledger.OutgoingMarker} of a bare cut. */
    BARE_MARKER((byte) 3);

    final byte code;

    Kind(byte code) {
      this.code = code;
    }

    static Kind of(byte code) {
      for (Kind kind : values()) {
        if (kind.code == code) {
          return kind;
        }
      }
      throw new IllegalStateException(
          "frame of unknown kind " + code + "; do all ranks run the same version of cairn?");
    }
  }

  byte[] toBytes() {
    return ByteBuffer.allocate(HEADER_BYTES + payload.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .put(kind.code)
        .putLong(generation)
        .putLong(epoch)
        .putLong(base)
        .putLong(bareCut)
        .put(payload)
        .array();
  }

  static Frame of(byte[] bytes) {
    if (bytes.length < HEADER_BYTES) {
      throw new IllegalStateException(
          "frame of " + bytes.length + " bytes, shorter than its header of " + HEADER_BYTES);
    }
    ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    Kind kind = Kind.of(in.get());
    long generation = in.getLong();
    long epoch = in.getLong();
    long base = in.getLong();
    long bareCut = in.getLong();
    byte[] payload = new byte[in.remaining()];
    in.get(payload);
    return new Frame(kind, generation, epoch, base, bareCut, payload);
  }
}

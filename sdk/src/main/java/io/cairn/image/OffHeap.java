// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.nio.ByteBuffer;
import net.openhft.chronicle.bytes.Bytes;

/**
 * Growing memory outside of the Java heap with 64-bit offsets: the only place of this package that
 * knows Chronicle, whose foundation the JDK is going to take away one day. Must be closed; one
 * thread at a time.
 */
public final class OffHeap implements AutoCloseable {
  // Chronicle can't take direct buffers without flags, so bytes cross in pieces of this size.
  private static final int PIECE_BYTES = 8 << 10;

  static {
    ChronicleQuiet.ensure();
  }

  private final Bytes<?> bytes;
  private final byte[] piece = new byte[PIECE_BYTES];

  public OffHeap(long initialBytes) {
    bytes = Bytes.allocateElasticDirect(Math.max(initialBytes, PIECE_BYTES));
    // It is handed from thread to thread, each time with a lock in between.
    bytes.singleThreadedCheckDisabled(true);
  }

  /**
   * The memory as Chronicle's bytes, for callbacks; written from its length on, read from its
   * start.
   */
  public Bytes<?> bytes() {
    return bytes;
  }

  /** Bytes appended so far. */
  public long lengthBytes() {
    return bytes.writePosition();
  }

  /** Forgets all bytes and keeps the memory. */
  public void clear() {
    bytes.clear();
  }

  OffHeap putInt(int value) {
    bytes.writeInt(value);
    return this;
  }

  void putIntAt(long offset, int value) {
    bytes.writeInt(offset, value);
  }

  void putLongAt(long offset, long value) {
    bytes.writeLong(offset, value);
  }

  OffHeap putLong(long value) {
    bytes.writeLong(value);
    return this;
  }

  OffHeap put(byte[] value) {
    bytes.write(value);
    return this;
  }

  /** Appends all that remains in the buffer. */
  public OffHeap put(ByteBuffer source) {
    while (source.hasRemaining()) {
      int n = Math.min(source.remaining(), piece.length);
      source.get(piece, 0, n);
      bytes.write(piece, 0, n);
    }
    return this;
  }

  int getInt(long offset) {
    return bytes.readInt(offset);
  }

  long getLong(long offset) {
    return bytes.readLong(offset);
  }

  byte[] get(long offset, int lengthBytes) {
    byte[] result = new byte[lengthBytes];
    for (int at = 0; at < lengthBytes; ) {
      at += (int) bytes.read(offset + at, result, at, lengthBytes - at);
    }
    return result;
  }

  /**
   * Copies to the buffer as many bytes from {@code offset} on as fit and exist; returns how many.
   */
  public int copyTo(long offset, ByteBuffer destination) {
    long left = Math.min(destination.remaining(), lengthBytes() - offset);
    int copied = 0;
    while (copied < left) {
      int n =
          (int) bytes.read(offset + copied, piece, 0, (int) Math.min(left - copied, piece.length));
      destination.put(piece, 0, n);
      copied += n;
    }
    return copied;
  }

  @Override
  public void close() {
    bytes.releaseLast();
  }
}

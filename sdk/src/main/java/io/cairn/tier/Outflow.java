// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.store.Transport;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Sends a range of a file, two pieces ahead. */
final class Outflow implements Stream {
  private static final int AHEAD = 2;

  /** Where the bytes come from. */
  interface Source extends Closeable {

    /** Fills the buffer from {@code offset} of the range on. */
    void read(long offset, ByteBuffer destination) throws IOException;

    @Override
    void close() throws IOException;
  }

  /** Opens the source, when its turn has come. */
  interface Opener {
    Source open() throws IOException;
  }

  private final Exchange exchange;
  private final String name;
  private final Opener opener;
  private final long lengthBytes;
  private final int destination;
  private final int tag;
  private final ByteBuffer[] buffers = new ByteBuffer[AHEAD];
  private final Transport.Transfer[] transfers = new Transport.Transfer[AHEAD];
  private Source source;
  private long sent;
  private int under;
  private int slot;
  private IOException failure;

  /**
   * @param name for messages
   */
  Outflow(
      Exchange exchange, String name, Opener opener, long lengthBytes, int destination, int tag) {
    this.exchange = exchange;
    this.name = name;
    this.opener = opener;
    this.lengthBytes = lengthBytes;
    this.destination = destination;
    this.tag = tag;
  }

  @Override
  public boolean advance() {
    boolean moved = false;
    while (under > 0) {
      int oldest = Math.floorMod(slot - under, AHEAD);
      if (!transfers[oldest].isDone()) {
        break;
      }
      exchange.giveBack(buffers[oldest]);
      buffers[oldest] = null;
      under--;
      moved = true;
    }
    while (under < AHEAD && sent < lengthBytes) {
      int piece = (int) Math.min(Exchange.PIECE_BYTES, lengthBytes - sent);
      ByteBuffer buffer = exchange.borrow(piece);
      fill(buffer);
      buffers[slot] = buffer;
      transfers[slot] =
          exchange.transport().send(destination, tag, buffer.position(0).limit(piece));
      slot = (slot + 1) % AHEAD;
      under++;
      sent += piece;
      moved = true;
    }
    return moved;
  }

  private void fill(ByteBuffer buffer) {
    if (failure != null) {
      return;
    }
    try {
      if (source == null) {
        source = opener.open();
      }
      source.read(sent, buffer);
    } catch (IOException e) {
      failure = e;
    }
  }

  @Override
  public boolean isDone() {
    return sent == lengthBytes && under == 0;
  }

  @Override
  public IOException failure() {
    return failure;
  }

  @Override
  public void close() {
    // Buffers of transfers that never ended are the transport's: they aren't given back.
    if (source != null) {
      try {
        source.close();
      } catch (IOException e) {
        failure = failure == null ? e : failure;
      }
      source = null;
    }
  }

  @Override
  public String toString() {
    return name + " to rank " + destination + ", " + sent + " of " + lengthBytes + " bytes";
  }
}

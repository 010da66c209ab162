// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Copies a file that this rank reaches by itself, a piece at a time: other ranks may wait for its
 * other streams meanwhile, and get what they wait for even if this comes to nothing.
 */
final class CopyFlow implements Stream {
  private final Exchange exchange;
  private final String name;
  private final Outflow.Opener from;
  private final long lengthBytes;
  private final Inflow.Opener to;
  private Outflow.Source source;
  private PieceSink sink;
  private long copied;
  private IOException failure;
  private boolean finished;

  /**
   * @param name for messages
   * @param lengthBytes what the source must have
   * @param to whoever opens that closes it
   */
  CopyFlow(
      Exchange exchange, String name, Outflow.Opener from, long lengthBytes, Inflow.Opener to) {
    this.exchange = exchange;
    this.name = name;
    this.from = from;
    this.lengthBytes = lengthBytes;
    this.to = to;
  }

  @Override
  public boolean advance() {
    if (finished) {
      return false;
    }
    try {
      if (source == null) {
        source = from.open();
        sink = to.open();
      }
      if (copied < lengthBytes) {
        copyPiece();
      } else {
        sink.finish();
        finished = true;
      }
    } catch (IOException e) {
      // Nobody waits for the rest.
      failure = e;
      finished = true;
    }
    return true;
  }

  private void copyPiece() throws IOException {
    int length = (int) Math.min(Exchange.PIECE_BYTES, lengthBytes - copied);
    ByteBuffer piece = exchange.borrow(length);
    try {
      source.read(copied, piece);
      sink.piece(piece.position(0).limit(length));
      copied += length;
    } finally {
      exchange.giveBack(piece);
    }
  }

  @Override
  public boolean isDone() {
    return finished;
  }

  @Override
  public IOException failure() {
    return failure;
  }

  @Override
  public void close() {
    if (source != null) {
      try {
        source.close();
      } catch (IOException e) {
        // It was only read.
      }
      source = null;
    }
  }

  @Override
  public String toString() {
    return name + ", " + copied + " of " + lengthBytes + " bytes";
  }
}

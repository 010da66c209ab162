// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.store.ErasureCode;
import io.cairn.store.Transport;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Receives pieces from several ranks, combines those of the same place and gives the result to a
 * sink. One piece of each source is under way while another is combined.
 */
final class Inflow implements Stream {
  private static final int AHEAD = 2;

  /**
   * A rank that sends.
   *
   * @param rank which
   * @param tag its stream's
   * @param lengthBytes how much it sends; what it lacks counts as zeros
   */
  record Source(int rank, int tag, long lengthBytes) {}

  /** Creates the sink, when the first piece is there. */
  interface Opener {
    PieceSink open() throws IOException;
  }

  private final Exchange exchange;
  private final String name;
  private final List<Source> sources;
  private final ErasureCode.Recipe recipe;
  private final long lengthBytes;
  private final Opener opener;
  private final boolean last;
  private final ByteBuffer[][] buffers;
  private final Transport.Transfer[][] transfers;
  private PieceSink sink;
  private long asked;
  private long taken;
  private IOException failure;
  private boolean finished;

  /**
   * @param name for messages
   * @param recipe how pieces become one; null if there is a single source, whose pieces are taken
   *     as they are
   * @param lengthBytes of what comes out
   * @param last whether the sink is complete with this; else another stream goes on with it
   */
  Inflow(
      Exchange exchange,
      String name,
      List<Source> sources,
      ErasureCode.Recipe recipe,
      long lengthBytes,
      Opener opener,
      boolean last) {
    this.exchange = exchange;
    this.name = name;
    this.sources = List.copyOf(sources);
    this.recipe = recipe;
    this.lengthBytes = lengthBytes;
    this.opener = opener;
    this.last = last;
    buffers = new ByteBuffer[AHEAD][sources.size()];
    transfers = new Transport.Transfer[AHEAD][sources.size()];
  }

  @Override
  public boolean advance() {
    boolean moved = ask();
    while (taken < asked && arrived()) {
      take();
      ask();
      moved = true;
    }
    if (taken == lengthBytes && !finished) {
      finish();
      moved = true;
    }
    return moved;
  }

  private static int slot(long offset) {
    return (int) (offset / Exchange.PIECE_BYTES % AHEAD);
  }

  private boolean ask() {
    boolean moved = false;
    while (asked < lengthBytes && asked - taken < (long) AHEAD * Exchange.PIECE_BYTES) {
      int slot = slot(asked);
      for (int i = 0; i < sources.size(); i++) {
        Source source = sources.get(i);
        buffers[slot][i] = exchange.borrow(pieceBytes(asked));
        int present = present(source, asked);
        transfers[slot][i] =
            present == 0
                ? null
                : exchange
                    .transport()
                    .receive(
                        source.rank(), source.tag(), buffers[slot][i].position(0).limit(present));
      }
      asked += pieceBytes(asked);
      moved = true;
    }
    return moved;
  }

  private int pieceBytes(long offset) {
    return (int) Math.min(Exchange.PIECE_BYTES, lengthBytes - offset);
  }

  private int present(Source source, long offset) {
    return (int) Math.max(0, Math.min(pieceBytes(offset), source.lengthBytes() - offset));
  }

  private boolean arrived() {
    for (Transport.Transfer transfer : transfers[slot(taken)]) {
      if (transfer != null && !transfer.isDone()) {
        return false;
      }
    }
    return true;
  }

  private void take() {
    int slot = slot(taken);
    int piece = pieceBytes(taken);
    ByteBuffer[] pieces = buffers[slot];
    for (int i = 0; i < pieces.length; i++) {
      int present = present(sources.get(i), taken);
      Transport.Transfer transfer = transfers[slot][i];
      if (transfer != null && transfer.lengthBytes() != present && failure == null) {
        failure =
            new IOException(
                name
                    + ": rank "
                    + sources.get(i).rank()
                    + " sent "
                    + transfer.lengthBytes()
                    + " bytes, expected "
                    + present);
      }
      pieces[i].clear();
      for (int at = present; at < piece; at++) {
        pieces[i].put(at, (byte) 0);
      }
      pieces[i].limit(piece);
    }
    if (failure == null) {
      try {
        if (sink == null) {
          sink = opener.open();
        }
        pour(pieces, piece);
      } catch (IOException e) {
        failure = e;
      }
    }
    for (int i = 0; i < pieces.length; i++) {
      exchange.giveBack(pieces[i]);
      pieces[i] = null;
    }
    taken += piece;
  }

  private void pour(ByteBuffer[] pieces, int piece) throws IOException {
    if (recipe == null) {
      sink.piece(pieces[0]);
      return;
    }
    ByteBuffer combined = exchange.borrow(piece);
    try {
      recipe.combine(pieces, combined);
      sink.piece(combined);
    } finally {
      exchange.giveBack(combined);
    }
  }

  private void finish() {
    finished = true;
    if (failure != null) {
      return;
    }
    try {
      if (sink == null) {
        sink = opener.open();
      }
      if (last) {
        sink.finish();
      }
    } catch (IOException e) {
      failure = e;
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
    // Whoever opened the sink closes it, as another stream may go on with it.
  }

  @Override
  public String toString() {
    return name + " from " + sources + ", " + taken + " of " + lengthBytes + " bytes";
  }
}

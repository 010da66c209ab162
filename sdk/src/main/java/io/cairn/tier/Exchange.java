// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.store.Transport;
import io.cairn.store.TransportException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;

/**
 * Lets all of a rank's streams flow at once, with one thread. All ranks must agree on what flows
 * from where to where, and on each stream's length and tag. Buffers are used again.
 */
final class Exchange {
  /** Piece by piece: a checksum's unit, and what one message carries. */
  static final int PIECE_BYTES = 256 << 10;

  private static final long SHORTEST_WAIT_NANOS = 50_000;
  private static final long LONGEST_WAIT_NANOS = 1_000_000;

  private final Transport transport;
  private final LongSupplier nanoClock;
  private final long stallNanos;
  private final Deque<ByteBuffer> buffers = new ArrayDeque<>();

  /**
   * @param stallMillis for how long nothing at all may move before that is an error
   */
  Exchange(Transport transport, LongSupplier nanoClock, long stallMillis) {
    this.transport = transport;
    this.nanoClock = nanoClock;
    stallNanos = stallMillis * 1_000_000;
  }

  Transport transport() {
    return transport;
  }

  ByteBuffer borrow(int lengthBytes) {
    ByteBuffer buffer = buffers.poll();
    return (buffer == null ? ByteBuffer.allocateDirect(PIECE_BYTES) : buffer)
        .clear()
        .limit(lengthBytes);
  }

  void giveBack(ByteBuffer buffer) {
    buffers.push(buffer);
  }

  /**
   * Returns when all streams are done.
   *
   * @throws IOException what failed at this rank's ends, the first of it
   * @throws TransportException if other ranks don't do their part
   */
  void run(List<? extends Stream> streams) throws IOException {
    try {
      flow(streams);
    } finally {
      streams.forEach(Stream::close);
    }
    IOException first = null;
    for (Stream stream : streams) {
      if (stream.failure() != null) {
        if (first == null) {
          first = stream.failure();
        } else {
          first.addSuppressed(stream.failure());
        }
      }
    }
    if (first != null) {
      throw first;
    }
  }

  private void flow(List<? extends Stream> streams) {
    List<Stream> left = new ArrayList<>(streams);
    long movedNanos = nanoClock.getAsLong();
    long wait = SHORTEST_WAIT_NANOS;
    while (true) {
      boolean moved = false;
      for (Stream stream : left) {
        moved |= stream.advance();
      }
      left.removeIf(Stream::isDone);
      if (left.isEmpty()) {
        return;
      }
      if (moved) {
        movedNanos = nanoClock.getAsLong();
        wait = SHORTEST_WAIT_NANOS;
        continue;
      }
      if (nanoClock.getAsLong() - movedNanos > stallNanos) {
        throw new TransportException(
            "nothing has moved between the ranks for "
                + stallNanos / 1_000_000_000
                + " s; "
                + left.size()
                + " of "
                + streams.size()
                + " streams are unfinished, such as "
                + left.get(0));
      }
      if (Thread.interrupted()) {
        throw new TransportException("interrupted while " + left.get(0) + " was under way");
      }
      LockSupport.parkNanos(wait);
      wait = Math.min(2 * wait, LONGEST_WAIT_NANOS);
    }
  }
}

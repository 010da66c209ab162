// SPDX-License-Identifier: Apache-2.0
package io.cairn.natives;

import io.cairn.store.QuietWait;
import io.cairn.store.Transport;
import io.cairn.store.TransportException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** {@link Transport} by PMPI calls on a private duplicate of {@code MPI_COMM_WORLD}. */
public final class NativeTransport implements Transport {

  private final long handle;
  private final int rank;
  private final int size;
  private final Duration deadline;
  private final Set<NativeTransfer> underWay = new LinkedHashSet<>(); // keeps their buffers alive
  private long gathered;
  private boolean outOfStep;
  private boolean closed;

  private NativeTransport(long handle, Duration deadline) {
    this.handle = handle;
    this.deadline = deadline;
    rank = rank(handle);
    size = size(handle);
  }

  /**
   * Collective over all ranks, after MPI was initialised under the shim.
   *
   * @param deadline most that each wait takes
   */
  public static NativeTransport open(Duration deadline) {
    return new NativeTransport(open0(), deadline);
  }

  @Override
  public int rank() {
    return rank;
  }

  @Override
  public int size() {
    return size;
  }

  @Override
  public Transfer send(int destination, int tag, ByteBuffer data) {
    requireOpen();
    requireArguments(destination, tag, data);
    return begun(
        send(handle, destination, tag, data, data.position(), data.remaining()),
        data,
        "send of %d bytes from rank %d to %d, tag %d"
            .formatted(data.remaining(), rank, destination, tag));
  }

  @Override
  public Transfer receive(int source, int tag, ByteBuffer room) {
    requireOpen();
    requireArguments(source, tag, room);
    if (room.isReadOnly()) {
      throw new IllegalArgumentException("the room is a read-only buffer");
    }
    return begun(
        receive(handle, source, tag, room, room.position(), room.remaining()),
        room,
        "receive into %d bytes on rank %d from %d, tag %d"
            .formatted(room.remaining(), rank, source, tag));
  }

  private Transfer begun(long transfer, ByteBuffer buffer, String what) {
    NativeTransfer begun = new NativeTransfer(transfer, buffer, what);
    underWay.add(begun);
    return begun;
  }

  @Override
  public int await(Transfer transfer) {
    QuietWait.until(transfer::isDone, deadline, transfer::toString);
    return transfer.lengthBytes();
  }

  @Override
  public byte[][] allGather(byte[] mine) {
    requireOpen();
    if (outOfStep) {
      throw new TransportException(
          "rank %d is out of step with the others since allGather %d didn't end"
              .formatted(rank, gathered));
    }
    outOfStep = true;
    startGather(handle, mine);
    QuietWait.until(
        () -> testGather(handle),
        deadline,
        () -> "allGather %d on rank %d of %d".formatted(gathered, rank, size));
    outOfStep = false;
    gathered++;
    return gathered(handle);
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    for (NativeTransfer transfer : List.copyOf(underWay)) {
      transfer.cancel();
    }
    QuietWait.until(
        this::nothingIsUnderWay,
        deadline,
        () -> "close on rank %d of %d with %s".formatted(rank, size, underWay));
    // Freeing the communicator may wait for the others, and has no end of its own.
    allGather(new byte[0]);
    closed = true;
    close(handle);
  }

  private boolean nothingIsUnderWay() {
    for (NativeTransfer transfer : List.copyOf(underWay)) {
      transfer.isOver();
    }
    return underWay.isEmpty();
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the transport of rank " + rank + " is closed");
    }
  }

  private void requireArguments(int peer, int tag, ByteBuffer buffer) {
    if (peer < 0 || peer >= size) {
      throw new IllegalArgumentException("rank %d; expected 0 to %d".formatted(peer, size - 1));
    }
    if (tag < 0 || tag > MAX_TAG) {
      throw new IllegalArgumentException("tag %d; expected 0 to %d".formatted(tag, MAX_TAG));
    }
    if (!buffer.isDirect()) {
      throw new IllegalArgumentException("the buffer is on the heap; expected a direct one");
    }
  }

  private final class NativeTransfer implements Transfer {
    private static final int UNDER_WAY = -1;
    private static final int TAKEN_BACK = -2;

    private final String what;
    private long address; // 0 when it is over
    private ByteBuffer buffer;
    private int length = UNDER_WAY;
    private String failure;

    private NativeTransfer(long address, ByteBuffer buffer, String what) {
      this.address = address;
      this.buffer = buffer;
      this.what = what;
    }

    @Override
    public boolean isDone() {
      boolean over = isOver();
      if (failure != null) {
        throw new TransportException(what + ": " + failure);
      }
      return over;
    }

    /** Done or failed. */
    private boolean isOver() {
      if (address != 0) {
        requireOpen();
        try {
          length = test(handle, address);
        } catch (TransportException e) {
          failure = e.getMessage();
        }
        if (length >= 0 || failure != null) {
          end();
        }
      }
      return address == 0;
    }

    private void end() {
      address = 0;
      buffer = null;
      underWay.remove(this);
    }

    @Override
    public int lengthBytes() {
      if (length < 0) {
        throw new IllegalStateException(
            what + (length == TAKEN_BACK ? " was taken back" : " is not done"));
      }
      return length;
    }

    @Override
    public boolean cancel() {
      if (address != 0) {
        requireOpen();
        if (NativeTransport.cancel(handle, address)) {
          length = TAKEN_BACK;
          end();
        }
      }
      return length == TAKEN_BACK;
    }

    @Override
    public String toString() {
      return what;
    }
  }

  private static native long open0();

  private static native int rank(long transport);

  private static native int size(long transport);

  private static native long send(
      long transport, int destination, int tag, ByteBuffer data, int position, int length);

  private static native long receive(
      long transport, int source, int tag, ByteBuffer room, int position, int length);

  private static native int test(long transport, long transfer);

  private static native boolean cancel(long transport, long transfer);

  private static native void startGather(long transport, byte[] mine);

  private static native boolean testGather(long transport);

  private static native byte[][] gathered(long transport);

  private static native void close(long transport);
}

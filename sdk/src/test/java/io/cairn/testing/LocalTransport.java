// SPDX-License-Identifier: Apache-2.0
package io.cairn.testing;

import io.cairn.store.QuietWait;
import io.cairn.store.Transport;
import io.cairn.store.TransportException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.zip.CRC32C;

/**
 * {@link Transport} for ranks that are threads of one JVM. Slower in each respect than a real one
 * may be: long messages leave only when the receiver asks, and then a piece at a time; buffers that
 * change under way are noticed. Transfers can be made to fail, and ranks to disappear.
 */
public final class LocalTransport implements Transport {

  /** Shorter messages are copied away at once, as MPI does. */
  private static final int EAGER_BYTES = 4096;

  /** What one call moves of a message. */
  private static final int PIECE_BYTES = 64 << 10;

  /** For how long a gathering waits before it moves messages again. */
  private static final int LOOK_MILLIS = 3;

  /** All ranks. */
  public static final class World {
    private final Duration deadline;
    private final List<LocalTransport> ranks = new ArrayList<>();
    private final List<Message> messages = new ArrayList<>(); // not received yet, in sending order
    private final Map<Integer, byte[][]> gatherings = new HashMap<>();
    private final List<Fault> faults = new ArrayList<>();
    private final BitSet gone = new BitSet();
    private volatile boolean impatient;

    public World(int size, Duration deadline) {
      this.deadline = deadline;
      for (int rank = 0; rank < size; rank++) {
        ranks.add(new LocalTransport(this, rank));
      }
    }

    /** That rank's end. */
    public LocalTransport transport(int rank) {
      return ranks.get(rank);
    }

    /**
     * The next message from one rank to another fails on the sender's side, or on the receiver's.
     * The sender's message is never received; the receiver's counts as received for the sender.
     */
    public synchronized void failNext(int source, int destination, boolean onSendersSide) {
      faults.add(new Fault(source, destination, onSendersSide));
    }

    /** Whether all failures that were asked for have come to pass. */
    public synchronized boolean haveFailed() {
      return faults.isEmpty();
    }

    /**
     * From now on all the rank's own calls fail, and the others wait for it in vain, as for a
     * process that was stopped.
     */
    public synchronized void disappear(int rank) {
      gone.set(rank);
    }

    /** From now on whoever waits in a call has waited for too long. */
    public void endWaits() {
      impatient = true;
    }

    /** Whether all have come; looks a few milliseconds long. */
    private synchronized boolean isComplete(byte[][] slots, int round) {
      try {
        for (int look = 0; look < 1 && !LocalTransport.isComplete(slots); look++) {
          wait(LOOK_MILLIS);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      if (!LocalTransport.isComplete(slots) && impatient) {
        throw new TransportException(
            "waited for too long, as the test wants, in allGather " + round);
      }
      return LocalTransport.isComplete(slots);
    }

    /** Messages that were sent and not received: 0 when all is over. */
    public synchronized int unreceived() {
      return messages.size();
    }

    private boolean takeFault(int source, int destination, boolean onSendersSide) {
      return faults.remove(new Fault(source, destination, onSendersSide));
    }
  }

  private static boolean isComplete(byte[][] slots) {
    for (byte[] slot : slots) {
      if (slot == null) {
        return false;
      }
    }
    return true;
  }

  private record Fault(int source, int destination, boolean onSendersSide) {}

  private final World world;
  private final int rank;
  private final List<Receive> receives = new ArrayList<>(); // not done, in posting order
  private final List<Send> sends = new ArrayList<>(); // not done
  private final AtomicReference<Thread> inside = new AtomicReference<>();
  private int gathered;
  private boolean outOfStep;
  private boolean closed;

  private LocalTransport(World world, int rank) {
    this.world = world;
    this.rank = rank;
  }

  @Override
  public int rank() {
    return rank;
  }

  @Override
  public int size() {
    return world.ranks.size();
  }

  @Override
  public Transfer send(int destination, int tag, ByteBuffer data) {
    requireArguments(destination, tag, data);
    return alone(
        () -> {
          Send send = new Send(destination, tag, data.slice());
          if (world.takeFault(rank, destination, true)) {
            send.failure = "failed, as the test wants";
            return send;
          }
          Message message = new Message(rank, destination, tag, send);
          if (data.remaining() <= EAGER_BYTES) {
            message.bytes = ByteBuffer.allocate(data.remaining()).put(data.slice()).flip();
            send.done = true;
          } else {
            message.bytes = data.slice();
            sends.add(send);
          }
          world.messages.add(message);
          return send;
        });
  }

  @Override
  public Transfer receive(int source, int tag, ByteBuffer room) {
    requireArguments(source, tag, room);
    if (room.isReadOnly()) {
      throw new IllegalArgumentException("the room is a read-only buffer");
    }
    return alone(
        () -> {
          Receive receive = new Receive(source, tag, room.slice());
          receives.add(receive);
          return receive;
        });
  }

  @Override
  public int await(Transfer transfer) {
    QuietWait.until(transfer::isDone, world.deadline, transfer::toString);
    return transfer.lengthBytes();
  }

  @Override
  public byte[][] allGather(byte[] mine) {
    if (outOfStep) {
      throw new TransportException(
          "rank %d is out of step since an agreement didn't end".formatted(rank));
    }
    int round = gathered++;
    byte[][] all =
        alone(
            () -> {
              byte[][] slots = world.gatherings.computeIfAbsent(round, r -> new byte[size()][]);
              slots[rank] = mine.clone();
              if (isComplete(slots)) {
                world.notifyAll();
              }
              return slots;
            });
    outOfStep = true;
    QuietWait.until(
        () -> {
          alone(
              () -> {
                progress();
                return null;
              });
          return world.isComplete(all, round);
        },
        world.deadline,
        () -> "allGather %d on rank %d of %d".formatted(round, rank, size()));
    outOfStep = false;
    byte[][] copies = new byte[all.length][];
    for (int i = 0; i < copies.length; i++) {
      copies[i] = all[i].clone();
    }
    return copies;
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    for (Receive receive : List.copyOf(receives)) {
      receive.cancel();
    }
    QuietWait.until(
        () ->
            alone(
                () -> {
                  progress();
                  return sends.isEmpty() && receives.isEmpty();
                }),
        world.deadline,
        () -> "close with %d sends on rank %d of %d".formatted(sends.size(), rank, size()));
    allGather(new byte[0]);
    closed = true;
  }

  private void requireArguments(int peer, int tag, ByteBuffer buffer) {
    if (peer < 0 || peer >= size()) {
      throw new IllegalArgumentException("rank %d; expected 0 to %d".formatted(peer, size() - 1));
    }
    if (tag < 0 || tag > MAX_TAG) {
      throw new IllegalArgumentException("tag %d; expected 0 to %d".formatted(tag, MAX_TAG));
    }
    if (!buffer.isDirect()) {
      throw new IllegalArgumentException("the buffer is on the heap; expected a direct one");
    }
  }

  private interface Call<T> {
    T run();
  }

  /** One thread at a time may call a transport; those of different ranks share the world. */
  private <T> T alone(Call<T> call) {
    Thread other = inside.compareAndExchange(null, Thread.currentThread());
    if (other != null) {
      throw new AssertionError("two threads call rank " + rank + "'s transport: also " + other);
    }
    try {
      synchronized (world) {
        if (world.gone.get(rank)) {
          throw new TransportException("rank " + rank + " has disappeared, as the test wants");
        }
        if (closed) {
          throw new IllegalStateException("rank " + rank + "'s transport is closed");
        }
        return call.run();
      }
    } finally {
      inside.set(null);
    }
  }

  /** Matches in order, and moves a piece of each matched message. */
  private void progress() {
    for (Iterator<Receive> i = receives.iterator(); i.hasNext(); ) {
      Receive receive = i.next();
      if (receive.message == null) {
        receive.match();
      }
      if (receive.message != null && receive.move()) {
        i.remove();
      }
    }
    sends.removeIf(send -> send.done);
  }

  /** On its way, or waiting at its destination. */
  private static final class Message {
    private final int source;
    private final int destination;
    private final int tag;
    private final Send send;
    private ByteBuffer bytes;

    private Message(int source, int destination, int tag, Send send) {
      this.source = source;
      this.destination = destination;
      this.tag = tag;
      this.send = send;
    }
  }

  private static int checksum(ByteBuffer bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes.duplicate());
    return (int) crc.getValue();
  }

  private abstract class Way implements Transfer {
    final int tag;
    final ByteBuffer buffer;
    boolean done;
    String failure;

    private Way(int tag, ByteBuffer buffer) {
      this.tag = tag;
      this.buffer = buffer;
    }

    @Override
    public final boolean isDone() {
      return alone(
          () -> {
            progress();
            if (failure != null) {
              throw new TransportException(this + ": " + failure);
            }
            return done;
          });
    }

    @Override
    public final int lengthBytes() {
      if (!done) {
        throw new IllegalStateException(this + " is not done");
      }
      return length();
    }

    abstract int length();
  }

  private final class Send extends Way {
    private final int destination;
    private final int checksum;

    private Send(int destination, int tag, ByteBuffer data) {
      super(tag, data);
      this.destination = destination;
      checksum = checksum(data);
    }

    @Override
    int length() {
      return buffer.remaining();
    }

    @Override
    public boolean cancel() {
      return false;
    }

    @Override
    public String toString() {
      return "send of %d bytes from rank %d to %d, tag %d"
          .formatted(buffer.remaining(), rank, destination, tag);
    }
  }

  private final class Receive extends Way {
    private final int source;
    private Message message; // null until it is matched
    private boolean cancelled;
    private int moved;

    private Receive(int source, int tag, ByteBuffer room) {
      super(tag, room);
      this.source = source;
    }

    private void match() {
      for (Iterator<Message> i = world.messages.iterator(); i.hasNext(); ) {
        Message candidate = i.next();
        if (candidate.source == source && candidate.destination == rank && candidate.tag == tag) {
          // A rank that has disappeared doesn't serve its long messages any more.
          if (!candidate.send.done && world.gone.get(source)) {
            return;
          }
          i.remove();
          message = candidate;
          return;
        }
      }
    }

    /** Whether it is over. */
    private boolean move() {
      int length = message.bytes.remaining();
      if (world.takeFault(source, rank, false)) {
        failure = "failed, as the test wants";
      } else if (length > buffer.remaining()) {
        failure =
            "the message is longer than the room: found %d bytes, room for %d"
                .formatted(length, buffer.remaining());
      }
      if (failure != null) {
        message.send.done = true;
        return true;
      }
      if (!message.send.done && world.gone.get(source)) {
        return false;
      }
      int piece = Math.min(PIECE_BYTES, length - moved);
      buffer.put(moved, message.bytes, message.bytes.position() + moved, piece);
      moved += piece;
      if (moved < length) {
        return false;
      }
      if (checksum(message.bytes) != message.send.checksum) {
        throw new AssertionError(message.send + ": its buffer was changed before it was done");
      }
      message.send.done = true;
      done = true;
      return true;
    }

    @Override
    int length() {
      if (cancelled) {
        throw new IllegalStateException(this + " was taken back");
      }
      return moved;
    }

    @Override
    public boolean cancel() {
      return alone(
          () -> {
            progress();
            if (!cancelled && message == null && !done) {
              cancelled = true;
              done = true;
              receives.remove(this);
            }
            return cancelled;
          });
    }

    @Override
    public String toString() {
      return "receive into %d bytes on rank %d from %d, tag %d"
          .formatted(buffer.remaining(), rank, source, tag);
    }
  }
}

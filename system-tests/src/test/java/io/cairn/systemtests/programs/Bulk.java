// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import io.cairn.natives.NativeTransport;
import io.cairn.store.Transport;
import io.cairn.store.Transport.Transfer;
import io.cairn.store.TransportException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import mpi.MPI;
import mpi.MPIException;

/**
 * A background thread of each rank moves random messages over a {@link Transport}, both ways at
 * once, while the main threads communicate by themselves and epochs are committed.
 */
public final class Bulk {

  private static final int TAG = 9;
  private static final int HALO_BYTES = 64 << 10;
  private static final int LONGEST_BYTES = 4 << 20;
  private static final int MOST_MESSAGES = 16;
  private static final int TAGS = 3;
  private static final byte UNTOUCHED = 0x5A;
  private static final Duration DEADLINE = Duration.ofMinutes(2);
  private static final Duration SHORT_DEADLINE = Duration.ofMillis(300);

  private final Transport transport;
  private final int rank;
  private final int size;
  private final long seed;
  private final SplittableRandom own;
  private long moved;
  private volatile boolean over;
  private volatile Throwable failure;

  private Bulk(Transport transport, long seed) {
    this.transport = transport;
    this.seed = seed;
    rank = transport.rank();
    size = transport.size();
    own = new SplittableRandom(seed * 31 + rank);
  }

  /** Arguments: rounds, seed; whether one rank fails to come to an agreement at the end. */
  public static void main(String[] args) throws Exception {
    Map<String, Long> numbers = Scene.numbers(args, "rounds=40", "seed=1", "absent=0");
    Cairn.load();
    MPI.InitThread(args, MPI.THREAD_MULTIPLE);
    try (Cairn cairn = Cairn.attach()) {
      Scene.watch(cairn);
      long[] step = cairn.array("step", new long[1]);
      cairn.restore();
      NativeTransport transport = NativeTransport.open(DEADLINE);
      Bulk bulk = new Bulk(transport, numbers.get("seed"));
      Thread background = new Thread(() -> bulk.run(numbers.get("rounds")), "bulk");
      background.start();
      exchangeUntilOver(cairn, bulk, step);
      background.join();
      if (bulk.failure != null) {
        throw new IllegalStateException("the background thread failed", bulk.failure);
      }
      transport.close();
      if (numbers.get("absent") != 0) {
        missOneRank();
      }
      cairn.done();
    }
    MPI.Finalize();
  }

  /** The application's part: halos around the ring, and an agreement in each step. */
  private static void exchangeUntilOver(Cairn cairn, Bulk bulk, long[] step) throws MPIException {
    ByteBuffer out = ByteBuffer.allocateDirect(HALO_BYTES);
    ByteBuffer in = ByteBuffer.allocateDirect(HALO_BYTES);
    int to = (bulk.rank + 1) % bulk.size;
    int from = (bulk.rank + bulk.size - 1) % bulk.size;
    int[] all = new int[1];
    do {
      out.putLong(0, step[0] * bulk.size + bulk.rank);
      MPI.COMM_WORLD.sendRecv(
          out, HALO_BYTES, MPI.BYTE, to, TAG, in, HALO_BYTES, MPI.BYTE, from, TAG);
      if (in.getLong(0) != step[0] * bulk.size + from) {
        throw new IllegalStateException("another rank's halo in step " + step[0]);
      }
      all[0] = bulk.over ? 1 : 0;
      MPI.COMM_WORLD.allReduce(all, 1, MPI.INT, MPI.MIN);
      step[0]++;
      cairn.safePoint();
    } while (all[0] == 0 && bulk.failure == null);
    Scene.say(0, "steps=" + step[0]);
  }

  private void run(long rounds) {
    try {
      long begin = System.nanoTime();
      for (long round = 0; round < rounds; round++) {
        exchange(round);
      }
      long nanos = System.nanoTime() - begin;
      report("moved=%d MiB/s=%.0f".formatted(moved, moved * 1e9 / (1 << 20) / nanos));
      receiveTooMuch();
    } catch (Throwable e) {
      // The others wait for this rank.
      failure = e;
      e.printStackTrace();
      Runtime.getRuntime().halt(1);
    }
    over = true;
  }

  private void report(String line) {
    System.out.print("rank " + rank + " " + line + "\n");
    System.out.flush();
  }

  /** The same list on all ranks. */
  private record Message(int source, int destination, int tag, int length, long content) {}

  private List<Message> messages(SplittableRandom random) {
    List<Message> messages = new ArrayList<>();
    for (int i = random.nextInt(MOST_MESSAGES + 1); i > 0; i--) {
      // Some of each size: empty ones and a few bytes as well as MiBs.
      int length = random.nextInt(1 + (LONGEST_BYTES >> random.nextInt(23)));
      messages.add(
          new Message(
              random.nextInt(size),
              random.nextInt(size),
              random.nextInt(TAGS),
              length,
              random.nextLong()));
    }
    return messages;
  }

  /** A message that this rank receives, or sends (then without room). */
  private record Pending(Message message, Transfer transfer, ByteBuffer room) {}

  private void exchange(long round) {
    SplittableRandom common = new SplittableRandom(seed * 1_000_003 + round);
    List<Message> messages = messages(common);
    boolean agree = common.nextInt(3) == 0;
    List<Pending> pending = new ArrayList<>();
    // Each channel wholly in the first or wholly in the second pass: that keeps its order.
    long first = own.nextLong();
    for (int pass = 0; pass < 2; pass++) {
      for (Message message : messages) {
        if (message.destination == rank && turn(message, first, 0) == pass) {
          pending.add(receive(message));
        }
        if (message.source == rank && turn(message, first, 1) == pass) {
          pending.add(
              new Pending(
                  message,
                  transport.send(message.destination, message.tag, content(message)),
                  null));
        }
      }
    }
    // Half of the ranks have their messages out of the way before they agree, the others don't.
    if (own.nextBoolean()) {
      for (Pending p : pending) {
        if (p.room == null) {
          transport.await(p.transfer);
        }
      }
    }
    if (agree) {
      agree(round);
    }
    while (!pending.isEmpty()) {
      Pending p = pending.remove(own.nextInt(pending.size()));
      requireEqual(p.message.length, transport.await(p.transfer), "length of " + p.message);
      if (p.room != null) {
        verify(p);
        moved += p.message.length;
      }
    }
  }

  private static int turn(Message message, long chance, int kind) {
    int channel = ((message.source * 8 + message.destination) * TAGS + message.tag) * 2 + kind;
    return (int) (chance >>> channel & 1);
  }

  private Pending receive(Message message) {
    int spare = own.nextBoolean() ? 0 : own.nextInt(1000);
    int start = own.nextInt(70);
    ByteBuffer room = ByteBuffer.allocateDirect(start + message.length + spare + 64);
    for (int i = 0; i < room.capacity(); i++) {
      room.put(i, UNTOUCHED);
    }
    room.position(start).limit(start + message.length + spare);
    return new Pending(message, transport.receive(message.source, message.tag, room), room);
  }

  private static ByteBuffer content(Message message) {
    byte[] bytes = new byte[message.length];
    new SplittableRandom(message.content).nextBytes(bytes);
    return ByteBuffer.allocateDirect(message.length).put(bytes).flip();
  }

  private static void verify(Pending p) {
    ByteBuffer room = p.room;
    int start = room.position();
    requireEqual(
        -1,
        content(p.message).mismatch(room.slice(start, p.message.length)),
        "first wrong byte of " + p.message);
    room.clear();
    for (int i = 0; i < room.capacity(); i++) {
      if ((i < start || i >= start + p.message.length) && room.get(i) != UNTOUCHED) {
        throw new IllegalStateException("byte " + i + " around " + p.message + " was written");
      }
    }
  }

  private void agree(long round) {
    byte[] mine = new byte[(int) (round % 5) * rank];
    Arrays.fill(mine, (byte) (round + rank));
    byte[][] all = transport.allGather(mine);
    requireEqual(size, all.length, "ranks");
    for (int other = 0; other < size; other++) {
      requireEqual(round % 5 * other, all[other].length, "bytes of rank " + other);
      for (byte b : all[other]) {
        requireEqual((byte) (round + other), b, "what rank " + other + " says");
      }
    }
  }

  /** Open MPI by itself would write on behind the room. */
  private void receiveTooMuch() {
    ByteBuffer room = ByteBuffer.allocateDirect(200_000).limit(10);
    Transfer receive = transport.receive((rank + size - 1) % size, 0, room);
    transport.await(transport.send((rank + 1) % size, 0, ByteBuffer.allocateDirect(100_000)));
    try {
      transport.await(receive);
      throw new IllegalStateException("a message of 100000 bytes went into 10");
    } catch (TransportException e) {
      report("refused: " + e.getMessage());
    }
    room.clear();
    while (room.hasRemaining()) {
      requireEqual(0, room.get(), "byte in front of " + room.position());
    }
    // Nothing comes for this one.
    if (!transport.receive(0, 1, room.clear()).cancel()) {
      throw new IllegalStateException("a message from nowhere");
    }
  }

  /** An agreement that one rank doesn't come to. */
  private static void missOneRank() {
    Transport transport = NativeTransport.open(SHORT_DEADLINE);
    if (transport.rank() == 0) {
      return;
    }
    for (int i = 0; i < 2; i++) {
      try {
        transport.allGather(new byte[] {1});
        throw new IllegalStateException("an agreement without rank 0");
      } catch (TransportException e) {
        System.out.print("rank " + transport.rank() + " gave up: " + e.getMessage() + "\n");
      }
    }
    System.out.flush();
  }

  private static void requireEqual(long expected, long found, String what) {
    if (expected != found) {
      throw new IllegalStateException(what + ": found " + found + ", expected " + expected);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate.sim;

import io.cairn.coordinate.sim.Program.Communicator;
import io.cairn.coordinate.sim.Program.Message;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The application's network: keeps order per (communicator, source, destination) and nowhere else,
 * matches as MPI does, and remembers everything, so that a cut can be judged from outside.
 */
final class SimNetwork {

  /** A message on its way, with the truth about it. */
  static final class Packet {
    final Message message;

    /** When it was sent, in ticks of the world; -1 if it came back with an image. */
    final long sentTick;

    /** When the application got it. */
    long receivedTick = Long.MAX_VALUE;

    Packet(Message message, long sentTick) {
      this.message = message;
      this.sentTick = sentTick;
    }
  }

  /** A receive that the application has posted and not been given yet. */
  static final class Posted {
    final Program.Receive receive;
    long handle;
    Packet match;

    /** The bytes are in the application's buffer. */
    boolean filled;

    boolean fromQueue;
    boolean peeked;
    boolean cancelled;

    Posted(Program.Receive receive) {
      this.receive = receive;
    }

    boolean matches(Message m) {
      return receive.communicator().index() == m.communicator().index()
          && (receive.source() == Program.ANY || receive.source() == m.source())
          && (receive.tag() == Program.ANY || receive.tag() == m.tag());
    }
  }

  /** (communicator, source, destination). */
  record Stream(int communicator, int source, int destination) implements Comparable<Stream> {
    static Stream of(Message m) {
      return new Stream(m.communicator().index(), m.source(), m.destination());
    }

    @Override
    public int compareTo(Stream o) {
      int c = Integer.compare(communicator, o.communicator);
      c = c != 0 ? c : Integer.compare(source, o.source);
      return c != 0 ? c : Integer.compare(destination, o.destination);
    }
  }

  private final SimWorld world;
  private final long delayNanos;
  private final Map<Stream, Long> lastArrival = new HashMap<>();
  private final List<List<Packet>> unexpected = new ArrayList<>();
  private final List<List<Posted>> posted = new ArrayList<>();

  /** What was ever sent, in order of sending. */
  final Map<Stream, List<Packet>> streams = new TreeMap<>();

  final Map<Integer, Packet> packets = new HashMap<>();

  SimNetwork(SimWorld world, int size, long delayNanos) {
    this.world = world;
    this.delayNanos = delayNanos;
    for (int i = 0; i < size; i++) {
      unexpected.add(new ArrayList<>());
      posted.add(new ArrayList<>());
    }
  }

  /** A message of the restored channel state: in a ledger's queue, not on the network. */
  void remember(Message m) {
    keep(new Packet(m, -1));
  }

  private void keep(Packet p) {
    if (packets.put(p.message.id(), p) != null) {
      throw world.failure(p.message + " was sent twice");
    }
    streams.computeIfAbsent(Stream.of(p.message), s -> new ArrayList<>()).add(p);
  }

  void send(Message m) {
    Packet p = new Packet(m, world.tick());
    keep(p);
    long at =
        Math.max(
            world.now() + world.dice.delay(delayNanos), lastArrival.getOrDefault(Stream.of(m), 0L));
    lastArrival.put(Stream.of(m), at);
    world.at(at, () -> arrive(p));
  }

  private void arrive(Packet p) {
    for (Posted r : posted.get(p.message.destination())) {
      if (r.matches(p.message)) {
        match(r, p);
        return;
      }
    }
    unexpected.get(p.message.destination()).add(p);
    world.rank(p.message.destination()).wake();
  }

  private void match(Posted r, Packet p) {
    posted.get(p.message.destination()).remove(r);
    r.match = p;
    world.after(
        world.dice.delay(delayNanos),
        () -> {
          r.filled = true;
          world.rank(p.message.destination()).wake();
        });
    if (p.message.synchronous()) {
      world.after(
          world.dice.delay(delayNanos), () -> world.rank(p.message.source()).sendDone(p.message));
    }
  }

  void post(Posted r) {
    for (Packet p : unexpected.get(r.receive.rank())) {
      if (r.matches(p.message)) {
        unexpected.get(r.receive.rank()).remove(p);
        posted.get(r.receive.rank()).add(r);
        match(r, p);
        return;
      }
    }
    posted.get(r.receive.rank()).add(r);
  }

  void cancel(Posted r) {
    posted.get(r.receive.rank()).remove(r);
  }

  /** The first message that a receive would get, left where it is; null if there is none. */
  Packet probe(int rank, Posted receive) {
    for (Packet p : unexpected.get(rank)) {
      if (receive.matches(p.message)) {
        return p;
      }
    }
    return null;
  }

  /** Takes the first message of a source off the network, whatever its tag. */
  Packet drain(int rank, long communicator, int source) {
    for (Packet p : unexpected.get(rank)) {
      Communicator c = p.message.communicator();
      if (c.id() == communicator && p.message.source() == source) {
        if (p.message.synchronous()) {
          throw world.failure("C8: " + p.message + " was drained, which completes it early");
        }
        unexpected.get(rank).remove(p);
        return p;
      }
    }
    return null;
  }

  /** Takes all that has arrived and that nobody has asked for. */
  List<Packet> drainAll(int rank) {
    List<Packet> all = List.copyOf(unexpected.get(rank));
    for (Packet p : all) {
      if (p.message.synchronous()) {
        throw world.failure("C8: " + p.message + " was drained, which completes it early");
      }
    }
    unexpected.get(rank).clear();
    return all;
  }

  /** The application has it. C7: a message is delivered exactly once. */
  void received(Packet p) {
    if (p.receivedTick != Long.MAX_VALUE) {
      throw world.failure("C7: " + p.message + " was delivered twice");
    }
    p.receivedTick = world.tick();
  }
}

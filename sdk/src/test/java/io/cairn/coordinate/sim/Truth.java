// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate.sim;

import io.cairn.coordinate.sim.Program.Communicator;
import io.cairn.coordinate.sim.Program.Message;
import io.cairn.coordinate.sim.SimNetwork.Packet;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What is true of an epoch's cut, seen from outside, and what the ranks saved for it. */
final class Truth {

  final long epoch;
  private final SimWorld world;
  private final long[] cutTicks;
  private final long[][] collectives;
  final SimRank.Saved[] states;
  final byte[][] channelStates;
  final boolean[] durable;
  final boolean[] recorded;
  final long[] safePoints;
  Boolean committed;

  /** Whether the base had been moved by a bare cut before. */
  boolean afterBareCuts;

  String reason;

  Truth(SimWorld world, long epoch, int size) {
    this.world = world;
    this.epoch = epoch;
    cutTicks = new long[size];
    collectives = new long[size][];
    states = new SimRank.Saved[size];
    safePoints = new long[size];
    channelStates = new byte[size][];
    durable = new boolean[size];
    recorded = new boolean[size];
  }

  void cut(int rank, long tick, long[] counts) {
    cutTicks[rank] = tick;
    collectives[rank] = counts;
  }

  boolean cutByAll() {
    return Arrays.stream(cutTicks).allMatch(t -> t > 0);
  }

  private boolean sentBefore(Packet p) {
    return p.sentTick < cutTicks[p.message.source()];
  }

  private boolean receivedBefore(Packet p) {
    return p.receivedTick < cutTicks[p.message.destination()];
  }

  /** Received before the receiver's cut, sent after the sender's. */
  List<Message> early() {
    List<Message> found = new ArrayList<>();
    world.network.streams.values().stream()
        .flatMap(List::stream)
        .filter(p -> receivedBefore(p) && !sentBefore(p))
        .forEach(p -> found.add(p.message));
    return found;
  }

  /** Sent before the sender's cut, not received before the receiver's, in order of sending. */
  List<Message> late(int destination) {
    List<Message> found = new ArrayList<>();
    world.network.streams.forEach(
        (stream, packets) -> {
          if (stream.destination() == destination) {
            for (Packet p : packets) {
              if (sentBefore(p) && !receivedBefore(p)) {
                found.add(p.message);
              }
            }
          }
        });
    return found;
  }

  /** A communicator whose members had called different numbers of collectives, or null. */
  Communicator straddled() {
    for (Communicator c : world.program.communicators()) {
      long first = collectives[c.members()[0]][c.index()];
      for (int member : c.members()) {
        if (collectives[member][c.index()] != first) {
          return c;
        }
      }
    }
    return null;
  }

  /** Holds what was saved against what is true. */
  void assertConsistent() {
    for (int rank = 0; rank < cutTicks.length; rank++) {
      if (cutTicks[rank] == 0 || states[rank] == null) {
        throw world.failure("epoch " + epoch + " was committed, but rank " + rank + " wasn't cut");
      }
      if (!durable[rank] || !recorded[rank]) {
        throw world.failure(
            "C6: epoch " + epoch + " was committed before rank " + rank + " was durable");
      }
    }
    List<Message> early = early();
    if (!early.isEmpty()) {
      throw world.failure("C2: epoch " + epoch + " was committed with early " + early);
    }
    if (straddled() != null) {
      throw world.failure("C4: epoch " + epoch + " was committed over " + straddled().name());
    }
    for (int rank = 0; rank < cutTicks.length; rank++) {
      compare(rank, late(rank), decode(rank));
    }
  }

  /** C1 and C3: exactly the missing messages, in order of sending per channel. */
  private void compare(int rank, List<Message> late, List<Message> saved) {
    Map<List<Object>, List<Message>> expected = byChannel(late, true);
    Map<List<Object>, List<Message>> found = byChannel(saved, true);
    if (!expected.equals(found)) {
      throw world.failure(
          "C3: epoch %d, rank %d: missing were %s, saved were %s"
              .formatted(epoch, rank, late, saved));
    }
    // Where all receives take any tag, a restored program can see the order over tags as well.
    int free = world.program.communicators().size() - 1;
    Map<List<Object>, List<Message>> sent = byChannel(late, false);
    byChannel(saved, false)
        .forEach(
            (source, messages) -> {
              if (source.get(0).equals(free) && !messages.equals(sent.get(source))) {
                throw world.failure(
                    "C3: epoch %d, rank %d: sent as %s, saved as %s"
                        .formatted(epoch, rank, sent.get(source), messages));
              }
            });
  }

  private static Map<List<Object>, List<Message>> byChannel(List<Message> all, boolean tags) {
    Map<List<Object>, List<Message>> map = new HashMap<>();
    for (Message m : all) {
      map.computeIfAbsent(
              List.of(m.communicator().index(), m.source(), tags ? m.tag() : 0),
              k -> new ArrayList<>())
          .add(m);
    }
    return map;
  }

  private List<Message> decode(int rank) {
    ByteBuffer in = ByteBuffer.wrap(channelStates[rank]).order(ByteOrder.LITTLE_ENDIAN);
    List<Message> found = new ArrayList<>();
    for (long left = in.getLong(); left > 0; left--) {
      long communicator = in.getLong();
      int source = in.getInt();
      int tag = in.getInt();
      byte[] payload = new byte[(int) in.getLong()];
      in.get(payload);
      in.position((in.position() + 7) / 8 * 8);
      Message m = world.program.messages().get(ByteBuffer.wrap(payload).getInt());
      if (m.communicator().id() != communicator
          || m.source() != source
          || m.tag() != tag
          || m.destination() != rank
          || !Arrays.equals(m.payload(), payload)) {
        throw world.failure(
            "epoch %d, rank %d saved %s as source %d, tag %d"
                .formatted(epoch, rank, m, source, tag));
      }
      found.add(m);
    }
    if (in.hasRemaining()) {
      throw world.failure("bytes after the channel state");
    }
    return found;
  }
}

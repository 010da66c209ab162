// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate.sim;

import java.util.List;

/**
 * A program as every rank runs it, written out: what it sends, receives and calls, in which order,
 * and which message each receive must get.
 */
public record Program(
    int size,
    List<Communicator> communicators,
    List<Message> messages,
    List<Receive> receives,
    List<Group> groups,
    List<List<Op>> ops) {

  public static final int ANY = -1;

  /** Ranks are world ranks. */
  public record Communicator(int index, long id, String name, int[] members) {
    public boolean has(int rank) {
      for (int member : members) {
        if (member == rank) {
          return true;
        }
      }
      return false;
    }

    public int rankOf(int rank) {
      for (int i = 0; i < members.length; i++) {
        if (members[i] == rank) {
          return i;
        }
      }
      throw new AssertionError(rank + " is no member of " + name);
    }
  }

  public record Message(
      int id,
      Communicator communicator,
      int source,
      int destination,
      int tag,
      boolean synchronous,
      byte[] payload) {
    @Override
    public String toString() {
      return "message %d (%s, %d -> %d, tag %d%s)"
          .formatted(
              id,
              communicator.name(),
              source,
              destination,
              tag,
              synchronous ? ", synchronous" : "");
    }
  }

  /**
   * @param expected the message that it must get; -1 if any of its group will do, or none is sent
   */
  public record Receive(
      int id, int rank, Communicator communicator, int source, int tag, int expected) {}

  /**
   * Receives, in the order in which they are posted, that name no source: they get all of the
   * messages, those of each source in the order in which they were sent.
   */
  public record Group(List<Integer> receives, List<Integer> messages) {}

  /** One step of a rank. */
  public sealed interface Op {
    record Send(int message) implements Op {}

    /** Waits for a synchronous send. */
    record AwaitSend(int message) implements Op {}

    record Post(int receive) implements Op {}

    record Await(int receive) implements Op {}

    /** Waits until a probe tells of the message that this receive, which comes next, must get. */
    record Probe(int receive) implements Op {}

    /** A safe point for as long as it waits for a message that this receive would get. */
    record SafeWait(int receive) implements Op {}

    record Cancel(int receive) implements Op {}

    record Collective(int communicator) implements Op {}

    record Request() implements Op {}

    record SafePoint() implements Op {}
  }

  /** What a rank adds to its {@code count}-th collective on a communicator. */
  public static long contribution(Communicator communicator, int rank, long count) {
    return (communicator.id() ^ rank * 0x9e3779b97f4a7c15L) * (count * 2 + 1);
  }

  public static long collectiveResult(Communicator communicator, long count) {
    long sum = 0;
    for (int member : communicator.members()) {
      sum += contribution(communicator, member, count);
    }
    return sum;
  }
}

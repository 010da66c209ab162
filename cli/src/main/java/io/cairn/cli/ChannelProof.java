// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.image.ChannelState;
import io.cairn.image.ImageReader;
import io.cairn.image.LedgerCounts;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Proves from an epoch's images alone that its cut is consistent: on each channel, what the
 * sender's image says was sent by its cut, minus what the receiver's image says was received by its
 * own, are the messages in the receiver's channel state; and within each communicator all members
 * had begun the same number of collectives. Holds a few words for each channel.
 */
final class ChannelProof {

  private record Channel(long communicator, int source, int destination, int tag) {}

  private static final class Sums {
    long sent;
    long received;
    long late;
    long state;
  }

  private record Members(int members, int rank, int worldRank) {}

  private final Map<Channel, Sums> channels = new HashMap<>();
  private final Map<Long, Map<Long, List<Members>>> collectives = new TreeMap<>();
  private final Map<Integer, Path> images = new TreeMap<>();
  private long lateMessages;
  private long lateBytes;

  /** Takes in an image whose blocks are sound. */
  void add(Path file, ImageReader image) throws IOException {
    int rank = image.header().rank();
    Map<Channel, Sums> own = new HashMap<>();
    Map<Long, Map<Long, List<Members>>> calls = new TreeMap<>();
    long[] late = new long[2];
    LedgerCounts.read(
        image,
        new LedgerCounts.Visitor() {
          @Override
          public void sent(long communicator, int destination, int tag, long messages) {
            sums(own, new Channel(communicator, rank, destination, tag)).sent += messages;
          }

          @Override
          public void received(
              long communicator, int source, int tag, long messages, long lateMessages) {
            Sums sums = sums(own, new Channel(communicator, source, rank, tag));
            sums.received += messages;
            sums.late += lateMessages;
          }

          @Override
          public void collectives(long communicator, int members, int number, long begun) {
            // Without calls some members may not have created the communicator yet.
            if (begun != 0) {
              calls
                  .computeIfAbsent(communicator, c -> new TreeMap<>())
                  .computeIfAbsent(begun, c -> new ArrayList<>())
                  .add(new Members(members, number, rank));
            }
          }
        });
    ChannelState.read(
        image,
        (communicator, source, tag, lengthBytes) -> {
          sums(own, new Channel(communicator, source, rank, tag)).state++;
          late[0]++;
          late[1] += lengthBytes;
        });
    // Only now: an image that makes no sense shall not be in the proof with half of its counts.
    own.forEach(
        (channel, sums) -> {
          Sums all = sums(channels, channel);
          all.sent += sums.sent;
          all.received += sums.received;
          all.late += sums.late;
          all.state += sums.state;
        });
    calls.forEach(
        (communicator, byCalls) ->
            byCalls.forEach(
                (begun, members) ->
                    collectives
                        .computeIfAbsent(communicator, c -> new TreeMap<>())
                        .computeIfAbsent(begun, c -> new ArrayList<>())
                        .addAll(members)));
    images.put(rank, file);
    lateMessages += late[0];
    lateBytes += late[1];
  }

  private static Sums sums(Map<Channel, Sums> channels, Channel channel) {
    return channels.computeIfAbsent(channel, c -> new Sums());
  }

  /** Channels whose two ends are both known. */
  long provedChannels() {
    return channels.keySet().stream().filter(this::bothEnds).count();
  }

  /** Messages in the channel states. */
  long lateMessages() {
    return lateMessages;
  }

  /** Their bytes. */
  long lateBytes() {
    return lateBytes;
  }

  private boolean bothEnds(Channel channel) {
    return images.containsKey(channel.source()) && images.containsKey(channel.destination());
  }

  /** What doesn't add up; channels with an end in an image that wasn't added are left out. */
  List<Finding> conclude(int worldSize) {
    List<Finding> findings = new ArrayList<>();
    channels.forEach(
        (channel, sums) -> {
          if (bothEnds(channel)) {
            conclude(channel, sums, findings);
          }
        });
    if (images.size() == worldSize) {
      collectives.forEach((communicator, byCalls) -> conclude(communicator, byCalls, findings));
    }
    return findings;
  }

  private void conclude(Channel channel, Sums sums, List<Finding> findings) {
    long expected = sums.sent - sums.received;
    if (expected == sums.state && sums.late == sums.state) {
      return;
    }
    String wrong =
        expected < 0
            ? -expected + " received before the cut and sent after it"
            : expected != sums.state
                ? Math.abs(expected - sums.state)
                    + (expected > sums.state ? " lost" : " that nobody sent")
                : "the receiver's ledger counted " + sums.late + " late ones";
    findings.add(
        Finding.inconsistent(
            images.get(channel.destination()),
            "late messages from rank %d to rank %d, tag %d, communicator %016x"
                .formatted(
                    channel.source(), channel.destination(), channel.tag(), channel.communicator()),
            sums.state,
            expected,
            ("messages from rank %d to rank %d, tag %d, communicator %016x don't add up: %d sent"
                    + " (%s), %d received, %d in the channel state: %s")
                .formatted(
                    channel.source(),
                    channel.destination(),
                    channel.tag(),
                    channel.communicator(),
                    sums.sent,
                    images.get(channel.source()),
                    sums.received,
                    sums.state,
                    wrong)));
  }

  /** C4: those with one number of calls must be all members. */
  private void conclude(
      long communicator, Map<Long, List<Members>> byCalls, List<Finding> findings) {
    boolean sound =
        byCalls.values().stream()
            .allMatch(
                members ->
                    members.size()
                        == members.stream()
                            .filter(m -> m.rank() == 0)
                            .mapToLong(Members::members)
                            .sum());
    if (sound) {
      return;
    }
    Map<Long, Set<Integer>> ranks = new TreeMap<>();
    byCalls.forEach(
        (calls, members) -> {
          Set<Integer> those = ranks.computeIfAbsent(calls, c -> new TreeSet<>());
          members.forEach(member -> those.add(member.worldRank()));
        });
    List<String> told =
        ranks.entrySet().stream().map(e -> e.getKey() + " by ranks " + e.getValue()).toList();
    String found = String.join(", ", told);
    Path file = images.get(ranks.values().iterator().next().iterator().next());
    findings.add(
        Finding.inconsistent(
            file,
            "collectives on communicator %016x".formatted(communicator),
            found,
            "one number by all members",
            "collectives begun on communicator %016x: %s; expected one number by all members"
                .formatted(communicator, found)));
  }
}

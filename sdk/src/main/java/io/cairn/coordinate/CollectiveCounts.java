// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

import io.cairn.coordinate.Ledger.CollectiveCount;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Finds who called a collective on the other side of the cut. Every member of a communicator sends
 * its count to the member whose rank there is 0, which compares.
 */
final class CollectiveCounts {

  /** A reason is cut off at 768 bytes: no more culprits than fit. */
  private static final int NAMED_RANKS = 8;

  /** What was heard, by communicator and then by world rank. */
  private final Map<Long, Map<Integer, CollectiveCount>> heard = new TreeMap<>();

  /** This rank's counts, encoded, by the world rank that compares them. */
  static Map<Integer, byte[]> byRoot(List<CollectiveCount> counts) {
    Map<Integer, List<CollectiveCount>> byRoot =
        counts.stream()
            .collect(
                Collectors.groupingBy(CollectiveCount::root, TreeMap::new, Collectors.toList()));
    Map<Integer, byte[]> encoded = new TreeMap<>();
    byRoot.forEach((root, mine) -> encoded.put(root, encode(mine)));
    return encoded;
  }

  void add(int source, byte[] payload) {
    for (CollectiveCount count : decode(payload)) {
      heard.computeIfAbsent(count.communicator(), c -> new TreeMap<>()).put(source, count);
    }
  }

  /** Names the first communicator whose members disagree, how, and who; null if none do. */
  String culprit(long safePoint) {
    for (Map<Integer, CollectiveCount> members : heard.values()) {
      String found = compare(members, safePoint);
      if (found != null) {
        return found;
      }
    }
    return null;
  }

  private static String compare(Map<Integer, CollectiveCount> members, long safePoint) {
    CollectiveCount any = members.values().iterator().next();
    Map<Long, Long> ranksByCount =
        members.values().stream()
            .collect(
                Collectors.groupingBy(CollectiveCount::count, TreeMap::new, Collectors.counting()));
    boolean allHeard = members.size() == any.members();
    if (ranksByCount.size() == 1 && allHeard) {
      return null;
    }
    long usual =
        ranksByCount.entrySet().stream()
            .max(
                Comparator.comparingLong((Map.Entry<Long, Long> e) -> e.getValue())
                    .thenComparing(Map.Entry::getKey))
            .orElseThrow()
            .getKey();
    StringBuilder text =
        new StringBuilder("a collective on ")
            .append(any.name())
            .append(" straddles safe point ")
            .append(safePoint)
            .append(": since the last committed epoch ");
    Map.Entry<Integer, CollectiveCount> ordinary =
        members.entrySet().stream()
            .filter(e -> e.getValue().count() == usual)
            .findFirst()
            .orElseThrow();
    text.append(ranksByCount.get(usual) == 1 ? "rank " + ordinary.getKey() : "most ranks")
        .append(" made ");
    text.append(calls(ordinary.getValue()));
    List<Map.Entry<Integer, CollectiveCount>> others =
        members.entrySet().stream().filter(e -> e.getValue().count() != usual).toList();
    for (Map.Entry<Integer, CollectiveCount> other :
        others.subList(0, Math.min(NAMED_RANKS, others.size()))) {
      text.append(", rank ")
          .append(other.getKey())
          .append(" made ")
          .append(calls(other.getValue()));
    }
    if (others.size() > NAMED_RANKS) {
      text.append(", and ").append(others.size() - NAMED_RANKS).append(" more ranks differ");
    }
    if (!allHeard) {
      text.append(", and ")
          .append(any.members() - members.size())
          .append(" of its ")
          .append(any.members())
          .append(" ranks don't know the communicator");
    }
    return text.toString();
  }

  private static String calls(CollectiveCount count) {
    String calls = count.count() + (count.count() == 1 ? " call" : " calls");
    return count.lastCall().isEmpty() ? calls : calls + " (the last is " + count.lastCall() + ")";
  }

  private static byte[] encode(List<CollectiveCount> counts) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeInt(counts.size());
      for (CollectiveCount count : counts) {
        out.writeLong(count.communicator());
        out.writeUTF(count.name());
        out.writeInt(count.root());
        out.writeInt(count.members());
        out.writeLong(count.count());
        out.writeUTF(count.lastCall());
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  private static List<CollectiveCount> decode(byte[] payload) {
    List<CollectiveCount> counts = new ArrayList<>();
    try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(payload))) {
      for (int left = in.readInt(); left > 0; left--) {
        counts.add(
            new CollectiveCount(
                in.readLong(),
                in.readUTF(),
                in.readInt(),
                in.readInt(),
                in.readLong(),
                in.readUTF()));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return counts;
  }
}

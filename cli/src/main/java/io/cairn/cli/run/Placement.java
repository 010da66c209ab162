// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * How many ranks each host gets, in the order of the hostfile, which is the order of ranks.
 *
 * @param shares hosts that have any
 * @param oversubscribed whether a host has more ranks than slots
 */
public record Placement(List<Share> shares, boolean oversubscribed) {

  /**
   * A host's ranks.
   *
   * @param ranks how many, at least one
   */
  public record Share(Host host, int ranks) {}

  /** Not enough slots. */
  public static final class ImpossibleException extends Exception {
    private static final long serialVersionUID = 1L;

    ImpossibleException(String message) {
      super(message);
    }
  }

  /** A host that has the images of its ranks on its own disk is worth this much more. */
  private static final double STAYING = 2;

  public Placement {
    shares = List.copyOf(shares);
  }

  /**
   * Takes the hosts with most to give until there are slots enough; the others are spares. Only if
   * all of them have too few, and it is allowed, hosts get more ranks than slots.
   *
   * @param ranks how many
   * @param states all hosts, in the order of the hostfile
   * @param stay hosts that had ranks before
   */
  public static Placement of(
      int ranks, List<HostState> states, Set<Host> stay, boolean mayOversubscribe)
      throws ImpossibleException {
    List<HostState> there = states.stream().filter(HostState::isThere).toList();
    int slots = there.stream().mapToInt(s -> s.host().slots()).sum();
    if (there.isEmpty() || (slots < ranks && !mayOversubscribe)) {
      throw new ImpossibleException(
          "%d ranks need as many slots, and %s %d%s%s"
              .formatted(
                  ranks,
                  there.size() == 1 && there.get(0).host().isLocal()
                      ? "this machine has"
                      : "the hosts that answer have",
                  slots,
                  gone(states),
                  there.isEmpty() ? "" : "; --oversubscribe allows more ranks than slots"));
    }
    Map<Host, Double> scores = scores(there, stay);
    Map<Host, Integer> shares = slots < ranks ? crowded(ranks, there, scores) : new HashMap<>();
    if (shares.isEmpty()) {
      int left = ranks;
      List<Host> byScore = new ArrayList<>(there.stream().map(HostState::host).toList());
      // Stable: of hosts that are about equal, the first in the file is taken.
      byScore.sort(Comparator.comparingInt((Host host) -> -band(scores.get(host))));
      for (Host host : byScore) {
        int share = Math.min(left, host.slots());
        if (share > 0) {
          shares.put(host, share);
        }
        left -= share;
      }
    }
    return new Placement(
        there.stream()
            .map(HostState::host)
            .filter(shares::containsKey)
            .map(host -> new Share(host, shares.get(host)))
            .toList(),
        slots < ranks);
  }

  /** A single rank. */
  static Placement one(Host host) {
    return new Placement(List.of(new Share(host, 1)), false);
  }

  private static String gone(List<HostState> states) {
    List<HostState> gone = states.stream().filter(s -> !s.isThere()).toList();
    return gone.isEmpty()
        ? ""
        : " (gone: "
            + gone.stream()
                .map(s -> s.host().shown() + ", " + s.problem())
                .collect(Collectors.joining("; "))
            + ")";
  }

  /** What a host has to give for each slot: its weight, and how free it is. */
  private static Map<Host, Double> scores(List<HostState> there, Set<Host> stay) {
    double mostMemory =
        there.stream()
            .mapToDouble(s -> (double) s.memoryBytes() / s.host().slots())
            .max()
            .orElse(0);
    Map<Host, Double> scores = new HashMap<>();
    for (HostState state : there) {
      double memory =
          state.memoryBytes() == 0
              ? 1
              : (double) state.memoryBytes() / state.host().slots() / mostMemory;
      double idle = state.cores() == 0 ? 1 : 1 / (1 + state.load() / state.cores());
      double staying = stay.contains(state.host()) ? STAYING : 1;
      scores.put(state.host(), state.host().weight() * memory * idle * staying);
    }
    return scores;
  }

  /** Half powers of two: small differences are noise. */
  private static int band(double score) {
    return (int) Math.round(2 * Math.log(score) / Math.log(2));
  }

  /** All slots, and the rest where most is left for each rank (highest averages). */
  private static Map<Host, Integer> crowded(
      int ranks, List<HostState> there, Map<Host, Double> scores) {
    Map<Host, Integer> shares = new HashMap<>();
    there.forEach(state -> shares.put(state.host(), state.host().slots()));
    int left = ranks - shares.values().stream().mapToInt(Integer::intValue).sum();
    for (; left > 0; left--) {
      Host best = null;
      double most = -1;
      for (HostState state : there) {
        Host host = state.host();
        double average = host.slots() * scores.get(host) / (shares.get(host) + 1);
        if (average > most) {
          best = host;
          most = average;
        }
      }
      shares.merge(best, 1, Integer::sum);
    }
    return shares;
  }

  /** For people. */
  String shown() {
    return shares.stream()
        .map(share -> share.ranks() + " on " + share.host().shown())
        .collect(Collectors.joining(", "));
  }

  List<Host> hosts() {
    return shares.stream().map(Share::host).toList();
  }
}

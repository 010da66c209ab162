// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import java.util.ArrayList;
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

  /** Smaller differences are noise. */
  private static final double ALIKE = 0.75;

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
      List<Host> free = new ArrayList<>(there.stream().map(HostState::host).toList());
      for (int left = ranks; left > 0; ) {
        Host host = takeBest(free, scores);
        shares.put(host, Math.min(left, host.slots()));
        left -= shares.get(host);
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

  /** Of hosts that are about as good as the best, the first in the file. */
  private static Host takeBest(List<Host> free, Map<Host, Double> scores) {
    double best = free.stream().mapToDouble(scores::get).max().orElseThrow();
    Host taken =
        free.stream().filter(host -> scores.get(host) >= ALIKE * best).findFirst().orElseThrow();
    free.remove(taken);
    return taken;
  }

  /**
   * All slots, and the rest where most is left for each rank (highest averages); of hosts that are
   * about as good as each other, the first in the file has one more.
   */
  private static Map<Host, Integer> crowded(
      int ranks, List<HostState> there, Map<Host, Double> measured) {
    Map<Host, Double> scores = levelled(measured);
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

  /** The same score for hosts that are about as good as the best of them. */
  private static Map<Host, Double> levelled(Map<Host, Double> scores) {
    Map<Host, Double> levelled = new HashMap<>();
    double level = Double.POSITIVE_INFINITY;
    for (Map.Entry<Host, Double> host :
        scores.entrySet().stream()
            .sorted(Map.Entry.<Host, Double>comparingByValue().reversed())
            .toList()) {
      level = host.getValue() >= ALIKE * level ? level : host.getValue();
      levelled.put(host.getKey(), level);
    }
    return levelled;
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

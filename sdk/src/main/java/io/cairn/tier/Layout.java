// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.StringJoiner;

/**
 * Which ranks protect which, in one launch. A function of where the ranks are, so that all of them
 * come to the same one without a word.
 */
final class Layout {
  /** No partner. */
  static final int NONE = -1;

  private final int[] partners;
  private final List<RedundancySet> sets;
  private final List<String> shortcomings;

  private Layout(int[] partners, List<RedundancySet> sets, List<String> shortcomings) {
    this.partners = partners;
    this.sets = List.copyOf(sets);
    this.shortcomings = List.copyOf(shortcomings);
  }

  /**
   * Lays tiers out.
   *
   * @param stores for each rank its store
   * @param groups for each rank its failure group; ranks that share a store fail together too
   * @param partner whether each rank is to have a partner
   * @param sets the size of the redundancy sets, if there are to be any
   */
  static Layout of(
      List<String> stores, List<String> groups, boolean partner, Optional<SetSize> sets) {
    List<List<Integer>> together = together(stores, groups);
    List<String> shortcomings = new ArrayList<>();
    int[] partners = new int[stores.size()];
    Arrays.fill(partners, NONE);
    if (partner) {
      pair(together, partners);
      if (together.size() == 1) {
        shortcomings.add(
            "no partner copies: all ranks are in one failure group ("
                + where(stores, groups)
                + "), and a copy beside the original is lost with it");
      }
    }
    List<RedundancySet> laid = new ArrayList<>();
    if (sets.isPresent()) {
      encodeTogether(together, sets.get(), laid, shortcomings);
    }
    return new Layout(partners, laid, shortcomings);
  }

  private static String where(List<String> stores, List<String> groups) {
    return stores.stream().distinct().count() == 1
        ? "they use the same store"
        : "failure group " + groups.get(0);
  }

  /** Ranks that fail together: of one failure group, or of one store, or by way of others. */
  private static List<List<Integer>> together(List<String> stores, List<String> groups) {
    int[] root = new int[stores.size()];
    Map<String, Integer> first = new HashMap<>();
    for (int rank = 0; rank < root.length; rank++) {
      root[rank] = rank;
      for (String name : List.of("store " + stores.get(rank), "group " + groups.get(rank))) {
        Integer other = first.putIfAbsent(name, rank);
        if (other != null) {
          int a = find(root, other);
          int b = find(root, rank);
          root[Math.max(a, b)] = Math.min(a, b);
        }
      }
    }
    Map<Integer, List<Integer>> byRoot = new LinkedHashMap<>();
    for (int rank = 0; rank < root.length; rank++) {
      byRoot.computeIfAbsent(find(root, rank), r -> new ArrayList<>()).add(rank);
    }
    return new ArrayList<>(byRoot.values());
  }

  private static int find(int[] root, int rank) {
    int at = rank;
    while (root[at] != at) {
      at = root[at];
    }
    return at;
  }

  /** The i-th rank of a failure group has its partner in the next group, the i-th there. */
  private static void pair(List<List<Integer>> together, int[] partners) {
    int count = together.size();
    for (int group = 0; group < count && count > 1; group++) {
      List<Integer> next = together.get((group + 1) % count);
      List<Integer> own = together.get(group);
      for (int i = 0; i < own.size(); i++) {
        partners[own.get(i)] = next.get(i % next.size());
      }
    }
  }

  /**
   * Deals the ranks out, group by group: a group's ranks go to different sets, and sets differ by
   * one member at most.
   */
  private static void encodeTogether(
      List<List<Integer>> together,
      SetSize size,
      List<RedundancySet> sets,
      List<String> shortcomings) {
    int ranks = together.stream().mapToInt(List::size).sum();
    int largest = together.stream().mapToInt(List::size).max().orElse(0);
    int count = Math.max((ranks + size.members() - 1) / size.members(), largest);
    List<List<Integer>> dealt = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      dealt.add(new ArrayList<>());
    }
    int next = 0;
    for (List<Integer> group : together) {
      for (int rank : group) {
        dealt.get(next).add(rank);
        next = (next + 1) % count;
      }
    }
    StringJoiner unprotected = new StringJoiner(", ");
    int smallest = Integer.MAX_VALUE;
    for (List<Integer> members : dealt) {
      if (members.size() > size.parityShards()) {
        sets.add(new RedundancySet(sets.size(), members, size.parityShards()));
        smallest = Math.min(smallest, members.size());
      } else {
        members.forEach(rank -> unprotected.add(Integer.toString(rank)));
      }
    }
    if (unprotected.length() > 0) {
      shortcomings.add(
          String.format(
              "no redundancy set for rank %s: %d lost members can be rebuilt only in a set of %d or"
                  + " more from different failure groups, and there are %d failure groups for %d"
                  + " ranks",
              unprotected, size.parityShards(), size.parityShards() + 1, together.size(), ranks));
    }
    if (!sets.isEmpty() && smallest < size.members()) {
      shortcomings.add(
          String.format(
              "redundancy sets have %d members where %s asks for %d, as there are %d failure groups"
                  + " for %d ranks: more is stored and sent than need be",
              smallest, size, size.members(), together.size(), ranks));
    }
  }

  /** The rank that holds a copy of this one's image, or {@link #NONE}. */
  int partner(int rank) {
    return partners[rank];
  }

  /** The ranks whose images this one holds copies of, ascending. */
  List<Integer> copiesAt(int rank) {
    List<Integer> owners = new ArrayList<>();
    for (int owner = 0; owner < partners.length; owner++) {
      if (partners[owner] == rank) {
        owners.add(owner);
      }
    }
    return owners;
  }

  /** All redundancy sets. */
  List<RedundancySet> sets() {
    return sets;
  }

  /** The redundancy set that a rank is in. */
  Optional<RedundancySet> setOf(int rank) {
    return sets.stream().filter(set -> set.members().contains(rank)).findFirst();
  }

  /** Whether a tier can protect any rank. */
  boolean protects(Tier tier) {
    return switch (tier) {
      case PARTNER -> Arrays.stream(partners).anyMatch(partner -> partner != NONE);
      case SET -> !sets.isEmpty();
      case SHARED -> true;
    };
  }

  /** What this layout can't do of what was asked for, in words for the user. */
  List<String> shortcomings() {
    return shortcomings;
  }
}

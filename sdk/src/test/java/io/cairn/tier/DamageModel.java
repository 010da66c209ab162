// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * What must come of an epoch of which some files are damaged, by what the tiers promise and by
 * nothing of their code: partners in a ring, sets dealt round, stripes as in the picture of
 * docs/image-format.md. Rank r is alone on node r.
 */
final class DamageModel {
  static final int NODES = 6;

  /** How an epoch is protected. */
  enum Scheme {
    PARTNER("partner copies", 0, 0, 0),
    XOR("XOR, sets of 2+1", 2, 1, 2),
    REED_SOLOMON("Reed-Solomon, a set of 4+2", 4, 2, 1);

    final String words;
    final int dataShards;
    final int parityShards;
    private final int sets;

    Scheme(String words, int dataShards, int parityShards, int sets) {
      this.words = words;
      this.dataShards = dataShards;
      this.parityShards = parityShards;
      this.sets = sets;
    }
  }

  /** Where a rank's image comes from. */
  enum From {
    OWN,
    COPY,
    REBUILT
  }

  /** The nodes on which a kind of file is damaged. */
  static final class Damage {
    final Set<Integer> images = new TreeSet<>();
    final Set<Integer> protections = new TreeSet<>(); // copies, parity shards
    final Set<Integer> records = new TreeSet<>();
    final Set<Integer> tierRecords = new TreeSet<>();
  }

  private final Scheme scheme;
  private final long[] imageBytes;
  private final Damage damage;

  DamageModel(Scheme scheme, long[] imageBytes, Damage damage) {
    this.scheme = scheme;
    this.imageBytes = imageBytes.clone();
    this.damage = damage;
  }

  /** The node that has the copy of a rank's image. */
  static int partner(int rank) {
    return (rank + 1) % NODES;
  }

  /** The members of a rank's set, by position. */
  static List<Integer> setOf(Scheme scheme, int rank) {
    List<Integer> members = new ArrayList<>();
    for (int member = rank % scheme.sets; member < NODES; member += scheme.sets) {
      members.add(member);
    }
    return members;
  }

  /** By rank where its image comes from; empty if the epoch can't be made whole. */
  List<From> outcome() {
    Set<Integer> copied = new HashSet<>();
    Set<Integer> rebuilt = new HashSet<>();
    for (int rank : damage.images) {
      if (scheme == Scheme.PARTNER
          && !damage.protections.contains(partner(rank))
          && !damage.tierRecords.contains(partner(rank))) {
        copied.add(rank);
      }
    }
    if (scheme != Scheme.PARTNER) {
      boolean more = true;
      while (more) {
        Set<Integer> next = new HashSet<>();
        for (int rank : damage.images) {
          if (!rebuilt.contains(rank) && canBeRebuilt(rank, rebuilt)) {
            next.add(rank);
          }
        }
        more = rebuilt.addAll(next);
      }
    }
    List<From> froms = new ArrayList<>();
    for (int rank = 0; rank < NODES; rank++) {
      if (!damage.images.contains(rank)) {
        froms.add(From.OWN);
      } else if (copied.contains(rank)) {
        froms.add(From.COPY);
      } else if (rebuilt.contains(rank)) {
        froms.add(From.REBUILT);
      } else {
        return List.of();
      }
    }
    return froms;
  }

  private boolean canBeRebuilt(int rank, Set<Integer> rebuilt) {
    List<Integer> members = setOf(scheme, rank);
    int n = members.size();
    int m = scheme.parityShards;
    long longest = members.stream().mapToLong(member -> imageBytes[member]).max().orElseThrow();
    long chunk = Math.max(1, (longest + (n - m) * 4096L - 1) / ((n - m) * 4096L)) * 4096;
    for (int stripe = 0; stripe < n; stripe++) {
      int left = 0;
      boolean needed = false;
      for (int i = 0; i < n; i++) {
        int member = members.get((stripe + i) % n);
        if (i < m) {
          boolean sound =
              !damage.protections.contains(member) && !damage.tierRecords.contains(member);
          left += sound ? 1 : 0;
        } else {
          boolean zeros = imageBytes[member] <= (i - m) * chunk;
          needed |= member == rank && !zeros;
          boolean there = !damage.images.contains(member) || rebuilt.contains(member);
          left += zeros || there ? 1 : 0;
        }
      }
      if (needed && left < n - m) {
        return false;
      }
    }
    return members.stream().anyMatch(member -> !damage.tierRecords.contains(member));
  }
}

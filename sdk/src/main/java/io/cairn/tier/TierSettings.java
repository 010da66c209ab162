// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import java.nio.file.Path;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Which tiers there are.
 *
 * @param failureGroup this rank's: what fails together has the same
 * @param every for each tier that is enabled, which epochs it protects: every so many committed
 *     ones, at least 1, or {@link #AUTOMATIC}
 * @param kept for each tier that is enabled, how many epochs it keeps, at least 1
 * @param sets how large redundancy sets are, if there are any
 * @param shared the directory that all nodes see, if there is one
 * @param sharedBytesPerSecond what each rank may write there; 0 for no limit
 * @param commit the tier that a commit waits for; empty for the ranks' own stores
 * @param stallMillis for how long nothing may move between ranks before a protection is given up
 */
public record TierSettings(
    String failureGroup,
    Map<Tier, Integer> every,
    Map<Tier, Integer> kept,
    Optional<SetSize> sets,
    Optional<Path> shared,
    long sharedBytesPerSecond,
    Optional<Tier> commit,
    long stallMillis) {

  /** As often as loses least, by what is measured. */
  public static final int AUTOMATIC = 0;

  public TierSettings {
    every = Map.copyOf(every);
    kept = Map.copyOf(kept);
    for (Map.Entry<Tier, Integer> entry : every.entrySet()) {
      if (entry.getValue() < AUTOMATIC || kept.getOrDefault(entry.getKey(), 0) < 1) {
        throw new IllegalArgumentException(
            entry.getKey().word() + ": every " + entry.getValue() + " epochs, kept " + kept);
      }
    }
    if (every.containsKey(Tier.SET) != sets.isPresent()) {
      throw new IllegalArgumentException("sets of " + sets + ", tiers " + every.keySet());
    }
    if (every.containsKey(Tier.SHARED) && shared.isEmpty()) {
      throw new IllegalArgumentException("the shared tier without a directory");
    }
    if (commit.isPresent() && (!every.containsKey(commit.get()) || commit.get() == Tier.SHARED)) {
      throw new IllegalArgumentException("commits wait for a tier that isn't enabled: " + commit);
    }
  }

  /** None. */
  public static TierSettings none(String failureGroup) {
    return new TierSettings(
        failureGroup,
        Map.of(),
        Map.of(),
        Optional.empty(),
        Optional.empty(),
        0,
        Optional.empty(),
        120_000);
  }

  /** The tiers that are enabled. */
  public Set<Tier> tiers() {
    return every.isEmpty() ? EnumSet.noneOf(Tier.class) : EnumSet.copyOf(every.keySet());
  }

  /** Whether an {@link AutomaticPeriod} says which epochs the tier protects. */
  boolean isAutomatic(Tier tier) {
    return every.getOrDefault(tier, 1) == AUTOMATIC;
  }

  /** The tiers that may protect the n-th committed epoch of a launch, counted from 0. */
  Set<Tier> due(long n) {
    Map<Tier, Integer> due = new EnumMap<>(Tier.class);
    every.forEach(
        (tier, period) -> {
          if (period == AUTOMATIC || n % period == 0) {
            due.put(tier, period);
          }
        });
    return due.isEmpty() ? EnumSet.noneOf(Tier.class) : EnumSet.copyOf(due.keySet());
  }
}

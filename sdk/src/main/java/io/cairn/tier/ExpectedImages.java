// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.image.EpochRecord;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.IntFunction;

/**
 * Which image each rank must get for an epoch to be whole: what most records name, if the job-wide
 * digest proves that these belong together. Needs no launch, so that an operator's tool comes to
 * the same answer as a start.
 */
public final class ExpectedImages {
  private final EpochRecord.Image[] images; // null where nobody names one
  private final Set<Integer> unknown = new TreeSet<>();
  private String contradiction;
  private long jobDigest;

  private ExpectedImages(int ranks) {
    images = new EpochRecord.Image[ranks];
  }

  /**
   * Finds out.
   *
   * @param ranks how many there are
   * @param holdings of each store
   * @param own for each rank the sound images in its own store, whether a record names them or not:
   *     without any record they must prove themselves by the job-wide digest
   */
  public static ExpectedImages of(
      int ranks,
      Collection<Holdings> holdings,
      IntFunction<? extends Collection<EpochRecord.Image>> own) {
    return of(ranks, holdings, own, Map.of());
  }

  /**
   * The same, where some images are known.
   *
   * @param known by rank, what an image that takes bytes from this one says of it
   */
  public static ExpectedImages of(
      int ranks,
      Collection<Holdings> holdings,
      IntFunction<? extends Collection<EpochRecord.Image>> own,
      Map<Integer, EpochRecord.Image> known) {
    List<Map<EpochRecord.Image, Integer>> votes = new ArrayList<>();
    for (int rank = 0; rank < ranks; rank++) {
      votes.add(new LinkedHashMap<>());
    }
    for (Holdings store : holdings) {
      store.images().forEach(image -> votes.get(image.rank()).merge(image, 1, Integer::sum));
      for (Holdings.Held held : store.protections()) {
        for (ProtectionRecord.EncodedSet set : held.record().sets()) {
          set.members().forEach(image -> votes.get(image.rank()).merge(image, 1, Integer::sum));
        }
      }
    }
    ExpectedImages expected = new ExpectedImages(ranks);
    for (int rank = 0; rank < ranks; rank++) {
      Map<EpochRecord.Image, Integer> ofRank = votes.get(rank);
      own.apply(rank).forEach(image -> ofRank.putIfAbsent(image, 0));
      expected.images[rank] =
          ofRank.entrySet().stream()
              .max(Map.Entry.comparingByValue())
              .map(Map.Entry::getKey)
              .orElse(null);
      if (known.containsKey(rank)) {
        expected.images[rank] = known.get(rank);
      }
      if (expected.images[rank] == null) {
        expected.unknown.add(rank);
      }
    }
    if (expected.unknown.isEmpty()) {
      expected.requireOneEpoch(holdings, known.size() == ranks);
    }
    return expected;
  }

  /**
   * @param allKnown whether newer images name each of them: where no record is left they prove
   *     that, as they are of one epoch themselves
   */
  private void requireOneEpoch(Collection<Holdings> holdings, boolean allKnown) {
    Set<Long> digests = new HashSet<>();
    holdings.forEach(store -> digests.addAll(store.jobDigests()));
    for (EpochRecord.Image image : images) {
      jobDigest += EpochRecord.digestTerm(image.rank(), image.digest());
    }
    if (!digests.contains(jobDigest) && !(allKnown && digests.isEmpty())) {
      contradiction =
          String.format(
              "the images are not those that were committed together: job-wide digest %016x,"
                  + " records say %s",
              jobDigest, digests.stream().map(EpochRecord::hex).sorted().toList());
    }
  }

  /** The image that a rank must get; empty if nobody names one. */
  public Optional<EpochRecord.Image> image(int rank) {
    return Optional.ofNullable(images[rank]);
  }

  /** Whether each rank's is known, and they belong together. */
  public boolean areOneEpoch() {
    return unknown.isEmpty() && contradiction == null;
  }

  /** The ranks of which nobody names an image. */
  public Set<Integer> unknown() {
    return Collections.unmodifiableSet(unknown);
  }

  /** Why they don't belong together, if all are known and that is so. */
  public Optional<String> contradiction() {
    return Optional.ofNullable(contradiction);
  }

  /** The job-wide digest of {@linkplain #areOneEpoch one epoch}'s images. */
  public long jobDigest() {
    return jobDigest;
  }
}

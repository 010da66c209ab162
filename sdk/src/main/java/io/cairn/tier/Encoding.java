// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;

/**
 * A redundancy set as one launch encoded it, of which each store's record tells a part: one way to
 * decode a lost image. Needs no launch.
 *
 * @param record a record that tells of it
 * @param set what it says; the shards are those of its store only
 */
public record Encoding(ProtectionRecord record, ProtectionRecord.EncodedSet set) {

  /** The encodings that stores tell of, the newest first, each once. */
  public static List<Encoding> of(Collection<Holdings> holdings) {
    Map<String, Encoding> encodings = new TreeMap<>();
    for (Holdings store : holdings) {
      for (Holdings.Held held : store.protections()) {
        for (ProtectionRecord.EncodedSet set : held.record().sets()) {
          Encoding encoding = new Encoding(held.record(), set);
          encodings.putIfAbsent(encoding.key(), encoding);
        }
      }
    }
    return encodings.values().stream()
        .sorted(Comparator.comparingLong((Encoding e) -> e.record().encodedBy()).reversed())
        .toList();
  }

  /** Those by which a lost image might be decoded. */
  public static List<Encoding> of(
      Collection<Holdings> holdings, ExpectedImages expected, Set<Integer> lost) {
    return of(holdings).stream()
        .filter(encoding -> encoding.isOf(expected) && encoding.hasAny(lost))
        .toList();
  }

  private boolean isOf(ExpectedImages expected) {
    return set.members().stream()
        .allMatch(image -> expected.image(image.rank()).equals(Optional.of(image)));
  }

  private boolean hasAny(Set<Integer> lost) {
    return set.set().members().stream().anyMatch(lost::contains);
  }

  /** Tells encodings of an epoch apart. */
  public String key() {
    return record.encodedBy() + " " + set.set().index();
  }

  /** A parity shard of it, wherever that is. */
  public ShardId parity(int stripe, int row) {
    return record.id(set, stripe, row);
  }

  /**
   * What is left of the stripe of a lost chunk: shard numbers, data first, as many as decoding
   * takes; fewer if that isn't possible.
   *
   * @param position the member's that has lost it
   * @param lost ranks without a sound image
   * @param sound whether a parity shard is there and sound
   */
  List<Integer> left(int position, int chunk, Set<Integer> lost, Predicate<ShardId> sound) {
    RedundancySet of = set.set();
    int stripe = of.stripeOf(position, chunk);
    List<Integer> shards = new ArrayList<>();
    for (int data = 0; data < of.dataShards(); data++) {
      int member = of.position(stripe, data);
      long imageBytes = set.members().get(member).lengthBytes();
      // Beyond the end of a short image are zeros, whether the image is lost or not.
      boolean zeros = RedundancySet.present(imageBytes, set.chunkBytes(), data) == 0;
      if (data != chunk && (zeros || !lost.contains(of.members().get(member)))) {
        shards.add(data);
      }
    }
    for (int row = 0; row < of.parityShards() && shards.size() < of.dataShards(); row++) {
      if (sound.test(parity(stripe, row))) {
        shards.add(of.dataShards() + row);
      }
    }
    return shards;
  }

  /** Whether enough is left to decode a rank's image; see {@link #left}. */
  boolean decodes(int rank, Set<Integer> lost, Predicate<ShardId> sound) {
    int position = set.set().members().indexOf(rank);
    if (position < 0) {
      return false;
    }
    long imageBytes = set.members().get(position).lengthBytes();
    for (int chunk = 0; chunk * set.chunkBytes() < imageBytes; chunk++) {
      if (chunk == set.set().dataShards()) {
        return false; // it is of another image
      }
      if (left(position, chunk, lost, sound).size() < set.set().dataShards()) {
        return false;
      }
    }
    return true;
  }

  /**
   * By which encoding each lost image can be decoded; those that can't be are left out. A decoded
   * image may help to decode another.
   *
   * @param encodings those that might, the preferred ones first
   * @param lost ranks without a sound image
   * @param sound whether a parity shard is there and sound
   */
  public static Map<Integer, Encoding> decodable(
      List<Encoding> encodings, Set<Integer> lost, Predicate<ShardId> sound) {
    Map<Integer, Encoding> decoded = new TreeMap<>();
    Set<Integer> left = new TreeSet<>(lost);
    boolean more = true;
    while (more) {
      more = false;
      for (int rank : List.copyOf(left)) {
        for (Encoding encoding : encodings) {
          if (!decoded.containsKey(rank) && encoding.decodes(rank, left, sound)) {
            decoded.put(rank, encoding);
            left.remove(rank);
            more = true;
          }
        }
      }
    }
    return decoded;
  }
}

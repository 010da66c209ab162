// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FileOperations;
import io.cairn.image.ForeignImageException;
import io.cairn.image.JobIdentity;
import io.cairn.image.StateFile;
import io.cairn.store.ErasureCode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * What one store holds for others, of one epoch and tier. The grammar is the package's.
 *
 * @param tier which tier
 * @param jobUuid the job's random id
 * @param worldSize number of ranks
 * @param epoch whose images
 * @param encodedBy the generation that wrote it
 * @param jobDigest the epoch's job-wide digest
 * @param copies the images of other stores' ranks that are here
 * @param sets the redundancy sets that have shards here
 */
public record ProtectionRecord(
    Tier tier,
    UUID jobUuid,
    int worldSize,
    EpochId epoch,
    long encodedBy,
    long jobDigest,
    List<EpochRecord.Image> copies,
    List<EncodedSet> sets) {
  private static final String KIND = "protection";

  public ProtectionRecord {
    copies = List.copyOf(copies);
    sets = List.copyOf(sets);
  }

  /**
   * A redundancy set, as it was encoded.
   *
   * @param set who was in it
   * @param chunkBytes how long its shards are
   * @param members the members' images, by position
   * @param shards the shards in this store
   */
  public record EncodedSet(
      RedundancySet set, long chunkBytes, List<EpochRecord.Image> members, List<Shard> shards) {
    public EncodedSet {
      members = List.copyOf(members);
      shards = List.copyOf(shards);
    }
  }

  /**
   * A parity shard.
   *
   * @param stripe number of the stripe
   * @param row which of the stripe's parity shards
   * @param lengthBytes length of the file
   * @param digest the file's digest
   */
  public record Shard(int stripe, int row, long lengthBytes, long digest) {}

  /** Which shard of which file that is. */
  public ShardId id(EncodedSet set, Shard shard) {
    return id(set, shard.stripe(), shard.row());
  }

  ShardId id(EncodedSet set, int stripe, int row) {
    return new ShardId(jobUuid, epoch, encodedBy, set.set().index(), stripe, row);
  }

  byte[] encode() {
    StateFile.Builder builder =
        StateFile.builder(KIND)
            .field("tier", tier.word())
            .field("uuid", jobUuid)
            .field("world", worldSize)
            .field("generation", epoch.generation())
            .field("epoch", epoch.epoch())
            .field("by", encodedBy)
            .field("digest", EpochRecord.hex(jobDigest));
    for (EpochRecord.Image copy : copies) {
      builder.field("copy", copy.text());
    }
    for (EncodedSet set : sets) {
      builder.field(
          "set", set.set().index() + " " + set.set().parityShards() + " " + set.chunkBytes());
      for (EpochRecord.Image member : set.members()) {
        builder.field("member", member.text());
      }
      for (Shard shard : set.shards()) {
        builder.field(
            "shard",
            shard.stripe()
                + " "
                + shard.row()
                + " "
                + shard.lengthBytes()
                + " "
                + EpochRecord.hex(shard.digest()));
      }
    }
    return builder.toBytes();
  }

  /** Reads a record and checks that it is one of this job, epoch and tier. */
  static ProtectionRecord read(
      FileOperations files, Path file, JobIdentity job, EpochId expectedEpoch, Tier tier)
      throws IOException {
    return parse(files.read(file, StateFile.MAX_BYTES), file, job, expectedEpoch, tier);
  }

  /** The same, of bytes that may have come from another node. */
  static ProtectionRecord parse(
      byte[] bytes, Path file, JobIdentity job, EpochId expectedEpoch, Tier tier)
      throws IOException {
    StateFile in = StateFile.parse(bytes, file, KIND);
    requireSame(file, "tier", in.text("tier"), tier.word());
    UUID uuid = EpochRecord.parseUuid(in, in.text("uuid"));
    requireSame(file, "job of the same name", uuid, job.jobUuid());
    int world = (int) in.number("world", 1, Integer.MAX_VALUE);
    requireSame(file, "world size", world, job.worldSize());
    EpochId epoch =
        new EpochId(
            in.number("generation", 0, Long.MAX_VALUE), in.number("epoch", 0, Long.MAX_VALUE));
    requireSame(file, "epoch", epoch, expectedEpoch);
    long by = in.number("by", 1, Long.MAX_VALUE);
    long digest = EpochRecord.parseHex(in, in.text("digest"));
    List<EpochRecord.Image> copies = images(in, "copy", world);
    List<EncodedSet> sets = new ArrayList<>();
    while (in.hasNext("set")) {
      sets.add(set(in, world));
    }
    in.end();
    return new ProtectionRecord(tier, uuid, world, epoch, by, digest, copies, sets);
  }

  private static EncodedSet set(StateFile in, int world) throws IOException {
    String text = in.text("set");
    String[] words = text.split(" ", -1);
    if (words.length != 3) {
      throw in.invalid("set", text, "INDEX PARITYSHARDS CHUNKBYTES");
    }
    int index = (int) in.number("set", words[0], 0, Integer.MAX_VALUE);
    int parity = (int) in.number("parity shards", words[1], 1, 254);
    long chunkBytes = in.number("chunk", words[2], 1, Long.MAX_VALUE / 256);
    List<EpochRecord.Image> members = images(in, "member", world);
    if (members.size() > ErasureCode.MAX_SHARDS) {
      throw in.invalid("member", members.size() + " members", "at most " + ErasureCode.MAX_SHARDS);
    }
    List<Integer> ranks = members.stream().map(EpochRecord.Image::rank).toList();
    RedundancySet set;
    try {
      set = new RedundancySet(index, ranks, parity);
    } catch (IllegalArgumentException e) {
      throw in.invalid("member", ranks.toString(), "more ranks than parity shards, each once");
    }
    List<Shard> shards = new ArrayList<>();
    while (in.hasNext("shard")) {
      String shard = in.text("shard");
      String[] parts = shard.split(" ", -1);
      if (parts.length != 4) {
        throw in.invalid("shard", shard, "STRIPE ROW LENGTH DIGEST");
      }
      shards.add(
          new Shard(
              (int) in.number("stripe", parts[0], 0, set.size() - 1L),
              (int) in.number("row", parts[1], 0, parity - 1L),
              in.number("length", parts[2], 0, Long.MAX_VALUE),
              EpochRecord.parseHex(in, parts[3])));
    }
    return new EncodedSet(set, chunkBytes, members, shards);
  }

  private static List<EpochRecord.Image> images(StateFile in, String key, int world)
      throws IOException {
    List<EpochRecord.Image> images = new ArrayList<>();
    while (in.hasNext(key)) {
      images.add(EpochRecord.Image.parse(in, key, in.text(key), 0, world - 1L));
    }
    return images;
  }

  private static void requireSame(Path file, String what, Object found, Object expected)
      throws ForeignImageException {
    if (!found.equals(expected)) {
      throw new ForeignImageException(file, what, found, expected);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * Names the images of one epoch in one store. A {@link StateFile} of kind {@code record}; fields in
 * this order: job, uuid, world, generation, epoch, digest (16 hexadecimal digits), then for each
 * older epoch that the images take bytes from, oldest first, {@code refers=EPOCH}, then for each
 * image, by rank, {@code image=RANK LENGTH DIGEST}.
 *
 * @param jobId the job's id
 * @param jobUuid the job's random id
 * @param worldSize number of ranks
 * @param epoch the epoch
 * @param jobDigest sum over all ranks of {@link #digestTerm}
 * @param refersTo the epochs that these images can't be restored without, oldest first; of the same
 *     launch
 * @param images the images in this store, by rank
 */
public record EpochRecord(
    String jobId,
    UUID jobUuid,
    int worldSize,
    EpochId epoch,
    long jobDigest,
    List<EpochId> refersTo,
    List<Image> images) {
  /** Name of a record of an epoch that may be committed. */
  public static final String PENDING = "pending-record";

  /** Name of a committed epoch's record. */
  public static final String COMMITTED = "record";

  private static final String KIND = "record";

  public EpochRecord {
    refersTo = List.copyOf(refersTo);
    images = List.copyOf(images);
  }

  /**
   * An image of the epoch.
   *
   * @param rank whose image it is
   * @param lengthBytes length of its file
   * @param digest its digest
   */
  public record Image(int rank, long lengthBytes, long digest) {

    /** As {@link #parse} reads it. */
    public String text() {
      return rank + " " + lengthBytes + " " + hex(digest);
    }

    /** Reads {@code RANK LENGTH DIGEST} out of a field. */
    public static Image parse(StateFile in, String key, String value, long leastRank, long mostRank)
        throws CorruptImageException {
      String[] parts = value.split(" ", -1);
      if (parts.length != 3) {
        throw in.invalid(key, value, "RANK LENGTH DIGEST");
      }
      return new Image(
          (int) in.number("rank", parts[0], leastRank, mostRank),
          in.number("length", parts[1], 0, Long.MAX_VALUE),
          parseHex(in, parts[2]));
    }
  }

  /** Name of a rank's image in an epoch's directory. */
  public static String imageName(int rank) {
    return "rank-" + rank + ".image";
  }

  /**
   * A rank's term of the job-wide digest: mixes rank and digest, so that exchanged images or the
   * same change in two of them don't cancel. (The finalizer of SplitMix64: Steele, Lea, Flood
   * 2014.)
   */
  public static long digestTerm(int rank, long imageDigest) {
    return mix(mix(rank + 0x9e3779b97f4a7c15L) ^ imageDigest);
  }

  private static long mix(long value) {
    long z = value;
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }

  /** The image of a rank, if this store has it. */
  public Optional<Image> image(int rank) {
    return images.stream().filter(image -> image.rank() == rank).findFirst();
  }

  /** The record's bytes. */
  public byte[] encode() {
    StateFile.Builder builder =
        StateFile.builder(KIND)
            .field("job", jobId)
            .field("uuid", jobUuid)
            .field("world", worldSize)
            .field("generation", epoch.generation())
            .field("epoch", epoch.epoch())
            .field("digest", hex(jobDigest));
    for (EpochId older : refersTo) {
      builder.field("refers", older.epoch());
    }
    for (Image image : images) {
      builder.field("image", image.text());
    }
    return builder.toBytes();
  }

  /** Reads a record and checks it; whose it is, the caller checks. */
  public static EpochRecord read(FileOperations files, Path file) throws IOException {
    return parse(files.read(file, StateFile.MAX_BYTES), file);
  }

  /** Checks a record's bytes, which may have come from another node. */
  public static EpochRecord parse(byte[] bytes, Path file) throws IOException {
    StateFile in = StateFile.parse(bytes, file, KIND);
    String jobId = in.text("job");
    String uuid = in.text("uuid");
    int world = (int) in.number("world", 1, Integer.MAX_VALUE);
    EpochId epoch =
        new EpochId(
            in.number("generation", 0, Long.MAX_VALUE), in.number("epoch", 0, Long.MAX_VALUE));
    long digest = parseHex(in, in.text("digest"));
    List<EpochId> refersTo = new ArrayList<>();
    long youngest = -1;
    while (in.hasNext("refers")) {
      youngest = in.number("refers", youngest + 1, epoch.epoch() - 1);
      refersTo.add(new EpochId(epoch.generation(), youngest));
    }
    List<Image> images = new ArrayList<>();
    int last = -1;
    while (in.hasNext("image")) {
      Image image = Image.parse(in, "image", in.text("image"), last + 1L, world - 1L);
      last = image.rank();
      images.add(image);
    }
    in.end();
    return new EpochRecord(jobId, parseUuid(in, uuid), world, epoch, digest, refersTo, images);
  }

  /**
   * Checks that the record belongs where it was found.
   *
   * @throws ForeignImageException with both values if it doesn't
   */
  public void requireIdentity(Path file, JobIdentity job, EpochId expectedEpoch)
      throws ForeignImageException {
    requireSame(file, "job", jobId, job.jobId());
    requireSame(file, "job of the same name", jobUuid, job.jobUuid());
    requireSame(file, "world size", worldSize, job.worldSize());
    requireSame(file, "epoch", epoch, expectedEpoch);
  }

  private static void requireSame(Path file, String what, Object found, Object expected)
      throws ForeignImageException {
    if (!found.equals(expected)) {
      throw new ForeignImageException(file, what, found, expected);
    }
  }

  /** A UUID out of a field. */
  public static UUID parseUuid(StateFile in, String text) throws CorruptImageException {
    try {
      UUID uuid = UUID.fromString(text);
      if (uuid.toString().equals(text)) {
        return uuid;
      }
    } catch (IllegalArgumentException e) {
      // Said below.
    }
    throw in.invalid("uuid", text, "a UUID");
  }

  /** 16 hexadecimal digits. */
  public static String hex(long value) {
    return String.format("%016x", value);
  }

  /** A digest out of a field. */
  public static long parseHex(StateFile in, String text) throws CorruptImageException {
    try {
      if (text.length() == 16) {
        return Long.parseUnsignedLong(text, 16);
      }
    } catch (NumberFormatException e) {
      // Said below.
    }
    throw in.invalid("digest", text, "16 hexadecimal digits");
  }
}

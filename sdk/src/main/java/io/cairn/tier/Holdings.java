// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FileOperations;
import io.cairn.image.JobIdentity;
import io.cairn.image.StateFile;
import io.cairn.store.Standing;
import io.cairn.store.StoreView;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What a store's records say that it holds of an epoch, published ones and pending ones: what a
 * pending record names was durable before it was written. Needs no launch.
 *
 * @param images images by any record, some perhaps twice
 * @param jobDigests the epoch's job-wide digests, by each record
 * @param protections what tiers have here
 * @param damages what is wrong with records that count for nothing
 */
public record Holdings(
    List<EpochRecord.Image> images,
    List<Long> jobDigests,
    List<Held> protections,
    List<Damage> damages) {

  private static final List<String> RECORDS = List.of(EpochRecord.COMMITTED, EpochRecord.PENDING);

  public Holdings {
    images = List.copyOf(images);
    jobDigests = List.copyOf(jobDigests);
    protections = List.copyOf(protections);
    damages = List.copyOf(damages);
  }

  /**
   * A tier's record in this store.
   *
   * @param file where it is
   * @param standing published, or pending until all stores have theirs
   * @param record what it says
   */
  public record Held(Path file, Standing standing, ProtectionRecord record) {}

  /**
   * A record that can't be used.
   *
   * @param file where it is
   * @param cause why
   */
  public record Damage(Path file, IOException cause) {}

  /** What is read bit by bit. */
  private static final class Collector {
    private final JobIdentity job;
    private final EpochId epoch;
    private final List<EpochRecord.Image> images = new ArrayList<>();
    private final List<Long> digests = new ArrayList<>();
    private final List<Held> protections = new ArrayList<>();
    private final List<Damage> damages = new ArrayList<>();

    Collector(JobIdentity job, EpochId epoch) {
      this.job = job;
      this.epoch = epoch;
    }

    void add(Path file, byte[] bytes) {
      String name = file.getFileName().toString();
      try {
        if (RECORDS.contains(name)) {
          EpochRecord record = EpochRecord.parse(bytes, file);
          record.requireIdentity(file, job, epoch);
          images.addAll(record.images());
          digests.add(record.jobDigest());
        } else {
          Tier tier = Tier.ofRecordName(name).orElseThrow();
          ProtectionRecord record = ProtectionRecord.parse(bytes, file, job, epoch, tier);
          images.addAll(record.copies());
          digests.add(record.jobDigest());
          boolean published = name.equals(tier.recordName());
          protections.add(
              new Held(file, published ? Standing.COMMITTED : Standing.PENDING, record));
        }
      } catch (IOException e) {
        damages.add(new Damage(file, e));
      }
    }

    Holdings done() {
      return new Holdings(images, digests, protections, damages);
    }
  }

  /** What a store holds, by its records. */
  public static Holdings read(
      FileOperations files, StoreView store, JobIdentity job, EpochId epoch) {
    Collector collector = new Collector(job, epoch);
    for (String name : names()) {
      Path file = store.directory(epoch).resolve(name);
      try {
        collector.add(file, files.read(file, StateFile.MAX_BYTES));
      } catch (NoSuchFileException e) {
        // Then it says nothing.
      } catch (IOException e) {
        collector.damages.add(new Damage(file, e));
      }
    }
    return collector.done();
  }

  /** The records' bytes, to be sent to all ranks. */
  static byte[] pack(FileOperations files, StoreView store, EpochId epoch) throws IOException {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    DataOutputStream out = new DataOutputStream(packed);
    for (String name : names()) {
      Path file = store.directory(epoch).resolve(name);
      byte[] bytes;
      try {
        bytes = files.read(file, StateFile.MAX_BYTES);
      } catch (NoSuchFileException e) {
        continue;
      } catch (IOException e) {
        // As good as damaged; whoever parses it says so.
        bytes = new byte[0];
      }
      byte[] path = file.toString().getBytes(StandardCharsets.UTF_8);
      out.writeInt(path.length);
      out.write(path);
      out.writeInt(bytes.length);
      out.write(bytes);
    }
    return packed.toByteArray();
  }

  private static List<String> names() {
    List<String> names = new ArrayList<>(RECORDS);
    for (Tier tier : List.of(Tier.PARTNER, Tier.SET)) {
      names.add(tier.recordName());
      names.add(tier.pendingRecordName());
    }
    return names;
  }

  /** What {@link #pack} has made of a store. */
  static Holdings parse(byte[] packed, JobIdentity job, EpochId epoch) {
    Collector collector = new Collector(job, epoch);
    ByteBuffer in = ByteBuffer.wrap(packed);
    while (in.hasRemaining()) {
      Path file = Path.of(new String(next(in), StandardCharsets.UTF_8));
      collector.add(file, next(in));
    }
    return collector.done();
  }

  private static byte[] next(ByteBuffer in) {
    byte[] bytes = new byte[in.getInt()];
    in.get(bytes);
    return bytes;
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FileOperations;
import io.cairn.image.JobIdentity;
import io.cairn.image.StateFile;
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
 * pending record names was durable before it was written.
 *
 * @param images images by any record, some perhaps twice
 * @param jobDigests the epoch's job-wide digests, by each record
 * @param protections the tiers' records
 * @param damages what is wrong with records that count for nothing
 */
record Holdings(
    List<EpochRecord.Image> images,
    List<Long> jobDigests,
    List<ProtectionRecord> protections,
    List<String> damages) {

  private static final List<String> RECORDS = List.of(EpochRecord.COMMITTED, EpochRecord.PENDING);

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
    List<EpochRecord.Image> images = new ArrayList<>();
    List<Long> digests = new ArrayList<>();
    List<ProtectionRecord> protections = new ArrayList<>();
    List<String> damages = new ArrayList<>();
    ByteBuffer in = ByteBuffer.wrap(packed);
    while (in.hasRemaining()) {
      Path file = Path.of(new String(next(in), StandardCharsets.UTF_8));
      byte[] bytes = next(in);
      String name = file.getFileName().toString();
      try {
        if (RECORDS.contains(name)) {
          EpochRecord record = EpochRecord.parse(bytes, file);
          record.requireIdentity(file, job, epoch);
          images.addAll(record.images());
          digests.add(record.jobDigest());
        } else {
          Tier tier = name.contains(Tier.PARTNER.word()) ? Tier.PARTNER : Tier.SET;
          ProtectionRecord record = ProtectionRecord.parse(bytes, file, job, epoch, tier);
          images.addAll(record.copies());
          digests.add(record.jobDigest());
          protections.add(record);
        }
      } catch (IOException e) {
        damages.add(e.getMessage());
      }
    }
    return new Holdings(images, digests, protections, damages);
  }

  private static byte[] next(ByteBuffer in) {
    byte[] bytes = new byte[in.getInt()];
    in.get(bytes);
    return bytes;
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import io.cairn.image.CorruptImageException;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FaultHook;
import io.cairn.image.FaultPoint;
import io.cairn.image.FileOperations;
import io.cairn.image.FullImage;
import io.cairn.image.ImageChain;
import io.cairn.image.JobIdentity;
import io.cairn.image.Section;
import io.cairn.image.WriteBuffers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongConsumer;

/**
 * Writes an epoch of a job that isn't running anew, with full images only: as a launch would that
 * restores the epoch and commits what it has restored, but that nothing computes. The new epoch is
 * the next generation's, so that what is there stays untouched and older launches are fenced.
 *
 * <pre>
 * generation -&gt; images, synced and read back -&gt; pending records -&gt; records   (each in all stores)
 * </pre>
 *
 * <p>Up to the last pending record the new epoch is nothing; from then on it is what a start
 * restores. What a death leaves before that, a start deletes.
 */
public final class Compaction {
  private final JobIdentity job;
  private final EpochId epoch;
  private final List<Part> parts;
  private final FileOperations files;
  private final FaultHook faults;

  /**
   * What a store has of the epoch.
   *
   * @param record the epoch's record there: new images are written of all that it names
   */
  public record Part(StoreView store, EpochRecord record) {}

  /**
   * An image of the epoch, or one that it needs, that isn't as it should be.
   *
   * @param file of the epoch
   */
  public record Damage(Path file, IOException cause) {}

  /**
   * What there is to do.
   *
   * @param images of the epoch, over all stores
   * @param mostAncestors of one image: none of them needs another if this is 0
   * @param rawBytes of all images as they are restored
   * @param neededBytes by store, about what full images take there
   * @param damages why it can't be done, as far as can be told without reading blocks
   */
  public record Outlook(
      int images,
      int mostAncestors,
      long rawBytes,
      Map<Path, Long> neededBytes,
      List<Damage> damages) {
    public Outlook {
      neededBytes = Collections.unmodifiableMap(neededBytes);
      damages = List.copyOf(damages);
    }
  }

  /**
   * What was done.
   *
   * @param epoch the new one; a start restores it now
   * @param bytes of its images
   * @param unpublished why some of its records aren't published yet; a start does that
   */
  public record Result(EpochId epoch, long bytes, List<IOException> unpublished) {
    public Result {
      unpublished = List.copyOf(unpublished);
    }
  }

  /**
   * @param job whose all images are
   * @param epoch that a start would restore
   * @param parts stores that have images of the epoch; together they have all ranks'
   */
  public Compaction(
      JobIdentity job, EpochId epoch, List<Part> parts, FileOperations files, FaultHook faults) {
    this.job = job;
    this.epoch = epoch;
    this.parts = List.copyOf(parts);
    this.files = files;
    this.faults = faults;
  }

  /** Looks at all images and what they need, but for the blocks. Changes nothing. */
  public Outlook examine() {
    int count = 0;
    int most = 0;
    long raw = 0;
    Map<Path, Long> needed = new LinkedHashMap<>();
    List<Damage> damages = new ArrayList<>();
    Map<Integer, Long> digests = new TreeMap<>();
    for (Part part : parts) {
      for (EpochRecord.Image image : part.record().images()) {
        try (ImageChain chain = open(part, image)) {
          count++;
          most = Math.max(most, chain.newest().ancestors().size());
          raw += chain.newest().sections().stream().mapToLong(Section::lengthBytes).sum();
          needed.merge(part.store().directory(), chain.neededBytes(), Long::sum);
          digests.put(image.rank(), image.digest());
        } catch (IOException e) {
          damages.add(new Damage(part.store().imageFile(epoch, image.rank()), e));
        }
      }
    }
    if (damages.isEmpty()) {
      requireOneEpoch(digests, damages);
    }
    return new Outlook(count, most, raw, needed, damages);
  }

  private void requireOneEpoch(Map<Integer, Long> digests, List<Damage> damages) {
    long sum = 0;
    for (Map.Entry<Integer, Long> digest : digests.entrySet()) {
      sum += EpochRecord.digestTerm(digest.getKey(), digest.getValue());
    }
    for (Part part : parts) {
      if (part.record().jobDigest() != sum || digests.size() != job.worldSize()) {
        Path record = part.store().directory(epoch).resolve(EpochRecord.COMMITTED);
        damages.add(
            new Damage(
                record,
                new IOException(
                    String.format(
                        "%s: the images of %d of %d ranks are not those that were committed"
                            + " together: job-wide digest %016x, the record says %016x",
                        record, digests.size(), job.worldSize(), sum, part.record().jobDigest()))));
      }
    }
  }

  private ImageChain open(Part part, EpochRecord.Image image) throws IOException {
    StoreView store = part.store();
    int rank = image.rank();
    ImageChain chain =
        ImageChain.open(files, store.imageFile(epoch, rank), older -> store.imageFile(older, rank));
    try {
      chain.newest().requireIdentity(job, epoch, rank);
      chain.newest().requireRecorded(image);
      return chain;
    } catch (Throwable e) {
      chain.close();
      throw e;
    }
  }

  /**
   * Does it. After an exception nothing has changed but that a generation's number is used up; what
   * couldn't be deleted again is said by suppressed exceptions.
   *
   * @param keepers of all stores of the job: one that isn't here may know of a newer epoch
   * @param self this process, for whoever is fenced by it
   * @param outlook by {@link #examine}, without damages
   * @param progress told of bytes that are written, and of bytes that are read back
   * @throws CorruptImageException if a block of the epoch, or of one that it needs, is damaged
   * @throws FencedException if a launch has taken over though the stores are locked
   */
  public Result run(List<StoreKeeper> keepers, Launch self, Outlook outlook, LongConsumer progress)
      throws IOException {
    return new Run(keepers).run(self, outlook, progress);
  }

  private void requireSpace(Outlook outlook) throws IOException {
    for (Map.Entry<Path, Long> needed : outlook.neededBytes().entrySet()) {
      long usable = files.usableBytes(needed.getKey());
      if (usable < needed.getValue()) {
        throw new IOException(
            needed.getKey()
                + ": "
                + usable
                + " bytes free, expected about "
                + needed.getValue()
                + " for full images of "
                + epoch);
      }
    }
  }

  /** With the stores locked. */
  private final class Run {
    private final List<StoreKeeper> all;
    private final Map<Part, StoreKeeper> keepers = new LinkedHashMap<>();

    Run(List<StoreKeeper> all) {
      this.all = all;
      for (Part part : parts) {
        for (StoreKeeper keeper : all) {
          if (keeper.store() == part.store()) {
            keepers.put(part, keeper);
          }
        }
        if (!keepers.containsKey(part)) {
          throw new IllegalArgumentException(part.store().directory() + " isn't locked");
        }
      }
    }

    Result run(Launch self, Outlook outlook, LongConsumer progress) throws IOException {
      requireSpace(outlook);
      long newest = 0;
      for (StoreKeeper keeper : all) {
        newest = Math.max(newest, keeper.writer().newestGeneration());
      }
      EpochId target = new EpochId(newest + 1, epoch.epoch());
      for (StoreKeeper keeper : all) {
        keeper.writer().writeGeneration(target.generation(), self);
      }
      long bytes;
      try {
        bytes = write(target, progress);
      } catch (Throwable e) {
        undo(target, e);
        throw e;
      }
      return new Result(target, bytes, publish(target));
    }

    /** All that can fail; returns how many bytes the images have. */
    private long write(EpochId target, LongConsumer progress) throws IOException {
      Map<Integer, EpochRecord.Image> written = new TreeMap<>();
      long bytes = 0;
      for (Part part : parts) {
        files.createDirectories(part.store().directory(target));
        for (EpochRecord.Image old : part.record().images()) {
          EpochRecord.Image image = write(part, old, target, progress);
          faults.reached(FaultPoint.AFTER_SYNC);
          bytes += image.lengthBytes();
          EpochRecord.Image other = written.putIfAbsent(image.rank(), image);
          if (other != null && !other.equals(image)) {
            throw new IOException(
                "rank %d: the same state was written as two images, %s and %s"
                    .formatted(image.rank(), other.text(), image.text()));
          }
        }
      }
      long digest = 0;
      for (EpochRecord.Image image : written.values()) {
        digest += EpochRecord.digestTerm(image.rank(), image.digest());
      }
      for (Part part : parts) {
        keepers.get(part).writer().requireNewest(job.jobId(), target.generation());
        faults.reached(FaultPoint.BEFORE_PENDING_RECORD);
        List<Integer> ranks = part.record().images().stream().map(EpochRecord.Image::rank).toList();
        keepers.get(part).writer().writePending(job, target, ranks, digest);
        faults.reached(FaultPoint.AFTER_PENDING_RECORD);
      }
      return bytes;
    }

    private EpochRecord.Image write(
        Part part, EpochRecord.Image image, EpochId target, LongConsumer progress)
        throws IOException {
      Path file = part.store().imageFile(target, image.rank());
      try (ImageChain chain = open(part, image);
          WriteBuffers buffers = new WriteBuffers(chain.newest().header().blockBytes())) {
        return FullImage.write(files, chain, file, target, buffers, faults, progress);
      } catch (CorruptImageException e) {
        if (e.file().equals(file)) {
          throw new IOException(
              e.getMessage() + "; that is what was just written: don't trust this storage", e);
        }
        throw e;
      }
    }

    /** The records first, everywhere: what is left then is of no epoch. */
    private void undo(EpochId target, Throwable cause) {
      for (Part part : parts) {
        try {
          keepers.get(part).deleteRecord(target);
        } catch (Throwable e) {
          cause.addSuppressed(e);
        }
      }
      for (Part part : parts) {
        try {
          keepers.get(part).delete(target);
        } catch (Throwable e) {
          cause.addSuppressed(e);
        }
      }
    }

    /** The new epoch is decided; what fails now a start makes up for. */
    private List<IOException> publish(EpochId target) {
      List<IOException> failures = new ArrayList<>();
      for (Part part : parts) {
        try {
          keepers.get(part).writer().requireNewest(job.jobId(), target.generation());
          faults.reached(FaultPoint.AFTER_COMMIT_BEFORE_RENAME);
          keepers.get(part).writer().publish(job.jobUuid(), target);
          faults.reached(FaultPoint.AFTER_RENAME_BEFORE_PRUNE);
        } catch (FencedException e) {
          failures.add(e);
          break;
        } catch (IOException e) {
          failures.add(e);
        }
      }
      return failures;
    }
  }
}

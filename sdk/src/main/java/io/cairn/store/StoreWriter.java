// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import io.cairn.image.CorruptImageException;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FileOperations;
import io.cairn.image.ImageChain;
import io.cairn.image.ImageReader;
import io.cairn.image.JobIdentity;
import io.cairn.image.StateFile;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;

/**
 * The small files of a store, as a launch writes them, and whoever takes a launch's place. Who
 * calls this holds the store's lock, or is told what to write by somebody who does.
 */
final class StoreWriter {
  private final StoreView store;
  private final FileOperations files;

  StoreWriter(StoreView store, FileOperations files) {
    this.store = store;
    this.files = files;
  }

  /** The newest generation that has left anything here; 0 if none has. */
  long newestGeneration() throws IOException {
    long newest = 0;
    for (EpochId epoch : store.epochs()) {
      newest = Math.max(newest, epoch.generation());
    }
    try {
      newest = Math.max(newest, store.newest().map(StoreView.Newest::generation).orElse(0L));
    } catch (CorruptImageException e) {
      System.getLogger("io.cairn.store")
          .log(
              System.Logger.Level.WARNING, "{0}; going on from the newest epoch's", e.getMessage());
    }
    return newest;
  }

  /** Fences all older ones. */
  void writeGeneration(long generation, Launch launch) throws IOException {
    files.publish(
        store.directory().resolve(StoreView.GENERATION),
        StateFile.builder(StoreView.GENERATION)
            .field("generation", generation)
            .field("host", launch.host())
            .field("pid", launch.pid())
            .field("started", launch.started())
            .toBytes());
  }

  /**
   * Makes sure that a generation is the newest here.
   *
   * @throws FencedException if it isn't; names the newer one
   */
  void requireNewest(String jobId, long generation) throws IOException {
    StoreView.Newest newest =
        store
            .newest()
            .orElseThrow(
                () ->
                    new NoSuchFileException(
                        store.directory().resolve(StoreView.GENERATION).toString()));
    if (newest.generation() != generation) {
      throw new FencedException(
          "generation "
              + newest.generation()
              + " of job "
              + jobId
              + " (process "
              + newest.pid()
              + " on "
              + newest.host()
              + " since "
              + newest.started()
              + ") has taken over "
              + store.directory()
              + "; this is generation "
              + generation
              + ", and commits nothing any more");
    }
  }

  /**
   * Writes an epoch's pending record, after a look at each image and at those that it takes bytes
   * from.
   *
   * @param ranks whose images the store has
   * @throws IOException if these are all images of the epoch, and not those with that digest
   */
  void writePending(JobIdentity job, EpochId epoch, List<Integer> ranks, long jobDigest)
      throws IOException {
    List<EpochRecord.Image> images = new ArrayList<>();
    Set<EpochId> refersTo = new TreeSet<>();
    long sum = 0;
    for (int rank : ranks) {
      try (ImageChain chain =
          ImageChain.open(
              files, store.imageFile(epoch, rank), older -> store.imageFile(older, rank))) {
        ImageReader image = chain.newest();
        image.requireIdentity(job, epoch, rank);
        image.ancestors().forEach(ancestor -> refersTo.add(ancestor.epoch()));
        images.add(new EpochRecord.Image(rank, image.lengthBytes(), image.digest()));
        sum += EpochRecord.digestTerm(rank, image.digest());
      }
    }
    if (images.size() == job.worldSize() && sum != jobDigest) {
      throw new IOException(
          String.format(
              "the images of %s in %s are not those that the ranks wrote: job-wide digest %016x,"
                  + " expected %016x",
              epoch, store.directory(), sum, jobDigest));
    }
    EpochRecord record =
        new EpochRecord(
            job.jobId(),
            job.jobUuid(),
            job.worldSize(),
            epoch,
            jobDigest,
            List.copyOf(refersTo),
            images);
    Path place = store.directory(epoch);
    files.write(place.resolve(EpochRecord.PENDING), record.encode());
    files.syncDirectory(place);
    files.syncDirectory(store.directory());
  }

  /**
   * Renames an epoch's record, if that is still to be done: the epoch is committed here. The first
   * time, says so for good before.
   */
  void publish(UUID jobUuid, EpochId epoch) throws IOException {
    Path place = store.directory(epoch);
    if (files.exists(place.resolve(EpochRecord.COMMITTED))
        || !files.exists(place.resolve(EpochRecord.PENDING))) {
      return;
    }
    Path marker = store.directory().resolve(StoreView.COMMITTED_MARKER);
    if (!files.exists(marker)) {
      files.publish(marker, StateFile.builder("committed").field("uuid", jobUuid).toBytes());
    }
    files.rename(place.resolve(EpochRecord.PENDING), place.resolve(EpochRecord.COMMITTED));
    files.syncDirectory(place);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FaultHook;
import io.cairn.image.FileOperations;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Changes a store that no launch uses: holds its lock until it is closed, so that a launch that
 * starts meanwhile waits.
 */
public final class StoreKeeper implements Closeable {
  private final StoreView store;
  private final FileOperations files;
  private final KernelLock lock;

  private StoreKeeper(StoreView store, FileOperations files, KernelLock lock) {
    this.store = store;
    this.files = files;
    this.lock = lock;
  }

  /**
   * Takes the lock.
   *
   * @param self this process, for whoever waits
   * @throws JobLockedException if a launch of the job is alive, or somebody else is at it
   */
  public static StoreKeeper open(StoreView store, FileOperations files, Launch self)
      throws IOException, InterruptedException {
    Path file = store.directory().resolve(StoreView.LOCK);
    return new StoreKeeper(store, files, KernelLock.take(file, self, 0, System::nanoTime));
  }

  /** The store. */
  public StoreView store() {
    return store;
  }

  StoreWriter writer() {
    return new StoreWriter(store, files);
  }

  /** Publishes the record of an epoch that is decided, if that is still to be done here. */
  public void publish(EpochRecord record) throws IOException {
    Path place = store.directory(record.epoch());
    if (!files.exists(place.resolve(EpochRecord.COMMITTED))) {
      // What is there may be half of it: who wrote it died.
      files.publish(place.resolve(EpochRecord.PENDING), record.encode());
      writer().publish(record.jobUuid(), record.epoch());
    }
  }

  /** Makes an epoch's images be of no epoch, for good. Does nothing if it isn't here. */
  public void deleteRecord(EpochId epoch) throws IOException {
    if (files.exists(store.directory(epoch))) {
      EpochDeletion.deleteRecord(files, store.directory(epoch), FaultHook.NONE);
    }
  }

  /** Deletes an epoch, its record first. Does nothing if it isn't here. */
  public void delete(EpochId epoch) throws IOException {
    if (files.exists(store.directory(epoch))) {
      EpochDeletion.delete(files, store.directory(epoch), FaultHook.NONE);
    }
  }

  /**
   * Deletes what is left when all epochs are: the job is not known here any more.
   *
   * @return what else is in the directory, which stays then
   */
  public List<String> deleteJob() throws IOException {
    Path directory = store.directory();
    // What says that there was a committed epoch goes last but for the lock.
    for (String name : List.of(StoreView.REQUEST, LaunchHistory.FILE, StoreView.COMMITTED_MARKER)) {
      files.delete(directory.resolve(name));
    }
    List<String> others = new ArrayList<>(files.list(directory));
    List<String> own =
        List.of(
            StoreView.GENERATION,
            StoreView.JOB,
            StoreView.STORE,
            StoreView.EVENTS,
            StoreView.LOCK,
            StoreView.WAITING);
    others.removeAll(own);
    others.removeIf(name -> name.startsWith("pending-"));
    if (!others.isEmpty()) {
      return others;
    }
    for (String name : files.list(directory)) {
      if (!name.equals(StoreView.LOCK)) {
        files.delete(directory.resolve(name));
      }
    }
    files.delete(directory.resolve(StoreView.LOCK));
    try {
      files.delete(directory);
      Path parent = directory.toAbsolutePath().getParent();
      if (parent != null) {
        files.syncDirectory(parent);
      }
    } catch (NoSuchFileException e) {
      // Somebody else was faster.
    }
    return List.of();
  }

  @Override
  public void close() throws IOException {
    lock.close();
  }
}

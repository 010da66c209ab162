// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FaultHook;
import io.cairn.image.FileOperations;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;

/**
 * A job's directory that all nodes see, where epochs are flushed to: each rank brings its image,
 * rank 0 publishes the record when all are there. Laid out as the ranks' own stores are.
 */
public final class SharedStore {
  private final JobDirectory directory;
  private final StoreView view;
  private final FileOperations files;

  SharedStore(JobDirectory directory, StoreView view, FileOperations files) {
    this.directory = directory;
    this.view = view;
    this.files = files;
  }

  /** What it holds. */
  public StoreView view() {
    return view;
  }

  /** Makes the place for a rank's image; returns where it is written until it is whole. */
  public Path prepare(EpochId epoch, int rank) throws IOException {
    files.createDirectories(view.directory(epoch));
    return partial(epoch, rank);
  }

  /**
   * Deletes what a rank has brought of older epochs that were never published: what is flushed next
   * may need the space.
   *
   * @param except what is going to be of use
   */
  public void deleteUnfinished(EpochId before, Set<EpochId> except, int rank) throws IOException {
    List<EpochId> epochs = view.epochs();
    Set<EpochId> needed = new TreeSet<>(except);
    needed.addAll(view.referredToBy(epochs));
    for (EpochId epoch : epochs) {
      if (epoch.compareTo(before) < 0 && !isCommitted(epoch) && !needed.contains(epoch)) {
        files.delete(partial(epoch, rank));
        files.delete(view.imageFile(epoch, rank));
      }
    }
  }

  private Path partial(EpochId epoch, int rank) {
    return view.directory(epoch).resolve("pending-" + EpochRecord.imageName(rank));
  }

  /** Whether the epoch's record is published. */
  public boolean isCommitted(EpochId epoch) throws IOException {
    return view.standing(epoch).equals(Optional.of(Standing.COMMITTED));
  }

  /** Whether every rank's image is there, whole; each rank brings its ancestors first. */
  public boolean hasAllImages(EpochId epoch) throws IOException {
    for (int rank = 0; rank < directory.job().worldSize(); rank++) {
      if (!files.exists(view.imageFile(epoch, rank))) {
        return false;
      }
    }
    return true;
  }

  /**
   * Publishes the record of an epoch whose images are all there.
   *
   * @throws FencedException if a newer launch uses this store
   * @throws IOException if the images aren't those that were committed together
   */
  public void publish(EpochId epoch, long jobDigest) throws IOException {
    directory.requireNewestIn(view);
    // What a launch left that died here.
    files.delete(view.directory(epoch).resolve(EpochRecord.PENDING));
    List<Integer> all = IntStream.range(0, directory.job().worldSize()).boxed().toList();
    directory.writePending(view, epoch, all, jobDigest);
    directory.publish(view, epoch);
  }

  /** Deletes all epochs but the newest ones, and what is left of older flushes. */
  public void prune(int kept) throws IOException {
    directory.requireNewestIn(view);
    List<EpochId> epochs = view.epochs();
    Set<EpochId> staying = new TreeSet<>();
    List<EpochId> leaving = new ArrayList<>();
    int found = 0;
    for (int i = epochs.size() - 1; i >= 0; i--) {
      boolean committed = isCommitted(epochs.get(i));
      if (found >= kept || (found > 0 && !committed)) {
        leaving.add(epochs.get(i));
      } else {
        staying.add(epochs.get(i));
        found += committed ? 1 : 0;
      }
    }
    Set<EpochId> referredTo = view.referredToBy(staying);
    for (EpochId epoch : leaving) {
      if (!referredTo.contains(epoch)) {
        EpochDeletion.delete(files, view.directory(epoch), FaultHook.NONE);
      }
    }
  }
}

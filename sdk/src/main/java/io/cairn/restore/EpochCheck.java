// SPDX-License-Identifier: Apache-2.0
package io.cairn.restore;

import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FileOperations;
import io.cairn.image.ImageChain;
import io.cairn.image.ImageReader;
import io.cairn.image.JobIdentity;
import io.cairn.store.StoreView;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * What must hold before a rank's image in a store may be restored. Needs no MPI and changes
 * nothing, so that an operator's tool comes to the same answer as a start.
 */
public final class EpochCheck {
  private final FileOperations files;

  public EpochCheck(FileOperations files) {
    this.files = files;
  }

  /**
   * A store's record of an epoch, published or pending, which must be one of this job and epoch.
   *
   * @throws IOException if it isn't there, damaged or another's; says so
   */
  public EpochRecord record(StoreView store, JobIdentity job, EpochId epoch) throws IOException {
    Path file = store.recordFile(epoch);
    try {
      EpochRecord record = EpochRecord.read(files, file);
      record.requireIdentity(file, job, epoch);
      return record;
    } catch (NoSuchFileException e) {
      throw new MissingFileException(file.resolveSibling(EpochRecord.COMMITTED), e);
    }
  }

  /**
   * Opens a rank's image, which must be the one that the record names. Its blocks are still to be
   * checked. To be closed.
   *
   * @throws IOException if it isn't there, damaged or another one; says so
   */
  public ImageReader open(
      StoreView store, EpochRecord record, JobIdentity job, EpochId epoch, int rank)
      throws IOException {
    Path file = store.imageFile(epoch, rank);
    EpochRecord.Image expected =
        record
            .image(rank)
            .orElseThrow(
                () -> new IOException(file + ": the epoch's record in this store doesn't name it"));
    ImageReader image;
    try {
      image = ImageReader.open(files, file);
    } catch (NoSuchFileException e) {
      throw missing(e);
    }
    try {
      image.requireIdentity(job, epoch, rank);
      image.requireRecorded(expected);
      return image;
    } catch (Throwable e) {
      image.close();
      throw e;
    }
  }

  /**
   * Opens a rank's image, as {@link #open} does, with all images that it takes bytes from. To be
   * closed.
   *
   * @throws IOException if any of them isn't there, damaged or another one; says so
   */
  public ImageChain openChain(
      StoreView store, EpochRecord record, JobIdentity job, EpochId epoch, int rank)
      throws IOException {
    return ImageChain.open(
        files, open(store, record, job, epoch, rank), older -> store.imageFile(older, rank));
  }

  private static IOException missing(NoSuchFileException e) {
    return new MissingFileException(Path.of(e.getFile()), e);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.nio.file.Path;

/** Where a rank's images go. Thread-safe. */
public interface ImageTarget {

  /** The job, for the header. */
  JobIdentity job();

  /** This process's rank. */
  int rank();

  /** This launch's name for one of its epochs. */
  EpochId epochId(long epoch);

  /** Makes the place for this rank's image of an epoch; the file doesn't exist yet. */
  Path prepare(long epoch) throws IOException;

  /** An abandoned epoch's image is deleted: so is its place, unless others still use it. */
  void leave(long epoch) throws IOException;

  /** The directory that all of that is in, for messages. */
  Path place();

  /** Bytes that can still be written there. */
  long usableBytes() throws IOException;
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/** A file being written, from its start to its end. */
public interface OutputFile extends Closeable {

  /** Writes some of the remaining bytes and returns how many; may be fewer than asked. */
  int write(ByteBuffer source) throws IOException;

  /** Returns when everything written, and the file's length, survive a power failure. */
  void force() throws IOException;

  /** Whether what was written may wait in the system's memory until it is synced. */
  default boolean leavesToKernel() {
    return true;
  }

  /**
   * How long the system took for this file's writes and syncs so far, in nanoseconds; less than 0
   * if the caller waited for all of it, and knows.
   */
  default long busyNanos() {
    return -1;
  }
}

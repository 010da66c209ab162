// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.image.OutputFile;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A file that is synced as it grows: else what a node's memory holds of it, which may be a good
 * part of that memory, would be written at the end in one call, and other ranks that wait for this
 * one meanwhile would take it for dead.
 */
final class GradualSync implements OutputFile {
  /** About a second of a slow disk. */
  static final long EVERY_BYTES = 64L << 20;

  private final OutputFile file;
  private long unsyncedBytes;

  GradualSync(OutputFile file) {
    this.file = file;
  }

  @Override
  public int write(ByteBuffer source) throws IOException {
    int written = file.write(source);
    unsyncedBytes += written;
    if (unsyncedBytes >= EVERY_BYTES) {
      force();
    }
    return written;
  }

  @Override
  public void force() throws IOException {
    file.force();
    unsyncedBytes = 0;
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}

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
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/** A file being read at any place. */
public interface InputFile extends Closeable {

  /** Its length in bytes. */
  long lengthBytes() throws IOException;

  /** Reads some bytes from {@code offset} on, and returns how many; -1 at the end of the file. */
  int read(ByteBuffer destination, long offset) throws IOException;
}

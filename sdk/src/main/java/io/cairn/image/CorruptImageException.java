// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.nio.file.Path;

/**
 * A file of a checkpoint isn't what was written. The message names file, offset, what was found and
 * expected.
 */
public final class CorruptImageException extends IOException {
  private static final long serialVersionUID = 1L;

  public CorruptImageException(
      Path file, long offset, String what, String found, String expected, String likelyCause) {
    super(
        file
            + " at offset "
            + offset
            + ": "
            + what
            + ": found "
            + found
            + ", expected "
            + expected
            + " ("
            + likelyCause
            + ")");
  }
}

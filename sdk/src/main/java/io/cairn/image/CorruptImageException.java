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

  private final transient Path file;
  private final long offset;
  private final String what;
  private final String found;
  private final String expected;
  private final String likelyCause;

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
    this.file = file;
    this.offset = offset;
    this.what = what;
    this.found = found;
    this.expected = expected;
    this.likelyCause = likelyCause;
  }

  /** The damaged file. */
  public Path file() {
    return file;
  }

  /** Where in the file, in bytes. */
  public long offset() {
    return offset;
  }

  /** The field or checksum. */
  public String what() {
    return what;
  }

  /** What is in the file. */
  public String found() {
    return found;
  }

  /** What should be there. */
  public String expected() {
    return expected;
  }

  /** What may have happened. */
  public String likelyCause() {
    return likelyCause;
  }
}

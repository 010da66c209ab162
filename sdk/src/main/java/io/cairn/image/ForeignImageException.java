// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.nio.file.Path;

/**
 * A sound file that belongs to something else: another job, world size, format version, page size
 * or byte order.
 */
public final class ForeignImageException extends IOException {
  private static final long serialVersionUID = 1L;

  private final transient Path file;
  private final String what;
  private final String found;
  private final String expected;

  public ForeignImageException(Path file, String what, Object found, Object expected) {
    super(file + ": another " + what + ": found " + found + ", expected " + expected);
    this.file = file;
    this.what = what;
    this.found = found.toString();
    this.expected = expected.toString();
  }

  /** The file. */
  public Path file() {
    return file;
  }

  /** What is another than expected. */
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
}

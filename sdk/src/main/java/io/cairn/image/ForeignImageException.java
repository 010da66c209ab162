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

  public ForeignImageException(Path file, String what, Object found, Object expected) {
    super(file + ": another " + what + ": found " + found + ", expected " + expected);
  }
}

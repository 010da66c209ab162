// SPDX-License-Identifier: Apache-2.0
package io.cairn.restore;

import java.io.IOException;
import java.nio.file.Path;

/** A record or an image isn't there. */
public final class MissingFileException extends IOException {
  private static final long serialVersionUID = 1L;

  private final transient Path file;

  MissingFileException(Path file, IOException cause) {
    super(file + ": missing", cause);
    this.file = file;
  }

  /** The file. */
  public Path file() {
    return file;
  }
}

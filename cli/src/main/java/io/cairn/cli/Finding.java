// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.image.CorruptImageException;
import io.cairn.image.ForeignImageException;
import io.cairn.restore.MissingFileException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Locale;

/**
 * Something that isn't as it should be.
 *
 * @param file where
 * @param offset in bytes, or -1 if it is about the whole file
 * @param what the field, checksum or count
 * @param message all of it, in a line
 */
record Finding(
    Kind kind, Path file, long offset, String what, String found, String expected, String message) {

  /** Names are part of the JSON output. */
  enum Kind {
    /** The file isn't what was written. */
    DAMAGED,
    /** A sound file of another job, epoch, rank or format. */
    FOREIGN,
    /** The file isn't there. */
    MISSING,
    /** The file can't be read. */
    UNREADABLE,
    /** Sound files that don't belong together, or that don't account for all messages. */
    INCONSISTENT;

    String code() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** What an exception says about a file. */
  static Finding of(Path file, IOException e) {
    if (e instanceof CorruptImageException c) {
      return new Finding(
          Kind.DAMAGED, file, c.offset(), c.what(), c.found(), c.expected(), c.getMessage());
    }
    if (e instanceof ForeignImageException f) {
      return new Finding(Kind.FOREIGN, file, -1, f.what(), f.found(), f.expected(), f.getMessage());
    }
    if (e instanceof MissingFileException || e instanceof NoSuchFileException) {
      return missing(file);
    }
    String message =
        e instanceof AccessDeniedException
            ? file + ": access denied; a job's files are its owner's only"
            : e.getMessage();
    return new Finding(Kind.UNREADABLE, file, -1, "read", message, "the file's bytes", message);
  }

  static Finding missing(Path file) {
    return new Finding(Kind.MISSING, file, -1, "file", "nothing", "a file", file + ": missing");
  }

  /** Sound files that contradict each other. */
  static Finding inconsistent(
      Path file, String what, Object found, Object expected, String message) {
    return new Finding(
        Kind.INCONSISTENT,
        file,
        -1,
        what,
        found.toString(),
        expected.toString(),
        file + ": " + message);
  }
}

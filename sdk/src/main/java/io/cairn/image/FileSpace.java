// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.nio.file.Path;

/** What Java has no words for: space of files that isn't written yet, and their cached pages. */
public interface FileSpace {

  /** Where there are no native libraries. */
  FileSpace NONE =
      new FileSpace() {
        @Override
        public boolean reserve(Path file, long lengthBytes) {
          return false;
        }

        @Override
        public void release(Path file) {}

        @Override
        public void forget(Path file) {}
      };

  /**
   * Sets so many bytes of the file system aside for a file whose length stays what it is.
   *
   * @return whether the file system can do that at all
   * @throws IOException if there is less space than that
   */
  boolean reserve(Path file, long lengthBytes) throws IOException;

  /** Gives back what was set aside behind a file's end; a failure does no harm. */
  void release(Path file);

  /** Lets the system forget the cached pages of a file that is synced; a failure does no harm. */
  void forget(Path file);
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/**
 * What Java has no words for: space of files that isn't written yet, their cached pages, and memory
 * that a disk reaches in few pieces.
 */
public interface FileSpace {

  /** Whatever a file system asks of a buffer's address: 512 bytes, a page, a large page. */
  int MEMORY_ALIGNMENT = 1 << 20;

  /**
   * Memory for direct I/O.
   *
   * @param free gives it back; nobody may use it afterwards
   */
  record Memory(ByteBuffer buffer, Runnable free) {}

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

        @Override
        public Memory memory(int lengthBytes) {
          ByteBuffer all = ByteBuffer.allocateDirect(lengthBytes + MEMORY_ALIGNMENT);
          int begin = MEMORY_ALIGNMENT - all.alignmentOffset(0, MEMORY_ALIGNMENT);
          return new Memory(all.slice(begin % MEMORY_ALIGNMENT, lengthBytes), () -> {});
        }
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

  /**
   * Memory whose address suits any file system. In huge pages where the system has them: of small
   * ones a disk takes only some hundred at a time.
   */
  Memory memory(int lengthBytes);

  /** Lets the system forget the cached pages of a file that is synced; a failure does no harm. */
  void forget(Path file);
}

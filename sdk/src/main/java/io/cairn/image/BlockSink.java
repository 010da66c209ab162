// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.nio.ByteBuffer;

/** Where the blocks of a section go. */
public interface BlockSink {

  /**
   * Where to put some bytes of the section: a direct buffer with just that much remaining; or null
   * for one that is good until {@link #filled} returns. Several threads may ask, each for other
   * bytes, when a {@link BlockReader} reads.
   *
   * @param offset in the section, in bytes
   */
  ByteBuffer window(long offset, int lengthBytes) throws IOException;

  /** The window, with everything remaining again, holds its bytes, and they are checked. */
  default void filled(long offset, ByteBuffer window) throws IOException {}

  /** Takes bytes that hold only until it returns. */
  @FunctionalInterface
  interface Consumer {
    void accept(long offset, ByteBuffer window) throws IOException;
  }

  /**
   * All bytes in turn through the same memory; for a single reading thread.
   *
   * @param scratch direct, with room for a block
   */
  static BlockSink through(ByteBuffer scratch, Consumer consumer) {
    return new BlockSink() {
      @Override
      public ByteBuffer window(long offset, int lengthBytes) {
        return scratch.clear().limit(lengthBytes);
      }

      @Override
      public void filled(long offset, ByteBuffer window) throws IOException {
        consumer.accept(offset, window);
      }
    };
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.nio.ByteBuffer;
import java.util.zip.CRC32C;
import net.jpountz.lz4.LZ4Exception;
import net.jpountz.lz4.LZ4SafeDecompressor;

/** Checks stored blocks and turns them into what they were. One thread at a time. */
final class BlockDecoder {
  private static final String DAMAGED = "damaged on disk?";
  private static final String INCONSISTENT = "written by a faulty program?";

  private final CRC32C crc = new CRC32C();
  private final ByteBuffer zeros;

  // Loaded with the first block that needs it: who lists images shall not need native code.
  private LZ4SafeDecompressor decompressor;

  /**
   * @param largestBlock most bytes that a block has
   */
  BlockDecoder(int largestBlock) {
    zeros = ByteBuffer.allocateDirect(largestBlock);
  }

  /**
   * Checks the block's stored bytes, all that remains in a buffer, and puts its own bytes into all
   * that remains in the window.
   *
   * @throws CorruptImageException if it isn't what was written; the window's bytes are of no use
   *     then
   */
  void decode(BlockJob job, ByteBuffer stored, ByteBuffer window) throws CorruptImageException {
    if (window.remaining() != job.rawLength || stored.remaining() != job.storedLength) {
      throw new IllegalArgumentException(
          "window of " + window.remaining() + ", stored " + stored.remaining());
    }
    int start = window.position();
    switch (job.codec) {
      case ZERO -> {
        // Memory that is zero already is only read, so that untouched pages stay untouched.
        if (window.mismatch(zeros.limit(job.rawLength).position(0)) >= 0) {
          window.put(zeros);
        }
      }
      case RAW -> window.put(stored);
      case LZ4 -> {
        requireCrc(job, stored, stored.position(), job.storedLength, job.storedCrc, "stored");
        decompress(job, stored, window);
      }
    }
    requireCrc(job, window, start, job.rawLength, job.rawCrc, "raw");
    window.limit(start + job.rawLength).position(start);
  }

  /** Checks a raw block that was read to its place: all that remains in the window. */
  void check(BlockJob job, ByteBuffer window) throws CorruptImageException {
    int start = window.position();
    requireCrc(job, window, start, job.rawLength, job.rawCrc, "raw");
    window.position(start);
  }

  private void decompress(BlockJob job, ByteBuffer stored, ByteBuffer window)
      throws CorruptImageException {
    if (decompressor == null) {
      decompressor = WriteBuffers.Lz4.FACTORY.safeDecompressor();
    }
    int from = stored.limit() - job.storedLength;
    int length;
    try {
      length =
          decompressor.decompress(
              stored, from, job.storedLength, window, window.position(), job.rawLength);
    } catch (LZ4Exception e) {
      CorruptImageException corrupt =
          new CorruptImageException(
              job.file, job.offset, "LZ4 block", e.getMessage(), "a block", INCONSISTENT);
      corrupt.initCause(e);
      throw corrupt;
    }
    if (length != job.rawLength) {
      throw new CorruptImageException(
          job.file,
          job.offset,
          "LZ4 block length",
          Integer.toString(length),
          Integer.toString(job.rawLength),
          INCONSISTENT);
    }
  }

  private void requireCrc(
      BlockJob job, ByteBuffer buffer, int start, int length, int expected, String what)
      throws CorruptImageException {
    buffer.limit(start + length).position(start);
    crc.reset();
    crc.update(buffer);
    int found = (int) crc.getValue();
    if (found != expected) {
      throw new CorruptImageException(
          job.file,
          job.offset,
          what + " block checksum",
          ImageFormat.hex(found),
          ImageFormat.hex(expected),
          DAMAGED);
    }
  }
}

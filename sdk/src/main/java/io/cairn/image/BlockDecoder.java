// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.zip.CRC32C;
import net.jpountz.lz4.LZ4Exception;
import net.jpountz.lz4.LZ4SafeDecompressor;

/** Checks stored blocks and turns them into what they were. One thread at a time. */
final class BlockDecoder {
  private final int blockBytes;
  private final CRC32C crc = new CRC32C();

  // Loaded with the first block that needs it: who lists images shall not need native code.
  private LZ4SafeDecompressor decompressor;
  private ByteBuffer stored;
  private ByteBuffer zeros;

  /**
   * @param blockBytes most bytes that a block has
   */
  BlockDecoder(int blockBytes) {
    this.blockBytes = blockBytes;
  }

  /**
   * Fills the window, a direct buffer, with the extent that the cursor is at, which must be stored
   * and as long as what remains in the window. What was put there before an exception is not to be
   * used.
   */
  void read(Path file, InputFile in, ExtentCursor extent, ByteBuffer window) throws IOException {
    int start = window.position();
    int length = window.remaining();
    long offset = extent.payloadOffset();
    if (length != extent.lengthBytes()) {
      throw new IllegalArgumentException("window of " + length + " for " + extent.lengthBytes());
    }
    switch (extent.codec()) {
      case ZERO -> clear(window);
      case RAW -> {
        FileOperations.readFully(in, file, window, offset);
        window.limit(start + length).position(start);
        requireCrc(file, offset, "block checksum", window, extent.storedCrc());
      }
      case LZ4 -> {
        if (stored == null) {
          stored = ByteBuffer.allocateDirect(blockBytes);
        }
        stored.clear().limit(extent.storedLength());
        FileOperations.readFully(in, file, stored, offset);
        decompress(file, offset, stored.flip(), extent.storedCrc(), window);
      }
      case PARENT -> throw new IllegalStateException("not in this image");
    }
    window.limit(start + length).position(start);
  }

  /**
   * The same of a block whose stored bytes are all that remains in a buffer.
   *
   * @throws CorruptImageException if it isn't what was written
   */
  void decode(BlockJob job, ByteBuffer bytes, ByteBuffer window) throws CorruptImageException {
    int start = window.position();
    int length = window.remaining();
    if (length != job.rawLength || bytes.remaining() != job.storedLength) {
      throw new IllegalArgumentException("window of " + length + ", stored " + bytes.remaining());
    }
    switch (job.codec) {
      case ZERO -> clear(window);
      case RAW -> {
        window.put(bytes);
        window.limit(start + length).position(start);
        requireCrc(job.file, job.offset, "block checksum", window, job.storedCrc);
      }
      case LZ4 -> decompress(job.file, job.offset, bytes, job.storedCrc, window);
      case PARENT -> throw new IllegalStateException("not in this image");
    }
    window.limit(start + length).position(start);
  }

  /** Memory that is zero already is only read, so that untouched pages stay untouched. */
  void clear(ByteBuffer window) {
    if (zeros == null) {
      zeros = ByteBuffer.allocateDirect(blockBytes);
    }
    if (window.mismatch(zeros.limit(window.remaining()).position(0)) >= 0) {
      window.put(zeros);
    }
  }

  private void decompress(
      Path file, long offset, ByteBuffer bytes, int storedCrc, ByteBuffer window)
      throws CorruptImageException {
    if (decompressor == null) {
      decompressor = WriteBuffers.Lz4.FACTORY.safeDecompressor();
    }
    int from = bytes.position();
    int storedLength = bytes.remaining();
    requireCrc(file, offset, "stored block checksum", bytes, storedCrc);
    int start = window.position();
    int rawLength = window.remaining();
    int length;
    try {
      length =
          decompressor.decompress(
              bytes,
              from + ImageFormat.RAW_CRC_BYTES,
              storedLength - ImageFormat.RAW_CRC_BYTES,
              window,
              start,
              rawLength);
    } catch (LZ4Exception e) {
      CorruptImageException corrupt =
          new CorruptImageException(
              file, offset, "LZ4 block", "" + e.getMessage(), "a block", ImageReader.INCONSISTENT);
      corrupt.initCause(e);
      throw corrupt;
    }
    if (length != rawLength) {
      throw new CorruptImageException(
          file,
          offset,
          "LZ4 block length",
          Integer.toString(length),
          Integer.toString(rawLength),
          ImageReader.INCONSISTENT);
    }
    int rawCrc = bytes.order(ByteOrder.LITTLE_ENDIAN).getInt(from);
    window.limit(start + rawLength).position(start);
    requireCrc(file, offset, "raw block checksum", window, rawCrc);
  }

  /** Of all that remains in the buffer, which is at its limit then. */
  private void requireCrc(Path file, long offset, String what, ByteBuffer buffer, int expected)
      throws CorruptImageException {
    crc.reset();
    crc.update(buffer);
    int found = (int) crc.getValue();
    if (found != expected) {
      throw new CorruptImageException(
          file,
          offset,
          what,
          ImageFormat.hex(found),
          ImageFormat.hex(expected),
          ImageReader.DAMAGED);
    }
  }
}

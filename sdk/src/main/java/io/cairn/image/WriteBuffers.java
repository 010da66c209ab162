// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.zip.CRC32C;
import net.jpountz.lz4.LZ4Compressor;
import net.jpountz.lz4.LZ4Factory;

/**
 * What an {@link ImageWriter} needs, reused from image to image. Must be closed; one image at a
 * time.
 */
public final class WriteBuffers implements AutoCloseable {
  private static final int OUTPUT_BYTES = 4 << 20;

  final int blockBytes;
  final int compressedBound;
  final ByteBuffer output;
  final ByteBuffer zeros;
  final CRC32C crc = new CRC32C();
  final OffHeap index;
  final Encoding encoding;
  final RateLimit limit;
  final BlockHash hash = new BlockHash();
  private final ParentBlocks parentBlocks;
  final LZ4Compressor compressor = Lz4.FACTORY.fastCompressor();
  private final WriteBehind behind; // null if all goes through the page cache
  private final Consumer<String> report;
  private long expectedBytes;

  /** With LZ4 wherever that saves, so that the same state gives the same bytes; no limit. */
  public WriteBuffers(int blockBytes) {
    this(blockBytes, new Encoding(EncodeMode.SMALL), RateLimit.NONE);
  }

  /**
   * @param encoding decides how blocks are stored
   * @param limit holds the writers to a bandwidth; the same that the encoding was told of
   */
  public WriteBuffers(int blockBytes, Encoding encoding, RateLimit limit) {
    this(blockBytes, encoding, limit, DirectMode.OFF, text -> {}, null);
  }

  /**
   * @param direct whether images go past the page cache
   * @param report told, once, if the file system doesn't have that
   * @param parentBlocks by which blocks are compared with the parent image's; null if they are not
   */
  public WriteBuffers(
      int blockBytes,
      Encoding encoding,
      RateLimit limit,
      DirectMode direct,
      Consumer<String> report,
      ParentBlocks parentBlocks) {
    this.report = report;
    this.parentBlocks = parentBlocks;
    behind = direct == DirectMode.OFF ? null : new WriteBehind(direct, encoding::nanoTime);
    this.blockBytes = blockBytes;
    this.encoding = encoding;
    this.limit = limit;
    compressedBound = ImageFormat.RAW_CRC_BYTES + compressor.maxCompressedLength(blockBytes);
    output =
        ByteBuffer.allocateDirect(Math.max(OUTPUT_BYTES, 2 * compressedBound))
            .order(ByteOrder.LITTLE_ENDIAN);
    zeros = ByteBuffer.allocateDirect(Math.max(blockBytes, ImageFormat.ALIGNMENT));
    index = new OffHeap(64 << 10);
  }

  /** What is known of the parent's blocks of a section; null if they are not compared. */
  ParentBlocks.Known parentBlocks(SectionKind kind, String name, long lengthBytes) {
    return parentBlocks == null || !kind.named()
        ? null
        : parentBlocks.section(Encoding.title(kind, name), lengthBytes, blockBytes);
  }

  /** The next image takes about so many bytes, which are set aside; 0 if nobody knows. */
  public void expect(long lengthBytes) {
    expectedBytes = lengthBytes;
  }

  OutputFile create(FileOperations files, Path file) throws IOException {
    return behind == null
        ? files.create(file)
        : new DirectOutput(files, file, behind, expectedBytes, report);
  }

  /** Checksum of some bytes of a buffer; position and limit are set to them. */
  int crc(ByteBuffer buffer, int position, int lengthBytes) {
    buffer.limit(position + lengthBytes).position(position);
    crc.reset();
    crc.update(buffer);
    return (int) crc.getValue();
  }

  /** So many zeros, a block's at most. */
  ByteBuffer zeros(int lengthBytes) {
    return zeros.limit(lengthBytes).position(0);
  }

  boolean isZero(ByteBuffer block) {
    return block.mismatch(zeros(block.remaining())) < 0;
  }

  @Override
  public void close() {
    index.close();
    if (behind != null) {
      behind.close();
    }
  }

  /**
   * The native library of LZ4, or where it can't be loaded (a temporary directory without
   * execution), plain Java.
   */
  static final class Lz4 {
    static final LZ4Factory FACTORY = factory();

    private Lz4() {}

    private static LZ4Factory factory() {
      try {
        return LZ4Factory.nativeInstance();
      } catch (LinkageError | RuntimeException e) {
        System.getLogger("io.cairn.image")
            .log(
                System.Logger.Level.WARNING,
                "native LZ4 can't be loaded, images will be slower: {0}",
                e.toString());
        return LZ4Factory.safeInstance();
      }
    }
  }
}

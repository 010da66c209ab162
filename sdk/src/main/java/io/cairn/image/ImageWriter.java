// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.function.BooleanSupplier;
import java.util.zip.CRC32C;

/**
 * Writes an image from its start to its end; the mirror of {@link ImageReader}.
 *
 * <p>One thread at a time. After an exception only {@link #close} may be called; what is in the
 * file then is no image.
 */
public final class ImageWriter implements Closeable {
  // A block that saves less than this part of itself isn't worth its decompression.
  private static final int LEAST_SAVING = 16;

  // Smaller blocks are gathered, larger ones are written from where they are.
  private static final int GATHER_BELOW_BYTES = 64 << 10;

  private final Path file;
  private final OutputFile out;
  private final ImageHeader header;
  private final WriteBuffers buffers;
  private final Encoding encoding;
  private final RateLimit limit;
  private final FaultHook faults;
  private final ByteBuffer output;
  private final OffHeap index;
  private final MessageDigest sha;

  private long flushedBytes;
  private int sectionCount;
  private long sectionLeft;
  private boolean inSection;
  private SectionCodec codec;
  private int rawCrc;
  private long unsynced;
  private long countedBusyNanos;
  private BooleanSupplier stop = () -> false;
  private long rawBytes;
  private long digest;
  private boolean finished;

  private ImageWriter(
      Path file, OutputFile out, ImageHeader header, WriteBuffers buffers, FaultHook faults) {
    if (header.blockBytes() != buffers.blockBytes) {
      throw new IllegalArgumentException(
          "blocks of " + header.blockBytes() + " bytes, buffers for " + buffers.blockBytes);
    }
    this.file = file;
    this.out = out;
    this.header = header;
    this.buffers = buffers;
    this.faults = faults;
    encoding = buffers.encoding;
    limit = buffers.limit;
    output = buffers.output;
    index = buffers.index;
    sha = ImageFormat.sha256();
  }

  /**
   * Creates the file, which must not exist, readable by its owner only, and starts the image.
   *
   * @param buffers not used by another writer until this one is closed
   */
  public static ImageWriter create(
      FileOperations files, Path file, ImageHeader header, WriteBuffers buffers, FaultHook faults)
      throws IOException {
    ImageWriter writer =
        new ImageWriter(file, buffers.create(files, file), header, buffers, faults);
    writer.begin();
    return writer;
  }

  private void begin() {
    encoding.begin();
    output.clear();
    index.clear();
    index.putLong(ImageFormat.INDEX_MAGIC).putInt(0);
    byte[] head = encodeHeader(header);
    sha.update(head);
    output.put(head);
  }

  static byte[] encodeHeader(ImageHeader header) {
    JobIdentity job = header.job();
    byte[] jobId = job.jobId().getBytes(StandardCharsets.UTF_8);
    int length = ImageFormat.HEADER_FIXED_BYTES + jobId.length;
    byte[] bytes = new byte[length];
    ByteBuffer buffer = ImageFormat.littleEndian(bytes);
    buffer.putLong(ImageFormat.HEADER_MAGIC).putInt(ImageFormat.VERSION).putInt(length);
    buffer.putInt(ImageFormat.BYTE_ORDER_MARK).putInt(0).putLong(job.pageBytes());
    buffer.putLong(job.jobUuid().getMostSignificantBits());
    buffer.putLong(job.jobUuid().getLeastSignificantBits());
    buffer.putLong(header.epoch().generation()).putLong(header.epoch().epoch());
    buffer.putLong(header.safePoint()).putInt(header.rank()).putInt(job.worldSize());
    buffer.putInt(header.blockBytes()).putInt(jobId.length).put(jobId);
    putCrc(bytes, buffer);
    return bytes;
  }

  /** Appends the checksum of all that the buffer, which wraps the bytes, holds. */
  private static void putCrc(byte[] bytes, ByteBuffer buffer) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, buffer.position());
    buffer.putInt((int) crc.getValue());
  }

  /**
   * Starts a section; all its bytes follow in {@link #write}.
   *
   * @param type {@link ElementType#NONE} unless the kind is {@link SectionKind#ARRAY}
   * @param name empty for {@link SectionKind#COUNTS} and {@link SectionKind#CHANNELS}
   */
  public void beginSection(SectionKind kind, ElementType type, String name, long lengthBytes) {
    byte[] utf8 = name.getBytes(StandardCharsets.UTF_8);
    if (inSection || finished) {
      throw new IllegalStateException("section \"" + name + "\" begun before the last one ended");
    }
    if (lengthBytes < 0
        || utf8.length > ImageFormat.MAX_NAME_BYTES
        || kind.named() == name.isEmpty()
        || (kind == SectionKind.ARRAY) == (type == ElementType.NONE)) {
      throw new IllegalArgumentException(
          "no section: " + kind + " " + type + " \"" + name + "\" of " + lengthBytes + " bytes");
    }
    index.putInt(kind.code()).putInt(type.code()).putInt(utf8.length).put(utf8);
    index.putLong(lengthBytes).putLong(ImageFormat.blockCount(lengthBytes, header.blockBytes()));
    sectionCount++;
    sectionLeft = lengthBytes;
    inSection = true;
    codec = encoding.section(kind, name);
  }

  /**
   * Writes the next block of the section: all that remains in a direct buffer, which must be the
   * block size, or what is left of the section.
   */
  public void write(ByteBuffer block) throws IOException {
    int rawLength = block.remaining();
    if (!inSection || rawLength == 0 || rawLength != Math.min(header.blockBytes(), sectionLeft)) {
      throw new IllegalArgumentException("block of " + rawLength + ", section left " + sectionLeft);
    }
    faults.reached(FaultPoint.MID_BLOCKS);
    if (output.remaining() < buffers.compressedBound) {
      flush();
    }
    long begin = encoding.nanoTime();
    long beginOnCore = encoding.coreTime();
    sectionLeft -= rawLength;
    rawBytes += rawLength;
    boolean stored = encode(block, rawLength);
    encoding.core().took(encoding.nanoTime() - begin, encoding.coreTime() - beginOnCore);
    if (!stored) {
      writeRaw(block);
    }
  }

  /** Names a block of zeros, or puts one compressed to the output; returns false for neither. */
  private boolean encode(ByteBuffer block, int rawLength) {
    long offset = flushedBytes + output.position();
    if (buffers.isZero(block)) {
      putBlock(offset, 0, rawLength, Codec.ZERO, 0, buffers.zeroCrc(rawLength));
      block.position(block.limit());
      return true;
    }
    int start = block.position();
    rawCrc = buffers.crc(block, start, rawLength);
    if (codec.tries(encoding.worthOfByte()) && compress(block, start, offset)) {
      return true;
    }
    block.limit(start + rawLength).position(start);
    return false;
  }

  private void writeRaw(ByteBuffer block) throws IOException {
    int rawLength = block.remaining();
    long offset = flushedBytes + output.position();
    if (rawLength < GATHER_BELOW_BYTES) {
      output.put(block);
    } else {
      flush();
      append(block);
    }
    putBlock(offset, rawLength, rawLength, Codec.RAW, rawCrc, rawCrc);
  }

  /**
   * Puts the block compressed, or returns false, and leaves the output alone, if it isn't worth it.
   */
  private boolean compress(ByteBuffer block, int start, long offset) {
    int rawLength = block.limit() - start;
    int at = output.position();
    long begin = encoding.coreTime();
    int compressed =
        buffers.compressor.compress(block, start, rawLength, output, at, output.remaining());
    boolean worth = compressed <= rawLength - Math.max(1, rawLength / LEAST_SAVING);
    int storedCrc = worth ? buffers.crc(output, at, compressed) : 0;
    long nanos = encoding.coreTime() - begin;
    codec.tried(rawLength, worth ? compressed : rawLength, nanos, encoding.worthOfByte());
    if (worth) {
      output.limit(output.capacity()).position(at + compressed);
      block.position(block.limit());
      putBlock(offset, compressed, rawLength, Codec.LZ4, storedCrc, rawCrc);
    }
    return worth;
  }

  private void putBlock(
      long offset, int storedLength, int rawLength, Codec codec, int storedCrc, int rawCrc) {
    index.putLong(offset).putInt(storedLength).putInt(rawLength);
    index.putInt(codec.code()).putInt(storedCrc).putInt(rawCrc);
  }

  /** Ends the section; all its bytes must have been written. */
  public void endSection() {
    if (!inSection || sectionLeft != 0) {
      throw new IllegalStateException("section ended with " + sectionLeft + " bytes missing");
    }
    inSection = false;
  }

  /** Writes index and footer, syncs and closes the file: the image is durable when this returns. */
  public void finish() throws IOException {
    if (inSection || finished) {
      throw new IllegalStateException("finished in the middle of a section, or twice");
    }
    flush();
    faults.reached(FaultPoint.AFTER_BLOCKS_BEFORE_FOOTER);
    long indexOffset = flushedBytes;
    index.putIntAt(ImageFormat.INDEX_HEAD_BYTES - 4, sectionCount);
    int indexCrc = writeIndex();
    long totalLength = indexOffset + index.lengthBytes() + ImageFormat.FOOTER_BYTES;
    byte[] footer = new byte[ImageFormat.FOOTER_BYTES];
    ByteBuffer buffer = ImageFormat.littleEndian(footer);
    buffer.putLong(indexOffset).putLong(index.lengthBytes()).putLong(totalLength).putInt(indexCrc);
    putCrc(footer, buffer);
    buffer.putLong(ImageFormat.FOOTER_MAGIC);
    sha.update(footer);
    output.put(footer);
    flush();
    faults.reached(FaultPoint.AFTER_FOOTER_BEFORE_SYNC);
    long begin = encoding.nanoTime();
    try {
      out.force();
      encoding.rate().took(0, storeNanos(begin));
      out.close();
    } catch (IOException e) {
      throw FileOperations.failed(file, "sync of " + flushedBytes + " bytes", e);
    }
    encoding.finish();
    digest = ImageFormat.firstEightBytes(sha);
    finished = true;
  }

  private int writeIndex() throws IOException {
    buffers.crc.reset();
    for (long at = 0; at < index.lengthBytes(); ) {
      int n = index.copyTo(at, output);
      at += n;
      buffers.crc.update(output.flip());
      sha.update(output.rewind());
      flushForward(output.rewind());
    }
    return (int) buffers.crc.getValue();
  }

  private void flush() throws IOException {
    flushForward(output.flip());
  }

  private void flushForward(ByteBuffer flipped) throws IOException {
    if (flipped.hasRemaining()) {
      append(flipped);
    }
    output.clear();
  }

  private void append(ByteBuffer source) throws IOException {
    int end = source.limit();
    while (source.position() < end) {
      int length = limit.piece(end - source.position());
      source.limit(source.position() + length);
      long begin = encoding.nanoTime();
      long waited;
      try {
        limit.await(length, stop);
        waited = encoding.nanoTime() - begin;
        FileOperations.writeFully(out, source);
        unsynced += length;
        if (unsynced >= limit.syncEveryBytes() && out.leavesToKernel()) {
          out.force();
          unsynced = 0;
        }
      } catch (IOException e) {
        throw FileOperations.failed(
            file, "write of " + length + " bytes at offset " + flushedBytes, e);
      }
      encoding.rate().took(length, waited + storeNanos(begin + waited));
      flushedBytes += length;
    }
  }

  /**
   * What the store took since this was last asked; all the time since {@code begin} if it waits.
   */
  private long storeNanos(long begin) {
    long busy = out.busyNanos();
    if (busy < 0) {
      return encoding.nanoTime() - begin;
    }
    long took = busy - countedBusyNanos;
    countedBusyNanos = busy;
    return took;
  }

  /** Once this is true, a writer that is held to a bandwidth fails instead of waiting for it. */
  public void stopWhen(BooleanSupplier given) {
    stop = given;
  }

  /** Bytes that were given to {@link #write} so far. */
  public long rawBytes() {
    return rawBytes;
  }

  /** Length of the file in bytes, once finished. */
  public long lengthBytes() {
    return flushedBytes;
  }

  /** The image's digest, once finished. */
  public long digest() {
    if (!finished) {
      throw new IllegalStateException("the image isn't finished");
    }
    return digest;
  }

  /** Closes the file, whatever is in it. */
  @Override
  public void close() throws IOException {
    out.close();
  }
}

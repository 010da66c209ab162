// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.List;
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

  private final Path file;
  private final OutputFile out;
  private final ImageHeader header;
  private final List<Ancestor> ancestors;
  private final WriteBuffers buffers;
  private final Encoding encoding;
  private final RateLimit limit;
  private final FaultHook faults;
  private final ByteBuffer output;
  private final OffHeap index;
  private final MessageDigest sha;

  private long flushedBytes;
  private int sectionCount;
  private long sectionBytes;
  private long sectionLeft;
  private long sectionAt; // in the index
  private long extentCount;
  private boolean inSection;
  private boolean refers;
  private boolean named;
  private SectionCodec codec;
  private ParentBlocks.Known parent; // null if blocks aren't compared
  private SectionComparison comparison;
  private long unsynced;
  private long countedBusyNanos;
  private BooleanSupplier stop = () -> false;
  private long rawBytes;
  private long digest;
  private boolean finished;

  private ImageWriter(
      Path file,
      OutputFile out,
      ImageHeader header,
      List<Ancestor> ancestors,
      WriteBuffers buffers,
      FaultHook faults) {
    if (header.blockBytes() != buffers.blockBytes) {
      throw new IllegalArgumentException(
          "blocks of " + header.blockBytes() + " bytes, buffers for " + buffers.blockBytes);
    }
    this.file = file;
    this.out = out;
    this.header = header;
    this.ancestors = List.copyOf(ancestors);
    this.buffers = buffers;
    this.faults = faults;
    encoding = buffers.encoding;
    limit = buffers.limit;
    output = buffers.output;
    index = buffers.index;
    sha = ImageFormat.sha256();
  }

  /** The same, of an image that takes nothing from others. */
  public static ImageWriter create(
      FileOperations files, Path file, ImageHeader header, WriteBuffers buffers, FaultHook faults)
      throws IOException {
    return create(files, file, header, List.of(), buffers, faults);
  }

  /**
   * Creates the file, which must not exist, readable by its owner only, and starts the image.
   *
   * @param ancestors the image that {@link #parent} takes bytes from, and those that this one takes
   *     bytes from; none for a full image. One that takes nothing after all names none of them
   * @param buffers not used by another writer until this one is closed
   */
  public static ImageWriter create(
      FileOperations files,
      Path file,
      ImageHeader header,
      List<Ancestor> ancestors,
      WriteBuffers buffers,
      FaultHook faults)
      throws IOException {
    requireAncestors(header, ancestors);
    ImageWriter writer =
        new ImageWriter(file, buffers.create(files, file), header, ancestors, buffers, faults);
    writer.begin();
    return writer;
  }

  private static void requireAncestors(ImageHeader header, List<Ancestor> ancestors) {
    EpochId youngest = header.epoch();
    for (Ancestor ancestor : ancestors) {
      if (ancestor.epoch().generation() != youngest.generation()
          || ancestor.epoch().compareTo(youngest) >= 0
          || ancestors.size() > ImageFormat.MAX_ANCESTORS) {
        throw new IllegalArgumentException(
            header.epoch() + " can't have these ancestors: " + ancestors);
      }
      youngest = ancestor.epoch();
    }
  }

  private void begin() {
    encoding.begin();
    output.clear();
    index.clear();
    index.putLong(ImageFormat.INDEX_MAGIC).putInt(0).putInt(0);
    byte[] head = encodeHeader(header);
    sha.update(head);
    output.put(head);
  }

  static byte[] encodeHeader(ImageHeader header) {
    JobIdentity job = header.job();
    byte[] jobId = job.jobId().getBytes(StandardCharsets.UTF_8);
    int length = (int) ImageFormat.aligned(ImageFormat.HEADER_FIXED_BYTES + jobId.length);
    byte[] bytes = new byte[length];
    ByteBuffer buffer = ImageFormat.littleEndian(bytes);
    buffer.putLong(ImageFormat.HEADER_MAGIC).putInt(ImageFormat.VERSION).putInt(length);
    buffer.putInt(ImageFormat.BYTE_ORDER_MARK).putInt(0).putLong(job.pageBytes());
    buffer.putLong(job.jobUuid().getMostSignificantBits());
    buffer.putLong(job.jobUuid().getLeastSignificantBits());
    buffer.putLong(header.epoch().generation()).putLong(header.epoch().epoch());
    buffer.putLong(header.safePoint()).putInt(header.rank()).putInt(job.worldSize());
    buffer.putInt(header.blockBytes()).putInt(jobId.length).put(jobId);
    putCrc(bytes, buffer.position(length - 4));
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
    sectionAt = index.lengthBytes();
    index.putLong(lengthBytes).putLong(0);
    sectionCount++;
    extentCount = 0;
    named = kind.named();
    sectionBytes = lengthBytes;
    sectionLeft = lengthBytes;
    inSection = true;
    codec = encoding.section(kind, name);
    parent = buffers.parentBlocks(kind, name, lengthBytes);
    comparison = parent == null ? null : encoding.comparison(kind, name);
  }

  /** Whether {@link #parent} may be called in this section, as far as this writer knows. */
  public boolean parentHasSection() {
    return inSection && named && !ancestors.isEmpty() && (parent == null || parent.inParent());
  }

  /**
   * Says that the next bytes of the section are the parent image's at the same place. The parent
   * must have a section of the same kind, type, name and length.
   */
  public void parent(long lengthBytes) {
    if (!parentHasSection() || lengthBytes <= 0 || lengthBytes > sectionLeft) {
      throw new IllegalArgumentException(
          lengthBytes
              + " bytes of "
              + ancestors.size()
              + " ancestors, section left "
              + sectionLeft);
    }
    sectionLeft -= lengthBytes;
    rawBytes += lengthBytes;
    putParent(lengthBytes);
  }

  private void putParent(long lengthBytes) {
    refers = true;
    for (long left = lengthBytes; left > 0; ) {
      long last = index.lengthBytes() - ImageFormat.EXTENT_BYTES;
      boolean more = extentCount > 0 && index.getInt(last) == Codec.PARENT.code();
      int before = more ? index.getInt(last + 4) : 0;
      int n = (int) Math.min(left, ImageFormat.MAX_PARENT_BYTES - before);
      if (more && n > 0) {
        index.putIntAt(last + 4, before + n);
      } else {
        n = (int) Math.min(left, ImageFormat.MAX_PARENT_BYTES);
        putExtent(Codec.PARENT, n, 0, 0);
      }
      left -= n;
    }
  }

  /**
   * Writes the next bytes of the section: all that remains in a direct buffer, a block at most, and
   * none of the next block. The blocks of a section are counted from its start.
   */
  public void write(ByteBuffer block) throws IOException {
    int rawLength = block.remaining();
    long at = sectionBytes - sectionLeft;
    if (!inSection
        || rawLength == 0
        || rawLength > Math.min(header.blockBytes() - at % header.blockBytes(), sectionLeft)) {
      throw new IllegalArgumentException(
          rawLength + " bytes at " + at + ", section left " + sectionLeft);
    }
    faults.reached(FaultPoint.MID_BLOCKS);
    if (output.remaining() < buffers.compressedBound) {
      flush();
    }
    long begin = encoding.nanoTime();
    long beginOnCore = encoding.coreTime();
    sectionLeft -= rawLength;
    rawBytes += rawLength;
    boolean stored = encode(block, rawLength, at);
    encoding.core().took(encoding.nanoTime() - begin, encoding.coreTime() - beginOnCore);
    if (!stored) {
      writeRaw(block);
    }
  }

  /** Names a block of zeros, or puts one compressed to the output; returns false for neither. */
  private boolean encode(ByteBuffer block, int rawLength, long at) {
    boolean zero = buffers.isZero(block);
    if (parent != null && compare(block, rawLength, at, zero)) {
      putParent(rawLength);
      block.position(block.limit());
      return true;
    }
    if (zero) {
      putExtent(Codec.ZERO, rawLength, 0, 0);
      block.position(block.limit());
      return true;
    }
    int start = block.position();
    if (codec.tries(encoding.worthOfByte()) && compress(block, start)) {
      return true;
    }
    block.limit(start + rawLength).position(start);
    return false;
  }

  /**
   * Whether the bytes are a block that the parent has; else notes what is known of it. Zeros cost
   * nothing, so they aren't worth a look.
   */
  private boolean compare(ByteBuffer block, int rawLength, long at, boolean zero) {
    int number = (int) (at / header.blockBytes());
    boolean whole =
        at % header.blockBytes() == 0
            && (rawLength == header.blockBytes() || at + rawLength == sectionBytes);
    if (zero || !whole || !comparison.hashes(number)) {
      parent.own(number);
      return false;
    }
    long begin = encoding.coreTime();
    buffers.hash.of(block);
    comparison.hashed(rawLength, encoding.coreTime() - begin);
    if (!ancestors.isEmpty() && parent.inParent() && parent.knows(number)) {
      boolean same = parent.isSame(number, buffers.hash);
      comparison.compared(same);
      if (same) {
        return true;
      }
    }
    parent.own(number, buffers.hash);
    return false;
  }

  private void writeRaw(ByteBuffer block) throws IOException {
    int rawLength = block.remaining();
    int start = block.position();
    int crc = buffers.crc(block, start, rawLength);
    block.position(start);
    long offset = flushedBytes + output.position();
    if (rawLength < ImageFormat.ALIGNED_FROM_BYTES) {
      output.put(block);
    } else {
      // Small ones are gathered, large ones are written from where they are.
      int padding = (int) (ImageFormat.aligned(offset) - offset);
      if (output.remaining() < padding) {
        flush();
      }
      output.put(buffers.zeros(padding));
      flush();
      append(block);
    }
    putExtent(Codec.RAW, rawLength, rawLength, crc);
  }

  /**
   * Puts the block compressed, or returns false, and leaves the output alone, if it isn't worth it.
   */
  private boolean compress(ByteBuffer block, int start) {
    int rawLength = block.limit() - start;
    int at = output.position();
    int from = at + ImageFormat.RAW_CRC_BYTES;
    long begin = encoding.coreTime();
    int compressed =
        ImageFormat.RAW_CRC_BYTES
            + buffers.compressor.compress(
                block, start, rawLength, output, from, output.capacity() - from);
    boolean worth = compressed <= rawLength - Math.max(1, rawLength / LEAST_SAVING);
    int storedCrc = 0;
    if (worth) {
      output.limit(output.capacity());
      output.putInt(at, buffers.crc(block, start, rawLength));
      storedCrc = buffers.crc(output, at, compressed);
    }
    long nanos = encoding.coreTime() - begin;
    codec.tried(rawLength, worth ? compressed : rawLength, nanos, encoding.worthOfByte());
    output.limit(output.capacity()).position(worth ? at + compressed : at);
    if (worth) {
      block.position(block.limit());
      putExtent(Codec.LZ4, rawLength, compressed, storedCrc);
    }
    return worth;
  }

  private void putExtent(Codec codec, int rawLength, int storedLength, int storedCrc) {
    index.putInt(codec.code()).putInt(rawLength).putInt(storedLength).putInt(storedCrc);
    extentCount++;
  }

  /** Ends the section; all its bytes must have been written. */
  public void endSection() {
    if (!inSection || sectionLeft != 0) {
      throw new IllegalStateException("section ended with " + sectionLeft + " bytes missing");
    }
    index.putLongAt(sectionAt + 8, extentCount);
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
    index.putIntAt(8, sectionCount);
    if (refers) {
      index.putIntAt(12, ancestors.size());
      for (Ancestor ancestor : ancestors) {
        index.putLong(ancestor.epoch().epoch()).putLong(ancestor.lengthBytes());
        index.putLong(ancestor.digest());
      }
    }
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

  /** The images that it takes bytes from, once finished; none if it has taken nothing. */
  public List<Ancestor> ancestors() {
    return refers ? ancestors : List.of();
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

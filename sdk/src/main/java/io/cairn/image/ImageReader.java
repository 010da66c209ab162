// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.zip.CRC32C;

/**
 * Reads an image; the mirror of {@link ImageWriter}. Trusts nothing: each field is checked before
 * it is used, so that a damaged file ends in a {@link CorruptImageException}, a sound one of
 * something else in a {@link ForeignImageException}.
 *
 * <p>{@link #open} reads and checks header, index and footer; blocks are checked as they are read.
 * One thread at a time.
 */
public final class ImageReader implements Closeable {
  private static final String TRUNCATED = "file truncated, or not an image?";
  static final String DAMAGED = "damaged on disk?";
  static final String INCONSISTENT = "written by a faulty program?";

  private final Path file;
  private final InputFile in;
  private final CRC32C crc = new CRC32C();
  private final MessageDigest sha = ImageFormat.sha256();
  private final List<Section> sections = new ArrayList<>();
  private final List<Ancestor> ancestors = new ArrayList<>();

  private ImageHeader header;
  private int headerBytes;
  private long lengthBytes;
  private long indexOffset;
  private OffHeap index;
  private long digest;

  private BlockDecoder decoder;

  private ImageReader(Path file, InputFile in) {
    this.file = file;
    this.in = in;
  }

  /** Opens an image and checks its header, index and footer. */
  public static ImageReader open(FileOperations files, Path file) throws IOException {
    ImageReader reader = new ImageReader(file, files.open(file));
    try {
      reader.begin();
      return reader;
    } catch (Throwable e) {
      reader.close();
      throw e;
    }
  }

  private void begin() throws IOException {
    lengthBytes = in.lengthBytes();
    if (lengthBytes < ImageFormat.HEADER_MIN_BYTES + ImageFormat.FOOTER_BYTES) {
      throw corrupt(0, "file length", lengthBytes, "an image", TRUNCATED);
    }
    byte[] head = readHeader();
    header = decodeHeader(head);
    byte[] footer = readIndex();
    sha.update(head);
    digestIndex();
    sha.update(footer);
    digest = ImageFormat.firstEightBytes(sha);
    decodeIndex();
  }

  private byte[] readHeader() throws IOException {
    ByteBuffer start = ImageFormat.littleEndian(new byte[ImageFormat.HEADER_MIN_BYTES]);
    FileOperations.readFully(in, file, start, 0);
    if (start.getLong(0) != ImageFormat.HEADER_MAGIC) {
      throw corrupt(0, "magic", start.getLong(0), ImageFormat.HEADER_MAGIC, "not an image?");
    }
    headerBytes = start.getInt(12);
    if (headerBytes < ImageFormat.HEADER_MIN_BYTES
        || headerBytes > ImageFormat.HEADER_MAX_BYTES
        || headerBytes > lengthBytes - ImageFormat.FOOTER_BYTES) {
      throw corrupt(12, "header length", headerBytes, "less than the file's", DAMAGED);
    }
    byte[] head = new byte[headerBytes];
    ByteBuffer buffer = ImageFormat.littleEndian(head);
    FileOperations.readFully(in, file, buffer, 0);
    int expected = crcOf(head, headerBytes - 4);
    int found = buffer.getInt(headerBytes - 4);
    if (found != expected) {
      throw corrupt(headerBytes - 4, "header checksum", found, expected, DAMAGED);
    }
    return head;
  }

  /** Decodes a header whose checksum is right. */
  private ImageHeader decodeHeader(byte[] head) throws IOException {
    ByteBuffer buffer = ImageFormat.littleEndian(head).position(8);
    int version = buffer.getInt();
    if (version != ImageFormat.VERSION) {
      throw new ForeignImageException(file, "format version", version, ImageFormat.VERSION);
    }
    buffer.getInt();
    if (head.length < ImageFormat.HEADER_FIXED_BYTES) {
      throw corrupt(12, "header length", head.length, ImageFormat.HEADER_FIXED_BYTES, INCONSISTENT);
    }
    int mark = buffer.getInt();
    if (mark == Integer.reverseBytes(ImageFormat.BYTE_ORDER_MARK)) {
      throw new ForeignImageException(
          file, "byte order", ByteOrder.BIG_ENDIAN, ByteOrder.LITTLE_ENDIAN);
    }
    requireField(mark == ImageFormat.BYTE_ORDER_MARK, 16, "byte order mark", mark, "0x01020304");
    int flags = buffer.getInt();
    if (flags != 0) {
      throw new ForeignImageException(file, "set of flags", ImageFormat.hex(flags), 0);
    }
    long pageBytes = buffer.getLong();
    UUID uuid = new UUID(buffer.getLong(), buffer.getLong());
    long generation = buffer.getLong();
    long epoch = buffer.getLong();
    long safePoint = buffer.getLong();
    int rank = buffer.getInt();
    int worldSize = buffer.getInt();
    int blockBytes = buffer.getInt();
    int jobIdLength = buffer.getInt();
    requireField(pageBytes > 0, 24, "page size", pageBytes, "above 0");
    requireField(generation >= 0, 48, "generation", generation, "0 or more");
    requireField(epoch >= 0, 56, "epoch", epoch, "0 or more");
    requireField(safePoint >= 0, 64, "safe point", safePoint, "0 or more");
    requireField(worldSize > 0, 76, "world size", worldSize, "above 0");
    requireField(rank >= 0 && rank < worldSize, 72, "rank", rank, "below " + worldSize);
    requireField(
        blockBytes >= ImageHeader.MIN_BLOCK_BYTES && blockBytes <= ImageHeader.MAX_BLOCK_BYTES,
        80,
        "block size",
        blockBytes,
        ImageHeader.MIN_BLOCK_BYTES + " to " + ImageHeader.MAX_BLOCK_BYTES);
    requireField(
        head.length
            == ImageFormat.aligned(
                ImageFormat.HEADER_FIXED_BYTES + Math.max(0, (long) jobIdLength)),
        12,
        "header length",
        head.length,
        "as the job id's length, " + jobIdLength + ", makes it");
    requireField(jobIdLength > 0, 84, "job id length", jobIdLength, "above 0");
    for (int at = 88 + jobIdLength; at < head.length - 4; at++) {
      requireField(head[at] == 0, at, "padding of the header", head[at], 0);
    }
    String jobId = decodeUtf8(buffer.slice(buffer.position(), jobIdLength), 88, "job id");
    requireField(JobIdentity.isJobId(jobId), 88, "job id", jobId, "a job id");
    JobIdentity job = new JobIdentity(jobId, uuid, worldSize, pageBytes);
    return new ImageHeader(job, new EpochId(generation, epoch), safePoint, rank, blockBytes);
  }

  private byte[] readIndex() throws IOException {
    byte[] footer = new byte[ImageFormat.FOOTER_BYTES];
    ByteBuffer buffer = ImageFormat.littleEndian(footer);
    long footerOffset = lengthBytes - ImageFormat.FOOTER_BYTES;
    FileOperations.readFully(in, file, buffer, footerOffset);
    long magic = buffer.getLong(32);
    if (magic != ImageFormat.FOOTER_MAGIC) {
      throw corrupt(footerOffset + 32, "footer magic", magic, ImageFormat.FOOTER_MAGIC, TRUNCATED);
    }
    int footerCrc = crcOf(footer, 28);
    if (buffer.getInt(28) != footerCrc) {
      throw corrupt(footerOffset + 28, "footer checksum", buffer.getInt(28), footerCrc, DAMAGED);
    }
    if (buffer.getLong(16) != lengthBytes) {
      throw corrupt(footerOffset + 16, "total length", buffer.getLong(16), lengthBytes, TRUNCATED);
    }
    indexOffset = buffer.getLong(0);
    long indexLength = buffer.getLong(8);
    requireField(
        indexOffset >= headerBytes && indexOffset <= footerOffset,
        footerOffset,
        "index offset",
        indexOffset,
        headerBytes + " to " + footerOffset);
    requireField(
        indexLength == footerOffset - indexOffset,
        footerOffset + 8,
        "index length",
        indexLength,
        footerOffset - indexOffset);
    requireField(
        indexLength >= ImageFormat.INDEX_HEAD_BYTES,
        footerOffset + 8,
        "index length",
        indexLength,
        ImageFormat.INDEX_HEAD_BYTES + " or more");
    loadIndex(indexLength, buffer.getInt(24));
    return footer;
  }

  /**
   * The index is as long as the file says and not longer than the file, so its memory may be asked
   * for.
   */
  private void loadIndex(long indexLength, int expectedCrc) throws IOException {
    index = new OffHeap(indexLength);
    ByteBuffer piece = ByteBuffer.allocate((int) Math.min(indexLength, 64 << 10));
    crc.reset();
    for (long at = 0; at < indexLength; ) {
      piece.clear().limit((int) Math.min(piece.capacity(), indexLength - at));
      FileOperations.readFully(in, file, piece, indexOffset + at);
      crc.update(piece.flip());
      at += piece.limit();
      index.put(piece.rewind());
    }
    if ((int) crc.getValue() != expectedCrc) {
      throw corrupt(indexOffset, "index checksum", (int) crc.getValue(), expectedCrc, DAMAGED);
    }
  }

  private void digestIndex() {
    ByteBuffer piece = ByteBuffer.allocate(64 << 10);
    for (long at = 0; at < index.lengthBytes(); ) {
      at += index.copyTo(at, piece.clear());
      sha.update(piece.flip());
    }
  }

  /**
   * Decodes an index whose checksum is right, and checks that the payloads fill the file up to it.
   */
  private void decodeIndex() throws IOException {
    long magic = index.getLong(0);
    if (magic != ImageFormat.INDEX_MAGIC) {
      throw corrupt(indexOffset, "index magic", magic, ImageFormat.INDEX_MAGIC, INCONSISTENT);
    }
    int sectionCount = index.getInt(8);
    int ancestorCount = index.getInt(12);
    requireField(
        ancestorCount >= 0 && ancestorCount <= ImageFormat.MAX_ANCESTORS,
        indexOffset + 12,
        "number of ancestors",
        ancestorCount,
        "0 to " + ImageFormat.MAX_ANCESTORS);
    long at = ImageFormat.INDEX_HEAD_BYTES;
    long offset = headerBytes;
    Set<String> names = new HashSet<>();
    for (int i = 0; i < sectionCount; i++) {
      Section section = decodeSection(at, offset);
      at = section.firstExtent();
      requireField(
          names.add(section.kind() + " " + section.name()),
          indexOffset + at,
          "section",
          section.kind() + " \"" + section.name() + "\" twice",
          "once");
      long from = 0;
      for (long e = 0; e < section.extentCount(); e++) {
        offset = checkExtent(section, at, from, offset, ancestorCount);
        from += index.getInt(at + 4);
        at += ImageFormat.EXTENT_BYTES;
      }
      requireField(
          from == section.lengthBytes(),
          indexOffset + at,
          "end of the section's extents",
          from,
          section.lengthBytes());
      sections.add(section);
    }
    requireField(
        sectionCount >= 0
            && index.lengthBytes() - at == (long) ancestorCount * ImageFormat.ANCESTOR_BYTES,
        indexOffset + 8,
        "section count",
        sectionCount,
        "as many as fill the index");
    requireField(offset == indexOffset, offset, "end of the payloads", offset, indexOffset);
    decodeAncestors(at, ancestorCount);
  }

  private void decodeAncestors(long first, int count) throws IOException {
    long youngest = header.epoch().epoch();
    for (int i = 0; i < count; i++) {
      long at = first + (long) i * ImageFormat.ANCESTOR_BYTES;
      long epoch = index.getLong(at);
      long length = index.getLong(at + 8);
      requireField(
          epoch >= 0 && epoch < youngest,
          indexOffset + at,
          "ancestor's epoch",
          epoch,
          "below " + youngest);
      requireField(length > 0, indexOffset + at + 8, "ancestor's length", length, "above 0");
      ancestors.add(
          new Ancestor(
              new EpochId(header.epoch().generation(), epoch), length, index.getLong(at + 16)));
      youngest = epoch;
    }
  }

  private Section decodeSection(long at, long payloadOffset) throws IOException {
    requireIndexBytes(at, ImageFormat.SECTION_FIXED_BYTES);
    SectionKind kind = SectionKind.of(index.getInt(at));
    requireField(kind != null, indexOffset + at, "section kind", index.getInt(at), "1 to 5");
    ElementType type = ElementType.of(index.getInt(at + 4));
    requireField(
        type != null && (kind == SectionKind.ARRAY) == (type != ElementType.NONE),
        indexOffset + at + 4,
        "element type",
        index.getInt(at + 4),
        "1 to 8 for an array, else 0");
    int nameLength = index.getInt(at + 8);
    requireField(
        kind.named() ? nameLength > 0 && nameLength <= ImageFormat.MAX_NAME_BYTES : nameLength == 0,
        indexOffset + at + 8,
        "name length",
        nameLength,
        kind.named() ? "1 to " + ImageFormat.MAX_NAME_BYTES : "0");
    requireIndexBytes(at, (long) ImageFormat.SECTION_FIXED_BYTES + nameLength);
    String name =
        decodeUtf8(ByteBuffer.wrap(index.get(at + 12, nameLength)), indexOffset + at + 12, "name");
    long next = at + 12 + nameLength;
    long length = index.getLong(next);
    requireField(
        length >= 0 && length % type.elementBytes() == 0,
        indexOffset + next,
        "section length",
        length,
        "0 or more, whole elements");
    long extentCount = index.getLong(next + 8);
    long firstExtent = next + 16;
    requireField(
        extentCount >= 0
            && extentCount <= (index.lengthBytes() - firstExtent) / ImageFormat.EXTENT_BYTES,
        indexOffset + next + 8,
        "extent count",
        extentCount,
        "what the index holds");
    return new Section(kind, type, name, length, extentCount, firstExtent, payloadOffset);
  }

  /** Checks an extent; returns where its payload ends. */
  private long checkExtent(Section section, long at, long from, long payloadEnd, int ancestorCount)
      throws IOException {
    Codec codec = Codec.of(index.getInt(at));
    int length = index.getInt(at + 4);
    int storedLength = index.getInt(at + 8);
    long where = indexOffset + at;
    requireField(codec != null, where, "codec", index.getInt(at), "0 to 3");
    long most = section.lengthBytes() - from;
    if (codec != Codec.PARENT) {
      most = Math.min(most, header.blockBytes() - from % header.blockBytes());
    }
    requireField(
        length > 0 && length <= most && length % section.type().elementBytes() == 0,
        where + 4,
        codec + " extent's length",
        length,
        "whole elements, up to " + most);
    boolean sound =
        switch (codec) {
          case ZERO, PARENT -> storedLength == 0 && index.getInt(at + 12) == 0;
          case RAW -> storedLength == length;
          case LZ4 -> storedLength > ImageFormat.RAW_CRC_BYTES && storedLength < length;
        };
    requireField(sound, where + 8, codec + " extent's stored length", storedLength, "as " + codec);
    requireField(
        codec != Codec.PARENT || (ancestorCount > 0 && section.kind().named()),
        where,
        "extent of a " + section.kind(),
        codec,
        ancestorCount == 0 ? "none of an image without ancestors" : "stored");
    long offset = ImageFormat.payloadOffset(payloadEnd, codec, storedLength);
    requireField(
        offset <= indexOffset && storedLength <= indexOffset - offset,
        where + 8,
        "stored length",
        storedLength,
        "up to the index at " + indexOffset);
    return offset + storedLength;
  }

  private void requireIndexBytes(long at, long bytes) throws CorruptImageException {
    requireField(
        bytes <= index.lengthBytes() - at,
        indexOffset + at,
        "index",
        index.lengthBytes() - at + " bytes left",
        bytes + " bytes");
  }

  /** What the image says of itself. */
  public ImageHeader header() {
    return header;
  }

  /** Its length in bytes. */
  public long lengthBytes() {
    return lengthBytes;
  }

  /** What its blocks take of that. */
  public long storedBytes() {
    return indexOffset - headerBytes;
  }

  /** Its digest, see the package's description. */
  public long digest() {
    return digest;
  }

  /** All sections, as they were written. */
  public List<Section> sections() {
    return Collections.unmodifiableList(sections);
  }

  /** The section of that kind and name. */
  public Optional<Section> find(SectionKind kind, String name) {
    return sections.stream().filter(s -> s.kind() == kind && s.name().equals(name)).findFirst();
  }

  /**
   * Checks that the image belongs where it is used.
   *
   * @throws ForeignImageException with both values if it doesn't
   */
  public void requireIdentity(JobIdentity job, EpochId epoch, int rank)
      throws ForeignImageException {
    requireSame("job", header.job().jobId(), job.jobId());
    requireSame("job of the same name", header.job().jobUuid(), job.jobUuid());
    requireSame("world size", header.job().worldSize(), job.worldSize());
    requireSame("page size", header.job().pageBytes(), job.pageBytes());
    requireSame("epoch", header.epoch(), epoch);
    requireSame("rank", header.rank(), rank);
  }

  /**
   * Checks that it is the image that a record names.
   *
   * @throws ForeignImageException with both lengths and digests if it isn't
   */
  public void requireRecorded(EpochRecord.Image recorded) throws ForeignImageException {
    if (lengthBytes != recorded.lengthBytes() || digest != recorded.digest()) {
      throw new ForeignImageException(
          file,
          "image than the one recorded, by length and digest",
          describe(lengthBytes, digest),
          describe(recorded.lengthBytes(), recorded.digest()));
    }
  }

  private static String describe(long lengthBytes, long digest) {
    return lengthBytes + " bytes, " + String.format("0x%016x", digest);
  }

  private void requireSame(String what, Object found, Object expected)
      throws ForeignImageException {
    if (!found.equals(expected)) {
      throw new ForeignImageException(file, what, found, expected);
    }
  }

  /** Images that it takes bytes from: its parent, the parent's parent, and so on; none if full. */
  public List<Ancestor> ancestors() {
    return Collections.unmodifiableList(ancestors);
  }

  /**
   * Reads a section that takes nothing from other images; of others see {@link ImageChain}. What
   * the sink got before an exception is not to be used.
   */
  public void read(Section section, BlockSink sink) throws IOException {
    ExtentCursor extents = extents(section);
    while (extents.next()) {
      ByteBuffer window = sink.window(extents.from(), extents.lengthBytes());
      decode(extents, window);
      sink.filled(extents.from(), window);
    }
  }

  /** The file that it is in. */
  Path file() {
    return file;
  }

  /** The extents of a section, from its start. */
  ExtentCursor extents(Section section) {
    return new ExtentCursor(index, section);
  }

  /** Reads a stored extent into a window of its length; for the calling thread's own decoder. */
  void decode(BlockDecoder with, ExtentCursor extent, ByteBuffer window) throws IOException {
    with.read(file, in, extent, window);
  }

  private void decode(ExtentCursor extent, ByteBuffer window) throws IOException {
    if (decoder == null) {
      decoder = new BlockDecoder(header.blockBytes());
    }
    decoder.read(file, in, extent, window);
  }

  /**
   * How many extents have a codec, and what they take in the file.
   *
   * @param count number of extents
   * @param storedBytes their stored bytes
   * @param rawBytes what they are decoded
   */
  public record Blocks(long count, long storedBytes, long rawBytes) {}

  /** The extents of a section by codec; codecs that none of them has are left out. */
  public Map<Codec, Blocks> blocks(Section section) {
    Map<Codec, Blocks> blocks = new EnumMap<>(Codec.class);
    ExtentCursor extents = extents(section);
    while (extents.next()) {
      blocks.merge(
          extents.codec(),
          new Blocks(1, extents.storedLength(), extents.lengthBytes()),
          (x, y) ->
              new Blocks(
                  x.count() + y.count(),
                  x.storedBytes() + y.storedBytes(),
                  x.rawBytes() + y.rawBytes()));
    }
    return blocks;
  }

  /** Reads all that is in this file and checks all checksums. */
  public void verify() throws IOException {
    ByteBuffer scratch = scratch();
    for (Section section : sections) {
      ExtentCursor extents = extents(section);
      while (extents.next()) {
        verify(extents, scratch);
      }
    }
  }

  /** What {@link #examine} finds. */
  public interface Examiner {

    /** A block was read, damaged or not; its stored bytes. */
    void read(long storedBytes);

    /** A block is damaged. */
    void damaged(Section section, CorruptImageException damage);
  }

  /**
   * Reads everything and checks all checksums, as {@link #verify} does, but tells of each damaged
   * block and goes on behind it.
   *
   * @throws IOException if the file can't be read
   */
  public void examine(Examiner examiner) throws IOException {
    ByteBuffer scratch = scratch();
    for (Section section : sections) {
      ExtentCursor extents = extents(section);
      while (extents.next()) {
        try {
          verify(extents, scratch);
        } catch (CorruptImageException e) {
          examiner.damaged(section, e);
        }
        examiner.read(extents.payloadOffset() - extents.paddingOffset() + extents.storedLength());
      }
    }
  }

  private ByteBuffer scratch() {
    return ByteBuffer.allocateDirect(header.blockBytes());
  }

  private void verify(ExtentCursor extent, ByteBuffer scratch) throws IOException {
    if (extent.codec() == Codec.PARENT) {
      return;
    }
    int padding = (int) (extent.payloadOffset() - extent.paddingOffset());
    if (padding > 0) {
      FileOperations.readFully(in, file, scratch.clear().limit(padding), extent.paddingOffset());
      for (int i = 0; i < padding; i++) {
        requireField(
            scratch.get(i) == 0,
            extent.paddingOffset() + i,
            "padding before a block",
            scratch.get(i),
            0);
      }
    }
    decode(extent, scratch.clear().limit(extent.lengthBytes()));
  }

  /** The exception for a section whose bytes are whole and make no sense, {@code at} in it. */
  CorruptImageException malformed(
      Section section, long at, String what, Object found, Object expected) {
    long offset = indexOffset;
    if (section.lengthBytes() > 0) {
      ExtentCursor extents = extents(section);
      extents.seek(Math.min(at, section.lengthBytes() - 1));
      offset = extents.payloadOffset();
    }
    return corrupt(
        offset, what + ", byte " + at + " of " + section.kind(), found, expected, INCONSISTENT);
  }

  /** The exception for an ancestor that isn't what the index says. */
  CorruptImageException badAncestor(int number, String what, String found, String expected) {
    long first = index.lengthBytes() - (long) ancestors.size() * ImageFormat.ANCESTOR_BYTES;
    return corrupt(
        indexOffset + first + (long) number * ImageFormat.ANCESTOR_BYTES,
        what,
        found,
        expected,
        "the ancestor was lost, damaged or replaced?");
  }

  @Override
  public void close() throws IOException {
    if (index != null) {
      index.close();
      index = null;
    }
    in.close();
  }

  private String decodeUtf8(ByteBuffer bytes, long offset, String what)
      throws CorruptImageException {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
    } catch (CharacterCodingException e) {
      CorruptImageException corrupt = corrupt(offset, what, e.toString(), "UTF-8", INCONSISTENT);
      corrupt.initCause(e);
      throw corrupt;
    }
  }

  private static int crcOf(byte[] bytes, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, length);
    return (int) crc.getValue();
  }

  private void requireField(boolean sound, long offset, String what, Object found, Object expected)
      throws CorruptImageException {
    if (!sound) {
      throw corrupt(offset, what, found, expected, INCONSISTENT);
    }
  }

  private CorruptImageException corrupt(
      long offset, String what, Object found, Object expected, String cause) {
    return new CorruptImageException(
        file, offset, what, show(what, found), show(what, expected), cause);
  }

  private static String show(String what, Object value) {
    if (value instanceof Integer number && what.endsWith("checksum")) {
      return ImageFormat.hex(number);
    }
    return value instanceof Long number && what.endsWith("magic")
        ? ImageFormat.hex(number)
        : value.toString();
  }
}

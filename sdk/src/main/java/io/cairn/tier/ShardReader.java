// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.image.CorruptImageException;
import io.cairn.image.EpochId;
import io.cairn.image.FileOperations;
import io.cairn.image.ForeignImageException;
import io.cairn.image.InputFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.UUID;

/** Reads a parity shard and trusts nothing of it. Needs no launch. */
public final class ShardReader implements Closeable {
  private static final String DAMAGED = "damaged on disk, or truncated?";

  private final Path file;
  private final InputFile in;
  private ShardId id;
  private int pieceBytes;
  private long shardBytes;
  private ByteBuffer index;
  private long digest;

  private ShardReader(Path file, InputFile in) {
    this.file = file;
    this.in = in;
  }

  /** Opens a shard and checks everything but its pieces. */
  public static ShardReader open(FileOperations files, Path file) throws IOException {
    InputFile in = files.open(file);
    try {
      ShardReader reader = new ShardReader(file, in);
      reader.readFrame();
      return reader;
    } catch (Throwable e) {
      in.close();
      throw e;
    }
  }

  private void readFrame() throws IOException {
    long length = in.lengthBytes();
    long least = ShardFormat.HEADER_BYTES + ShardFormat.FOOTER_BYTES;
    require(length >= least, 0, "file length", length, "at least " + least);
    ByteBuffer header = read(0, ShardFormat.HEADER_BYTES);
    require(
        header.getInt(0) == ShardFormat.MAGIC,
        0,
        "magic",
        hex(header.getInt(0)),
        hex(ShardFormat.MAGIC));
    int version = header.getInt(4);
    if (version != ShardFormat.VERSION) {
      throw new ForeignImageException(file, "format version", version, ShardFormat.VERSION);
    }
    int headerCrc = ShardFormat.crc(header.duplicate().limit(ShardFormat.HEADER_BYTES - 4));
    int saved = header.getInt(ShardFormat.HEADER_BYTES - 4);
    require(saved == headerCrc, 0, "header checksum", hex(saved), hex(headerCrc));
    header.position(8);
    UUID uuid = new UUID(header.getLong(), header.getLong());
    long generation = header.getLong();
    long epoch = header.getLong();
    long by = header.getLong();
    require(generation >= 0, 24, "generation", generation, "0 or more");
    require(epoch >= 0, 32, "epoch", epoch, "0 or more");
    id =
        new ShardId(
            uuid,
            new EpochId(generation, epoch),
            by,
            header.getInt(),
            header.getInt(),
            header.getInt());
    pieceBytes = header.getInt();
    shardBytes = header.getLong();
    require(
        pieceBytes >= ShardFormat.LEAST_PIECE_BYTES && pieceBytes <= ShardFormat.MOST_PIECE_BYTES,
        60,
        "piece length",
        pieceBytes,
        ShardFormat.LEAST_PIECE_BYTES + " to " + ShardFormat.MOST_PIECE_BYTES);
    require(
        shardBytes >= 0 && shardBytes <= length - least,
        64,
        "shard length",
        shardBytes,
        "0 to " + (length - least));
    long indexBytes = length - least - shardBytes;
    require(
        indexBytes == 4L * ShardFormat.pieces(shardBytes, pieceBytes),
        ShardFormat.HEADER_BYTES + shardBytes,
        "index length",
        indexBytes,
        4L * ShardFormat.pieces(shardBytes, pieceBytes));
    readEnd(length, (int) indexBytes, headerCrc);
  }

  private void readEnd(long length, int indexBytes, int headerCrc) throws IOException {
    long footerAt = length - ShardFormat.FOOTER_BYTES;
    ByteBuffer footer = read(footerAt, ShardFormat.FOOTER_BYTES);
    require(
        footer.getInt(20) == ShardFormat.END_MAGIC,
        footerAt + 20,
        "last word",
        hex(footer.getInt(20)),
        hex(ShardFormat.END_MAGIC));
    require(footer.getLong(12) == length, footerAt + 12, "length", footer.getLong(12), length);
    long indexAt = ShardFormat.HEADER_BYTES + shardBytes;
    require(footer.getLong(0) == indexAt, footerAt, "index offset", footer.getLong(0), indexAt);
    index = read(indexAt, indexBytes);
    int indexCrc = ShardFormat.crc(index);
    require(
        footer.getInt(8) == indexCrc,
        footerAt + 8,
        "index checksum",
        hex(footer.getInt(8)),
        hex(indexCrc));
    digest = ShardFormat.digest(headerCrc, indexCrc);
  }

  private ByteBuffer read(long offset, int lengthBytes) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(lengthBytes).order(ByteOrder.LITTLE_ENDIAN);
    FileOperations.readFully(in, file, bytes, offset);
    return bytes.flip();
  }

  private void require(boolean holds, long offset, String what, Object found, Object expected)
      throws CorruptImageException {
    if (!holds) {
      throw new CorruptImageException(
          file, offset, what, found.toString(), expected.toString(), DAMAGED);
    }
  }

  private static String hex(int value) {
    return String.format("0x%08x", value);
  }

  /** Which shard it is. */
  public ShardId id() {
    return id;
  }

  /** Length of the shard, without what is around it. */
  public long shardBytes() {
    return shardBytes;
  }

  /** See {@link ShardFormat#digest}. */
  long digest() {
    return digest;
  }

  /** Checks that it is the shard that a record names. */
  public void require(ShardId expected, long expectedBytes, long expectedDigest)
      throws ForeignImageException {
    if (!id.equals(expected)) {
      throw new ForeignImageException(file, "parity shard", id, expected);
    }
    if (shardBytes != expectedBytes || digest != expectedDigest) {
      throw new ForeignImageException(
          file,
          "parity shard than the one recorded, by length and digest",
          shardBytes + " bytes, " + String.format("0x%016x", digest),
          expectedBytes + " bytes, " + String.format("0x%016x", expectedDigest));
    }
  }

  /** A shard's bytes, to be sent, from its start on; each piece is checked once more. */
  static Outflow.Source source(FileOperations files, Path file) throws IOException {
    ShardReader reader = open(files, file);
    ByteBuffer piece = ByteBuffer.allocateDirect(reader.pieceBytes).limit(0);
    return new Outflow.Source() {
      private long pieceAt = -1;

      @Override
      public void read(long offset, ByteBuffer destination) throws IOException {
        long at = offset;
        while (destination.hasRemaining()) {
          long wanted = at / reader.pieceBytes * reader.pieceBytes;
          if (wanted != pieceAt) {
            piece.clear().limit((int) Math.min(reader.pieceBytes, reader.shardBytes - wanted));
            reader.read(wanted, piece);
            pieceAt = wanted;
          }
          int from = (int) (at - pieceAt);
          int length = Math.min(destination.remaining(), piece.limit() - from);
          destination.put(piece.duplicate().limit(from + length).position(from));
          at += length;
        }
      }

      @Override
      public void close() throws IOException {
        reader.close();
      }
    };
  }

  /** Checks every piece. */
  public void verify() throws IOException {
    ByteBuffer piece = piece();
    for (long at = 0; at < shardBytes; at += pieceBytes) {
      read(at, piece.clear().limit(length(at)));
    }
  }

  private ByteBuffer piece() {
    return ByteBuffer.allocateDirect((int) Math.min(pieceBytes, shardBytes));
  }

  private int length(long at) {
    return (int) Math.min(pieceBytes, shardBytes - at);
  }

  /** What {@link #examine} finds. */
  public interface Examiner {

    /** A piece was read, damaged or not. */
    void read(long lengthBytes);

    /** A piece is damaged. */
    void damaged(CorruptImageException damage);
  }

  /**
   * Checks every piece as {@link #verify} does, but tells of each damaged one and goes on behind
   * it.
   *
   * @throws IOException if the file can't be read
   */
  public void examine(Examiner examiner) throws IOException {
    ByteBuffer piece = piece();
    for (long at = 0; at < shardBytes; at += pieceBytes) {
      try {
        read(at, piece.clear().limit(length(at)));
      } catch (CorruptImageException e) {
        examiner.damaged(e);
      }
      examiner.read(length(at));
    }
  }

  /** Fills the buffer with the piece that begins at {@code offset}, and checks it. */
  private void read(long offset, ByteBuffer destination) throws IOException {
    FileOperations.readFully(in, file, destination, ShardFormat.HEADER_BYTES + offset);
    int crc = ShardFormat.crc(destination.flip());
    int expected = index.getInt((int) (offset / pieceBytes) * 4);
    require(
        crc == expected,
        ShardFormat.HEADER_BYTES + offset,
        "checksum of a piece",
        hex(crc),
        hex(expected));
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}

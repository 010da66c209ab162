// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.image.FileOperations;
import io.cairn.image.OutputFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;

/** Writes a parity shard, piece by piece. */
final class ShardWriter implements PieceSink, Closeable {
  private final Path file;
  private final OutputFile out;
  private final long shardBytes;
  private final ByteBuffer index;
  private final int headerCrc;
  private long written;
  private long digest;

  /**
   * Creates the file.
   *
   * @param shardBytes how long the shard is
   * @param pieceBytes how long each piece is, but for the last
   */
  ShardWriter(FileOperations files, Path file, ShardId id, long shardBytes, int pieceBytes)
      throws IOException {
    this.file = file;
    this.shardBytes = shardBytes;
    index = little(4 * ShardFormat.pieces(shardBytes, pieceBytes));
    ByteBuffer header =
        little(ShardFormat.HEADER_BYTES)
            .putInt(ShardFormat.MAGIC)
            .putInt(ShardFormat.VERSION)
            .putLong(id.jobUuid().getMostSignificantBits())
            .putLong(id.jobUuid().getLeastSignificantBits())
            .putLong(id.epoch().generation())
            .putLong(id.epoch().epoch())
            .putLong(id.encodedBy())
            .putInt(id.set())
            .putInt(id.stripe())
            .putInt(id.row())
            .putInt(pieceBytes)
            .putLong(shardBytes)
            .putInt(0);
    headerCrc = ShardFormat.crc(header.flip());
    header.limit(ShardFormat.HEADER_BYTES).position(header.limit());
    out = new GradualSync(files.create(file));
    try {
      write(header.putInt(ShardFormat.HEADER_BYTES - 4, headerCrc).position(0));
    } catch (Throwable e) {
      out.close();
      throw e;
    }
  }

  private static ByteBuffer little(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public void piece(ByteBuffer piece) throws IOException {
    index.putInt(ShardFormat.crc(piece));
    written += piece.remaining();
    write(piece.duplicate());
  }

  @Override
  public void finish() throws IOException {
    if (written != shardBytes) {
      throw new AssertionError(written + " of " + shardBytes + " bytes of " + file);
    }
    int indexCrc = ShardFormat.crc(index.flip());
    write(index);
    write(
        little(ShardFormat.FOOTER_BYTES)
            .putLong(ShardFormat.HEADER_BYTES + shardBytes)
            .putInt(indexCrc)
            .putLong(lengthBytes())
            .putInt(ShardFormat.END_MAGIC)
            .flip());
    try {
      out.force();
    } catch (IOException e) {
      throw FileOperations.failed(file, "sync", e);
    }
    digest = ShardFormat.digest(headerCrc, indexCrc);
  }

  private void write(ByteBuffer bytes) throws IOException {
    try {
      FileOperations.writeFully(out, bytes);
    } catch (IOException e) {
      throw FileOperations.failed(file, "write", e);
    }
  }

  /** Length of the whole file. */
  long lengthBytes() {
    return ShardFormat.HEADER_BYTES + shardBytes + index.capacity() + ShardFormat.FOOTER_BYTES;
  }

  /** The finished shard's digest. */
  long digest() {
    return digest;
  }

  @Override
  public void close() throws IOException {
    out.close();
  }
}

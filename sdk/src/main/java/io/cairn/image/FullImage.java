// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import java.util.zip.CRC32C;

/**
 * Writes what a chain comes to as one image that needs no other, block by block: memory is a few
 * blocks, one more for each image of the chain, and the indexes, however much there is.
 */
public final class FullImage {
  private FullImage() {}

  /**
   * Writes the image, syncs it, and reads it back: what is in the file then is what the chain gave,
   * byte for byte.
   *
   * @param chain read once, forward, with all its checksums
   * @param file must not exist
   * @param epoch what the new image is part of; its safe point stays the chain's
   * @param buffers for blocks of the chain's size
   * @param progress told of bytes as they are written, and again as they are read back
   * @return the image, as a record names it
   * @throws CorruptImageException if the chain is damaged, or the new image isn't what was written
   */
  public static EpochRecord.Image write(
      FileOperations files,
      ImageChain chain,
      Path file,
      EpochId epoch,
      WriteBuffers buffers,
      FaultHook faults,
      LongConsumer progress)
      throws IOException {
    ImageHeader old = chain.newest().header();
    ImageHeader header =
        new ImageHeader(old.job(), epoch, old.safePoint(), old.rank(), old.blockBytes());
    ByteBuffer block = ByteBuffer.allocateDirect(old.blockBytes());
    List<Integer> written = new ArrayList<>();
    EpochRecord.Image image;
    try (ImageWriter writer = ImageWriter.create(files, file, header, buffers, faults)) {
      for (Section section : chain.newest().sections()) {
        written.add(copy(chain, section, writer, block, progress));
      }
      writer.finish();
      image = new EpochRecord.Image(old.rank(), writer.lengthBytes(), writer.digest());
    }
    try (ImageReader reader = ImageReader.open(files, file)) {
      reader.requireRecorded(image);
      requireWritten(reader, written, block, progress);
    }
    return image;
  }

  /** Returns the checksum of the section's bytes. */
  private static int copy(
      ImageChain chain,
      Section section,
      ImageWriter writer,
      ByteBuffer block,
      LongConsumer progress)
      throws IOException {
    CRC32C crc = new CRC32C();
    ImageChain.Walker walker = chain.walker(section);
    writer.beginSection(section.kind(), section.type(), section.name(), section.lengthBytes());
    for (long from = 0; from < section.lengthBytes(); from += block.capacity()) {
      long begin = from;
      int length = (int) Math.min(block.capacity(), section.lengthBytes() - from);
      // What the chain has in several pieces is one block of the new image.
      walker.read(
          begin,
          begin + length,
          (offset, n) -> {
            int at = (int) (offset - begin);
            return block.limit(at + n).position(at);
          });
      crc.update(block.limit(length).position(0));
      writer.write(block.position(0));
      progress.accept(length);
    }
    writer.endSection();
    return (int) crc.getValue();
  }

  /** The sections of the file have the bytes that were written, by their checksums. */
  static void requireWritten(
      ImageReader image, List<Integer> written, ByteBuffer scratch, LongConsumer progress)
      throws IOException {
    for (int i = 0; i < image.sections().size(); i++) {
      Section section = image.sections().get(i);
      CRC32C crc = new CRC32C();
      image.read(
          section,
          BlockSink.through(
              scratch,
              (offset, window) -> {
                progress.accept(window.remaining());
                crc.update(window);
              }));
      if ((int) crc.getValue() != written.get(i)) {
        throw image.malformed(
            section,
            0,
            "checksum of all bytes",
            ImageFormat.hex((int) crc.getValue()),
            ImageFormat.hex(written.get(i)));
      }
    }
  }
}

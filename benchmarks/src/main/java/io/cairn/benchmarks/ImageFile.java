// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.image.DirectMode;
import io.cairn.image.ElementType;
import io.cairn.image.EncodeMode;
import io.cairn.image.Encoding;
import io.cairn.image.EpochId;
import io.cairn.image.FaultHook;
import io.cairn.image.ImageHeader;
import io.cairn.image.ImageWriter;
import io.cairn.image.JobIdentity;
import io.cairn.image.RateLimit;
import io.cairn.image.SectionKind;
import io.cairn.image.SystemFiles;
import io.cairn.image.WriteBuffers;
import io.cairn.natives.NativeFileSpace;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.UUID;

/** Images of one region, written from its memory, without a capture. */
final class ImageFile implements AutoCloseable {

  private static final int BLOCK_BYTES = ImageHeader.DEFAULT_BLOCK_BYTES;

  final Memory region;
  final Path directory;
  final Path file;
  final SystemFiles files = new SystemFiles(new NativeFileSpace());
  private final WriteBuffers buffers;
  private final ByteBuffer[] blocks;

  ImageFile(long lengthBytes, Content content, EncodeMode encode, DirectMode direct)
      throws IOException {
    Quiet.ensure();
    region = new Memory(lengthBytes);
    region.fill(content, 1);
    directory = Directories.create();
    file = directory.resolve("image");
    buffers =
        new WriteBuffers(
            BLOCK_BYTES, new Encoding(encode), RateLimit.NONE, direct, System.out::println, null);
    blocks = new ByteBuffer[(int) ((lengthBytes + BLOCK_BYTES - 1) / BLOCK_BYTES)];
    for (int i = 0; i < blocks.length; i++) {
      long at = (long) i * BLOCK_BYTES;
      blocks[i] =
          region.pages.view(region.address + at, (int) Math.min(BLOCK_BYTES, lengthBytes - at));
    }
  }

  /** Writes and syncs; returns the image's length. */
  long write() throws IOException {
    JobIdentity job = new JobIdentity("benchmark", new UUID(1, 2), 1, region.pages.pageSizeBytes());
    ImageHeader header = new ImageHeader(job, new EpochId(1, 1), 1, 0, BLOCK_BYTES);
    try (ImageWriter writer = ImageWriter.create(files, file, header, buffers, FaultHook.NONE)) {
      writer.beginSection(SectionKind.REGION, ElementType.NONE, "region", region.lengthBytes);
      for (ByteBuffer block : blocks) {
        writer.write(block.clear());
      }
      writer.endSection();
      writer.finish();
      return writer.lengthBytes();
    }
  }

  void remove() throws IOException {
    Files.deleteIfExists(file);
  }

  @Override
  public void close() throws IOException {
    buffers.close();
    region.close();
    Directories.delete(directory);
  }
}

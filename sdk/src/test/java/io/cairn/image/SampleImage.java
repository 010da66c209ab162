// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import io.cairn.testing.MemoryFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.UUID;

/** A small image with every kind of section and every codec. */
final class SampleImage {
  static final Path FILE = Path.of("/store/job/epoch-3-7/rank-1.image");
  static final JobIdentity JOB =
      new JobIdentity("heat", UUID.fromString("00112233-4455-6677-8899-aabbccddeeff"), 4, 4096);
  static final EpochId EPOCH = new EpochId(3, 7);
  static final ImageHeader HEADER = new ImageHeader(JOB, EPOCH, 1234, 1, 64);

  private SampleImage() {}

  static byte[] bytes() throws IOException {
    MemoryFiles files = new MemoryFiles();
    try (WriteBuffers buffers = new WriteBuffers(HEADER.blockBytes());
        ImageWriter writer = ImageWriter.create(files, FILE, HEADER, buffers, FaultHook.NONE)) {
      section(writer, SectionKind.REGION, ElementType.NONE, "u", region());
      section(writer, SectionKind.REGION, ElementType.NONE, "empty", new byte[0]);
      section(writer, SectionKind.CALLBACK, ElementType.NONE, "clock", new byte[] {1, 2, 3});
      section(writer, SectionKind.ARRAY, ElementType.DOUBLE, "r", new byte[16]);
      section(writer, SectionKind.COUNTS, ElementType.NONE, "", new byte[] {9});
      section(writer, SectionKind.CHANNELS, ElementType.NONE, "", new byte[] {7, 7});
      writer.finish();
    }
    return files.get(FILE);
  }

  /** A block of zeros, one of noise, one that LZ4 shrinks, and the rest. */
  static byte[] region() {
    byte[] bytes = new byte[64 * 3 + 5];
    byte[] noise = new byte[64];
    new Random(1).nextBytes(noise);
    System.arraycopy(noise, 0, bytes, 64, 64);
    Arrays.fill(bytes, 128, bytes.length, (byte) 'x');
    return bytes;
  }

  private static void section(
      ImageWriter writer, SectionKind kind, ElementType type, String name, byte[] bytes)
      throws IOException {
    ByteBuffer direct = ByteBuffer.allocateDirect(bytes.length).put(bytes);
    writer.beginSection(kind, type, name, bytes.length);
    for (int at = 0; at < bytes.length; at += HEADER.blockBytes()) {
      writer.write(direct.limit(Math.min(bytes.length, at + HEADER.blockBytes())).position(at));
    }
    writer.endSection();
  }
}

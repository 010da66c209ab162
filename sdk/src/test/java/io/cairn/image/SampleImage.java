// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import io.cairn.testing.MemoryFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.UUID;

/** A small full image, and one that has it as its parent: every kind of section and every codec. */
final class SampleImage {
  static final Path FILE = Path.of("/store/job/epoch-3-7/rank-1.image");
  static final JobIdentity JOB =
      new JobIdentity("heat", UUID.fromString("00112233-4455-6677-8899-aabbccddeeff"), 4, 4096);
  static final EpochId EPOCH = new EpochId(3, 7);
  static final ImageHeader HEADER = new ImageHeader(JOB, EPOCH, 1234, 1, 64);
  static final Path CHILD_FILE = Path.of("/store/job/epoch-3-8/rank-1.image");
  static final ImageHeader CHILD_HEADER = new ImageHeader(JOB, new EpochId(3, 8), 1250, 1, 64);

  private SampleImage() {}

  /** Where the image of an epoch is. */
  static Path file(EpochId epoch) {
    return Path.of("/store/job", epoch.directoryName(), "rank-1.image");
  }

  static byte[] bytes() throws IOException {
    MemoryFiles files = new MemoryFiles();
    write(files);
    return files.get(FILE);
  }

  /** The sample's child: the files have it and its parent. */
  static MemoryFiles child() throws IOException {
    MemoryFiles files = new MemoryFiles();
    Ancestor parent = write(files);
    try (WriteBuffers buffers = new WriteBuffers(HEADER.blockBytes());
        ImageWriter writer =
            ImageWriter.create(
                files, CHILD_FILE, CHILD_HEADER, List.of(parent), buffers, FaultHook.NONE)) {
      writer.beginSection(SectionKind.REGION, ElementType.NONE, "u", region().length);
      writer.parent(64 + 16);
      writer.write(ByteBuffer.allocateDirect(32).put(0, new byte[] {1, 2, 3, 4}));
      writer.parent(16 + 32);
      writer.write(ByteBuffer.allocateDirect(8));
      writer.parent(24 + 5);
      writer.endSection();
      section(writer, SectionKind.REGION, ElementType.NONE, "empty", new byte[0]);
      section(writer, SectionKind.CALLBACK, ElementType.NONE, "clock", new byte[] {1, 2, 4, 5});
      writer.beginSection(SectionKind.ARRAY, ElementType.DOUBLE, "r", 16);
      writer.parent(16);
      writer.endSection();
      section(writer, SectionKind.COUNTS, ElementType.NONE, "", new byte[] {9});
      section(writer, SectionKind.CHANNELS, ElementType.NONE, "", new byte[] {7, 7});
      writer.finish();
    }
    return files;
  }

  /** What the child's region holds. */
  static byte[] childRegion() {
    byte[] bytes = region();
    Arrays.fill(bytes, 80, 112, (byte) 0);
    System.arraycopy(new byte[] {1, 2, 3, 4}, 0, bytes, 80, 4);
    Arrays.fill(bytes, 160, 168, (byte) 0);
    return bytes;
  }

  private static Ancestor write(MemoryFiles files) throws IOException {
    try (WriteBuffers buffers = new WriteBuffers(HEADER.blockBytes());
        ImageWriter writer = ImageWriter.create(files, FILE, HEADER, buffers, FaultHook.NONE)) {
      section(writer, SectionKind.REGION, ElementType.NONE, "u", region());
      section(writer, SectionKind.REGION, ElementType.NONE, "empty", new byte[0]);
      section(writer, SectionKind.CALLBACK, ElementType.NONE, "clock", new byte[] {1, 2, 3});
      section(writer, SectionKind.ARRAY, ElementType.DOUBLE, "r", new byte[16]);
      section(writer, SectionKind.COUNTS, ElementType.NONE, "", new byte[] {9});
      section(writer, SectionKind.CHANNELS, ElementType.NONE, "", new byte[] {7, 7});
      writer.finish();
      return new Ancestor(EPOCH, writer.lengthBytes(), writer.digest());
    }
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

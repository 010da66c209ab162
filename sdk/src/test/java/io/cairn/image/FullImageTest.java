// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.testing.MemoryFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a chain of images comes to, as one. */
final class FullImageTest {
  private static final int BLOCK = 256;
  private static final JobIdentity JOB = new JobIdentity("job", new UUID(1, 2), 3, 4096);
  private static final EpochId TARGET = new EpochId(6, 9);

  private final MemoryFiles files = new MemoryFiles();
  private final WriteBuffers buffers = new WriteBuffers(BLOCK);

  @AfterEach
  void close() {
    buffers.close();
  }

  private static Path file(long epoch) {
    return Path.of("/epoch-" + epoch);
  }

  private static ImageHeader header(long epoch) {
    return new ImageHeader(JOB, new EpochId(5, epoch), 40 + epoch, 1, BLOCK);
  }

  /**
   * Writes images of a section each of which takes what hasn't changed from the one before, in
   * pieces of any length.
   *
   * @return the section's bytes at last
   */
  private byte[] chain(int length, int images, Random random) throws IOException {
    byte[] bytes = new byte[length];
    List<Ancestor> ancestors = new ArrayList<>();
    for (int epoch = 0; epoch < images; epoch++) {
      try (ImageWriter writer =
          ImageWriter.create(
              files, file(epoch), header(epoch), ancestors, buffers, FaultHook.NONE)) {
        writer.beginSection(SectionKind.REGION, ElementType.NONE, "u", length);
        for (int from = 0; from < length; ) {
          int most = Math.min(BLOCK - from % BLOCK, length - from);
          int n = 1 + random.nextInt(most);
          if (epoch > 0 && random.nextInt(3) > 0) {
            n = Math.min(length - from, 1 + random.nextInt(3 * BLOCK));
            writer.parent(n);
          } else {
            byte[] piece = new byte[n];
            switch (random.nextInt(3)) {
              case 0 -> random.nextBytes(piece);
              case 1 -> Arrays.fill(piece, (byte) epoch);
              default -> {
                // zeros
              }
            }
            System.arraycopy(piece, 0, bytes, from, n);
            writer.write(ByteBuffer.allocateDirect(n).put(piece).flip());
          }
          from += n;
        }
        writer.endSection();
        section(writer, SectionKind.COUNTS, new byte[] {1, 2, (byte) epoch});
        section(writer, SectionKind.CHANNELS, new byte[0]);
        writer.finish();
        ancestors.add(
            0, new Ancestor(header(epoch).epoch(), writer.lengthBytes(), writer.digest()));
      }
    }
    return bytes;
  }

  private static void section(ImageWriter writer, SectionKind kind, byte[] bytes)
      throws IOException {
    writer.beginSection(kind, ElementType.NONE, "", bytes.length);
    if (bytes.length > 0) {
      writer.write(ByteBuffer.allocateDirect(bytes.length).put(bytes).flip());
    }
    writer.endSection();
  }

  private ImageChain open(Path newest) throws IOException {
    return ImageChain.open(files, newest, epoch -> file(epoch.epoch()));
  }

  private static byte[] read(ImageReader image, SectionKind kind, String name) throws IOException {
    Section section = image.find(kind, name).orElseThrow();
    byte[] bytes = new byte[(int) section.lengthBytes()];
    image.read(
        section,
        new BlockSink() {
          @Override
          public ByteBuffer window(long offset, int lengthBytes) {
            return ByteBuffer.allocateDirect(lengthBytes);
          }

          @Override
          public void filled(long offset, ByteBuffer window) {
            window.get(bytes, (int) offset, window.remaining());
          }
        });
    return bytes;
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void shouldHaveTheBytesOfTheChain(long seed) throws IOException {
    Random random = new Random(seed);
    int images = 1 + random.nextInt(6);
    int length = 1 + random.nextInt(20 * BLOCK);
    byte[] expected = chain(length, images, random);
    Path target = Path.of("/full");
    long[] progress = new long[1];
    EpochRecord.Image written;
    long raw;
    try (ImageChain chain = open(file(images - 1))) {
      raw = chain.newest().sections().stream().mapToLong(Section::lengthBytes).sum();
      written =
          FullImage.write(
              files, chain, target, TARGET, buffers, FaultHook.NONE, n -> progress[0] += n);
    }
    assertEquals(2 * raw, progress[0]);
    for (long epoch = 0; epoch < images; epoch++) {
      files.delete(file(epoch)); // needed no more
    }
    try (ImageReader image = ImageReader.open(files, target)) {
      image.verify();
      image.requireIdentity(JOB, TARGET, 1);
      image.requireRecorded(written);
      assertEquals(List.of(), image.ancestors());
      assertEquals(40 + images - 1, image.header().safePoint());
      assertArrayEquals(expected, read(image, SectionKind.REGION, "u"));
      assertArrayEquals(
          new byte[] {1, 2, (byte) (images - 1)}, read(image, SectionKind.COUNTS, ""));
      assertArrayEquals(new byte[0], read(image, SectionKind.CHANNELS, ""));
      // Whole blocks again, however small the pieces were.
      Map<Codec, ImageReader.Blocks> blocks =
          image.blocks(image.find(SectionKind.REGION, "u").orElseThrow());
      assertEquals(
          ImageFormat.blockCount(length, BLOCK),
          blocks.values().stream().mapToLong(ImageReader.Blocks::count).sum());
    }
  }

  /** Sections of more than 2 GiB are the normal case; nearly all of this one is zeros. */
  @Test
  void shouldWriteMoreThanAnIntCounts() throws IOException {
    int block = 4 << 20;
    long length = (3L << 30) + 5;
    ImageHeader old = new ImageHeader(JOB, new EpochId(5, 0), 1, 0, block);
    ImageHeader young = new ImageHeader(JOB, new EpochId(5, 1), 2, 0, block);
    byte[] tail = {1, 2, 3, 4, 5};
    try (WriteBuffers large = new WriteBuffers(block)) {
      Ancestor parent;
      try (ImageWriter writer = ImageWriter.create(files, file(0), old, large, FaultHook.NONE)) {
        writer.beginSection(SectionKind.REGION, ElementType.NONE, "u", length);
        ByteBuffer zeros = ByteBuffer.allocateDirect(block);
        for (long at = 0; at + block <= length; at += block) {
          writer.write(zeros.clear());
        }
        writer.write(zeros.clear().limit(tail.length));
        writer.endSection();
        section(writer, SectionKind.COUNTS, new byte[0]);
        section(writer, SectionKind.CHANNELS, new byte[0]);
        writer.finish();
        parent = new Ancestor(old.epoch(), writer.lengthBytes(), writer.digest());
      }
      try (ImageWriter writer =
          ImageWriter.create(files, file(1), young, List.of(parent), large, FaultHook.NONE)) {
        writer.beginSection(SectionKind.REGION, ElementType.NONE, "u", length);
        writer.parent(length - tail.length);
        writer.write(ByteBuffer.allocateDirect(tail.length).put(tail).flip());
        writer.endSection();
        section(writer, SectionKind.COUNTS, new byte[0]);
        section(writer, SectionKind.CHANNELS, new byte[0]);
        writer.finish();
      }
      try (ImageChain chain = open(file(1))) {
        FullImage.write(files, chain, Path.of("/full"), TARGET, large, FaultHook.NONE, n -> {});
      }
    }
    try (ImageReader image = ImageReader.open(files, Path.of("/full"))) {
      Section section = image.find(SectionKind.REGION, "u").orElseThrow();
      assertEquals(length, section.lengthBytes());
      Map<Codec, ImageReader.Blocks> blocks = image.blocks(section);
      assertEquals(length - tail.length, blocks.get(Codec.ZERO).rawBytes());
      assertEquals(tail.length, blocks.get(Codec.RAW).rawBytes());
    }
  }

  @Test
  void shouldTellWhenTheFileHasOtherBytes() throws IOException {
    chain(3 * BLOCK, 1, new Random(1));
    try (ImageReader image = ImageReader.open(files, file(0))) {
      ByteBuffer scratch = ByteBuffer.allocateDirect(BLOCK);
      CorruptImageException e =
          assertThrows(
              CorruptImageException.class,
              () -> FullImage.requireWritten(image, List.of(1, 2, 3), scratch, n -> {}));
      assertEquals(file(0), e.file());
      assertTrue(e.getMessage().contains("checksum of all bytes"), e.getMessage());
      assertTrue(e.getMessage().contains("expected 0x00000001"), e.getMessage());
    }
  }
}

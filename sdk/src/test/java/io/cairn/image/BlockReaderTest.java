// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.testing.FaultyFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Blocks read by several threads: the same bytes, and the same failure, as by one after another.
 */
@Timeout(60)
final class BlockReaderTest {
  private static final int BLOCK_BYTES = 64 << 10;
  private static final int BLOCKS = 200;
  private static final int LENGTH_BYTES = BLOCKS * BLOCK_BYTES - 1234;

  @TempDir Path directory;
  private Path file;
  private final byte[] content = new byte[LENGTH_BYTES];
  private final FaultyFiles files = new FaultyFiles();

  static Stream<ReadSettings> settings() {
    return Stream.of(DirectMode.values())
        .flatMap(mode -> Stream.of(1, 2, 5).map(threads -> new ReadSettings(threads, mode)));
  }

  /** Noise, zeros, and what LZ4 shrinks, in turns. */
  @BeforeEach
  void writeAnImage() throws IOException {
    file = directory.resolve("image");
    Random random = new Random(1);
    byte[] noise = new byte[BLOCK_BYTES];
    for (int block = 0; block < BLOCKS; block++) {
      int at = block * BLOCK_BYTES;
      int length = Math.min(BLOCK_BYTES, LENGTH_BYTES - at);
      random.nextBytes(noise);
      switch (block % 5) {
        case 0, 1 -> System.arraycopy(noise, 0, content, at, length);
        case 2 -> Arrays.fill(content, at, at + length, (byte) 0);
        default -> {
          Arrays.fill(content, at, at + length, (byte) block);
          System.arraycopy(noise, 0, content, at, length / 3);
        }
      }
    }
    try (WriteBuffers buffers = new WriteBuffers(BLOCK_BYTES);
        ImageWriter writer =
            ImageWriter.create(
                new SystemFiles(),
                file,
                new ImageHeader(SampleImage.JOB, SampleImage.EPOCH, 1, 1, BLOCK_BYTES),
                buffers,
                FaultHook.NONE)) {
      ByteBuffer all = ByteBuffer.allocateDirect(LENGTH_BYTES).put(content);
      writer.beginSection(SectionKind.REGION, ElementType.NONE, "u", LENGTH_BYTES);
      for (int at = 0; at < LENGTH_BYTES; at += BLOCK_BYTES) {
        writer.write(all.limit(Math.min(LENGTH_BYTES, at + BLOCK_BYTES)).position(at));
      }
      writer.endSection();
      writer.finish();
    }
  }

  private byte[] read(ReadSettings settings) throws IOException {
    ByteBuffer found = ByteBuffer.allocateDirect(LENGTH_BYTES);
    for (int at = 0; at < LENGTH_BYTES; at++) {
      found.put(at, (byte) 0x55);
    }
    try (ImageChain image = open()) {
      new BlockReader(files, settings, BLOCK_BYTES)
          .read(image.jobs(section -> (offset, length) -> found.slice((int) offset, length)));
    }
    byte[] bytes = new byte[LENGTH_BYTES];
    found.get(0, bytes);
    return bytes;
  }

  private ImageChain open() throws IOException {
    return ImageChain.open(new SystemFiles(), file, epoch -> null);
  }

  /** What reading block after block says. */
  private IOException serialFailure() throws IOException {
    try (ImageReader image = ImageReader.open(new SystemFiles(), file)) {
      return assertThrows(IOException.class, image::verify);
    }
  }

  private long offset(int block) throws IOException {
    try (ImageChain image = open()) {
      BlockJob job = new BlockJob();
      BlockSource source = image.jobs(section -> (at, length) -> null);
      for (int i = 0; i <= block; i++) {
        assertTrue(source.next(job));
      }
      return job.offset;
    }
  }

  private void flip(int block) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      ByteBuffer one = ByteBuffer.allocate(1);
      channel.read(one, offset(block) + 100);
      one.put(0, (byte) ~one.get(0));
      channel.write(one.flip(), offset(block) + 100);
    }
  }

  @ParameterizedTest
  @MethodSource("settings")
  void shouldBringEachByteToItsPlace(ReadSettings settings) throws IOException {
    if (settings.direct() == DirectMode.ON) {
      files.pretendDirect(4096);
    }
    assertArrayEquals(content, read(settings));
  }

  @ParameterizedTest
  @MethodSource("settings")
  void shouldTellTheFirstDamageByPlace(ReadSettings settings) throws IOException {
    files.pretendDirect(4096);
    // Noise and LZ4, near and far, so that other threads find the later ones first.
    for (int[] damaged : new int[][] {{160, 195}, {93, 160, 195}, {90, 93, 160}, {3, 90, 195}}) {
      for (int block : damaged) {
        flip(block);
      }
      IOException expected = serialFailure();
      for (int round = 0; round < 10; round++) {
        IOException found = assertThrows(CorruptImageException.class, () -> read(settings));
        assertEquals(expected.getMessage(), found.getMessage());
      }
      for (int block : damaged) {
        flip(block);
      }
    }
    assertArrayEquals(content, read(settings));
    assertFalse(
        Thread.getAllStackTraces().keySet().stream()
            .anyMatch(t -> t.getName().startsWith("cairn-read") && t.isAlive()),
        "all threads have ended");
  }

  @Test
  void shouldReadLargePiecesPastThePageCache() throws IOException {
    files.pretendDirect(4096);
    files.takeLog();
    read(new ReadSettings(2, DirectMode.AUTO));
    List<String> log = files.takeLog();
    assertEquals("openDirect image", log.get(0));
    long stored = offset(BLOCKS - 1);
    assertTrue(
        log.size() - 1 <= 2 * stored / BlockReader.SPAN_BYTES + 2, stored + " bytes by " + log);
    assertTrue(log.stream().skip(1).allMatch("readDirect image"::equals), log.toString());
  }

  @Test
  void shouldReadThroughTheCacheWhereDirectIsRefusedAndThenEmptyIt() throws IOException {
    files.pretendDirect(4096);
    for (String refusal : List.of("openDirect", "readDirect")) {
      files.fail("Invalid argument", op -> op.startsWith(refusal));
      files.takeLog();
      assertArrayEquals(content, read(new ReadSettings(2, DirectMode.AUTO)));
      List<String> log = files.takeLog();
      assertTrue(log.contains("open image"), log.toString());
      assertEquals("forget image", log.get(log.size() - 1), log.toString());
      IOException e =
          assertThrows(IOException.class, () -> read(new ReadSettings(2, DirectMode.ON)));
      assertTrue(e.getMessage().contains("cairn.store.direct=on"), e.getMessage());
    }
  }

  @Test
  void shouldSayWhichReadFailed() {
    files.pretendDirect(4096);
    files.fail("Input/output error", op -> op.startsWith("read"));
    for (DirectMode mode : List.of(DirectMode.AUTO, DirectMode.OFF)) {
      IOException e = assertThrows(IOException.class, () -> read(new ReadSettings(3, mode)));
      assertTrue(e.getMessage().contains("Input/output error"), e.getMessage());
      assertTrue(e.getMessage().contains(file + ": read at offset 4096"), e.getMessage());
    }
  }

  @Test
  void shouldReadOnWhereAReadWasShort() throws IOException {
    for (int unit : new int[] {4096, 512}) {
      files.pretendDirect(unit);
      files.shortReads(3 * 4096 + 512);
      assertArrayEquals(content, read(new ReadSettings(2, DirectMode.AUTO)));
    }
    files.shortReads(0);
    IOException e =
        assertThrows(IOException.class, () -> read(new ReadSettings(2, DirectMode.AUTO)));
    assertTrue(e.getMessage().contains("gives no more bytes"), e.getMessage());
  }

  @Test
  void shouldTellWhereTheFileEndsTooEarly() throws IOException {
    files.pretendDirect(4096);
    long end = offset(150) + 10;
    ByteBuffer found = ByteBuffer.allocateDirect(BLOCK_BYTES);
    try (ImageChain image = open()) {
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
        channel.truncate(end);
      }
      IOException expected = assertThrows(IOException.class, image::verify);
      IOException e =
          assertThrows(
              CorruptImageException.class,
              () ->
                  new BlockReader(files, new ReadSettings(1, DirectMode.AUTO), BLOCK_BYTES)
                      .read(
                          image.jobs(section -> (offset, length) -> found.clear().limit(length))));
      assertEquals(expected.getMessage(), e.getMessage());
    }
  }

  @Test
  void shouldThrowWhatASinkThrows() throws IOException {
    try (ImageChain image = open()) {
      BlockSink sink =
          (offset, length) -> {
            if (offset >= 50L * BLOCK_BYTES) {
              throw new IllegalStateException("at " + offset);
            }
            return null;
          };
      IllegalStateException e =
          assertThrows(
              IllegalStateException.class,
              () ->
                  new BlockReader(files, new ReadSettings(4, DirectMode.OFF), BLOCK_BYTES)
                      .read(image.jobs(section -> sink)));
      assertEquals("at " + 50L * BLOCK_BYTES, e.getMessage());
    }
  }
}

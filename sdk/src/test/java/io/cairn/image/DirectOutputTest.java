// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cairn.natives.NativeFileSpace;
import io.cairn.testing.FaultyFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What is done to a file that is written past the page cache, and what if that can't be. */
@Timeout(60)
final class DirectOutputTest {
  private static final int BLOCK_BYTES = 512 << 10;
  private static final int BUFFER_BYTES = WriteBehind.BUFFER_BYTES;
  private static final String INVALID = "Invalid argument";

  // Noise: the header, nine blocks, index and footer.
  private static final int BLOCKS = 9;

  @TempDir Path directory;
  private final FaultyFiles files = new FaultyFiles(new SystemFiles(new NativeFileSpace()));
  private final List<String> said = new ArrayList<>();
  private WriteBuffers buffers = buffers(DirectMode.AUTO, RateLimit.NONE);
  private int images;

  private WriteBuffers buffers(DirectMode mode, RateLimit limit) {
    return new WriteBuffers(
        BLOCK_BYTES, new Encoding(EncodeMode.FAST), limit, mode, said::add, null);
  }

  private void use(DirectMode mode) {
    buffers.close();
    buffers = buffers(mode, RateLimit.NONE);
  }

  @AfterEach
  void endTheThread() {
    buffers.close();
    assertFalse(
        Thread.getAllStackTraces().keySet().stream()
            .anyMatch(t -> t.getName().equals("cairn-disk") && t.isAlive()),
        "the writing thread ended with the buffers");
  }

  /** Writes an image; returns what was done to its file, without its name. */
  private List<String> write(int blocks) throws IOException {
    Path file = directory.resolve("image-" + images++);
    files.takeLog();
    byte[] noise = new byte[BLOCK_BYTES];
    Random random = new Random(images);
    ByteBuffer block = ByteBuffer.allocateDirect(BLOCK_BYTES);
    List<String> log;
    try (ImageWriter writer =
        ImageWriter.create(
            files,
            file,
            new ImageHeader(SampleImage.JOB, SampleImage.EPOCH, 1, 1, BLOCK_BYTES),
            buffers,
            FaultHook.NONE)) {
      writer.beginSection(SectionKind.REGION, ElementType.NONE, "u", (long) blocks * BLOCK_BYTES);
      for (int i = 0; i < blocks; i++) {
        random.nextBytes(noise);
        writer.write(block.clear().put(noise).flip());
      }
      writer.endSection();
      for (SectionKind kind : List.of(SectionKind.COUNTS, SectionKind.CHANNELS)) {
        writer.beginSection(kind, ElementType.NONE, "", 0);
        writer.endSection();
      }
      writer.finish();
      log = files.takeLog();
      assertEquals(writer.lengthBytes(), Files.size(file));
      try (ImageReader reader = ImageReader.open(files, file)) {
        reader.verify();
        assertEquals(writer.digest(), reader.digest());
      }
    }
    return log.stream().map(op -> op.replace(" " + file.getFileName(), "")).toList();
  }

  private static int rest(int blocks) {
    // Header; index of a head, three sections with one name of a letter, and blocks; footer.
    int index = ImageFormat.INDEX_HEAD_BYTES + 3 * ImageFormat.SECTION_FIXED_BYTES + 1;
    int all =
        (int) ImageFormat.aligned(ImageFormat.HEADER_FIXED_BYTES + SampleImage.JOB.jobId().length())
            + blocks * (BLOCK_BYTES + ImageFormat.EXTENT_BYTES)
            + index
            + ImageFormat.FOOTER_BYTES;
    return all % BUFFER_BYTES;
  }

  @Test
  void shouldWriteWholeBuffersAndTheRestAndSyncOnce() throws IOException {
    files.pretendDirect(4096);
    List<String> expected =
        List.of(
            "create",
            "appendDirect",
            "writeDirect " + BUFFER_BYTES,
            "writeDirect " + BUFFER_BYTES,
            "write " + rest(BLOCKS),
            "force",
            "forget");
    assertEquals(expected, write(BLOCKS));
    assertEquals(expected, write(BLOCKS), "and so each image");
    assertEquals(List.of(), said);
  }

  @Test
  void shouldWriteSmallImagesAtOnce() throws IOException {
    files.pretendDirect(4096);
    assertEquals(List.of("create", "write " + rest(1), "force", "forget"), write(1));
  }

  @Test
  void shouldReserveWhatIsExpectedAndGiveTheRestBack() throws IOException {
    files.pretendDirect(4096);
    buffers.expect(64 << 20);
    List<String> log = write(BLOCKS);
    assertEquals(List.of("create", "reserve 67108864", "appendDirect"), log.subList(0, 3));
    assertEquals(List.of("force", "release", "forget"), log.subList(log.size() - 3, log.size()));
  }

  @Test
  void shouldWriteNothingWhereTheReservationFindsNoSpace() {
    files.pretendDirect(4096);
    buffers.expect(64 << 20);
    files.fail("No space left on device", op -> op.startsWith("reserve"));
    IOException e = assertThrows(IOException.class, () -> write(BLOCKS));
    assertTrue(e.getMessage().contains("reservation of 67108864 bytes"), e.getMessage());
    assertTrue(e.getMessage().contains("No space left on device"), e.getMessage());
    assertFalse(files.takeLog().stream().anyMatch(op -> op.startsWith("write")));
  }

  @Test
  void shouldGoThroughThePageCacheWhereDirectIsRefused() throws IOException {
    files.pretendDirect(4096);
    for (String refusal : List.of("appendDirect", "writeDirect")) {
      use(DirectMode.AUTO);
      said.clear();
      files.fail(INVALID, op -> op.startsWith(refusal));
      List<String> log = write(BLOCKS);
      assertEquals(
          1,
          log.stream()
              .filter(op -> op.contains("irect"))
              .filter(op -> op.startsWith("FAILED"))
              .count(),
          log.toString());
      assertEquals("forget", log.get(log.size() - 1), "the cache isn't left full");
      assertEquals(1, said.size(), said.toString());
      assertTrue(said.get(0).contains(INVALID), said.get(0));
      assertTrue(said.get(0).contains("page cache"), said.get(0));
      log = write(BLOCKS);
      assertFalse(log.stream().anyMatch(op -> op.contains("irect")), "it is asked once: " + log);
      assertEquals(1, said.size(), "and said once: " + said);
    }
  }

  @Test
  void shouldFailWhereDirectIsDemandedAndRefused() {
    files.pretendDirect(4096);
    use(DirectMode.ON);
    files.fail(INVALID, op -> op.startsWith("appendDirect"));
    IOException e = assertThrows(IOException.class, () -> write(BLOCKS));
    assertTrue(e.getMessage().contains("cairn.store.direct=on"), e.getMessage());
    assertTrue(e.getMessage().contains(INVALID), e.getMessage());
    assertTrue(e.getMessage().contains("image-0"), e.getMessage());
  }

  @Test
  void shouldFailWhereTheDiskIsFullAndNotBlameDirectWrites() throws IOException {
    files.pretendDirect(4096);
    files.fail("No space left on device", op -> op.startsWith("write"));
    IOException e = assertThrows(IOException.class, () -> write(BLOCKS));
    assertTrue(e.getMessage().contains("No space left on device"), e.getMessage());
    assertEquals(List.of(), said);
    files.heal();
    assertTrue(write(BLOCKS).contains("appendDirect"), "the next image is tried directly again");
  }

  @Test
  void shouldKeepAnErrorOfTheProcessWhatItIs() throws IOException {
    files.pretendDirect(4096);
    files.fail(
        "",
        op -> {
          if (op.startsWith("writeDirect")) {
            throw new FaultyFilesError();
          }
          return false;
        });
    assertThrows(FaultyFilesError.class, () -> write(BLOCKS));
    files.heal();
    write(BLOCKS);
  }

  private static final class FaultyFilesError extends Error {
    private static final long serialVersionUID = 1L;
  }

  @Test
  void shouldNotSyncAsItGoesWhatTheKernelDoesNotHold() throws IOException {
    files.pretendDirect(4096);
    long[] now = {0};
    RateLimit limit = new RateLimit(1 << 20, () -> now[0], nanos -> now[0] += nanos);
    buffers.close();
    buffers = buffers(DirectMode.AUTO, limit);
    List<String> log = write(BLOCKS);
    assertEquals(1, log.stream().filter(op -> op.equals("force")).count(), log.toString());
    assertEquals(2, log.stream().filter(op -> op.startsWith("writeDirect")).count());
    assertTrue(now[0] > 4e9, "4.5 MiB at 1 MiB/s: " + now[0]);
  }

  @Test
  void shouldDoSoOnARealFileSystem() throws IOException {
    use(DirectMode.ON);
    List<String> log;
    try {
      log = write(BLOCKS);
    } catch (IOException e) {
      assumeTrue(false, directory + " has no direct I/O: " + e.getMessage());
      return;
    }
    assertEquals(2, log.stream().filter(op -> op.equals("writeDirect " + BUFFER_BYTES)).count());
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.testing.FaultyFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What reaches the disk, and when, by a clock that only waiting moves. */
final class LimitedWriterTest {
  private static final int BLOCK_BYTES = 64 << 10;
  private static final int BLOCKS = 64;
  private static final int LIMIT = 1 << 20;

  @TempDir Path directory;
  private long now;

  @Test
  void shouldWriteInPiecesAndSyncAsItGoes() throws IOException {
    RateLimit limit = new RateLimit(LIMIT, () -> now, nanos -> now += nanos);
    Encoding encoding = new Encoding(EncodeMode.AUTO, limit, () -> now, () -> now, text -> {});
    FaultyFiles files = new FaultyFiles();
    Path file = directory.resolve("image");
    List<String> log;
    try (WriteBuffers buffers = new WriteBuffers(BLOCK_BYTES, encoding, limit);
        ImageWriter writer =
            ImageWriter.create(
                files,
                file,
                new ImageHeader(SampleImage.JOB, SampleImage.EPOCH, 1, 1, BLOCK_BYTES),
                buffers,
                FaultHook.NONE)) {
      byte[] noise = new byte[BLOCK_BYTES];
      new Random(1).nextBytes(noise);
      ByteBuffer block = ByteBuffer.allocateDirect(BLOCK_BYTES).put(noise);
      long length = (long) BLOCKS * BLOCK_BYTES;
      writer.beginSection(SectionKind.REGION, ElementType.NONE, "u", length);
      for (int i = 0; i < BLOCKS; i++) {
        writer.write(block.clear());
      }
      writer.endSection();
      writer.beginSection(SectionKind.COUNTS, ElementType.NONE, "", 0);
      writer.endSection();
      writer.beginSection(SectionKind.CHANNELS, ElementType.NONE, "", 0);
      writer.endSection();
      writer.finish();
      log = files.takeLog();
      assertEquals((double) writer.lengthBytes() / LIMIT, now / 1e9, 0.2);
    }
    try (ImageReader reader = ImageReader.open(files, file)) {
      reader.verify();
    }
    assertEquals(LIMIT / 20, largestWrite(log));
    // After each mebibyte, and a block more at most; and at the end.
    List<Long> synced = synced(log);
    assertEquals(BLOCKS * BLOCK_BYTES / LIMIT + 1, synced.size(), log.toString());
    for (long bytes : synced) {
      assertTrue(bytes < LIMIT + BLOCK_BYTES, synced.toString());
    }
  }

  private static long largestWrite(List<String> log) {
    return log.stream()
        .filter(operation -> operation.startsWith("write "))
        .mapToLong(operation -> Long.parseLong(operation.split(" ", -1)[1]))
        .max()
        .orElseThrow();
  }

  /** Bytes written before each sync, and after the one before it. */
  private static List<Long> synced(List<String> log) {
    List<Long> result = new ArrayList<>();
    long bytes = 0;
    for (String operation : log) {
      if (operation.startsWith("write ")) {
        bytes += Long.parseLong(operation.split(" ", -1)[1]);
      } else if (operation.startsWith("force ")) {
        result.add(bytes);
        bytes = 0;
      }
    }
    assertEquals(0, bytes, "all is synced");
    return result;
  }
}

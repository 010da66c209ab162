// SPDX-License-Identifier: Apache-2.0
package io.cairn.restore;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cairn.capture.CaptureSettings;
import io.cairn.capture.ImageCapture;
import io.cairn.capture.Registry;
import io.cairn.coordinate.Capture.PendingImage;
import io.cairn.coordinate.Capture.Progress;
import io.cairn.coordinate.Group;
import io.cairn.coordinate.SealedChannels;
import io.cairn.image.DirectMode;
import io.cairn.image.EncodeMode;
import io.cairn.image.FaultHook;
import io.cairn.image.FileOperations;
import io.cairn.image.ImageHeader;
import io.cairn.image.ReadSettings;
import io.cairn.image.SystemFiles;
import io.cairn.natives.NativeFileSpace;
import io.cairn.natives.NativePages;
import io.cairn.store.JobDirectory;
import io.cairn.store.Launch;
import io.cairn.store.StoreSettings;
import io.cairn.testing.ThreadGroupWorld;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A rank of more than 4 GiB, one region of which has 3, in real memory and on a real disk, stored
 * as it is.
 */
@Timeout(600)
final class LargeRankTest {
  private static final long FIRST_BYTES = 3L << 30;
  private static final long SECOND_BYTES = (2L << 30) + 4096;
  private static final long NEEDED_BYTES = FIRST_BYTES + SECOND_BYTES + (1L << 30);
  private static final int PAGE = 4096;
  private static final int PIECE = 1 << 30;

  @TempDir Path temporary;
  private final NativePages pages = new NativePages();

  private static long availableBytes() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/meminfo"))) {
      if (line.startsWith("MemAvailable:")) {
        return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
      }
    }
    return 0;
  }

  /** A number in each page that no other page has. */
  private static long stamp(int region, long at) {
    return (at / PAGE + 1) * 0x9E3779B97F4A7C15L ^ region;
  }

  private interface PageUser {
    void use(ByteBuffer piece, int at, long offset);
  }

  private void forEachPage(long address, long lengthBytes, PageUser user) {
    for (long from = 0; from < lengthBytes; from += PIECE) {
      int length = (int) Math.min(PIECE, lengthBytes - from);
      ByteBuffer piece = pages.view(address + from, length);
      for (int at = 0; at < length; at += PAGE) {
        // Not always at the page's beginning.
        user.use(piece, at + 8 * (int) ((from + at) / PAGE % (PAGE / 8)), from + at);
      }
    }
  }

  @Test
  void shouldBringBackMoreThanFourGibibytes() throws Exception {
    long memory = availableBytes();
    assumeTrue(
        memory >= NEEDED_BYTES,
        "this test takes " + NEEDED_BYTES + " bytes of memory, available are " + memory);
    long disk = temporary.toFile().getUsableSpace();
    assumeTrue(
        disk >= NEEDED_BYTES,
        "this test takes " + NEEDED_BYTES + " bytes in " + temporary + ", left are " + disk);
    long first = pages.allocate(FIRST_BYTES);
    long second = pages.allocate(SECOND_BYTES);
    try {
      Registry registry = new Registry();
      registry.region("first", first, FIRST_BYTES);
      registry.region("second", second, SECOND_BYTES);
      Group group = new ThreadGroupWorld(1).group(0);
      FileOperations files = new SystemFiles(new NativeFileSpace());
      try (JobDirectory directory =
          JobDirectory.open(
              new StoreSettings(temporary, "large"),
              pages.pageSizeBytes(),
              group,
              files,
              new Launch("node", 1, "now", new UUID(1, 1)),
              System::nanoTime)) {
        forEachPage(first, FIRST_BYTES, (p, at, offset) -> p.putLong(at, stamp(1, offset)));
        forEachPage(second, SECOND_BYTES, (p, at, offset) -> p.putLong(at, stamp(2, offset)));
        save(registry, directory, files);
        forEachPage(first, FIRST_BYTES, (p, at, offset) -> p.putLong(at, -1));
        forEachPage(second, SECOND_BYTES, (p, at, offset) -> p.putLong(at, -1));
        new Restorer(pages, registry, files, FaultHook.NONE, new ReadSettings(2, DirectMode.AUTO))
            .restore(directory, directory.epochId(0), group)
            .close();
      }
      forEachPage(first, FIRST_BYTES, (p, at, offset) -> assertSame(1, offset, p.getLong(at)));
      forEachPage(second, SECOND_BYTES, (p, at, offset) -> assertSame(2, offset, p.getLong(at)));
    } finally {
      pages.free(first, FIRST_BYTES);
      pages.free(second, SECOND_BYTES);
    }
  }

  private static void assertSame(int region, long offset, long found) {
    if (found != stamp(region, offset)) {
      assertEquals(stamp(region, offset), found, "region " + region + ", page at " + offset);
    }
  }

  private void save(Registry registry, JobDirectory directory, FileOperations files)
      throws Exception {
    CaptureSettings settings =
        new CaptureSettings(
            128 << 20, ImageHeader.DEFAULT_BLOCK_BYTES, EncodeMode.FAST, 0, DirectMode.AUTO, 2, 1);
    try (ImageCapture capture =
        new ImageCapture(
            pages, registry, directory, settings, files, FaultHook.NONE, System::nanoTime)) {
      PendingImage image = capture.capture(0, 7);
      image.seal(new SealedChannels(0, 0, 0, 0, 0, () -> {}));
      while (image.progress() == Progress.RUNNING) {
        Thread.sleep(10);
      }
      assertEquals(Progress.DONE, image.progress(), () -> "failed: " + image.failure());
      assertTrue(image.lengthBytes() > FIRST_BYTES + SECOND_BYTES, "stored as it is");
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.restore;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cairn.capture.CaptureSettings;
import io.cairn.capture.ImageCapture;
import io.cairn.capture.PageMode;
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
import io.cairn.natives.NativeWrittenPages;
import io.cairn.store.JobDirectory;
import io.cairn.store.Launch;
import io.cairn.store.StoreSettings;
import io.cairn.testing.ThreadGroupWorld;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A rank of more than 4 GiB, one region of which has 3, in real memory and on a real disk, stored
 * as it is; and once more, of which a few pages were written, far apart.
 */
@Timeout(600)
@Tag("one-jdk") // takes long, and asks nothing of the JDK
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

  // Pages that are written after the first image: with more between them than an int can count, and
  // at its borders; in the image the second region begins behind the first.
  private static final List<Set<Long>> WRITTEN =
      List.of(
          Set.of(0L, (2L << 30) + 5 * PAGE, FIRST_BYTES - PAGE),
          Set.of((1L << 30) - PAGE, 1L << 30, (2L << 30) - PAGE, 2L << 30));

  /** A number in each page that no other page has, nor the same page before it was written. */
  private static long stamp(int region, long at) {
    return (at / PAGE + 1) * 0x9E3779B97F4A7C15L ^ region;
  }

  private static long stampAtTheEnd(int region, long at) {
    return WRITTEN.get(region - 1).contains(at) ? ~stamp(region, at) : stamp(region, at);
  }

  private interface PageUser {
    void use(ByteBuffer piece, int at, long offset);
  }

  private void forEachPage(long address, long lengthBytes, PageUser user) {
    for (long from = 0; from < lengthBytes; from += PIECE) {
      int length = (int) Math.min(PIECE, lengthBytes - from);
      ByteBuffer piece = pages.view(address + from, length);
      for (int at = 0; at < length; at += PAGE) {
        user.use(piece, at + place(from + at), from + at);
      }
    }
  }

  @Test
  void shouldBringBackMoreThanFourGibibytesAndWhatWasWrittenSince() throws Exception {
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
        try (ImageCapture capture = capture(registry, directory, files)) {
          assertTrue(save(capture, 0) > FIRST_BYTES + SECOND_BYTES, "stored as it is");
          writeSome(1, first);
          writeSome(2, second);
          long written = save(capture, 1);
          // Elsewhere the second image is full, too.
          if (canTellWrittenPages()) {
            assertTrue(written < 1 << 20, "of the pages that were written only: " + written);
          }
        }
        forEachPage(first, FIRST_BYTES, (p, at, offset) -> p.putLong(at, -1));
        forEachPage(second, SECOND_BYTES, (p, at, offset) -> p.putLong(at, -1));
        new Restorer(pages, registry, files, FaultHook.NONE, new ReadSettings(2, DirectMode.AUTO))
            .restore(directory, directory.epochId(1), group)
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
    if (found != stampAtTheEnd(region, offset)) {
      assertEquals(
          stampAtTheEnd(region, offset), found, "region " + region + ", page at " + offset);
    }
  }

  private void writeSome(int region, long address) {
    for (long offset : WRITTEN.get(region - 1)) {
      pages.view(address + offset, PAGE).putLong(place(offset), stampAtTheEnd(region, offset));
    }
  }

  /** Where the number is in a page: not always at its beginning. */
  private static int place(long offset) {
    return 8 * (int) (offset / PAGE % (PAGE / 8));
  }

  private static boolean canTellWrittenPages() {
    try (NativeWrittenPages written = new NativeWrittenPages()) {
      return written.available();
    }
  }

  private ImageCapture capture(Registry registry, JobDirectory directory, FileOperations files) {
    CaptureSettings settings =
        new CaptureSettings(
            128 << 20, ImageHeader.DEFAULT_BLOCK_BYTES, EncodeMode.FAST, 0, DirectMode.AUTO, 2, 8);
    ImageCapture capture =
        new ImageCapture(
            pages, registry, directory, settings, files, FaultHook.NONE, System::nanoTime);
    capture.copyPages(PageMode.WRITTEN, NativeWrittenPages::new);
    return capture;
  }

  private static long save(ImageCapture capture, long epoch) throws Exception {
    PendingImage image = capture.capture(epoch, 7 + epoch);
    image.seal(new SealedChannels(0, 0, 0, 0, 0, () -> {}));
    while (image.progress() == Progress.RUNNING) {
      Thread.sleep(10);
    }
    assertEquals(Progress.DONE, image.progress(), () -> "failed: " + image.failure());
    image.committed();
    return image.lengthBytes();
  }
}

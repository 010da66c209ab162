// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cairn.coordinate.Capture.PendingImage;
import io.cairn.coordinate.Capture.Progress;
import io.cairn.coordinate.SealedChannels;
import io.cairn.image.DirectMode;
import io.cairn.image.EncodeMode;
import io.cairn.image.FaultHook;
import io.cairn.natives.NativePages;
import io.cairn.natives.NativeWrittenPages;
import io.cairn.testing.FaultyFiles;
import io.cairn.testing.LoneTarget;
import io.cairn.testing.UnsyncedFiles;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What is set aside for an image, whatever the image before it was like. */
@Timeout(60)
final class SizeGuessTest {
  private static final int PAGE = 4096;
  private static final int BLOCK_BYTES = 16 * PAGE;
  private static final int REGION_BYTES = 40 * BLOCK_BYTES;
  private static final int FULL_EVERY = 5;

  // What an image has besides blocks: header, index, footer.
  private static final int FRAME_BYTES = 20_000;

  @TempDir Path directory;

  private final NativePages pages = new NativePages();
  private final FaultyFiles files = new FaultyFiles(new UnsyncedFiles());
  private final List<Long> stored = new ArrayList<>();

  @Test
  void shouldGoByTheLastOfItsKindAndByWhatIsCopied() {
    SizeGuess guess = new SizeGuess();
    assertEquals(0, guess.next(false, 1000), "nobody knows");
    guess.stored(false, 800);
    assertEquals(0, guess.next(true, 10), "nobody knows of those with a parent");
    guess.stored(true, 9);
    assertEquals(7, guess.next(true, 7));
    guess.stored(true, 7);
    assertEquals(800, guess.next(false, 1000));
    guess.stored(false, 900);
    assertEquals(7, guess.next(true, 500));
    guess.stored(true, 400);
    assertEquals(400, guess.next(true, 500));
  }

  @Test
  void shouldNotGuessTwiceInVain() {
    SizeGuess guess = new SizeGuess();
    guess.next(false, 1000);
    guess.stored(false, 800);
    assertEquals(800, guess.next(false, 1000));
    // Nothing became of it.
    assertEquals(0, guess.next(false, 1000));
    // Nor of that: disks are full for long, and need not be filled again and again.
    assertEquals(800, guess.next(false, 1000));
    assertEquals(0, guess.next(false, 1000));
    guess.stored(false, 100);
    assertEquals(100, guess.next(false, 1000));
  }

  private ImageCapture capture(Registry registry, PageMode mode) {
    ImageCapture capture =
        new ImageCapture(
            pages,
            registry,
            new LoneTarget(PAGE, directory, epoch -> directory.resolve("image-" + epoch)),
            new CaptureSettings(
                8 << 20, BLOCK_BYTES, EncodeMode.SMALL, 0, DirectMode.AUTO, 1, FULL_EVERY),
            files,
            FaultHook.NONE,
            System::nanoTime);
    capture.copyPages(mode, NativeWrittenPages::new);
    capture.prepare();
    return capture;
  }

  /** Commits an image; returns what was set aside for it, 0 if nothing was. */
  private long commit(ImageCapture capture, long epoch) throws Exception {
    files.takeLog();
    PendingImage image = capture.capture(epoch, 1);
    image.seal(new SealedChannels(0, 0, 0, 0, 0, () -> {}));
    while (image.progress() == Progress.RUNNING) {
      Thread.sleep(0, 1000);
    }
    assertEquals(Progress.DONE, image.progress(), () -> "" + image.failure());
    image.committed();
    stored.add(image.lengthBytes());
    return files.takeLog().stream()
        .filter(operation -> operation.startsWith("reserve "))
        .mapToLong(operation -> Long.parseLong(operation.split(" ", -1)[1]))
        .sum();
  }

  private static void fill(ByteBuffer region, int blocks, long seed) {
    byte[] noise = new byte[BLOCK_BYTES];
    Random random = new Random(seed);
    for (int block = 0; block < blocks; block++) {
      random.nextBytes(noise);
      region.put(block * BLOCK_BYTES, noise);
    }
  }

  @Test
  void shouldSetAsideForFullImagesAndOthersWhatTheyTake() throws Exception {
    files.pretendDirect(PAGE);
    long address = pages.allocate(REGION_BYTES);
    ByteBuffer region = pages.view(address, REGION_BYTES);
    Registry registry = new Registry();
    registry.region("u", address, REGION_BYTES);
    List<Long> setAside = new ArrayList<>();
    try (ImageCapture capture = capture(registry, PageMode.ALL)) {
      for (int epoch = 0; epoch < 2 * FULL_EVERY + 2; epoch++) {
        fill(region, epoch == 0 ? REGION_BYTES / BLOCK_BYTES : 1, epoch);
        setAside.add(commit(capture, epoch));
      }
    } finally {
      pages.free(address, REGION_BYTES);
    }
    assertTrue(stored.get(FULL_EVERY) > REGION_BYTES, stored + " has a full image there");
    assertTrue(stored.get(FULL_EVERY + 1) < BLOCK_BYTES + FRAME_BYTES, stored + " has none there");
    List<Long> expected = new ArrayList<>(List.of(0L, 0L));
    expected.addAll(stored.subList(1, FULL_EVERY - 1));
    // Never more than is copied: all of the region.
    expected.add((long) REGION_BYTES);
    expected.add(stored.get(FULL_EVERY - 1));
    expected.addAll(stored.subList(FULL_EVERY + 1, 2 * FULL_EVERY - 1));
    expected.add((long) REGION_BYTES);
    expected.add(stored.get(2 * FULL_EVERY - 1));
    assertEquals(expected, setAside);
  }

  @Test
  void shouldNotSetAsideMoreThanWasWritten() throws Exception {
    files.pretendDirect(PAGE);
    long address = pages.allocate(REGION_BYTES);
    ByteBuffer region = pages.view(address, REGION_BYTES);
    Registry registry = new Registry();
    registry.region("u", address, REGION_BYTES);
    try (ImageCapture capture = capture(registry, PageMode.WRITTEN)) {
      try (NativeWrittenPages written = new NativeWrittenPages()) {
        assumeTrue(written.available(), written::describe);
      }
      fill(region, REGION_BYTES / BLOCK_BYTES, 0);
      assertEquals(0, commit(capture, 0));
      fill(region, 10, 1);
      commit(capture, 1);
      fill(region, 10, 2);
      assertEquals(10L * BLOCK_BYTES, commit(capture, 2), "what the last one took, and no more");
      region.put(3 * PAGE + 7, (byte) 1);
      assertEquals(PAGE, commit(capture, 3), "a page was written");
      assertTrue(stored.get(2) > 10L * BLOCK_BYTES, stored + " took more before");
    } finally {
      pages.free(address, REGION_BYTES);
    }
  }
}

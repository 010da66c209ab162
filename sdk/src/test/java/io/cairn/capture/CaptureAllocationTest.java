// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.management.ThreadMXBean;
import io.cairn.coordinate.Capture.PendingImage;
import io.cairn.coordinate.Capture.Progress;
import io.cairn.coordinate.SealedChannels;
import io.cairn.image.DirectMode;
import io.cairn.image.EncodeMode;
import io.cairn.image.FaultHook;
import io.cairn.image.FaultPoint;
import io.cairn.image.SystemFiles;
import io.cairn.natives.NativePages;
import io.cairn.natives.NativeWrittenPages;
import io.cairn.store.JobDirectory;
import io.cairn.store.Launch;
import io.cairn.store.StoreSettings;
import io.cairn.testing.ThreadGroupWorld;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Capture and write make no garbage: what they allocate doesn't grow with the bytes. */
@Timeout(60)
final class CaptureAllocationTest {
  private static final int BLOCK_BYTES = 4096;
  private static final int FEW = 1_000;
  private static final int MANY = 6_000;
  private static final int WRITTEN_STRIDE = 3;

  @TempDir Path directory;
  private boolean diskSeen;
  private final NativePages pages = new NativePages();
  private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /**
   * Heap bytes that the application's, the writer's and the disk's thread allocate for an epoch.
   */
  private record Allocated(long application, long writer, long disk) {
    Allocated least(Allocated other) {
      return new Allocated(
          Math.min(application, other.application),
          Math.min(writer, other.writer),
          Math.min(disk, other.disk));
    }
  }

  /** Past the page cache, too: buffers go to and fro between two threads. */
  @ParameterizedTest
  @EnumSource
  void shouldAllocateNothingPerBlockOfADirectFile(DirectMode direct) throws Exception {
    assertTrue(threads.isThreadAllocatedMemorySupported());
    Allocated few = measure("few", FEW, EncodeMode.FAST, direct, PageMode.ALL);
    Allocated many = measure("many", MANY, EncodeMode.FAST, direct, PageMode.ALL);
    assertTrue(many.application - few.application < 8 * (MANY - FEW), few + ", " + many);
    assertTrue(many.writer - few.writer < 8 * (MANY - FEW), few + ", " + many);
    assertTrue(many.disk - few.disk < 8 * (MANY - FEW), few + ", " + many);
    assertEquals(direct != DirectMode.OFF, diskSeen, "the disk's thread was found");
  }

  @ParameterizedTest
  @EnumSource
  void shouldAllocateNothingPerBlock(EncodeMode encode) throws Exception {
    assertTrue(threads.isThreadAllocatedMemorySupported());
    Allocated few = measure("few", FEW, encode, DirectMode.OFF, PageMode.ALL);
    Allocated many = measure("many", MANY, encode, DirectMode.OFF, PageMode.ALL);
    // One object would be 16 bytes for each block.
    assertTrue(many.application - few.application < 8 * (MANY - FEW), few + ", " + many);
    assertTrue(many.writer - few.writer < 8 * (MANY - FEW), few + ", " + many);
  }

  /** One page of three, so that no two runs are joined; all others are the parent's. */
  @Test
  void shouldAllocateNothingPerRunOfWrittenPages() throws Exception {
    try (NativeWrittenPages written = new NativeWrittenPages()) {
      assumeTrue(written.available(), written::describe);
    }
    Allocated few = measure("few", FEW, EncodeMode.FAST, DirectMode.AUTO, PageMode.WRITTEN);
    Allocated many = measure("many", MANY, EncodeMode.FAST, DirectMode.AUTO, PageMode.WRITTEN);
    long limit = 8L * (runs(MANY) - runs(FEW));
    assertTrue(many.application - few.application < limit, few + ", " + many);
    assertTrue(many.writer - few.writer < limit, few + ", " + many);
    assertTrue(many.disk - few.disk < limit, few + ", " + many);
  }

  private static int runs(int blocks) {
    return (blocks + WRITTEN_STRIDE - 1) / WRITTEN_STRIDE;
  }

  private Allocated measure(
      String jobId, int blocks, EncodeMode encode, DirectMode direct, PageMode mode)
      throws Exception {
    long lengthBytes = (long) blocks * BLOCK_BYTES;
    long address = pages.allocate(lengthBytes);
    ByteBuffer region = pages.view(address, (int) lengthBytes);
    byte[] noise = new byte[BLOCK_BYTES];
    new Random(1).nextBytes(noise);
    for (int block = 0; block < blocks; block++) {
      // Zeros, noise, and what shrinks: in small images every codec is in it.
      if (block % 3 != 0) {
        region.put(block * BLOCK_BYTES, noise, 0, block % 3 == 1 ? BLOCK_BYTES : BLOCK_BYTES / 2);
      }
    }
    Registry registry = new Registry();
    registry.region("u", address, lengthBytes);
    registry.array("a", new double[blocks * BLOCK_BYTES / Double.BYTES]);
    JobDirectory target =
        JobDirectory.open(
            new StoreSettings(directory, jobId),
            4096,
            new ThreadGroupWorld(1).group(0),
            new SystemFiles(),
            new Launch("node", 1, "now", new UUID(1, 1)),
            System::nanoTime);
    CountDownLatch[] captured = {new CountDownLatch(1)};
    Thread[] writer = new Thread[1];
    // The writer begins when all is captured: who waits for a lock allocates, and isn't meant here.
    FaultHook hook =
        point -> {
          if (point == FaultPoint.MID_BLOCKS && captured[0].getCount() > 0) {
            writer[0] = Thread.currentThread();
            await(captured[0]);
          }
        };
    try (ImageCapture capture =
        new ImageCapture(
            pages,
            registry,
            target,
            new CaptureSettings(4 * lengthBytes, BLOCK_BYTES, encode, 0, direct, 2, 100),
            new SystemFiles(),
            hook,
            System::nanoTime)) {
      capture.copyPages(mode, NativeWrittenPages::new);
      capture.prepare();
      Allocated result = null;
      int stride = mode == PageMode.WRITTEN ? WRITTEN_STRIDE : 2;
      for (int epoch = 0; epoch < 8; epoch++) {
        captured[0] = new CountDownLatch(1);
        // Some blocks change; where blocks are compared, or writes noticed, the rest is the
        // parent's.
        for (int block = 0; block < blocks; block += stride) {
          region.put(block * BLOCK_BYTES + 7, (byte) (epoch + 1));
        }
        long application = threads.getThreadAllocatedBytes(Thread.currentThread().getId());
        PendingImage image = capture.capture(epoch, epoch);
        application = threads.getThreadAllocatedBytes(Thread.currentThread().getId()) - application;
        while (writer[0] == null) {
          Thread.onSpinWait();
        }
        long written = threads.getThreadAllocatedBytes(writer[0].getId());
        long disk = diskBytes();
        captured[0].countDown();
        image.seal(new SealedChannels(0, 0, 0, 0, 0, () -> {}));
        while (image.progress() == Progress.RUNNING) {
          Thread.sleep(1);
        }
        assertEquals(Progress.DONE, image.progress());
        image.committed();
        written = threads.getThreadAllocatedBytes(writer[0].getId()) - written;
        disk = diskBytes() - disk;
        Allocated now = new Allocated(application, written, disk);
        long copied = capture.statistics(epoch).orElseThrow().capturedBytes() - lengthBytes;
        boolean writtenOnly = copied == (long) runs(blocks) * BLOCK_BYTES;
        // Some images are full, and say nothing of those that aren't.
        if (epoch > 0 && writtenOnly == (mode == PageMode.WRITTEN)) {
          // What is allocated for each block is allocated in each epoch; a choice is told in some.
          result = result == null ? now : result.least(now);
        }
      }
      assertNotNull(result, "an image as it is meant here");
      return result;
    } finally {
      target.close();
      pages.free(address, lengthBytes);
    }
  }

  /** What the thread of direct writes has allocated; 0 if there is none. */
  private long diskBytes() {
    diskSeen |=
        Thread.getAllStackTraces().keySet().stream()
            .anyMatch(thread -> thread.getName().equals("cairn-disk"));
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().equals("cairn-disk"))
        .mapToLong(thread -> threads.getThreadAllocatedBytes(thread.getId()))
        .sum();
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}

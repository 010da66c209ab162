// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.coordinate.Capture.PendingImage;
import io.cairn.coordinate.Capture.Progress;
import io.cairn.coordinate.SealedChannels;
import io.cairn.image.DirectMode;
import io.cairn.image.EncodeMode;
import io.cairn.image.FaultHook;
import io.cairn.natives.NativePages;
import io.cairn.store.JobDirectory;
import io.cairn.store.Launch;
import io.cairn.store.StoreSettings;
import io.cairn.testing.FaultyFiles;
import io.cairn.testing.ThreadGroupWorld;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the application waits for is one copy of each byte; what is written is each byte, once. */
@Timeout(60)
final class CopyOnceTest {
  private static final int BLOCK_BYTES = 64 << 10;
  private static final int LENGTH_BYTES = 100 * BLOCK_BYTES + 5000;

  @TempDir Path directory;

  /** Real memory, and what was copied from where: {offset, length}. */
  private static final class CountingPages implements Pages {
    private final NativePages pages = new NativePages();
    final List<long[]> copied = Collections.synchronizedList(new ArrayList<>());
    long base;

    @Override
    public long pageSizeBytes() {
      return pages.pageSizeBytes();
    }

    @Override
    public long allocate(long lengthBytes) {
      return pages.allocate(lengthBytes);
    }

    @Override
    public void free(long address, long lengthBytes) {
      pages.free(address, lengthBytes);
    }

    @Override
    public void prefault(long address, long lengthBytes) {
      pages.prefault(address, lengthBytes);
    }

    @Override
    public void dump(long source, long destination, long lengthBytes) {
      copied.add(new long[] {source - base, lengthBytes});
      pages.dump(source, destination, lengthBytes);
    }

    @Override
    public ByteBuffer view(long address, int lengthBytes) {
      return pages.view(address, lengthBytes);
    }
  }

  @ParameterizedTest
  @EnumSource
  void shouldCopyAndWriteEachByteOnce(DirectMode direct) throws Exception {
    CountingPages pages = new CountingPages();
    FaultyFiles files = new FaultyFiles();
    files.pretendDirect(4096);
    long address = pages.allocate(LENGTH_BYTES);
    pages.base = address;
    byte[] noise = new byte[LENGTH_BYTES];
    new Random(1).nextBytes(noise);
    pages.view(address, LENGTH_BYTES).put(noise);
    Registry registry = new Registry();
    registry.region("u", address, LENGTH_BYTES);
    try (JobDirectory target =
            JobDirectory.open(
                new StoreSettings(directory, "job"),
                4096,
                new ThreadGroupWorld(1).group(0),
                files,
                new Launch("node", 1, "now", new UUID(1, 1)),
                System::nanoTime);
        // Less than the state: chunks are used again and again.
        ImageCapture capture =
            new ImageCapture(
                pages,
                registry,
                target,
                new CaptureSettings(
                    10L * BLOCK_BYTES, BLOCK_BYTES, EncodeMode.FAST, 0, direct, 2, 1),
                files,
                FaultHook.NONE,
                System::nanoTime)) {
      capture.prepare();
      for (int epoch = 0; epoch < 2; epoch++) {
        files.takeLog();
        pages.copied.clear();
        PendingImage image = capture.capture(epoch, epoch);
        assertCopiedOnce(pages.copied);
        image.seal(new SealedChannels(0, 0, 0, 0, 0, () -> {}));
        while (image.progress() == Progress.RUNNING) {
          Thread.sleep(1);
        }
        assertEquals(Progress.DONE, image.progress());
        List<String> log = files.takeLog();
        assertEquals(image.lengthBytes(), written(log), log.toString());
        assertEquals(1, log.stream().filter(op -> op.startsWith("force")).count());
        assertEquals(1, log.stream().filter(op -> op.startsWith("create ")).count());
        assertEquals(
            direct == DirectMode.OFF ? 0 : 1,
            log.stream().filter(op -> op.startsWith("appendDirect")).count());
        // Data, index and footer: 6.3 MiB in pieces of a block, or of 2 MiB and the rest.
        int writes = (int) log.stream().filter(op -> op.startsWith("write")).count();
        assertEquals(direct == DirectMode.OFF ? 104 : 4, writes, log.toString());
      }
    } finally {
      pages.free(address, LENGTH_BYTES);
    }
  }

  private static void assertCopiedOnce(List<long[]> copied) {
    List<long[]> sorted = new ArrayList<>(copied);
    sorted.sort((a, b) -> Long.compare(a[0], b[0]));
    long at = 0;
    for (long[] piece : sorted) {
      assertEquals(at, piece[0], "what comes next wasn't copied, or twice");
      assertTrue(piece[1] > 0);
      at += piece[1];
    }
    assertEquals(LENGTH_BYTES, at);
  }

  private static long written(List<String> log) {
    return log.stream()
        .filter(op -> op.startsWith("write"))
        .mapToLong(op -> Long.parseLong(op.split(" ", -1)[1]))
        .sum();
  }
}

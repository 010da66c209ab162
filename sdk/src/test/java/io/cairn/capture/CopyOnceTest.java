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
import io.cairn.image.SystemFiles;
import io.cairn.natives.NativeFileSpace;
import io.cairn.natives.NativePages;
import io.cairn.natives.NativeWrittenPages;
import io.cairn.store.JobDirectory;
import io.cairn.store.Launch;
import io.cairn.store.StoreSettings;
import io.cairn.testing.FaultyFiles;
import io.cairn.testing.LoneTarget;
import io.cairn.testing.ThreadGroupWorld;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
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

  private static final int PAGE_BYTES = 4096;
  private static final int CORES = 1;
  private static final int FULL_EVERY = 100;

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

  /** Of an image that takes the rest from its parent. */
  @ParameterizedTest
  @EnumSource
  void shouldCopyAndWriteThePagesThatWereWrittenOnceAndNoOthers(DirectMode direct)
      throws Exception {
    try (NativeWrittenPages written = new NativeWrittenPages()) {
      assumeTrue(written.available(), written::describe);
    }
    CountingPages pages = new CountingPages();
    FaultyFiles files = new FaultyFiles();
    files.pretendDirect(4096);
    int length = 100 * BLOCK_BYTES;
    long address = pages.allocate(length);
    pages.base = address;
    byte[] noise = new byte[length];
    new Random(1).nextBytes(noise);
    ByteBuffer region = pages.view(address, length).put(0, noise);
    Registry registry = new Registry();
    registry.region("u", address, length);
    try (ImageCapture capture = capture(pages, registry, length, direct, files)) {
      capture.copyPages(PageMode.WRITTEN, NativeWrittenPages::new);
      capture.prepare();
      long lastBytes = 0;
      for (int epoch = 0; epoch < 5; epoch++) {
        boolean something = epoch > 2;
        if (something) {
          // One alone, two side by side, two on both sides of a block's end, a block, the last one.
          for (int page : new int[] {3, 40, 41, 63, 64, 1599}) {
            region.put(page * PAGE_BYTES + epoch, (byte) epoch);
          }
          region.put(320 * PAGE_BYTES, noise, epoch, BLOCK_BYTES);
        }
        files.takeLog();
        pages.copied.clear();
        long lengthBytes = write(capture, epoch);
        // From the third on it is known what was written: before, writes weren't noticed.
        if (epoch > 1) {
          assertEquals(
              something ? List.of("3+1", "40+2", "63+1", "64+1", "320+16", "1599+1") : List.of(),
              pages.copied.stream().map(CopyOnceTest::inPages).toList());
          // Of what is stored, and of what is the parent's before, between and after that.
          int extents = something ? 6 + 5 : 1;
          int index = 16 + 24 * epoch + 3 * 28 + 1 + 16 * extents;
          int footer = 40;
          int data = (something ? 1 + 5 + 16 + 1 : 1) * PAGE_BYTES; // with the header
          assertEquals(data + index + footer, lengthBytes);
          List<String> expected = new ArrayList<>();
          if (direct != DirectMode.OFF) {
            // Less than a buffer.
            expected.add("create");
            if (something) {
              // As much as the last one of its kind took, but no more than is copied.
              expected.add("reserve " + Math.min(lastBytes, 22 * PAGE_BYTES));
            }
            expected.addAll(List.of("write " + lengthBytes, "force", "forget"));
          } else {
            expected.add("create");
            expected.add("write " + (something ? 1 + 5 : 1) * PAGE_BYTES);
            if (something) {
              expected.addAll(List.of("write " + BLOCK_BYTES, "write " + PAGE_BYTES));
            }
            expected.addAll(List.of("write " + index, "write " + footer, "force"));
          }
          String name = " image-" + epoch;
          assertEquals(expected, files.takeLog().stream().map(op -> op.replace(name, "")).toList());
        }
        lastBytes = lengthBytes;
      }
    } finally {
      pages.free(address, length);
    }
  }

  private ImageCapture capture(
      Pages pages, Registry registry, long lengthBytes, DirectMode direct, FaultyFiles files) {
    return new ImageCapture(
        pages,
        registry,
        new LoneTarget(PAGE_BYTES, directory, epoch -> directory.resolve("image-" + epoch)),
        new CaptureSettings(
            2L * lengthBytes, BLOCK_BYTES, EncodeMode.FAST, 0, direct, CORES, FULL_EVERY),
        files,
        FaultHook.NONE,
        System::nanoTime);
  }

  private static String inPages(long[] piece) {
    assertEquals(0, piece[0] % PAGE_BYTES);
    assertEquals(0, piece[1] % PAGE_BYTES);
    return piece[0] / PAGE_BYTES + "+" + piece[1] / PAGE_BYTES;
  }

  private static long write(ImageCapture capture, long epoch) throws Exception {
    PendingImage image = capture.capture(epoch, epoch);
    image.seal(new SealedChannels(0, 0, 0, 0, 0, () -> {}));
    while (image.progress() == Progress.RUNNING) {
      Thread.sleep(1);
    }
    assertEquals(Progress.DONE, image.progress(), () -> "" + image.failure());
    image.committed();
    return image.lengthBytes();
  }

  /** As the kernel counts them for the threads that write; what it is asked is what is logged. */
  @ParameterizedTest
  @EnumSource(names = {"AUTO", "OFF"})
  void shouldMakeOneSystemCallForEachWriteAndNoOtherThatWrites(DirectMode direct) throws Exception {
    assumeTrue(Files.exists(Path.of("/proc/thread-self/io")), "the kernel counts no writes");
    FaultyFiles files = new FaultyFiles(new SystemFiles(new NativeFileSpace()));
    NativePages pages = new NativePages();
    long address = pages.allocate(LENGTH_BYTES);
    byte[] noise = new byte[LENGTH_BYTES];
    new Random(1).nextBytes(noise);
    pages.view(address, LENGTH_BYTES).put(noise);
    Registry registry = new Registry();
    registry.region("u", address, LENGTH_BYTES);
    try (ImageCapture capture = capture(pages, registry, LENGTH_BYTES, direct, files)) {
      capture.prepare();
      for (int epoch = 0; epoch < 3; epoch++) {
        // Every other block is the parent's, in images that have one.
        for (int block = 0; block < 100; block += 2) {
          pages.view(address + (long) block * BLOCK_BYTES, 1).put(0, (byte) epoch);
        }
        if (epoch == 0) {
          write(capture, epoch); // starts the threads
          continue;
        }
        files.takeLog();
        long[] before = writesOfThreads();
        long lengthBytes = write(capture, epoch);
        long[] after = writesOfThreads();
        List<String> log = files.takeLog();
        assertEquals(
            log.stream().filter(op -> op.startsWith("write")).count(),
            after[0] - before[0],
            log.toString());
        assertEquals(lengthBytes, after[1] - before[1], log.toString());
      }
    } finally {
      pages.free(address, LENGTH_BYTES);
    }
  }

  private static String name(Path task) {
    try {
      return Files.readString(task.resolve("comm"));
    } catch (IOException e) {
      return ""; // it has ended
    }
  }

  /** System calls that write, and their bytes, of this thread and those of the capture. */
  private static long[] writesOfThreads() throws IOException {
    long[] sum = new long[2];
    List<Path> counted = new ArrayList<>(List.of(Path.of("/proc/thread-self")));
    try (DirectoryStream<Path> tasks = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
      for (Path task : tasks) {
        if (name(task).startsWith("cairn-")) {
          counted.add(task);
        }
      }
    }
    assertTrue(counted.size() > 1, "the writer was found");
    for (Path task : counted) {
      for (String line : Files.readAllLines(task.resolve("io"))) {
        long value = Long.parseLong(line.replaceAll("[^0-9]", ""));
        sum[0] += line.startsWith("syscw:") ? value : 0;
        sum[1] += line.startsWith("wchar:") ? value : 0;
      }
    }
    return sum;
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

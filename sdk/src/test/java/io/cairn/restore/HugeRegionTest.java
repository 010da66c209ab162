// SPDX-License-Identifier: Apache-2.0
package io.cairn.restore;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.capture.CaptureSettings;
import io.cairn.image.FaultHook;
import io.cairn.image.SystemFiles;
import io.cairn.store.StoreSettings;
import io.cairn.testing.SimulatedRank;
import io.cairn.testing.TestPages;
import io.cairn.testing.ThreadGroupWorld;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Map;
import java.util.NavigableMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A region that no int can count: the offsets of all its bytes survive. */
final class HugeRegionTest {
  private static final int BLOCK_BYTES = 1 << 20;
  private static final long LENGTH_BYTES = (5L << 30) + 4711;

  @TempDir Path directory;

  /** What a reading thread is about to fill. */
  private static final class Window {
    final ByteBuffer bytes = ByteBuffer.allocateDirect(BLOCK_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    long offset = -1;
  }

  /** Zeros, but for some blocks at telling places; each of those holds its own offset. */
  private static final class Sparse implements TestPages.Huge {
    final NavigableMap<Long, Long> found = new ConcurrentSkipListMap<>();
    private final Map<Thread, Window> windows = new ConcurrentHashMap<>();

    @Override
    public long lengthBytes() {
      return LENGTH_BYTES;
    }

    static boolean marked(long offset) {
      return offset == 0
          || offset == (2L << 30) - BLOCK_BYTES
          || offset == 2L << 30
          || offset == 4L << 30
          || offset == LENGTH_BYTES / BLOCK_BYTES * BLOCK_BYTES;
    }

    @Override
    public void read(long offset, ByteBuffer destination) {
      int start = destination.position();
      while (destination.remaining() >= 8) {
        destination.putLong(0);
      }
      while (destination.hasRemaining()) {
        destination.put((byte) 0);
      }
      if (marked(offset)) {
        destination.duplicate().order(ByteOrder.LITTLE_ENDIAN).putLong(start, offset + 1);
      }
    }

    @Override
    public ByteBuffer write(long offset, int lengthBytes) {
      Window window = windows.computeIfAbsent(Thread.currentThread(), thread -> new Window());
      take(window);
      window.offset = offset;
      // As memory of an earlier run would: what was zero must be made so.
      window.bytes.clear().putLong(0, -1);
      return window.bytes.limit(lengthBytes);
    }

    private void take(Window window) {
      if (window.offset >= 0 && window.bytes.getLong(0) != 0) {
        found.put(window.offset, window.bytes.getLong(0) - 1);
      }
    }

    void takeAll() {
      windows.values().forEach(this::take);
    }
  }

  private SimulatedRank rank() throws Exception {
    return new SimulatedRank(
        new StoreSettings(directory, "job", 2, 0, 0),
        new ThreadGroupWorld(1).group(0),
        new SystemFiles(),
        FaultHook.NONE,
        new CaptureSettings(8L * BLOCK_BYTES, BLOCK_BYTES));
  }

  @Test
  void shouldBringBackARegionOfMoreThanFourGigabytes() throws Exception {
    try (SimulatedRank rank = rank()) {
      rank.registry.region("huge", rank.pages.map(new Sparse()), LENGTH_BYTES);
      assertNull(rank.restore());
      rank.epoch(0, "");
    }
    try (SimulatedRank rank = rank()) {
      Sparse after = new Sparse();
      rank.registry.region("huge", rank.pages.map(after), LENGTH_BYTES);
      RestoredImage restored = rank.restore();
      assertNotNull(restored);
      restored.close();
      after.takeAll();
      assertEquals(5, after.found.size(), after.found.toString());
      after.found.forEach(
          (offset, content) -> {
            assertEquals(offset, content);
            assertTrue(Sparse.marked(offset), "offset " + offset);
          });
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Every block is copied once, by whichever thread, and none after the round. */
@Timeout(60)
final class CopyCrewTest {

  /** Counts how often each address is copied. */
  private static final class Counting implements Pages {
    final AtomicIntegerArray copied = new AtomicIntegerArray(CopyCrew.MOST_BLOCKS);
    final Set<Thread> threads = ConcurrentHashMap.newKeySet();
    volatile boolean fails;
    volatile long slowNanos;
    volatile Gate gate;

    @Override
    public void dump(long source, long destination, long lengthBytes) {
      if (gate != null) {
        gate.pass();
      }
      long begin = System.nanoTime();
      while (System.nanoTime() - begin < slowNanos) {
        Thread.onSpinWait();
      }
      threads.add(Thread.currentThread());
      if (fails && source == 1) {
        throw new AssertionError("no memory at 1");
      }
      assertEquals(source + 1_000, destination);
      copied.addAndGet((int) source, (int) lengthBytes);
    }

    @Override
    public long pageSizeBytes() {
      throw new UnsupportedOperationException();
    }

    @Override
    public long allocate(long lengthBytes) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void free(long address, long lengthBytes) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void prefault(long address, long lengthBytes) {
      throw new UnsupportedOperationException();
    }

    @Override
    public ByteBuffer view(long address, int lengthBytes) {
      throw new UnsupportedOperationException();
    }
  }

  /** Lets a helper begin to copy a block and not end it; the caller copies all others. */
  private static final class Gate {
    final CountDownLatch helps = new CountDownLatch(1);
    final CountDownLatch open = new CountDownLatch(1);
    volatile Thread caller;

    void pass() {
      boolean calls = Thread.currentThread() == caller;
      if (!calls) {
        helps.countDown();
      }
      try {
        assertTrue((calls ? helps : open).await(30, TimeUnit.SECONDS));
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }
  }

  private final Counting pages = new Counting();

  private int[] copied() {
    int[] values = new int[CopyCrew.MOST_BLOCKS];
    for (int i = 0; i < values.length; i++) {
      values[i] = pages.copied.getAndSet(i, 0);
    }
    return values;
  }

  private static void fill(CopyCrew crew, int blocks, int lengthBytes) {
    crew.clear();
    for (int i = 0; i < blocks; i++) {
      crew.add(i, i + 1_000, lengthBytes);
    }
  }

  @Test
  void shouldCopyEachBlockOfEachRoundOnce() {
    Random random = new Random(1);
    try (CopyCrew crew = new CopyCrew(pages, 4)) {
      for (int round = 1; round < 5_000; round++) {
        int blocks = random.nextInt(CopyCrew.MOST_BLOCKS + 1);
        crew.limit(1 + random.nextInt(4));
        fill(crew, blocks, round);
        crew.copy();
        int[] expected = new int[CopyCrew.MOST_BLOCKS];
        Arrays.fill(expected, 0, blocks, round);
        assertArrayEquals(expected, copied(), "round " + round);
      }
    }
  }

  @Test
  void shouldLetTheOthersHelp() {
    pages.slowNanos = 1_000_000;
    try (CopyCrew crew = new CopyCrew(pages, 3)) {
      long begin = System.nanoTime();
      do {
        fill(crew, 12, 1);
        crew.copy();
        assertEquals(12, Arrays.stream(copied()).sum(), "when it returns all are copied");
      } while (pages.threads.size() < 3 && System.nanoTime() - begin < 30_000_000_000L);
    }
    assertEquals(3, pages.threads.size());
    assertTrue(pages.threads.contains(Thread.currentThread()));
  }

  @Test
  void shouldReturnOnlyWhenTheHelpersAreDone() throws Exception {
    Gate gate = new Gate();
    CopyCrew crew = new CopyCrew(pages, 2);
    try {
      fill(crew, 12, 1);
      Thread caller = new Thread(crew::copy);
      gate.caller = caller;
      pages.gate = gate;
      caller.start();
      // It is done with its own blocks, and the helper isn't.
      while (caller.isAlive() && LockSupport.getBlocker(caller) != crew) {
        Thread.onSpinWait();
      }
      assertTrue(caller.isAlive(), "it has returned while a block was being copied");
      assertEquals(11, Arrays.stream(copied()).sum());
      gate.open.countDown();
      caller.join(30_000);
      assertFalse(caller.isAlive());
      assertEquals(1, Arrays.stream(copied()).sum());
    } finally {
      gate.open.countDown();
      crew.close();
    }
  }

  @Test
  void shouldSayThatABlockCouldNotBeCopiedAndGoOnWithTheNextRound() {
    try (CopyCrew crew = new CopyCrew(pages, 2)) {
      pages.fails = true;
      fill(crew, 10, 1);
      IllegalStateException failure = assertThrows(IllegalStateException.class, crew::copy);
      assertTrue(failure.getMessage().contains("no memory at 1"), failure.getMessage());
      copied();
      pages.fails = false;
      fill(crew, 2, 5);
      crew.copy();
      assertEquals(5, copied()[1]);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Chunks of memory that are touched once and used for every epoch: a first touch of fresh memory is
 * many times slower than a copy into warm memory. The application's thread takes them, the writer
 * gives them back.
 */
final class StagingPool implements AutoCloseable {
  /** With fewer, capture and write couldn't overlap. */
  static final int MIN_CHUNKS = 4;

  private final Pages pages;
  private final long address;
  private final long lengthBytes;
  private final Chunk[] free;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private int freeCount;
  private final int chunkBytes;

  /** A piece of the pool, with views made once so that no copy makes any. */
  static final class Chunk {
    final long address;

    /** Of the writer's thread; all others are the application's thread's. */
    final ByteBuffer written;

    final ByteBuffer bytes;
    final CharBuffer chars;
    final ShortBuffer shorts;
    final IntBuffer ints;
    final LongBuffer longs;
    final FloatBuffer floats;
    final DoubleBuffer doubles;

    private Chunk(long address, ByteBuffer view) {
      this.address = address;
      written = view.duplicate().order(ByteOrder.nativeOrder());
      bytes = view.order(ByteOrder.nativeOrder());
      chars = bytes.asCharBuffer();
      shorts = bytes.asShortBuffer();
      ints = bytes.asIntBuffer();
      longs = bytes.asLongBuffer();
      floats = bytes.asFloatBuffer();
      doubles = bytes.asDoubleBuffer();
    }
  }

  StagingPool(Pages pages, int chunkBytes, int chunks) {
    this.pages = pages;
    this.chunkBytes = chunkBytes;
    lengthBytes = (long) chunkBytes * chunks;
    address = pages.allocate(lengthBytes);
    // Touched by a thread of the rank, so by the kernel's usual policy on the node of memory that
    // the rank is bound to; nothing moves it from there, as it is used again and again.
    pages.prefault(address, lengthBytes);
    free = new Chunk[chunks];
    for (int i = 0; i < chunks; i++) {
      long at = address + (long) i * chunkBytes;
      free[i] = new Chunk(at, pages.view(at, chunkBytes));
    }
    freeCount = chunks;
  }

  int chunkBytes() {
    return chunkBytes;
  }

  long lengthBytes() {
    return lengthBytes;
  }

  /**
   * A free chunk; waits for the writer while there is none, unless the epoch has failed: then null.
   */
  Chunk take(EpochCapture epoch) throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (freeCount == 0 && !epoch.ended()) {
        changed.await();
      }
      return epoch.ended() ? null : free[--freeCount];
    } finally {
      lock.unlock();
    }
  }

  /** A free chunk, or null if there is none. */
  Chunk poll() {
    lock.lock();
    try {
      return freeCount == 0 ? null : free[--freeCount];
    } finally {
      lock.unlock();
    }
  }

  void release(Chunk chunk) {
    lock.lock();
    try {
      free[freeCount++] = chunk;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** An epoch has failed: who waits for a chunk shall look again. */
  void wake() {
    lock.lock();
    try {
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** How much of it is in huge pages; slow. */
  long hugeBytes() {
    return pages.hugeBytes(address, lengthBytes);
  }

  /** Where it begins. */
  long address() {
    return address;
  }

  int freeCount() {
    lock.lock();
    try {
      return freeCount;
    } finally {
      lock.unlock();
    }
  }

  int chunkCount() {
    return free.length;
  }

  @Override
  public void close() {
    pages.free(address, lengthBytes);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.LongSupplier;

/**
 * Aligned buffers of which one is filled while a thread of its own writes the others: disk and
 * encoder work at the same time. Used by one file at a time, reused from file to file.
 *
 * <p>All methods but those of the writing thread belong to whoever fills. Monitors and counters
 * only: nothing is allocated for a buffer.
 */
final class WriteBehind implements AutoCloseable {
  /** Large enough that one write at a time keeps a disk busy (docs/decisions/0008). */
  static final int BUFFER_BYTES = 2 << 20;

  private static final int BUFFERS = 3;

  /** What is done with a full buffer, on the writing thread. */
  interface Sink {
    void writeOut(ByteBuffer full) throws IOException;
  }

  private final DirectMode mode;
  private final LongSupplier nanoClock;
  private final ByteBuffer[] ring = new ByteBuffer[BUFFERS];
  private FileSpace.Memory memory; // null until the first file
  private Thread thread;
  private boolean refused;

  // Of whoever fills, and of the writing thread while there is something to write.
  private Sink sink;

  // Guarded by this.
  private long filled;
  private long written;
  private Throwable failure;
  private boolean giveUp;
  private boolean closed;
  private long busyNanos;

  /**
   * @param nanoClock a clock in nanoseconds, that any thread may ask
   */
  WriteBehind(DirectMode mode, LongSupplier nanoClock) {
    this.mode = mode;
    this.nanoClock = nanoClock;
  }

  DirectMode mode() {
    return mode;
  }

  /** Whether the file system was found to have no direct I/O: it is asked once. */
  synchronized boolean refused() {
    return refused;
  }

  synchronized void setRefused() {
    refused = true;
  }

  long nanoTime() {
    return nanoClock.getAsLong();
  }

  /** A new file: its full buffers go to this sink. */
  synchronized void begin(Sink newSink, FileSpace space) {
    if (filled != written) {
      throw new IllegalStateException("the file before isn't done");
    }
    if (memory == null) {
      memory = space.memory(BUFFERS * BUFFER_BYTES);
      for (int i = 0; i < BUFFERS; i++) {
        ring[i] = memory.buffer().slice(i * BUFFER_BYTES, BUFFER_BYTES);
      }
    }
    sink = newSink;
    failure = null;
    giveUp = false;
    busyNanos = 0;
    current().clear();
  }

  /** The buffer to fill. */
  ByteBuffer current() {
    return ring[(int) (filled % BUFFERS)];
  }

  /** Has the full buffer written; waits until there is another one to fill. */
  synchronized void handOver() throws IOException {
    if (thread == null) {
      thread = new Thread(this::run, "cairn-disk");
      thread.setDaemon(true);
      thread.start();
    }
    current().flip();
    filled++;
    notifyAll();
    awaitBehind(BUFFERS - 1);
    current().clear();
  }

  /** Returns when all that was handed over is written. */
  synchronized void drain() throws IOException {
    awaitBehind(0);
  }

  /** Returns when nothing is being written any more; what is left is forgotten. Never throws. */
  synchronized void giveUp() {
    giveUp = true;
    boolean interrupted = false;
    while (filled > written) {
      try {
        wait();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    sink = null;
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** How long this file's buffers took to be written so far. */
  synchronized long busyNanos() {
    return busyNanos;
  }

  /** Guarded by this. */
  private void awaitBehind(int most) throws IOException {
    while (filled - written > most) {
      try {
        wait();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new InterruptedIOException("interrupted while it waited for the disk");
      }
    }
    if (failure instanceof Error error) {
      throw error;
    }
    if (failure != null) {
      throw new IOException(failure.getMessage(), failure);
    }
  }

  private void run() {
    ByteBuffer next = take();
    while (next != null) {
      long begin = nanoClock.getAsLong();
      Throwable thrown = null;
      try {
        sink.writeOut(next);
      } catch (Throwable e) {
        thrown = e;
      }
      done(nanoClock.getAsLong() - begin, thrown);
      next = take();
    }
  }

  /** The next buffer to write; null when there will be none. */
  private synchronized ByteBuffer take() {
    while (true) {
      while (filled > written && (giveUp || failure != null)) {
        written = filled;
        notifyAll();
      }
      if (filled > written) {
        return ring[(int) (written % BUFFERS)];
      }
      if (closed) {
        return null;
      }
      try {
        wait();
      } catch (InterruptedException e) {
        // Nobody may ask it to stop like that: what was handed over is to be written.
      }
    }
  }

  private synchronized void done(long nanos, Throwable thrown) {
    busyNanos += nanos;
    if (failure == null) {
      failure = thrown;
    }
    written++;
    notifyAll();
  }

  /** Ends the thread, and gives the memory back. */
  @Override
  public void close() {
    giveUp();
    Thread ending;
    synchronized (this) {
      closed = true;
      notifyAll();
      ending = thread;
    }
    if (ending != null) {
      Threads.awaitEnd(List.of(ending));
    }
    if (memory != null) {
      memory.free().run();
    }
  }
}

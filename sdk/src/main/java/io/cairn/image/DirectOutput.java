// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.function.Consumer;

/**
 * A file that is written past the page cache: whole buffers by direct I/O, what is left at the end
 * the usual way, so that any length is possible.
 *
 * <pre>
 * NEW -> DIRECT [writeOut, the first full buffer] -> BUFFERED [force, or a write that ended unaligned]
 * NEW -> BUFFERED [refused, or force before a buffer is full]
 * </pre>
 *
 * <p>One thread at a time, but for {@link #writeOut}, which is the writing thread's.
 */
final class DirectOutput implements OutputFile, WriteBehind.Sink {
  // What file systems ask of a write's place, as far as is known.
  private static final int ALIGNMENT = 4096;

  private final FileOperations files;
  private final Path file;
  private final WriteBehind behind;
  private final Consumer<String> report;
  private final OutputFile buffered;
  private final boolean reserved;
  private long ownNanos;
  private boolean synced;
  private boolean closed;

  private volatile boolean isBuffered;

  // Of the writing thread.
  private OutputFile direct;
  private boolean begun;

  /**
   * Creates the file, which must not exist.
   *
   * @param expectedBytes about what it will take, to be reserved; 0 if nobody knows
   * @param report told why files aren't written directly, if they aren't
   */
  DirectOutput(
      FileOperations files,
      Path file,
      WriteBehind behind,
      long expectedBytes,
      Consumer<String> report)
      throws IOException {
    this.files = files;
    this.file = file;
    this.behind = behind;
    this.report = report;
    isBuffered = behind.refused();
    buffered = files.create(file);
    try {
      reserved = expectedBytes > 0 && reserve(expectedBytes);
      behind.begin(this, files.space());
    } catch (Throwable e) {
      remove(e);
      throw e;
    }
  }

  /** Nobody else knows of the file yet. */
  private void remove(Throwable why) {
    try {
      buffered.close();
      files.delete(file);
    } catch (IOException e) {
      why.addSuppressed(e);
    }
  }

  private boolean reserve(long lengthBytes) throws IOException {
    try {
      return files.space().reserve(file, lengthBytes);
    } catch (IOException e) {
      throw FileOperations.failed(
          file, "reservation of " + lengthBytes + " bytes, about what it will take,", e);
    }
  }

  @Override
  public int write(ByteBuffer source) throws IOException {
    synced = false;
    if (isBuffered) {
      behind.drain();
      if (behind.current().position() == 0) {
        long begin = behind.nanoTime();
        int written = buffered.write(source);
        ownNanos += behind.nanoTime() - begin;
        return written;
      }
    }
    ByteBuffer buffer = behind.current();
    int length = Math.min(source.remaining(), buffer.remaining());
    buffer.put(buffer.position(), source, source.position(), length);
    buffer.position(buffer.position() + length);
    source.position(source.position() + length);
    if (!buffer.hasRemaining()) {
      behind.handOver();
    }
    return length;
  }

  @Override
  public void writeOut(ByteBuffer full) throws IOException {
    if (!isBuffered) {
      IOException refusal = writeDirectly(full);
      if (refusal != null) {
        refused(full, refusal);
      }
    }
    FileOperations.writeFully(buffered, full);
  }

  /** Writes what it can; returns why nothing could ever be written. */
  private IOException writeDirectly(ByteBuffer full) throws IOException {
    int fruitless = 0;
    while (full.hasRemaining() && full.position() % ALIGNMENT == 0) {
      try {
        if (direct == null) {
          direct = files.appendDirect(file);
        }
        int written = direct.write(full);
        begun |= written > 0;
        fruitless = written > 0 ? 0 : fruitless + 1;
        if (fruitless == FileOperations.MOST_FRUITLESS) {
          throw new IOException(
              "the file system accepts no more bytes, " + full.remaining() + " left");
        }
      } catch (IOException e) {
        if (begun) {
          throw e;
        }
        return e;
      }
    }
    // A disk that takes a part of a page only: its next place isn't one for direct I/O.
    isBuffered |= full.hasRemaining();
    return null;
  }

  /**
   * Not one byte could be written directly. If the usual way is no better, that is the reason, such
   * as a full disk.
   */
  private void refused(ByteBuffer full, IOException refusal) throws IOException {
    if (behind.mode() == DirectMode.ON) {
      throw new IOException(
          "the file system refuses direct I/O, which cairn.store.direct=on demands: "
              + refusal.getMessage(),
          refusal);
    }
    try {
      FileOperations.writeFully(buffered, full);
    } catch (IOException e) {
      e.addSuppressed(refusal);
      throw e;
    }
    isBuffered = true;
    behind.setRefused();
    report.accept(
        "the file system takes no direct I/O ("
            + refusal.getMessage()
            + "): images go through the page cache");
  }

  @Override
  public void force() throws IOException {
    behind.drain();
    long begin = behind.nanoTime();
    ByteBuffer rest = behind.current();
    if (rest.position() > 0) {
      isBuffered = true;
      FileOperations.writeFully(buffered, rest.flip());
      rest.clear();
    }
    buffered.force();
    ownNanos += behind.nanoTime() - begin;
    synced = true;
  }

  @Override
  public boolean leavesToKernel() {
    return isBuffered;
  }

  @Override
  public long busyNanos() {
    return ownNanos + behind.busyNanos();
  }

  @Override
  public void close() throws IOException {
    if (closed) {
      return;
    }
    closed = true;
    behind.giveUp();
    if (reserved) {
      files.space().release(file);
    }
    if (synced) {
      files.space().forget(file);
    }
    try {
      if (direct != null) {
        direct.close();
      }
    } finally {
      buffered.close();
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads blocks with several threads, each of which takes the next blocks that lie together, reads
 * them at once, checks them and brings them to where they belong. So one computes while another
 * waits for the disk. Memory is a buffer for each thread, however much is read.
 *
 * <p>The first failure by place is thrown, whichever was found first: nothing behind a failure is
 * begun any more, and all before it is finished.
 */
public final class BlockReader {
  /** About what is read at once. */
  static final int SPAN_BYTES = 4 << 20;

  // What direct I/O asks of a read's place and length.
  private static final int ALIGNMENT = 4096;

  // Reading over so much costs less than another read.
  private static final int GAP_BYTES = 256 << 10;

  // Blocks taken at once, of which many may be stored in a few bytes.
  private static final int MOST_JOBS = 64;

  private final FileOperations files;
  private final DirectMode mode;
  private final int threads;
  private final int largestBlock;

  // Guarded by this.
  private final List<Opened> opened = new ArrayList<>();
  private final BlockJob ahead = new BlockJob();
  private BlockSource source = job -> false;
  private boolean hasAhead;
  private boolean ended;
  private long taken;
  private long failedAt = Long.MAX_VALUE;
  private Throwable failure;
  private Throwable late; // what the source threw

  /**
   * @param settings the caller's thread is one of theirs
   * @param largestBlock most bytes that a block has, raw or stored
   */
  public BlockReader(FileOperations files, ReadSettings settings, int largestBlock) {
    this.files = files;
    mode = settings.direct();
    threads = settings.threads();
    this.largestBlock = largestBlock;
  }

  /** A file that blocks are read from. */
  private final class Opened {
    final Path file;
    private InputFile direct;
    private InputFile buffered;
    private boolean refused = mode == DirectMode.OFF;

    Opened(Path file) {
      this.file = file;
    }

    /** To be read past the page cache; null where that can't be. */
    synchronized InputFile direct() throws IOException {
      if (direct == null && !refused) {
        try {
          direct = files.openDirect(file);
        } catch (NoSuchFileException e) {
          throw e;
        } catch (IOException e) {
          refuse(e);
        }
      }
      return refused ? null : direct;
    }

    synchronized void refuse(IOException why) throws IOException {
      if (mode == DirectMode.ON) {
        throw FileOperations.failed(file, "direct read, which cairn.store.direct=on demands,", why);
      }
      refused = true;
    }

    synchronized InputFile buffered() throws IOException {
      if (buffered == null) {
        buffered = files.open(file);
      }
      return buffered;
    }

    synchronized void close() {
      for (InputFile in : new InputFile[] {direct, buffered}) {
        try {
          if (in != null) {
            in.close();
          }
        } catch (IOException e) {
          // It was only read.
        }
      }
      if (buffered != null && mode != DirectMode.OFF) {
        files.space().forget(file);
      }
    }
  }

  /**
   * Reads all blocks; returns when they are where they belong.
   *
   * @throws CorruptImageException if a block isn't what was written
   */
  public void read(BlockSource blocks) throws IOException {
    source = blocks;
    List<Thread> others = new ArrayList<>();
    List<Worker> workers = new ArrayList<>();
    try {
      Worker own = new Worker();
      workers.add(own);
      for (int i = 1; i < threads; i++) {
        Worker worker = new Worker();
        workers.add(worker);
        Thread other = new Thread(worker, "cairn-read-" + i);
        other.setDaemon(true);
        others.add(other);
        other.start();
      }
      own.run();
    } catch (Throwable e) {
      // No memory for another thread or its buffer: who has begun ends soon.
      fail(-1, e);
    } finally {
      Threads.awaitEnd(others);
      workers.forEach(worker -> worker.memory.free().run());
      close();
    }
    rethrow();
  }

  private synchronized void close() {
    opened.forEach(Opened::close);
    opened.clear();
  }

  private synchronized void rethrow() throws IOException {
    failure = failure == null ? late : failure;
    if (failure instanceof IOException io) {
      throw io;
    }
    if (failure instanceof RuntimeException runtime) {
      throw runtime;
    }
    if (failure instanceof Error error) {
      throw error;
    }
    if (failure != null) {
      throw new IOException(failure);
    }
  }

  private synchronized void fail(long number, Throwable thrown) {
    if (number < failedAt) {
      failedAt = number;
      failure = thrown;
    }
  }

  /** Gives the worker the next blocks that lie together; false if there are none for it. */
  private synchronized boolean take(Worker worker) {
    worker.begin();
    while (worker.count < MOST_JOBS && failure == null) {
      if (!hasAhead) {
        hasAhead = lookAhead();
      }
      if (!hasAhead || !worker.takes(ahead)) {
        break;
      }
      if (worker.count == 0) {
        worker.from = opened(ahead.file);
      }
      worker.jobs[worker.count++].copyFrom(ahead);
      hasAhead = false;
    }
    return worker.count > 0;
  }

  /** Guarded by this. */
  private boolean lookAhead() {
    if (ended) {
      return false;
    }
    try {
      ended = !source.next(ahead);
    } catch (Throwable e) {
      // What comes before it is still read: it may be damaged, and would be the first failure.
      ended = true;
      late = e;
    }
    ahead.number = taken;
    taken += ended ? 0 : 1;
    return !ended;
  }

  /** Guarded by this. */
  private Opened opened(Path file) {
    for (Opened each : opened) {
      if (each.file.equals(file)) {
        return each;
      }
    }
    Opened added = new Opened(file);
    opened.add(added);
    return added;
  }

  /** What one thread has to do at a time. */
  private final class Worker implements Runnable {
    private final BlockJob[] jobs = new BlockJob[MOST_JOBS];
    private final FileSpace.Memory memory;
    private final ByteBuffer buffer;
    private final ByteBuffer own;
    private final BlockDecoder decoder;
    private int count;
    private Opened from;
    private long begin;
    private long end;
    private int there;

    Worker() {
      for (int i = 0; i < jobs.length; i++) {
        jobs[i] = new BlockJob();
      }
      int most = Math.max(SPAN_BYTES, largestBlock) + 2 * ALIGNMENT;
      memory = files.space().memory(most);
      buffer = memory.buffer();
      own = ByteBuffer.allocateDirect(largestBlock);
      decoder = new BlockDecoder(largestBlock);
    }

    void begin() {
      count = 0;
      begin = -1;
      end = -1;
    }

    /** Whether the block lies where it can be read together with those that it has. */
    boolean takes(BlockJob job) {
      if (count > 0 && !job.file.equals(jobs[0].file)) {
        return false;
      }
      if (job.storedLength == 0) {
        return true;
      }
      long jobEnd = job.offset + job.storedLength;
      if (begin >= 0
          && (job.offset < end || job.offset - end > GAP_BYTES || jobEnd - begin > SPAN_BYTES)) {
        return false;
      }
      begin = begin < 0 ? job.offset / ALIGNMENT * ALIGNMENT : begin;
      end = jobEnd;
      return true;
    }

    @Override
    public void run() {
      while (take(this)) {
        int at = 0;
        try {
          there = read();
          for (; at < count; at++) {
            process(jobs[at]);
          }
        } catch (Throwable e) {
          fail(jobs[at].number, e);
        }
      }
    }

    /** Reads what the blocks take in the file, or as much of it as there is; returns how much. */
    private int read() throws IOException {
      buffer.clear();
      if (begin < 0) {
        return 0;
      }
      buffer.limit((int) ((end - begin + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT));
      int fruitless = 0;
      while (buffer.position() < end - begin) {
        int read = readOnce(begin + buffer.position());
        fruitless = read == 0 ? fruitless + 1 : 0;
        if (read < 0) {
          break;
        }
        if (fruitless == FileOperations.MOST_FRUITLESS) {
          throw new IOException(from.file + ": the file system gives no more bytes");
        }
      }
      return buffer.position();
    }

    private int readOnce(long offset) throws IOException {
      // A place within a page is no place for direct I/O.
      InputFile direct = offset % ALIGNMENT == 0 ? from.direct() : null;
      try {
        return (direct != null ? direct : from.buffered()).read(buffer, offset);
      } catch (IOException e) {
        if (direct == null) {
          throw FileOperations.failed(from.file, "read at offset " + offset, e);
        }
        // Perhaps it is the file system. Where the disk is to blame, the next read says so.
        from.refuse(e);
        return 0;
      }
    }

    private void process(BlockJob job) throws IOException {
      int at = job.storedLength == 0 ? 0 : (int) (job.offset - begin);
      if (at + job.storedLength > there) {
        throw new CorruptImageException(
            job.file,
            begin + there,
            "end of file",
            "0 bytes",
            at + job.storedLength - there + " bytes",
            "file truncated?");
      }
      ByteBuffer bytes = buffer.limit(at + job.storedLength).position(at);
      if (job.isWhole()) {
        ByteBuffer window = window(job, job.sinkOffset, job.rawLength);
        decoder.decode(job, bytes, window);
        job.sink.filled(job.sinkOffset, window);
      } else {
        processParts(job, bytes);
      }
    }

    private void processParts(BlockJob job, ByteBuffer bytes) throws IOException {
      ByteBuffer whole = own.clear().limit(job.rawLength);
      decoder.decode(job, bytes, whole);
      for (int i = 0; i < job.partCount; i++) {
        long part = job.parts[2 * i];
        int length = (int) (job.parts[2 * i + 1] - part);
        ByteBuffer source = whole.slice((int) (part - job.sinkOffset), length);
        ByteBuffer window = job.sink.window(part, length);
        if (window == null) {
          window = source;
        } else {
          int start = window.position();
          window.put(source).position(start);
        }
        job.sink.filled(part, window);
      }
    }

    private ByteBuffer window(BlockJob job, long offset, int length) throws IOException {
      ByteBuffer window = job.sink.window(offset, length);
      return window != null ? window : own.clear().limit(length);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.testing;

import io.cairn.image.FileOperations;
import io.cairn.image.FileSpace;
import io.cairn.image.InputFile;
import io.cairn.image.OutputFile;
import io.cairn.image.SystemFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Real files whose operations can fail, one by one or from some point on, and are logged. The
 * messages of injected failures are those of the system.
 */
public final class FaultyFiles implements FileOperations {
  // What direct I/O transfers at least.
  private static final int DIRECT_BYTES = 4096;

  private final FileOperations files;
  private final List<String> log = new ArrayList<>();
  private Fault fault = operation -> false;
  private String message = "";
  private boolean crashed;
  private int mostBytesPerRead = Integer.MAX_VALUE;
  private long usable = -1;
  private int pretendedUnit;
  private int mostBytesPerWrite = Integer.MAX_VALUE;

  public FaultyFiles() {
    this(new SystemFiles());
  }

  /**
   * @param files what operations that don't fail do
   */
  public FaultyFiles(FileOperations files) {
    this.files = files;
  }

  /** Says which operations fail. */
  @FunctionalInterface
  public interface Fault {

    /** Whether an operation, such as {@code force rank-0.image}, fails. */
    boolean hits(String operation);
  }

  /** The process is dead: nothing reaches the disk any more. */
  public static final class Crashed extends Error {
    private static final long serialVersionUID = 1L;

    Crashed() {
      super("crashed");
    }
  }

  /** From now on operations that the fault hits fail with that message. */
  public synchronized void fail(String systemMessage, Fault newFault) {
    message = systemMessage;
    fault = newFault;
  }

  /** From now on everything works again. */
  public void heal() {
    fail("", operation -> false);
  }

  /** From now on nothing changes anything on disk. */
  public synchronized void crash() {
    crashed = true;
  }

  /** Returns if the process isn't dead. */
  public synchronized void live() {
    if (crashed) {
      throw new Crashed();
    }
  }

  /** Writes take at most so many bytes each. */
  public synchronized void shortWrites(int mostBytes) {
    mostBytesPerWrite = mostBytes;
  }

  /**
   * Direct I/O is taken by any file system, in units of so many bytes, and is none really: the same
   * operations wherever the tests run.
   */
  public synchronized void pretendDirect(int unitBytes) {
    pretendedUnit = unitBytes;
  }

  private synchronized int pretended() {
    return pretendedUnit;
  }

  /** Reads take at most so many bytes each. */
  public synchronized void shortReads(int mostBytes) {
    mostBytesPerRead = mostBytes;
  }

  /** So many bytes are left, it is said. */
  public synchronized void usableBytes(long bytes) {
    usable = bytes;
  }

  /** What was done since the log was last taken, such as {@code write 512 rank-0.image}. */
  public synchronized List<String> takeLog() {
    List<String> taken = List.copyOf(log);
    log.clear();
    return taken;
  }

  /** An operation on an open file: the system's message doesn't name it. */
  private synchronized void begin(String operation) throws IOException {
    if (crashed) {
      throw new Crashed();
    }
    if (fault.hits(operation)) {
      log.add("FAILED " + operation);
      throw new IOException(message);
    }
    log.add(operation);
  }

  /** An operation on a path, which the system's message names. */
  private void begin(String operation, Path path) throws IOException {
    try {
      begin(operation);
    } catch (IOException e) {
      throw new FileSystemException(path.toString(), null, e.getMessage());
    }
  }

  private static String name(Path path) {
    return path.getFileName().toString();
  }

  @Override
  public OutputFile create(Path file) throws IOException {
    begin("create " + name(file), file);
    return output(file, files.create(file));
  }

  @Override
  public OutputFile append(Path file) throws IOException {
    begin("append " + name(file), file);
    return output(file, files.append(file));
  }

  @Override
  public OutputFile appendDirect(Path file) throws IOException {
    begin("appendDirect " + name(file), file);
    return pretended() > 0
        ? output(file, files.append(file), "writeDirect ", pretended())
        : output(file, files.appendDirect(file), "writeDirect ", DIRECT_BYTES);
  }

  /** What is said of a file goes to the real one, where that can be asked; all of it is logged. */
  @Override
  public FileSpace space() {
    return new FileSpace() {
      @Override
      public boolean reserve(Path file, long lengthBytes) throws IOException {
        begin("reserve " + lengthBytes + " " + name(file));
        return files.space().reserve(file, lengthBytes);
      }

      @Override
      public Memory memory(int lengthBytes) {
        return files.space().memory(lengthBytes);
      }

      @Override
      public void release(Path file) {
        log("release " + name(file));
        files.space().release(file);
      }

      @Override
      public void forget(Path file) {
        log("forget " + name(file));
        files.space().forget(file);
      }
    };
  }

  private synchronized void log(String operation) {
    log.add(operation);
  }

  private OutputFile output(Path file, OutputFile out) {
    return output(file, out, "write ", 1);
  }

  /**
   * @param unit writes are cut to multiples of this; where it isn't 1 they must begin with a page
   */
  private OutputFile output(Path file, OutputFile out, String verb, int unit) {
    return new OutputFile() {
      private long at;

      @Override
      public int write(ByteBuffer source) throws IOException {
        int most;
        synchronized (FaultyFiles.this) {
          most = Math.min(source.remaining(), mostBytesPerWrite);
        }
        most -= most % unit;
        begin(verb + most + " " + name(file));
        if (unit > 1 && at % DIRECT_BYTES != 0) {
          throw new IOException("Invalid argument");
        }
        int limit = source.limit();
        source.limit(source.position() + most);
        try {
          int written = out.write(source);
          at += written;
          return written;
        } finally {
          source.limit(limit);
        }
      }

      @Override
      public void force() throws IOException {
        begin("force " + name(file));
        out.force();
      }

      @Override
      public void close() throws IOException {
        out.close();
      }
    };
  }

  @Override
  public InputFile open(Path file) throws IOException {
    begin("open " + name(file), file);
    return input(file, files.open(file), "read ", 1);
  }

  @Override
  public InputFile openDirect(Path file) throws IOException {
    begin("openDirect " + name(file), file);
    return pretended() > 0
        ? input(file, files.open(file), "readDirect ", pretended())
        : input(file, files.openDirect(file), "readDirect ", DIRECT_BYTES);
  }

  /**
   * @param unit reads are cut to multiples of this
   */
  private InputFile input(Path file, InputFile in, String verb, int unit) {
    return new InputFile() {
      @Override
      public long lengthBytes() throws IOException {
        return in.lengthBytes();
      }

      @Override
      public int read(ByteBuffer destination, long offset) throws IOException {
        begin(verb + name(file));
        int most;
        synchronized (FaultyFiles.this) {
          most = Math.min(destination.remaining(), mostBytesPerRead);
        }
        int limit = destination.limit();
        destination.limit(destination.position() + most - most % unit);
        try {
          return in.read(destination, offset);
        } finally {
          destination.limit(limit);
        }
      }

      @Override
      public void close() throws IOException {
        in.close();
      }
    };
  }

  @Override
  public void createDirectories(Path directory) throws IOException {
    begin("createDirectories " + name(directory), directory);
    files.createDirectories(directory);
  }

  @Override
  public void rename(Path from, Path to) throws IOException {
    begin("rename " + name(from) + " " + name(to), from);
    files.rename(from, to);
  }

  @Override
  public void delete(Path path) throws IOException {
    begin("delete " + name(path), path);
    files.delete(path);
  }

  @Override
  public List<String> list(Path directory) throws IOException {
    begin("list " + name(directory), directory);
    return files.list(directory);
  }

  @Override
  public boolean exists(Path path) throws IOException {
    begin("exists " + name(path), path);
    return files.exists(path);
  }

  @Override
  public void syncDirectory(Path directory) throws IOException {
    begin("syncDirectory " + name(directory), directory);
    files.syncDirectory(directory);
  }

  @Override
  public long usableBytes(Path directory) throws IOException {
    begin("usableBytes " + name(directory), directory);
    synchronized (this) {
      return usable >= 0 ? usable : files.usableBytes(directory);
    }
  }
}

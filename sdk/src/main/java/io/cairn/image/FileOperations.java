// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;

/**
 * Everything that is done to files, in one place, so that tests can let any of it fail.
 * Thread-safe.
 */
public interface FileOperations {
  /** So many writes in a row that take nothing are one that fails. */
  int MOST_FRUITLESS = 100;

  /** Creates a file that must not exist, readable and writable by its owner only. */
  OutputFile create(Path file) throws IOException;

  /** Opens a file that exists, to write on at its end. */
  OutputFile append(Path file) throws IOException;

  /**
   * Opens a file that exists, to write on at its end past the page cache: from aligned memory,
   * whole pages at a time, or as the file system wants it.
   *
   * @throws IOException if that can't be; some file systems only say so at the first write
   */
  default OutputFile appendDirect(Path file) throws IOException {
    throw new IOException(file + ": no direct I/O here");
  }

  /** Opens a file for reading past the page cache, under the same conditions. */
  default InputFile openDirect(Path file) throws IOException {
    throw new IOException(file + ": no direct I/O here");
  }

  /** What can be asked about space and cached pages. */
  default FileSpace space() {
    return FileSpace.NONE;
  }

  /** Opens a file for reading. */
  InputFile open(Path file) throws IOException;

  /** Creates a directory for its owner only, and its parents; does nothing if it exists. */
  void createDirectories(Path directory) throws IOException;

  /** Renames atomically, replacing {@code to} if it exists. */
  void rename(Path from, Path to) throws IOException;

  /** Deletes a file or an empty directory; does nothing if it doesn't exist. */
  void delete(Path path) throws IOException;

  /** Names in a directory, sorted; empty if it doesn't exist. */
  List<String> list(Path directory) throws IOException;

  /** Whether it exists; throws when that can't be known, as a wrong no could delete an epoch. */
  boolean exists(Path path) throws IOException;

  /** Returns when the directory's entries survive a power failure. */
  void syncDirectory(Path directory) throws IOException;

  /** Bytes that can still be written where the directory is. */
  long usableBytes(Path directory) throws IOException;

  /** Creates, writes and syncs a small file, whole. */
  default void write(Path file, byte[] bytes) throws IOException {
    try (OutputFile out = create(file)) {
      try {
        writeFully(out, ByteBuffer.wrap(bytes));
        out.force();
      } catch (IOException e) {
        throw failed(file, "write or sync of " + bytes.length + " bytes", e);
      }
    }
  }

  /** Reads a file of at most {@code limitBytes}, whole. */
  default byte[] read(Path file, int limitBytes) throws IOException {
    try (InputFile in = open(file)) {
      long length = in.lengthBytes();
      if (length > limitBytes) {
        throw new CorruptImageException(
            file,
            0,
            "file length",
            Long.toString(length),
            "at most " + limitBytes,
            "another kind of file?");
      }
      ByteBuffer buffer = ByteBuffer.allocate((int) length);
      readFully(in, file, buffer, 0);
      return buffer.array();
    }
  }

  /** Publishes a small file: pending, sync, rename, sync directory. */
  default void publish(Path file, byte[] bytes) throws IOException {
    Path pending = file.resolveSibling("pending-" + file.getFileName());
    delete(pending);
    write(pending, bytes);
    rename(pending, file);
    syncDirectory(file.getParent());
  }

  /** Writes all that remains, however many calls it takes. */
  static void writeFully(OutputFile out, ByteBuffer source) throws IOException {
    int fruitless = 0;
    while (source.hasRemaining()) {
      int written = out.write(source);
      fruitless = written > 0 ? 0 : fruitless + 1;
      if (fruitless == MOST_FRUITLESS) {
        throw new IOException(
            "the file system accepts no more bytes, " + source.remaining() + " left");
      }
    }
  }

  /** The exception with file and operation in its message, which the system's own lacks. */
  static IOException failed(Path file, String operation, IOException cause) {
    return new IOException(file + ": " + operation + " failed: " + cause.getMessage(), cause);
  }

  /** Fills the buffer from {@code offset} on; a file that ends before is corrupt. */
  static void readFully(InputFile in, Path file, ByteBuffer destination, long offset)
      throws IOException {
    long at = offset;
    while (destination.hasRemaining()) {
      int read;
      try {
        read = in.read(destination, at);
      } catch (IOException e) {
        throw failed(file, "read at offset " + at, e);
      }
      if (read < 0) {
        throw new CorruptImageException(
            file,
            at,
            "end of file",
            "0 bytes",
            destination.remaining() + " bytes",
            "file truncated?");
      }
      at += read;
    }
  }
}

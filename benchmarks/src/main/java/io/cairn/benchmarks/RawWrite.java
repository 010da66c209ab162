// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import com.sun.nio.file.ExtendedOpenOption;
import io.cairn.image.RateLimit;
import io.cairn.natives.NativePages;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.Set;

/** The least that makes bytes durable, and the least that brings them back. */
final class RawWrite {

  private static final int DIRECT_BYTES = 4 << 20;
  private static final int ALIGNMENT = 4096;

  private RawWrite() {}

  /** A new file, large sequential writes, fsync. */
  static void writeAndSync(NativePages pages, long address, long lengthBytes, Path file)
      throws IOException {
    writeAndSync(pages, address, lengthBytes, file, 0);
  }

  /**
   * The same at a bandwidth, synced as it goes so that the disk doesn't get it all at the end.
   *
   * @param bandwidthBytes a second; 0 for no limit
   */
  static void writeAndSync(
      NativePages pages, long address, long lengthBytes, Path file, long bandwidthBytes)
      throws IOException {
    RateLimit limit = RateLimit.of(bandwidthBytes);
    Files.deleteIfExists(file);
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      long unsynced = 0;
      for (long at = 0; at < lengthBytes; ) {
        ByteBuffer piece = Memory.view(pages, address, lengthBytes, at);
        int length = piece.remaining();
        limit.await(length, () -> false);
        at += length;
        while (piece.hasRemaining()) {
          channel.write(piece);
        }
        unsynced += length;
        if (unsynced >= limit.syncEveryBytes()) {
          channel.force(true);
          unsynced = 0;
        }
      }
      channel.force(true);
    }
  }

  /**
   * The same past the page cache, 4 MiB at a time, whole pages; by way of it where the file system
   * refuses.
   */
  static void writeDirectAndSync(NativePages pages, long address, long lengthBytes, Path file)
      throws IOException {
    Files.deleteIfExists(file);
    long whole = lengthBytes / ALIGNMENT * ALIGNMENT;
    try (FileChannel channel =
        open(file, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE))) {
      for (long at = 0; at < whole; ) {
        int length = (int) Math.min(DIRECT_BYTES, whole - at);
        ByteBuffer piece = pages.view(address + at, length);
        at += length;
        while (piece.hasRemaining()) {
          channel.write(piece);
        }
      }
      channel.force(true);
    }
  }

  /** Reads a file past the page cache, 4 MiB at a time; returns its length. */
  static long readDirect(Path file) throws IOException {
    ByteBuffer buffer =
        ByteBuffer.allocateDirect(DIRECT_BYTES + ALIGNMENT)
            .alignedSlice(ALIGNMENT)
            .limit(DIRECT_BYTES);
    try (FileChannel channel = open(file, Set.of(StandardOpenOption.READ))) {
      long at = 0;
      int read;
      do {
        read = channel.read(buffer.clear().limit(DIRECT_BYTES), at);
        at += Math.max(0, read);
      } while (read == DIRECT_BYTES);
      return at;
    }
  }

  private static FileChannel open(Path file, Set<OpenOption> options) throws IOException {
    Set<OpenOption> direct = new HashSet<>(options);
    direct.add(ExtendedOpenOption.DIRECT);
    try {
      return FileChannel.open(file, direct);
    } catch (UnsupportedOperationException | FileSystemException e) {
      if (e instanceof NoSuchFileException missing) {
        throw missing;
      }
      if (options.contains(StandardOpenOption.CREATE_NEW)) {
        // It may have been created before it was refused.
        Files.deleteIfExists(file);
      }
      return FileChannel.open(file, options);
    }
  }
}

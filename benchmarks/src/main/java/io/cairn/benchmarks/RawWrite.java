// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.natives.NativePages;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** The least that makes bytes durable: a new file, large sequential writes, fsync. */
final class RawWrite {

  private RawWrite() {}

  static void writeAndSync(NativePages pages, long address, long lengthBytes, Path file)
      throws IOException {
    Files.deleteIfExists(file);
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      for (long at = 0; at < lengthBytes; ) {
        ByteBuffer piece = Memory.view(pages, address, lengthBytes, at);
        at += piece.remaining();
        while (piece.hasRemaining()) {
          channel.write(piece);
        }
      }
      channel.force(true);
    }
  }
}

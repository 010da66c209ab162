// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.natives.NativeLibraries;
import io.cairn.natives.NativePages;
import java.nio.ByteBuffer;

/** Page-aligned memory that has been touched, as regions and the staging pool are. */
final class Memory implements AutoCloseable {

  private static final int VIEW_BYTES = 1 << 20;

  final NativePages pages;
  final long address;
  final long lengthBytes;

  Memory(long lengthBytes) {
    NativeLibraries.loadCore();
    pages = new NativePages();
    this.lengthBytes = lengthBytes;
    address = pages.allocate(lengthBytes);
    pages.prefault(address, lengthBytes);
  }

  void fill(Content content, long seed) {
    fill(pages, address, lengthBytes, content, seed);
  }

  /** Fills memory of this process piece by piece; the length is a multiple of 8. */
  static void fill(NativePages pages, long address, long lengthBytes, Content content, long seed) {
    for (long at = 0; at < lengthBytes; at += VIEW_BYTES) {
      content.fill(view(pages, address, lengthBytes, at), seed + at);
    }
  }

  /** A piece of at most 1 MiB from {@code at} on. */
  static ByteBuffer view(NativePages pages, long address, long lengthBytes, long at) {
    return pages.view(address + at, (int) Math.min(VIEW_BYTES, lengthBytes - at));
  }

  void copyTo(Memory target) {
    pages.copy(address, target.address, lengthBytes);
  }

  @Override
  public void close() {
    pages.free(address, lengthBytes);
  }
}

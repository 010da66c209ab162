// SPDX-License-Identifier: Apache-2.0
package io.cairn.natives;

import io.cairn.image.FileSpace;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.util.Arrays;

/** {@link FileSpace} by {@code fallocate}, {@code ftruncate} and {@code posix_fadvise}. */
public final class NativeFileSpace implements FileSpace {
  // In which the JVM writes names of files, too; from 18 on it isn't the default of everything.
  private static final Charset NAMES =
      Charset.forName(System.getProperty("sun.jnu.encoding", "UTF-8"));

  private static final int HUGE_PAGE_BYTES = 2 << 20;

  private final NativePages pages;

  /** Loads the core library if needed. */
  public NativeFileSpace() {
    pages = new NativePages();
  }

  @Override
  public boolean reserve(Path file, long lengthBytes) throws IOException {
    String problem = reserve(name(file), lengthBytes);
    if (problem.equals("unsupported")) {
      return false;
    }
    if (!problem.isEmpty()) {
      throw new IOException(problem);
    }
    return true;
  }

  @Override
  public void release(Path file) {
    release(name(file));
  }

  @Override
  public void forget(Path file) {
    forget(name(file));
  }

  @Override
  public Memory memory(int lengthBytes) {
    // From a huge page on, memory is aligned to one.
    int whole = Math.max(lengthBytes, HUGE_PAGE_BYTES);
    long address = pages.allocate(whole);
    pages.prefault(address, whole);
    return new Memory(pages.view(address, lengthBytes), () -> pages.free(address, whole));
  }

  /** As C wants it: with a zero at the end. */
  private static byte[] name(Path file) {
    byte[] bytes = file.toString().getBytes(NAMES);
    return Arrays.copyOf(bytes, bytes.length + 1);
  }

  /** Returns nothing if it is reserved, {@code unsupported}, or the system's message. */
  private static native String reserve(byte[] name, long lengthBytes);

  private static native void release(byte[] name);

  private static native void forget(byte[] name);
}

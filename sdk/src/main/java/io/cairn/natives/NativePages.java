// SPDX-License-Identifier: Apache-2.0
package io.cairn.natives;

import io.cairn.capture.Pages;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** {@link Pages} by {@code mmap}, {@code madvise} and {@code memcpy}. */
public final class NativePages implements Pages {

  /** Loads the core library if needed. */
  public NativePages() {
    NativeLibraries.loadCore();
  }

  @Override
  public long pageSizeBytes() {
    return pageSize();
  }

  @Override
  public long allocate(long lengthBytes) {
    if (lengthBytes < 0) {
      throw new IllegalArgumentException("length must not be negative: " + lengthBytes);
    }
    long address = map(lengthBytes);
    if (address == 0) {
      throw new OutOfMemoryError("the system refused to map " + lengthBytes + " bytes of memory");
    }
    return address;
  }

  @Override
  public void free(long address, long lengthBytes) {
    unmap(address, lengthBytes);
  }

  @Override
  public void prefault(long address, long lengthBytes) {
    populate(address, lengthBytes);
  }

  @Override
  public void dump(long source, long destination, long lengthBytes) {
    dump0(source, destination, lengthBytes);
  }

  /** The C library's {@code memcpy}, which {@link #dump} is measured against. */
  public void copy(long source, long destination, long lengthBytes) {
    copy0(source, destination, lengthBytes);
  }

  @Override
  public long hugeBytes(long address, long lengthBytes) {
    return huge(address, lengthBytes);
  }

  @Override
  public ByteBuffer view(long address, int lengthBytes) {
    return buffer(address, lengthBytes).order(ByteOrder.nativeOrder());
  }

  private static native long pageSize();

  private static native long map(long bytes);

  private static native void unmap(long address, long bytes);

  private static native void populate(long address, long bytes);

  private static native long huge(long address, long bytes);

  private static native void copy0(long source, long destination, long bytes);

  private static native void dump0(long source, long destination, long bytes);

  private static native ByteBuffer buffer(long address, int bytes);
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import io.cairn.api.Region;
import io.cairn.capture.Pages;
import java.nio.ByteBuffer;
import net.openhft.chronicle.bytes.BytesStore;
import net.openhft.chronicle.bytes.PointerBytesStore;

/**
 * A region over mapped pages. They stay mapped until the process ends: views can't be revoked, and
 * touching one after the memory is gone would crash the JVM.
 */
final class MemoryRegion implements Region {

  private final Pages pages;
  private final String name;
  private final long lengthBytes;
  private final long address;
  private PointerBytesStore store;

  /** Maps zeroed pages. */
  MemoryRegion(Pages pages, String name, long lengthBytes) {
    this.pages = pages;
    this.name = name;
    this.lengthBytes = lengthBytes;
    // An empty region has an address too: a rank may own no cells.
    this.address = pages.allocate(Math.max(1, lengthBytes));
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public long lengthBytes() {
    return lengthBytes;
  }

  @Override
  public long address() {
    return address;
  }

  @Override
  public ByteBuffer byteBuffer(long offsetBytes, int length) {
    if (offsetBytes < 0 || length < 0 || offsetBytes > lengthBytes - length) {
      throw new IndexOutOfBoundsException(
          "%,d bytes from offset %,d are not inside region '%s', which has %,d bytes"
              .formatted(length, offsetBytes, name, lengthBytes));
    }
    return pages.view(address + offsetBytes, length);
  }

  @Override
  public synchronized BytesStore<?, ?> bytes() {
    if (store == null) {
      // Wrapping a direct ByteBuffer would need JVM flags; a store over an address needs none.
      store = BytesStore.nativePointer();
      store.set(address, lengthBytes);
    }
    return store;
  }

  @Override
  public String toString() {
    return "Region[%s, %,d bytes]".formatted(name, lengthBytes);
  }
}

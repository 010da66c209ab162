// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.natives.NativePages;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import net.openhft.chronicle.bytes.BytesStore;
import org.junit.jupiter.api.Test;

class MemoryRegionTest {

  private final NativePages pages = new NativePages();

  @Test
  void shouldShareItsMemoryAmongAllViews() {
    MemoryRegion region = new MemoryRegion(pages, "u", 80);
    DoubleBuffer doubles = region.asDoubleBuffer();
    doubles.put(3, 2.5);

    assertTrue(doubles.isDirect());
    assertEquals(ByteOrder.nativeOrder(), doubles.order());
    assertEquals(10, doubles.capacity());
    assertEquals(2.5, region.asByteBuffer().order(ByteOrder.nativeOrder()).getDouble(24));
    assertEquals(2.5, region.doubleBuffer(3, 1).get(0));
    assertEquals(2.5, region.bytes().readDouble(24));
    assertEquals(Double.doubleToRawLongBits(2.5), region.asLongBuffer().get(3));
  }

  @Test
  void shouldBeZeroedAndPageAligned() {
    MemoryRegion region = new MemoryRegion(pages, "u", 12_345);

    assertEquals(0, region.address() % pages.pageSizeBytes());
    for (int i = 0; i < 12_345; i++) {
      assertEquals(0, region.asByteBuffer().get(i));
    }
  }

  @Test
  void shouldReachBeyond2GibibytesBySliceAndByBytes() {
    long lengthBytes = (3L << 30) + 16;
    MemoryRegion region = new MemoryRegion(pages, "big", lengthBytes);
    long lastDouble = lengthBytes / Double.BYTES - 1;
    region.doubleBuffer(lastDouble, 1).put(0, 7.5);

    BytesStore<?, ?> bytes = region.bytes();
    assertEquals(lengthBytes, bytes.capacity());
    assertEquals(7.5, bytes.readDouble(lengthBytes - Double.BYTES));
    bytes.writeLong(1L << 31, 42);
    assertEquals(42, region.longBuffer((1L << 31) / Long.BYTES, 1).get(0));
    assertThrows(IllegalStateException.class, region::asDoubleBuffer);
    pages.free(region.address(), lengthBytes);
  }

  @Test
  void shouldRefuseBytesOutside() {
    MemoryRegion region = new MemoryRegion(pages, "u", 80);

    assertThrows(IndexOutOfBoundsException.class, () -> region.byteBuffer(0, 81));
    assertThrows(IndexOutOfBoundsException.class, () -> region.byteBuffer(-1, 1));
    assertThrows(IndexOutOfBoundsException.class, () -> region.byteBuffer(0, -1));
    assertThrows(IndexOutOfBoundsException.class, () -> region.byteBuffer(Long.MAX_VALUE, 1));
  }

  @Test
  void shouldLetARankOwnNothing() {
    MemoryRegion region = new MemoryRegion(pages, "none", 0);

    assertEquals(0, region.asDoubleBuffer().capacity());
    assertEquals(0, region.bytes().capacity());
  }
}

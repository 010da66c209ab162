// SPDX-License-Identifier: Apache-2.0
package io.cairn.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import net.openhft.chronicle.bytes.BytesStore;
import org.junit.jupiter.api.Test;

/** The views every region has, over one that only notes which bytes were asked for. */
class RegionTest {

  private static final class Noting implements Region {
    private final long lengthBytes;
    private long offset = -1;
    private int length = -1;

    Noting(long lengthBytes) {
      this.lengthBytes = lengthBytes;
    }

    @Override
    public String name() {
      return "u";
    }

    @Override
    public long lengthBytes() {
      return lengthBytes;
    }

    @Override
    public long address() {
      return 0;
    }

    @Override
    public ByteBuffer byteBuffer(long offsetBytes, int length) {
      this.offset = offsetBytes;
      this.length = length;
      return ByteBuffer.allocateDirect(Math.min(length, 1 << 20)).order(ByteOrder.nativeOrder());
    }

    @Override
    public BytesStore<?, ?> bytes() {
      throw new UnsupportedOperationException();
    }
  }

  @Test
  void shouldViewTheWholeRegionWithoutARemainder() {
    Noting region = new Noting(8 * 100 + 5);

    assertEquals(100, region.asDoubleBuffer().capacity());
    assertEquals(800, region.length);
    assertEquals(201, region.asFloatBuffer().capacity());
    assertEquals(201, region.asIntBuffer().capacity());
    assertEquals(100, region.asLongBuffer().capacity());
    assertEquals(805, region.asByteBuffer().capacity());
    assertEquals(0, region.offset);
  }

  @Test
  void shouldSliceWith64BitOffsets() {
    Noting region = new Noting(5L << 30);

    assertEquals(1000, region.doubleBuffer(400_000_000L, 1000).capacity());
    assertEquals(3_200_000_000L, region.offset);
    assertEquals(8000, region.length);
    assertEquals(10, region.intBuffer(1_000_000_000L, 10).capacity());
    assertEquals(4_000_000_000L, region.offset);
  }

  @Test
  void shouldSayHowToSliceWhatIsTooLargeForABuffer() {
    Region region = new Noting((2L << 30) + 8);

    String message = assertThrows(IllegalStateException.class, region::asDoubleBuffer).getMessage();
    assertTrue(message.contains("'u'"), message);
    assertTrue(message.contains("2,147,483,656"), message);
    assertTrue(message.contains("doubleBuffer(fromElement, count)"), message);
    assertThrows(IllegalStateException.class, region::asByteBuffer);
    assertThrows(IllegalArgumentException.class, () -> region.doubleBuffer(0, 1 << 28));
    assertThrows(IllegalArgumentException.class, () -> region.intBuffer(0, 1 << 29));
  }

  @Test
  void shouldRefuseASliceThatLeavesTheRegion() {
    Region region = new Noting(80);

    assertThrows(IndexOutOfBoundsException.class, () -> region.doubleBuffer(0, 11));
    assertThrows(IndexOutOfBoundsException.class, () -> region.doubleBuffer(10, 1));
    assertThrows(IndexOutOfBoundsException.class, () -> region.doubleBuffer(-1, 1));
    assertThrows(IndexOutOfBoundsException.class, () -> region.doubleBuffer(0, -1));
    assertThrows(IndexOutOfBoundsException.class, () -> region.doubleBuffer(Long.MAX_VALUE, 10));
    assertEquals(0, region.doubleBuffer(10, 0).capacity());
  }
}

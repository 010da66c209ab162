// SPDX-License-Identifier: Apache-2.0
package io.cairn.testing;

import io.cairn.capture.Pages;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.TreeMap;

/**
 * Memory at made-up addresses, in direct buffers; any access outside of what was allocated fails. A
 * {@link Huge} stands for memory that is too big to have.
 */
public final class TestPages implements Pages {
  private static final long PAGE = 4096;

  private final TreeMap<Long, ByteBuffer> segments = new TreeMap<>();
  private final TreeMap<Long, Huge> huge = new TreeMap<>();
  private long next = 1L << 40;
  private long allocated;
  private long most = Long.MAX_VALUE;

  /** Memory whose bytes are computed when it is read, and checked when it is written. */
  public interface Huge {
    long lengthBytes();

    /** Fills the buffer with the bytes from {@code offset} on. */
    void read(long offset, ByteBuffer destination);

    /**
     * A place for the bytes from {@code offset} on; they are complete when the next one is asked
     * for.
     */
    ByteBuffer write(long offset, int lengthBytes);
  }

  /** Gives a huge memory an address. */
  public synchronized long map(Huge memory) {
    long address = place(memory.lengthBytes());
    huge.put(address, memory);
    return address;
  }

  private long place(long lengthBytes) {
    long address = next;
    next += (lengthBytes / PAGE + 2) * PAGE;
    return address;
  }

  /** From now on allocations of more fail. */
  public synchronized void refuseMoreThan(long lengthBytes) {
    most = lengthBytes;
  }

  /** Bytes allocated and not freed. */
  public synchronized long allocatedBytes() {
    return allocated;
  }

  @Override
  public long pageSizeBytes() {
    return PAGE;
  }

  @Override
  public synchronized long allocate(long lengthBytes) {
    if (lengthBytes > most) {
      throw new OutOfMemoryError("no " + lengthBytes + " bytes");
    }
    long address = place(lengthBytes);
    segments.put(address, ByteBuffer.allocateDirect(Math.toIntExact(lengthBytes)));
    allocated += lengthBytes;
    return address;
  }

  @Override
  public synchronized void free(long address, long lengthBytes) {
    ByteBuffer segment = segments.remove(address);
    if (segment == null || segment.capacity() != lengthBytes) {
      throw new AssertionError("free of " + lengthBytes + " bytes at " + address);
    }
    allocated -= lengthBytes;
  }

  @Override
  public void prefault(long address, long lengthBytes) {
    view(address, Math.toIntExact(lengthBytes));
  }

  @Override
  public void dump(long source, long destination, long lengthBytes) {
    ByteBuffer to = view(destination, Math.toIntExact(lengthBytes));
    Map.Entry<Long, Huge> from = hugeAt(source);
    if (from != null) {
      from.getValue().read(source - from.getKey(), to);
    } else {
      to.put(view(source, Math.toIntExact(lengthBytes)));
    }
  }

  private synchronized Map.Entry<Long, Huge> hugeAt(long address) {
    Map.Entry<Long, Huge> entry = huge.floorEntry(address);
    return entry != null && address - entry.getKey() < entry.getValue().lengthBytes()
        ? entry
        : null;
  }

  @Override
  public ByteBuffer view(long address, int lengthBytes) {
    Map.Entry<Long, Huge> entry = hugeAt(address);
    if (entry != null) {
      return entry.getValue().write(address - entry.getKey(), lengthBytes);
    }
    synchronized (this) {
      Map.Entry<Long, ByteBuffer> segment = segments.floorEntry(address);
      if (segment == null
          || address - segment.getKey() + lengthBytes > segment.getValue().capacity()) {
        throw new AssertionError("no memory of " + lengthBytes + " bytes at " + address);
      }
      return segment
          .getValue()
          .slice((int) (address - segment.getKey()), lengthBytes)
          .order(ByteOrder.nativeOrder());
    }
  }
}

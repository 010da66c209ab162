// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import java.nio.ByteBuffer;

/**
 * What capture needs of memory: page-aligned allocation, a raw copy, and direct views. All sizes in
 * bytes.
 */
public interface Pages {

  /** The system's page size. */
  long pageSizeBytes();

  /**
   * Maps zeroed, page-aligned memory of at least {@code lengthBytes}, huge pages where the system
   * gives them.
   *
   * @throws OutOfMemoryError if the system refuses; the message says how much was asked
   */
  long allocate(long lengthBytes);

  /** Unmaps what {@link #allocate} gave, with the same length. */
  void free(long address, long lengthBytes);

  /** Touches the pages, so that the first copy into them doesn't fault. */
  void prefault(long address, long lengthBytes);

  /** How much of this memory is in huge pages, as far as the system tells; slow. */
  default long hugeBytes(long address, long lengthBytes) {
    return 0;
  }

  /**
   * Copies memory to memory that the caller won't read soon (the page dump); the ranges don't
   * overlap. Any thread.
   */
  void dump(long source, long destination, long lengthBytes);

  /** A direct buffer over memory, in native byte order. The memory must outlive it. */
  ByteBuffer view(long address, int lengthBytes);
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

/**
 * What a stored byte costs: the time that the writer spends in writes and syncs. One thread at a
 * time.
 *
 * <p>Most of a write may only be paid by the sync at the image's end, so it is whole images that
 * count: the median of the last few, as a disk that is shared has bad moments. While an image is
 * written, its own writes may prove that it is slower, but not that it is faster.
 */
final class StoreRate {
  /** Until there is a measurement: a thousand megabytes a second. */
  static final double FIRST_GUESS = 1.0;

  // With less, a sync's own time would be taken for that of the bytes.
  static final long LEAST_BYTES = 8 << 20;

  private final double least;
  private final Recent recent = new Recent();
  private double settled;
  private long bytes;
  private long nanos;

  /**
   * @param least nanoseconds that a byte takes in any case, because of a limit; 0 for none
   */
  StoreRate(double least) {
    this.least = least;
    settled = Math.max(FIRST_GUESS, least);
  }

  /** An image begins; whatever became of the last one. */
  void begin() {
    bytes = 0;
    nanos = 0;
  }

  /** So many bytes were taken in that time; none by a sync. */
  void took(long lengthBytes, long durationNanos) {
    bytes += lengthBytes;
    nanos += durationNanos;
  }

  /** The image is durable. */
  void finish() {
    if (bytes < LEAST_BYTES) {
      return;
    }
    recent.add(Math.max(least, (double) nanos / bytes));
    settled = recent.median();
  }

  /** Nanoseconds that a byte takes, as far as is known now. */
  double nanosPerByte() {
    return bytes < LEAST_BYTES ? settled : Math.max(settled, (double) nanos / bytes);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.restore;

import io.cairn.capture.Pages;
import io.cairn.image.EpochId;

/**
 * What a restored image holds for others than the application: the ledger's counts and the channel
 * state, outside of the Java heap until {@link #close}.
 */
public final class RestoredImage implements AutoCloseable {
  private final Pages pages;
  private final EpochId epoch;
  private final long safePoint;
  private final Memory counts;
  private final Memory channels;

  /** Some memory; address 0 if it is empty. */
  record Memory(long address, long lengthBytes) {}

  RestoredImage(Pages pages, EpochId epoch, long safePoint, Memory counts, Memory channels) {
    this.pages = pages;
    this.epoch = epoch;
    this.safePoint = safePoint;
    this.counts = counts;
    this.channels = channels;
  }

  /** The epoch. */
  public EpochId epoch() {
    return epoch;
  }

  /** Index of the safe point at which the rank was captured. */
  public long safePoint() {
    return safePoint;
  }

  /** Address of the ledger's counts; 0 if there are none. */
  public long countsAddress() {
    return counts.address();
  }

  /** Their length in bytes. */
  public long countsBytes() {
    return counts.lengthBytes();
  }

  /** Address of the channel state; 0 if it is empty. */
  public long channelsAddress() {
    return channels.address();
  }

  /** Its length in bytes. */
  public long channelsBytes() {
    return channels.lengthBytes();
  }

  /** Gives the memory back. */
  @Override
  public void close() {
    free(pages, counts);
    free(pages, channels);
  }

  static void free(Pages pages, Memory memory) {
    if (memory.address() != 0) {
      pages.free(memory.address(), memory.lengthBytes());
    }
  }
}

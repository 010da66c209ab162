// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

/**
 * About how much the next image will take: as much as the last one of its kind, but never more than
 * what is copied for it. It may be wrong, and must not cost more than one epoch: after an image
 * that came to nothing the next one is tried without a guess. Writer's thread.
 */
final class SizeGuess {
  private long fullBytes;
  private long otherBytes;
  private boolean open;

  /**
   * The guess for an image that begins; 0 if nothing is known.
   *
   * @param mayRefer whether it may take bytes from others
   * @param copiedBytes how much is copied for it
   */
  long next(boolean mayRefer, long copiedBytes) {
    if (open) {
      open = false;
      return 0;
    }
    long last = mayRefer ? otherBytes : fullBytes;
    open = last > 0;
    return Math.min(last, copiedBytes);
  }

  /** What the image took that began last, once it is durable. */
  void stored(boolean mayRefer, long lengthBytes) {
    open = false;
    if (mayRefer) {
      otherBytes = lengthBytes;
    } else {
      fullBytes = lengthBytes;
    }
  }
}

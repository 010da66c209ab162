// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import io.cairn.image.Ancestor;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * Which image the next one may take bytes from: that of the last committed epoch of this launch,
 * and all that it takes bytes from itself. Application's thread.
 */
final class Chain {
  /** After so many in a row that may be the chain's fault: one of its images may be lost. */
  private static final int MOST_ABANDONED = 2;

  private final int fullEvery;
  private final List<Ancestor> images = new ArrayList<>(); // newest first
  private EpochCapture last;
  private int abandonedInARow;
  private OptionalLong committed = OptionalLong.empty();

  /**
   * @param fullEvery one of so many images takes nothing from others, at least
   */
  Chain(int fullEvery) {
    this.fullEvery = fullEvery;
  }

  /**
   * What the next image may take bytes from; nothing if it is to be full: the launch's first one,
   * one of so many, after epochs that were abandoned, and when the images since the last full one
   * are together larger than that, as they would take more to read than another full one.
   */
  List<Ancestor> next() {
    if (last != null && last.isCommitted()) {
      if (last.ancestors().isEmpty()) {
        images.clear();
      }
      images.add(0, last.asAncestor());
      committed = OptionalLong.of(last.epoch());
      last = null;
      abandonedInARow = 0;
    } else if (last != null) {
      last = null;
      abandonedInARow++;
    }
    if (abandonedInARow >= MOST_ABANDONED) {
      return List.of();
    }
    if (images.isEmpty() || images.size() >= fullEvery) {
      return List.of();
    }
    long full = images.get(images.size() - 1).lengthBytes();
    long others = images.stream().mapToLong(Ancestor::lengthBytes).sum() - full;
    return others > full ? List.of() : List.copyOf(images);
  }

  /** The last epoch of this launch that is committed, as far as {@link #next} knew. */
  OptionalLong committed() {
    return committed;
  }

  /** An image begins. */
  void begun(EpochCapture image) {
    last = image;
  }
}

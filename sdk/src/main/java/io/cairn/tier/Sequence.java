// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import java.io.IOException;
import java.util.List;

/** Streams that come one after the other, as what they bring goes into one file. */
final class Sequence implements Stream {
  private final List<? extends Stream> parts;
  private int current;

  Sequence(List<? extends Stream> parts) {
    this.parts = List.copyOf(parts);
  }

  @Override
  public boolean advance() {
    boolean moved = false;
    while (current < parts.size()) {
      moved |= parts.get(current).advance();
      if (!parts.get(current).isDone()) {
        return moved;
      }
      current++;
    }
    return moved;
  }

  @Override
  public boolean isDone() {
    return current == parts.size();
  }

  @Override
  public IOException failure() {
    for (Stream part : parts) {
      if (part.failure() != null) {
        return part.failure();
      }
    }
    return null;
  }

  @Override
  public void close() {
    parts.forEach(Stream::close);
  }

  @Override
  public String toString() {
    return parts.get(Math.min(current, parts.size() - 1)).toString();
  }
}

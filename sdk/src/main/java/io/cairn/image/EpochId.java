// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Names an epoch for ever: the launch that took it and its number there. Ordered, newest last.
 *
 * @param generation number of the launch, from 1
 * @param epoch number of the epoch in that launch, from 0
 */
public record EpochId(long generation, long epoch) implements Comparable<EpochId> {
  private static final Pattern DIRECTORY = Pattern.compile("epoch-([0-9]{1,18})-([0-9]{1,18})");

  public EpochId {
    if (generation < 0 || epoch < 0) {
      throw new IllegalArgumentException(
          "negative generation or epoch: " + generation + ", " + epoch);
    }
  }

  /** Name of the directory that holds its images. */
  public String directoryName() {
    return "epoch-" + generation + "-" + epoch;
  }

  /** The epoch whose directory has this name, if it is one's. */
  public static Optional<EpochId> ofDirectoryName(String name) {
    Matcher matcher = DIRECTORY.matcher(name);
    if (!matcher.matches()) {
      return Optional.empty();
    }
    EpochId id = new EpochId(Long.parseLong(matcher.group(1)), Long.parseLong(matcher.group(2)));
    return id.directoryName().equals(name) ? Optional.of(id) : Optional.empty();
  }

  @Override
  public int compareTo(EpochId other) {
    int byGeneration = Long.compare(generation, other.generation);
    return byGeneration != 0 ? byGeneration : Long.compare(epoch, other.epoch);
  }

  @Override
  public String toString() {
    return "epoch " + epoch + " of generation " + generation;
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.util.concurrent.atomic.AtomicLong;

/** Told when a {@link FaultPoint} is reached. */
@FunctionalInterface
public interface FaultHook {

  /** Does nothing. */
  FaultHook NONE = point -> {};

  /** The execution is at that point. */
  void reached(FaultPoint point);

  /**
   * A hook that halts the JVM, as a kill would.
   *
   * @param specification {@code POINT:rank:nth}: at the nth time (from 1) that this rank reaches
   *     the point; null for none
   * @param rank this process's rank
   * @throws IllegalArgumentException if the specification can't be read
   */
  static FaultHook parse(String specification, int rank) {
    if (specification == null || specification.isEmpty()) {
      return NONE;
    }
    String[] parts = specification.split(":", -1);
    if (parts.length != 3) {
      throw new IllegalArgumentException(
          "fault \"" + specification + "\": expected POINT:rank:nth, such as MID_BLOCKS:1:3");
    }
    FaultPoint wanted = FaultPoint.valueOf(parts[0]);
    if (Integer.parseInt(parts[1]) != rank) {
      return NONE;
    }
    AtomicLong left = new AtomicLong(Long.parseLong(parts[2]));
    return point -> {
      if (point == wanted && left.decrementAndGet() == 0) {
        Runtime.getRuntime().halt(137);
      }
    };
  }
}

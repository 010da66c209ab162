// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.TreeSet;

/** Sets of ranks in words. */
final class Ranks {
  private Ranks() {}

  /** Such as {@code 0-3,7}. */
  static String show(Collection<Integer> ranks) {
    List<String> parts = new ArrayList<>();
    int first = -1;
    int last = -1;
    for (int rank : new TreeSet<>(ranks)) {
      if (first >= 0 && rank == last + 1) {
        last = rank;
        continue;
      }
      if (first >= 0) {
        parts.add(part(first, last));
      }
      first = rank;
      last = rank;
    }
    if (first >= 0) {
      parts.add(part(first, last));
    }
    return String.join(",", parts);
  }

  private static String part(int first, int last) {
    return first == last ? Integer.toString(first) : first + "-" + last;
  }
}

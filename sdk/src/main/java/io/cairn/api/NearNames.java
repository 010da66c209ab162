// SPDX-License-Identifier: Apache-2.0
package io.cairn.api;

import java.util.Comparator;
import java.util.List;

/** Finds what somebody may have meant; for Cairn's own messages. */
public final class NearNames {

  private static final int AT_MOST = 3;

  private NearNames() {}

  /** The known names within an edit distance of a third of the name's length, the nearest first. */
  public static List<String> of(String name, List<String> known) {
    int limit = Math.max(2, name.length() / 3);
    int nearest = known.stream().mapToInt(k -> distance(name, k)).min().orElse(Integer.MAX_VALUE);
    return known.stream()
        .filter(k -> distance(name, k) <= Math.min(limit, nearest + 1))
        .sorted(Comparator.comparingInt((String k) -> distance(name, k)))
        .limit(AT_MOST)
        .toList();
  }

  /** Levenshtein 1965, one row at a time. */
  static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replaced, Math.min(row[j], row[j - 1]) + 1);
      }
    }
    return row[b.length()];
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/**
 * Leaves out parts of what fails, halves first and single ones in the end, for as long as it still
 * fails and there is time (A. Zeller, R. Hildebrandt: Simplifying and Isolating Failure-Inducing
 * Input. IEEE TSE 28(2), 2002).
 */
final class Shrinker {

  private final Predicate<List<String>> fails;
  private final long deadline;
  private int tries;

  Shrinker(Predicate<List<String>> fails, int seconds) {
    this.fails = fails;
    deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
  }

  int tries() {
    return tries;
  }

  List<String> shrink(List<String> parts) {
    List<String> left = parts;
    for (int chunk = Math.max(1, left.size() / 2); ; chunk = chunk / 2) {
      boolean smaller = false;
      for (int from = 0; from < left.size() && left.size() > 1; ) {
        List<String> fewer = new ArrayList<>(left.subList(0, from));
        fewer.addAll(left.subList(Math.min(left.size(), from + chunk), left.size()));
        if (System.nanoTime() > deadline) {
          return left;
        }
        tries++;
        if (!fewer.isEmpty() && fails.test(fewer)) {
          left = fewer;
          smaller = true;
        } else {
          from += chunk;
        }
      }
      if (chunk == 1) {
        if (!smaller) {
          return left;
        }
        chunk = 2; // once more: what is left may need less now
      }
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.params.provider.Arguments;

/** With what the tests run that need several nodes: a sample, and how many nodes have ranks. */
final class Rounds {

  /** Ranks of each node. */
  static final int SLOTS = 2;

  private static final int FEWEST_NODES = 3;
  private static final int MOST_NODES = 6;
  private static final List<Sample> SAMPLES = List.of(Sample.HEAT2D, Sample.PIPELINE);

  private Rounds() {}

  /** One, drawn; or, with {@code -Dsystemtests.product=true}, all. */
  static List<Arguments> ofNodes() {
    List<Arguments> all = new ArrayList<>();
    for (Sample sample : SAMPLES) {
      for (int used = FEWEST_NODES; used <= MOST_NODES; used++) {
        all.add(Arguments.of(sample, used));
      }
    }
    if (Boolean.getBoolean("systemtests.product")) {
      return all;
    }
    SplittableRandom random = Seed.random("rounds");
    // Mostly few: each rank needs its share of this machine's cores.
    int used = FEWEST_NODES + random.nextInt(4) / 3;
    return List.of(Arguments.of(SAMPLES.get(random.nextInt(SAMPLES.size())), used));
  }
}

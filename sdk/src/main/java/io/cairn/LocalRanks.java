// SPDX-License-Identifier: Apache-2.0
package io.cairn;

/** The ranks of this job that share this rank's node. */
final class LocalRanks {
  private static final String VARIABLE = "OMPI_COMM_WORLD_LOCAL_SIZE";

  private LocalRanks() {}

  /** How many they are, this one among them; 1 where nobody says. */
  static int count() {
    String ranks = System.getenv(VARIABLE);
    return ranks == null ? 1 : Math.max(1, Integer.parseInt(ranks));
  }
}

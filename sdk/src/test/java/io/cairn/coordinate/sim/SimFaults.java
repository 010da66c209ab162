// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate.sim;

/** What goes wrong in a world, each with its probability per occasion. */
record SimFaults(
    double refusal,
    double capture,
    double listener,
    double write,
    double stuckWrite,
    double record,
    long stateLimitBytes) {

  static final SimFaults NONE = new SimFaults(0, 0, 0, 0, 0, 0, 1L << 30);

  /** One or two kinds of faults, rare enough that epochs succeed in between. */
  static SimFaults some(Dice dice, int size) {
    double share = 0.4 / size;
    return new SimFaults(
        dice.chance(0.3) ? share : 0,
        dice.chance(0.3) ? share : 0,
        dice.chance(0.2) ? share : 0,
        dice.chance(0.3) ? share : 0,
        dice.chance(0.1) ? share / 4 : 0,
        dice.chance(0.3) ? share : 0,
        dice.chance(0.2) ? 64 : 1L << 30);
  }

  boolean refuses(Dice dice) {
    return refusal > 0 && dice.chance(refusal);
  }

  /** Whether an epoch may be abandoned for this reason in a program that keeps the contract. */
  boolean explain(String reason) {
    return (refusal > 0 && reason.contains("can't be captured at safe point"))
        || (capture + listener > 0 && reason.contains("could not be captured at safe point"))
        || (write > 0 && reason.contains("could not write its image"))
        || (stuckWrite > 0 && reason.contains("did not get its image of epoch"))
        || (record > 0 && reason.contains("could not write the record"))
        || (stateLimitBytes < 1000 && reason.contains("the channel state is larger"));
  }
}

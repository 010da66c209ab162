// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import java.util.Arrays;
import java.util.Optional;

/** A place where images live, in addition to the rank's own store. */
public enum Tier {
  /** A copy in a store of another failure group. */
  PARTNER("partner"),
  /** Parity in the stores of other failure groups. */
  SET("set"),
  /** A copy in a directory that all nodes see. */
  SHARED("shared");

  private final String word;

  Tier(String word) {
    this.word = word;
  }

  /** As options, records and messages have it. */
  public String word() {
    return word;
  }

  /**
   * Name of the record that says that a store's part of this tier is durable, as all others are.
   */
  public String recordName() {
    return word + "-record";
  }

  /** Name of the record until all stores have theirs. */
  public String pendingRecordName() {
    return "pending-" + recordName();
  }

  /** The tier that has records of this name, published or pending ones. */
  public static Optional<Tier> ofRecordName(String name) {
    return Arrays.stream(values())
        .filter(tier -> name.equals(tier.recordName()) || name.equals(tier.pendingRecordName()))
        .findFirst();
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.image.EpochId;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Names a parity shard for ever.
 *
 * @param jobUuid the job
 * @param epoch whose images it was made of
 * @param encodedBy the generation that made it: sets differ from launch to launch
 * @param set index of the redundancy set
 * @param stripe number of the stripe
 * @param row which of the stripe's parity shards
 */
public record ShardId(UUID jobUuid, EpochId epoch, long encodedBy, int set, int stripe, int row) {
  private static final Pattern NAME =
      Pattern.compile("set-([0-9]{1,9})-stripe-([0-9]{1,9})-([0-9]{1,9})-by-([0-9]{1,18}).parity");

  /** Name of its file in the epoch's directory. */
  public String fileName() {
    return "set-" + set + "-stripe-" + stripe + "-" + row + "-by-" + encodedBy + ".parity";
  }

  /** Whether this is the name of a shard's file, and which generation made it. */
  public static Optional<Long> encodedBy(String fileName) {
    Matcher matcher = NAME.matcher(fileName);
    return matcher.matches() ? Optional.of(Long.parseLong(matcher.group(4))) : Optional.empty();
  }
}

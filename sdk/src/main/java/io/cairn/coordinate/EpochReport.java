// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

/**
 * How an epoch ended. Counts and durations are those known on all ranks when it did; they are
 * complete for a committed epoch, and zero where an abandoned one didn't get that far.
 *
 * @param epoch its number
 * @param safePoint index of the safe point at which all ranks cut; where ranks run free, this
 *     rank's own, zero if it did not cut
 * @param committed whether it is committed; else it is abandoned
 * @param reason why it was abandoned; empty if it was committed
 * @param pauseNanos longest time that a rank was stopped for it
 * @param callbackNanos longest time that a rank's callbacks took of that
 * @param lateMessages messages in the channel state, over all ranks
 * @param drainedMessages messages that the agents took off the network for it, over all ranks
 * @param bytes length of its images, over all ranks
 * @param durableNanos longest time between a rank's cut and its image being synced
 * @param heldNanos longest time that a call of a free-running rank waited for the other ranks' cuts
 * @param takenNanos longest time that the writing kept a core from a rank's application, as far as
 *     that is known
 * @param settledNanos time between this rank's cut and the end of the epoch, zero if it did not cut
 */
public record EpochReport(
    long epoch,
    long safePoint,
    boolean committed,
    String reason,
    long pauseNanos,
    long callbackNanos,
    long lateMessages,
    long drainedMessages,
    long bytes,
    long durableNanos,
    long heldNanos,
    long takenNanos,
    long settledNanos) {

  /** Most that a rank's application has lost by it, as far as that is known. */
  public long costNanos() {
    return pauseNanos + heldNanos + takenNanos;
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

import java.util.concurrent.TimeUnit;

/** Why an epoch is abandoned, in words: what was found, what was awaited, on which rank. */
final class Reasons {

  private Reasons() {}

  static String held(int rank, long safePoint, long nanos) {
    return "rank %d was held at safe point %d for %s without hearing the ranks' vote, and went on; do the agents get no processor time?"
        .formatted(rank, safePoint, seconds(nanos));
  }

  static String refused(int rank, long safePoint, CutRefusedException cause) {
    return "rank %d can't be captured at safe point %d: %s"
        .formatted(rank, safePoint, cause.getMessage());
  }

  static String captureFailed(int rank, long safePoint, Throwable cause) {
    return "rank %d could not be captured at safe point %d: %s".formatted(rank, safePoint, cause);
  }

  static String outOfReach(long safePoint, long index, long nanos) {
    return ("safe point %d was agreed when the program passed safe points faster; %s later the"
            + " foremost rank is at %d. A nearer one is agreed on next")
        .formatted(safePoint, seconds(nanos), index);
  }

  static String notCut(int rank, long safePoint, long timeoutNanos, long index, long ranks) {
    return "rank %d did not get past safe point %d within %s, it is at %d (%d ranks were awaited)"
        .formatted(rank, safePoint, seconds(timeoutNanos), index, ranks);
  }

  static String markersLost(long timeoutNanos, long balance) {
    return "%d markers did not arrive within %s".formatted(balance, seconds(timeoutNanos));
  }

  static String finishedEarly(int rank, long safePoint, long index) {
    return "rank %d finished before safe point %d, after %d; all ranks must pass the same number of safe points"
        .formatted(rank, safePoint, index);
  }

  static String ended(long safePoint, long index) {
    return "the program ended after safe point %d, before safe point %d"
        .formatted(index, safePoint);
  }

  static String heldCall(int rank, String call, long limitNanos, int awaited) {
    return ("rank %d was held in %s for %s (cairn.hold.limit), because rank %d came to no safe"
            + " point meanwhile")
        .formatted(rank, call, seconds(limitNanos), awaited);
  }

  static String heldByCapture(int rank, String call, long limitNanos) {
    return ("rank %d was held in %s for %s (cairn.hold.limit), because another rank had not finished"
            + " its cut; if copying its state takes that long, raise the limit, or cairn.staging")
        .formatted(rank, call, seconds(limitNanos));
  }

  static String heldRepeatedly(int times, String reasons, long retryNanos) {
    return ("%d epochs in a row were abandoned because a call was held too long: %s. If it only waits for"
            + " long work, raise cairn.hold.limit. If the rank without a safe point waits for that"
            + " very call, it will never do: have it wait in cairn.probe or cairn.receive, or pass"
            + " safe points while it waits. The next epoch is tried in %s")
        .formatted(times, reasons, seconds(retryNanos));
  }

  static String noSafePoint(int rank, long timeoutNanos, long ranks) {
    return "rank %d came to no safe point within %s (%d ranks were awaited)"
        .formatted(rank, seconds(timeoutNanos), ranks);
  }

  static String finishedUncut(int rank, long index) {
    return "rank %d finished before it came to another safe point, after %d".formatted(rank, index);
  }

  static String lateMessages(int rank, long missing, long timeoutNanos) {
    return "rank %d has not received %d late messages after %s, and they can't be taken off the network (synchronous sends?)"
        .formatted(rank, missing, seconds(timeoutNanos));
  }

  static String imageFailed(int rank, long epoch, Throwable cause) {
    return "rank %d could not write its image of epoch %d: %s".formatted(rank, epoch, cause);
  }

  static String imageSlow(int rank, long epoch, long timeoutNanos) {
    return "rank %d did not get its image of epoch %d synced within %s"
        .formatted(rank, epoch, seconds(timeoutNanos));
  }

  static String recordFailed(int rank, long epoch, Throwable cause) {
    return "rank %d could not write the record of epoch %d: %s".formatted(rank, epoch, cause);
  }

  static String recordSlow(int rank, long epoch, long timeoutNanos) {
    return "rank %d did not get the record of epoch %d synced within %s"
        .formatted(rank, epoch, seconds(timeoutNanos));
  }

  static String countsSlow(long safePoint, long timeoutNanos) {
    return "a collective straddles safe point %d; the ranks' counts did not arrive within %s"
        .formatted(safePoint, seconds(timeoutNanos));
  }

  static String countsAgree(long safePoint) {
    return "a collective straddles safe point %d, but no communicator's members disagree; please report this"
        .formatted(safePoint);
  }

  static String inconsistent(long safePoint, long fingerprint) {
    return "the counts of sent and received messages do not match at safe point %d (fingerprint %x); please report this"
        .formatted(safePoint, fingerprint);
  }

  static String bareCutSlow(int rank, long timeoutNanos, long balance) {
    return "rank %d saw no end of it within %s (%d markers had not arrived at the last pulse)"
        .formatted(rank, seconds(timeoutNanos), balance);
  }

  static String bareCutElsewhere() {
    return "another rank could not go on";
  }

  static String bareCutInconsistent(long fingerprint) {
    return "the ends of the channels would not move their base by the same counts (fingerprint %x); please report this"
        .formatted(fingerprint);
  }

  static String misaligned(long fewest, long most) {
    return "the ranks passed different numbers of safe points, %d to %d; all must pass the same number, at the same places of the program"
        .formatted(fewest, most);
  }

  private static String seconds(long nanos) {
    return TimeUnit.NANOSECONDS.toMillis(nanos) / 1000.0 + " s";
  }
}

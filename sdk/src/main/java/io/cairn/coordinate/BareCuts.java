// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * One rank's part in bare cuts: when it wishes for one, and what it does in the one that is under
 * way. A bare cut moves the base, so that the ledger forgets channels with nothing outstanding;
 * nothing is captured, and the application takes no part. Agent's thread.
 */
final class BareCuts {

  /** For so long at least a rank wishes for none after one was abandoned; it doubles. */
  private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  private static final int HIGHEST_PAUSE_DOUBLINGS = 10;

  /**
   * A pause after each one as a multiple of its work: they take a twentieth of the time at most.
   */
  private static final int PAUSE_PER_WORK = 20;

  /** What an agent without processor time takes for work mustn't keep bare cuts off for long. */
  private static final long LONGEST_PAUSE_FOR_WORK_NANOS = TimeUnit.SECONDS.toNanos(1);

  /**
   * After this long without one, channels that were left by the last one are worth a try: those
   * messages may have been received since.
   */
  private static final long STALE_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final Ledger ledger;
  private final Clock clock;
  private final long limit;

  /** The last one that was begun: the same on all ranks after the same pulse. */
  private long number;

  private int abandonedInARow;

  /** Channels that were left after the base has moved last: those that aren't worth another try. */
  private long left;

  private long movedNanos;

  private long pausedSinceNanos;
  private long pauseNanos;

  // Of the one under way.
  private long sinceNanos;
  private long workNanos;
  private long channelsBefore;
  private long term;
  private String fault;

  BareCuts(Ledger ledger, Clock clock, long limit) {
    this.ledger = ledger;
    this.clock = clock;
    this.limit = limit;
  }

  long number() {
    return number;
  }

  /** Whether the ledger remembers so many channels that it should forget some. */
  boolean wished() {
    long channels = ledger.channels();
    long sinceNanos = clock.nanoTime() - movedNanos;
    return channels > limit
        // Where many messages are always on their way, at least as many again must come.
        && (channels > 2 * left || sinceNanos >= STALE_NANOS)
        && (pauseNanos == 0 || clock.nanoTime() - pausedSinceNanos >= pauseNanos);
  }

  /** An epoch has moved the base. */
  void baseMoved() {
    left = ledger.channels();
    movedNanos = clock.nanoTime();
    abandonedInARow = 0;
  }

  /** All ranks begin, and send what this returns. */
  List<Ledger.OutgoingMarker> begin() {
    number++;
    sinceNanos = clock.nanoTime();
    workNanos = 0;
    term = 0;
    fault = null;
    channelsBefore = ledger.channels();
    List<Ledger.OutgoingMarker> markers = ledger.bareCut();
    worked(sinceNanos);
    return markers;
  }

  void accept(int source, byte[] marker) {
    long begin = clock.nanoTime();
    ledger.acceptBare(source, marker);
    worked(begin);
  }

  /** All markers are in: what this rank is about to subtract is known. */
  void prove() {
    long begin = clock.nanoTime();
    term = ledger.channelFingerprint();
    worked(begin);
  }

  /** Zero until {@link #prove}. */
  long term() {
    return term;
  }

  /** This rank can't go on; the first reason stays. */
  void fail(String reason) {
    if (fault == null) {
      fault = reason;
    }
  }

  /** Why this rank can't go on, or null. */
  String fault() {
    return fault;
  }

  BareCutReport commit() {
    long begin = clock.nanoTime();
    ledger.commit();
    worked(begin);
    baseMoved();
    pause(Math.min(LONGEST_PAUSE_FOR_WORK_NANOS, PAUSE_PER_WORK * workNanos));
    return report(true, "");
  }

  BareCutReport abandon(String reason) {
    ledger.abandon();
    int doublings = Math.min(HIGHEST_PAUSE_DOUBLINGS, abandonedInARow++);
    pause(PAUSE_NANOS << doublings);
    return report(false, reason);
  }

  private void pause(long nanos) {
    pauseNanos = nanos;
    pausedSinceNanos = clock.nanoTime();
  }

  private void worked(long begin) {
    workNanos += clock.nanoTime() - begin;
  }

  private BareCutReport report(boolean committed, String reason) {
    return new BareCutReport(
        number,
        committed,
        reason,
        channelsBefore,
        ledger.channels(),
        clock.nanoTime() - sinceNanos,
        workNanos);
  }
}

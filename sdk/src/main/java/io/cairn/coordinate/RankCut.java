// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

import io.cairn.coordinate.Capture.PendingImage;
import java.util.List;

/**
 * One rank's part of a proposed or pending epoch's cut. All fields are guarded by the gate's lock.
 */
final class RankCut {

  /**
   *
   *
   * <pre>
   * PROPOSED -> AGREED     [SafePointGate.agree]
   * PROPOSED -> LEFT       [SafePointGate.tryAttend: held too long]
   * AGREED   -> UNDER_WAY  [SafePointGate.tryAttend]
   * UNDER_WAY -> LEFT      [SafePointGate.take]
   * </pre>
   */
  enum State {
    /** Installed; whether all ranks could is not known yet. */
    PROPOSED,
    /** All ranks will cut, here or, free-running, at their next; this one hasn't reached it. */
    AGREED,
    /** The application's thread is in its callbacks and capture. */
    UNDER_WAY,
    /** The application's thread has gone on, with a cut or a fault. */
    LEFT
  }

  static final long NEXT = Long.MIN_VALUE;

  final long epoch;

  /** Whether this rank cuts at its next safe point, whichever that is. */
  final boolean free;

  final long holdLimitNanos;

  /** For a free rank {@link #NEXT} until it is known. */
  long safePoint;

  State state;

  /** Whether the application's thread waits here, and since when. */
  boolean held;

  long heldSinceNanos;

  /** The agent has given the epoch up: the ledger must not be cut for it any more. */
  boolean abandoned;

  /** The ledger is cut; {@link #markers} are valid. */
  boolean taken;

  long takenAtNanos;
  long pauseNanos;
  List<Ledger.OutgoingMarker> markers = List.of();

  /** Null until captured. */
  PendingImage image;

  /** What went wrong on the application's thread, or null. */
  String fault;

  /** A proposed cut. */
  RankCut(long epoch, long safePoint) {
    this.epoch = epoch;
    this.safePoint = safePoint;
    free = false;
    holdLimitNanos = 0;
    state = State.PROPOSED;
  }

  private RankCut(long epoch, long safePoint, long holdLimitNanos) {
    this.epoch = epoch;
    this.safePoint = safePoint;
    this.holdLimitNanos = holdLimitNanos;
    free = true;
    state = State.AGREED;
  }

  /** A cut at the next safe point. */
  static RankCut atNext(long epoch, long holdLimitNanos) {
    return new RankCut(epoch, NEXT, holdLimitNanos);
  }

  /** Whether the application's thread still has to come here. */
  boolean awaited() {
    return state == State.PROPOSED || state == State.AGREED;
  }
}

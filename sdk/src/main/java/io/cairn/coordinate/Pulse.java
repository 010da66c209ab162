// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

/**
 * What travels in a pulse: one vector reduced by maximum, one by sum (modulo 2^64). The layout is
 * the same in all phases; while an epoch is abandoned the culprit's text follows the sums.
 */
final class Pulse {

  // Maxima.
  /** Safe points passed. */
  static final int INDEX = 0;

  /** Minus the safe points passed, which makes it a minimum. */
  static final int MINUS_INDEX = 1;

  /** 1 if the rank wants a checkpoint. */
  static final int WISH = 2;

  /** Who is to give the reason of a fault: see {@link #culpritKey}. */
  static final int CULPRIT = 3;

  static final int PAUSE_NANOS = 4;
  static final int DURABLE_NANOS = 5;

  /** The ranks' number minus the lowest rank that hasn't come to its cut; zero if all have. */
  static final int FIRST_TO_CUT = 6;

  static final int HELD_NANOS = 7;

  /** 1 if the rank's ledger remembers too many channels. */
  static final int BARE_WISH = 8;

  /** {@link Capture.PendingImage#takenNanos}. */
  static final int TAKEN_NANOS = 9;

  /** {@link Capture.PendingImage#callbackNanos}. */
  static final int CALLBACK_NANOS = 10;

  static final int MAXIMA = 11;

  // Sums. Each is zero when nothing stands in the way.
  /** Ranks that pass no safe point any more. */
  static final int CLOSING = 0;

  /** Ranks that could not install the proposed safe point. */
  static final int VETOES = 1;

  /** Ranks whose application's thread has not left the cut yet. */
  static final int TO_CUT = 2;

  /** Frames sent minus frames received, over the whole launch. */
  static final int BALANCE = 3;

  /** Ranks that can't go on with the epoch, or with the bare cut. */
  static final int FAULTS = 4;

  /** Ranks whose image is not synced. */
  static final int NOT_DURABLE = 5;

  /** {@link Ledger#channelFingerprint}. */
  static final int CHANNELS = 6;

  /** {@link Ledger#collectiveFingerprint}. */
  static final int COLLECTIVES = 7;

  /** {@link Store#digestTerm}. */
  static final int DIGEST = 8;

  /** Ranks whose store's pending record is not synced. */
  static final int NOT_RECORDED = 9;

  /** Ranks whose application's thread is still in the cut of an abandoned epoch. */
  static final int UNSETTLED = 10;

  /** Ranks that send synchronously; counted where ranks run free. */
  static final int SYNCHRONOUS = 11;

  static final int LATE_MESSAGES = 12;
  static final int DRAINED_MESSAGES = 13;
  static final int BYTES = 14;
  static final int SUMS = 15;

  /** Offset of the culprit's text in the sums. */
  static final int TEXT = SUMS;

  static final int SUMS_AND_TEXT = SUMS + PulseText.LONGS;

  private Pulse() {}

  /** The highest key wins: first the more telling fault, then the lowest rank. Zero is nobody's. */
  static long culpritKey(int severity, int rank, int size) {
    return (long) severity * (size + 1L) + (size - rank);
  }

  static int culpritSeverity(long key, int size) {
    return (int) (key / (size + 1L));
  }

  static int culpritRank(long key, int size) {
    return (int) (size - key % (size + 1L));
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

/**
 * Makes a free-running rank's sends and collectives wait inside their call, from its own cut until
 * all ranks are cut: so no message is received before a cut that was sent after one, and no
 * collective straddles the cut. Receives go on.
 *
 * <p>{@link #begin} is called by the application's thread, everything else by the agent, or where
 * an agent begins or ends; implementations guard themselves.
 */
public interface Hold {

  /** From now on calls wait; right before the ledger is cut. */
  void begin(long limitNanos);

  /** Calls go on. Any number of times. */
  void end();

  /**
   * The call whose wait in this hold came to the limit, in words; null if there was none. It has
   * gone on by then, and so has every other call of this rank: the epoch must be given up.
   */
  String overdue();

  /** Whether a call waits now. */
  boolean isWaiting();

  /** Longest wait of this hold so far. */
  long waitedNanos();

  /**
   * Takes what has arrived off the network, for an application that can't because it waits: a rank
   * that sends it a long message gets to its own cut only then. Not where any rank sends
   * synchronously, whose sends would complete early.
   */
  void drain();

  /**
   * There is an agent now: this rank's first synchronous send waits for {@link #synchronousKnown}.
   */
  void announce();

  /** Whether this rank has sent synchronously, or is about to. */
  boolean synchronousUsed();

  /** All agents know that there are synchronous sends: they go on. */
  void synchronousKnown();

  /** There is no agent any more: nothing waits. */
  void stop();
}

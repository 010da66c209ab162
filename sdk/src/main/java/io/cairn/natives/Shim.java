// SPDX-License-Identifier: Apache-2.0
package io.cairn.natives;

import io.cairn.coordinate.Hold;

/** The MPI shim of this process. */
public final class Shim {

  private static final NativeHold HOLD = new NativeHold();

  private Shim() {}

  /**
   * Checks that the shim sees this process's MPI calls, which it does when it was loaded before
   * MPI.
   *
   * @throws IllegalStateException if it doesn't; the message says why and what to do
   */
  public static void requireInPlace() {
    String wrong = check();
    if (wrong != null) {
      throw new IllegalStateException(wrong);
    }
  }

  /** The ledger that the shim keeps. Valid after MPI was initialised. */
  public static NativeLedger ledger(long stateLimitBytes) {
    return new NativeLedger(ledgerHandle(stateLimitBytes), false);
  }

  /** What makes this process's calls wait between its cut and the others'. */
  public static Hold hold() {
    return HOLD;
  }

  /** Ends all ranks of the job. Doesn't return. */
  public static native void abort(int code);

  /** Returns when the application has called {@code MPI_Finalize}, which waits for the agent. */
  public static native void awaitFinalize();

  /** The agent has ended: {@code MPI_Finalize} may go on. */
  public static native void agentEnded();

  /** An agent is at work: {@code MPI_Finalize} waits for {@link #agentEnded}. */
  public static native void agentStarted();

  /**
   * What the shim has seen that the user should know, although it changes nothing for the epochs.
   * Said once; null if there is nothing.
   */
  public static native String takeWarning();

  /** Touches what receives that are pending may have got already, before a cut. */
  public static native void touchPending();

  static native void drain(long ledger);

  private static native String check();

  private static native long ledgerHandle(long stateLimitBytes);
}

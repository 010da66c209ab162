// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

/**
 * The gate's steps without their waits, for a simulated application that has no thread to block.
 */
public final class GateSteps {

  private GateSteps() {}

  /** The fast path of {@link SafePointGate#safePoint}: whether the application goes on at once. */
  public static boolean pass(SafePointGate gate) {
    return gate.pass();
  }

  /** Whether the slow path is due where the application waits at its last safe point. */
  public static boolean due(SafePointGate gate) {
    return gate.due();
  }

  /** The slow path: false while the application is held. */
  public static boolean tryAttend(SafePointGate gate) {
    return gate.tryAttend();
  }

  /** The first step of {@link SafePointGate#close}. */
  public static void beginClose(SafePointGate gate) {
    gate.beginClose();
  }

  /** The second one: false while all is not settled. */
  public static boolean tryClose(SafePointGate gate) {
    return gate.tryClose();
  }
}

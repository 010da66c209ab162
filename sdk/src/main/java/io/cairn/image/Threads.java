// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.util.List;

/** What is done with threads of one's own. */
public final class Threads {
  private Threads() {}

  /**
   * Returns when all of them have ended. An interrupt of the caller doesn't shorten that, and is
   * there when this returns.
   */
  public static void awaitEnd(List<Thread> threads) {
    boolean interrupted = false;
    for (Thread thread : threads) {
      while (thread.isAlive()) {
        try {
          thread.join();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

import java.util.concurrent.locks.LockSupport;

/**
 * The thread that drives a rank's {@link EpochCoordinator}. It ends when all ranks have closed,
 * when it is told to stop, or when it fails, which is a bug: then every further call of the
 * application to the gate throws.
 */
public final class Agent {

  private final EpochCoordinator coordinator;
  private final EpochLog log;
  private final Thread thread;
  private volatile boolean stopping;

  public Agent(EpochCoordinator coordinator, EpochLog log) {
    this.coordinator = coordinator;
    this.log = log;
    thread = new Thread(this::run, "cairn-agent");
    thread.setDaemon(true);
  }

  /** Starts the thread. Called once, on all ranks. */
  public void start() {
    thread.start();
  }

  /**
   * Waits until the thread has ended, after {@link SafePointGate#close} has returned: from then on
   * nothing of cairn calls MPI.
   */
  public void join() {
    boolean interrupted = false;
    while (true) {
      try {
        thread.join();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Ends the thread without the other ranks' agreement, for a job that is about to be aborted: a
   * pending epoch stays undecided, and the other agents get no further. Waits until it has ended.
   */
  public void stop() {
    stopping = true;
    LockSupport.unpark(thread);
    if (Thread.currentThread() != thread) {
      join();
    }
  }

  private void run() {
    try {
      while (!stopping) {
        long nanos = coordinator.advance();
        if (nanos == EpochCoordinator.CLOSED) {
          return;
        }
        LockSupport.parkNanos(nanos);
      }
      coordinator.gate().fail(new IllegalStateException("the agent was stopped"));
    } catch (Throwable e) {
      coordinator.gate().fail(e);
      log.warning(
          "the agent has failed; this is a bug, and no checkpoint will be taken any more", e);
    }
  }
}

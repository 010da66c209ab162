// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

/**
 * What the agents need of the network: a recurring non-blocking reduction over all ranks, and small
 * messages between two ranks. Nothing here blocks. One thread, the agent's, calls it.
 *
 * <p>Messages from one source arrive in the order in which they were sent; nothing is promised
 * between sources, nor between messages and pulses.
 */
public interface Fabric {

  /** This process's rank in the world, 0 to {@link #size()} - 1. */
  int rank();

  /** How many ranks the world has. */
  int size();

  /**
   * Starts a pulse: an element-wise maximum and an element-wise sum over all ranks. All ranks start
   * the same pulses in the same order with the same lengths; at most one is under way. The arrays
   * are copied before this returns.
   */
  void startPulse(long[] max, long[] sum);

  /**
   * Whether the pulse under way has completed; if so, and only then, the two arrays (of the lengths
   * given at the start) hold the reduced values, and the next pulse may be started.
   */
  boolean testPulse(long[] max, long[] sum);

  /**
   * Sends a message of any length; returns at once, the bytes are copied or kept until they are
   * delivered.
   */
  void send(int destination, byte[] message);

  /** The next message that has arrived, or null. */
  Message poll();

  /** A message from another rank's agent. */
  record Message(int source, byte[] bytes) {}
}

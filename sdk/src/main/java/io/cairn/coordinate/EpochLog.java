// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

/**
 * Told at once how epochs end, for the log. Called on the agent's or the application's thread; must
 * not block.
 */
public interface EpochLog {

  /** An epoch has been committed or abandoned, on all ranks. Agent's thread. */
  void settled(EpochReport report);

  /** A bare cut has been committed or abandoned, on all ranks. Agent's thread. */
  void bareCut(BareCutReport report);

  /**
   * Something went wrong that changes nothing for the computation.
   *
   * @param cause may be null
   */
  void warning(String text, Throwable cause);
}

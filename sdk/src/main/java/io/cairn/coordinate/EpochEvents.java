// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

/**
 * What the application is told about epochs. All methods run on the application's thread, inside
 * {@link SafePointGate#safePoint} or {@link SafePointGate#close}; they must not call either.
 */
public interface EpochEvents {

  /**
   * The rank is about to be captured.
   *
   * @throws Exception to give up this epoch on all ranks; the computation goes on
   */
  default void beforeCut(long epoch, long safePoint) throws Exception {}

  /**
   * The rank has been captured and goes on; the epoch may still be abandoned.
   *
   * @param pauseNanos how long the rank was stopped for it, {@link #beforeCut} included
   * @throws Exception to give up this epoch on all ranks; the computation goes on
   */
  default void captured(long epoch, long safePoint, long pauseNanos) throws Exception {}

  /** The epoch is committed on all ranks. An exception is logged and dropped. */
  default void committed(EpochReport report) throws Exception {}

  /**
   * The epoch was given up on all ranks, {@link EpochReport#reason} says why. An exception is
   * logged and dropped.
   */
  default void abandoned(EpochReport report) throws Exception {}
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.api;

/**
 * Told what becomes of this rank's epochs. All methods are called on the application's thread,
 * inside {@code safePoint()}, {@code restore()} or when closing: so {@link #committed} and {@link
 * #abandoned} arrive at the first safe point after the fact, not at once.
 *
 * <p>Methods must not call MPI. An exception from {@link #beforeCut} abandons the epoch on all
 * ranks; one from any other method is logged, and the computation goes on.
 */
public interface CheckpointListener {

  /**
   * This rank is about to be captured: the last chance to write to regions.
   *
   * @throws Exception to abandon the epoch on all ranks
   */
  default void beforeCut(CutEvent event) throws Exception {}

  /** This rank's state has been copied; the computation goes on while the copy is written. */
  default void captured(CapturedEvent event) {}

  /** The epoch is committed on all ranks: a restart continues from it, or from a later one. */
  default void committed(CommittedEvent event) {}

  /**
   * The epoch has been given up on all ranks; the last committed one stays what a restart continues
   * from.
   */
  default void abandoned(AbandonedEvent event) {}

  /** {@code restore()} has brought this rank's state back. */
  default void restored(RestoredEvent event) {}

  /**
   * @param epoch number of the epoch
   * @param safePoint index of the safe point at which this rank is captured
   */
  record CutEvent(long epoch, long safePoint) {}

  /**
   * @param epoch number of the epoch
   * @param safePoint index of the safe point at which this rank was captured
   * @param pauseNanos how long the application waited for the capture, in nanoseconds
   * @param capturedBytes what was copied of this rank's regions, arrays and callbacks, in bytes
   */
  record CapturedEvent(long epoch, long safePoint, long pauseNanos, long capturedBytes) {}

  /**
   * @param epoch number of the epoch
   * @param safePoint index of the safe point at which this rank was captured
   * @param imageBytes length of this rank's image on disk, in bytes
   * @param lateMessages messages of this rank's channel state
   * @param durableNanos from this rank's cut until the epoch was committed, in nanoseconds
   */
  record CommittedEvent(
      long epoch, long safePoint, long imageBytes, long lateMessages, long durableNanos) {}

  /**
   * @param epoch number of the epoch
   * @param reason why, the same on all ranks; names the rank it came from
   */
  record AbandonedEvent(long epoch, String reason) {}

  /**
   * @param generation the launch that committed the epoch
   * @param epoch number of the epoch
   * @param safePoint index of the safe point at which this rank was captured
   * @param restoredBytes what was read back into regions, arrays and callbacks, in bytes
   * @param queuedMessages messages of the channel state, waiting to be received again
   */
  record RestoredEvent(
      long generation, long epoch, long safePoint, long restoredBytes, long queuedMessages) {}
}

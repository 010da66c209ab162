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
   * @param pauseNanos how long the application was stopped for it, in nanoseconds
   */
  record CapturedEvent(long epoch, long safePoint, long pauseNanos) {}

  /**
   * The same on all ranks, but for the safe point where ranks run free.
   *
   * @param epoch number of the epoch
   * @param safePoint index of the safe point at which this rank was captured: of all ranks, unless
   *     they run free
   * @param pauseNanos longest time that a rank was stopped for it, in nanoseconds
   * @param imageBytes length of its images, over all ranks
   * @param lateMessages messages of the channel state, over all ranks
   * @param drainedMessages those of them that were taken off the network before the application
   *     received them
   * @param durableNanos longest time between a rank's cut and its image being safely on disk, in
   *     nanoseconds
   * @param heldNanos longest time that a send or collective of a free-running rank waited for the
   *     other ranks' cuts, in nanoseconds
   */
  record CommittedEvent(
      long epoch,
      long safePoint,
      long pauseNanos,
      long imageBytes,
      long lateMessages,
      long drainedMessages,
      long durableNanos,
      long heldNanos) {}

  /**
   * @param epoch number of the epoch
   * @param reason why, the same on all ranks; names the rank it came from
   */
  record AbandonedEvent(long epoch, String reason) {}

  /**
   * @param generation the launch that committed the epoch
   * @param epoch number of the epoch
   * @param safePoint index of the safe point at which this rank was captured
   * @param restoredBytes length of the regions and arrays that were read back, in bytes
   * @param queuedMessages messages of the channel state, waiting to be received again
   */
  record RestoredEvent(
      long generation, long epoch, long safePoint, long restoredBytes, long queuedMessages) {}
}

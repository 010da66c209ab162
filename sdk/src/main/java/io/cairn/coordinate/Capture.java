// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

/**
 * Copies the application's state at a cut, and writes it as the rank's image of that epoch in the
 * background.
 */
public interface Capture {

  /**
   * Copies everything that is registered; returns when the application may go on. Application's
   * thread.
   *
   * @throws Exception if a callback throws or nothing can be written: the epoch is abandoned, the
   *     computation goes on
   */
  PendingImage capture(long epoch, long safePoint) throws Exception;

  /** An image that is being written. Methods are called by the agent and return at once. */
  interface PendingImage {

    /**
     * The channel state is complete: append it, finish the image, sync it. Releases {@code
     * channels} when done.
     */
    void seal(SealedChannels channels);

    /** Where the write stands; {@link Progress#DONE} means that the image is synced. */
    Progress progress();

    /** Why {@link #progress} is {@link Progress#FAILED}. */
    Throwable failure();

    /** A digest of the whole image; valid when {@link #progress} is {@link Progress#DONE}. */
    long digest();

    /** Length of the image in bytes; valid when {@link #progress} is {@link Progress#DONE}. */
    long lengthBytes();

    /**
     * How long writing it kept a core from the application, as far as that is known; valid when
     * {@link #progress} is {@link Progress#DONE}.
     */
    default long takenNanos() {
      return 0;
    }

    /** How much of the time that the application waited was its own callbacks'. */
    default long callbackNanos() {
      return 0;
    }

    /** The epoch is committed: later images may take from this one what hasn't changed. */
    default void committed() {}

    /** Stops writing and deletes what was written; a failure to delete is logged, not thrown. */
    void discard();
  }

  /** Progress of background work. */
  enum Progress {
    RUNNING,
    DONE,
    FAILED
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import io.cairn.coordinate.Capture.Progress;
import io.cairn.image.EpochId;
import java.util.Map;
import java.util.Set;

/**
 * The slower tiers, as the store that commits sees them. All ranks call {@link #beforeVote}, {@link
 * #committed} and {@link #abandoned} for the same epochs in the same order, and each call returns
 * at once.
 */
public interface Protection {

  /** No slower tiers. */
  Protection NONE =
      new Protection() {
        @Override
        public Vote beforeVote(EpochId epoch, long jobDigest) {
          return Vote.NOTHING_TO_DO;
        }

        @Override
        public void committed(EpochId epoch, long jobDigest) {}

        @Override
        public void abandoned(EpochId epoch) {}

        @Override
        public Set<EpochId> held() {
          return Set.of();
        }

        @Override
        public Map<String, Integer> kept() {
          return Map.of();
        }
      };

  /** Where that stands what a commit waits for. */
  interface Vote {

    /** Nothing to wait for. */
    Vote NOTHING_TO_DO =
        new Vote() {
          @Override
          public Progress progress() {
            return Progress.DONE;
          }

          @Override
          public Throwable failure() {
            throw new IllegalStateException("nothing has failed");
          }
        };

    /** Done when the epoch is protected as a commit demands. */
    Progress progress();

    /** Why it is {@link Progress#FAILED}. */
    Throwable failure();
  }

  /** All images of the epoch are durable: what a commit waits for may begin. */
  Vote beforeVote(EpochId epoch, long jobDigest);

  /** The epoch is committed. */
  void committed(EpochId epoch, long jobDigest);

  /** The epoch is abandoned: nothing of it is of use. */
  void abandoned(EpochId epoch);

  /** Epochs whose images are still needed, whatever retention says. */
  Set<EpochId> held();

  /** For each kind of protection the name of its record, and how many epochs it keeps. */
  Map<String, Integer> kept();
}

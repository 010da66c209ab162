// SPDX-License-Identifier: Apache-2.0
package io.cairn.restore;

import io.cairn.image.EpochId;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What all ranks agreed to restore; the same on all.
 *
 * @param epoch the epoch, or nothing: the job starts afresh
 * @param jobDigest that epoch's job-wide digest
 * @param reasons why newer epochs are not used, a line each
 * @param recovered which images were brought to where their ranks run, a line each
 * @param broken those newer epochs
 */
public record Choice(
    Optional<EpochId> epoch,
    long jobDigest,
    List<String> reasons,
    List<String> recovered,
    Set<EpochId> broken) {
  public Choice {
    reasons = List.copyOf(reasons);
    recovered = List.copyOf(recovered);
    broken = Set.copyOf(broken);
  }
}

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
 * @param reasons why newer epochs are not used, a line each
 * @param broken those newer epochs
 */
public record Choice(Optional<EpochId> epoch, List<String> reasons, Set<EpochId> broken) {
  public Choice {
    reasons = List.copyOf(reasons);
    broken = Set.copyOf(broken);
  }
}

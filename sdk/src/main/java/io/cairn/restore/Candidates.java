// SPDX-License-Identifier: Apache-2.0
package io.cairn.restore;

import io.cairn.image.EpochId;
import io.cairn.store.Standing;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * Which epochs a start may restore: those that are committed in any store, and those whose pending
 * record is in all ranks' stores. Then all ranks had everything durable, and only the deciding
 * pulse's outcome was lost.
 */
public final class Candidates {
  private Candidates() {}

  /**
   * The candidates, newest first.
   *
   * @param inventories of each store (or of each rank, as it sees its own) the epochs that have a
   *     record there; without {@linkplain io.cairn.store.StoreView#isNewborn newborn} stores
   * @param shared those of the shared tier, of which only committed ones count
   */
  public static Map<EpochId, Standing> of(
      List<Map<EpochId, Standing>> inventories, Map<EpochId, Standing> shared) {
    NavigableMap<EpochId, Integer> recorded = new TreeMap<>();
    Map<EpochId, Standing> committed = new TreeMap<>();
    for (Map<EpochId, Standing> inventory : inventories) {
      inventory.forEach(
          (epoch, standing) -> {
            recorded.merge(epoch, 1, Integer::sum);
            if (standing == Standing.COMMITTED) {
              committed.put(epoch, standing);
            }
          });
    }
    shared.forEach(
        (epoch, standing) -> {
          if (standing == Standing.COMMITTED) {
            recorded.putIfAbsent(epoch, 0);
            committed.put(epoch, standing);
          }
        });
    Map<EpochId, Standing> candidates = new LinkedHashMap<>();
    for (EpochId epoch : recorded.descendingKeySet()) {
      if (committed.containsKey(epoch)) {
        candidates.put(epoch, Standing.COMMITTED);
      } else if (recorded.get(epoch) == inventories.size()) {
        candidates.put(epoch, Standing.PENDING);
      }
    }
    return candidates;
  }
}

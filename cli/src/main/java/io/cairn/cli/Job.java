// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.image.EpochId;
import io.cairn.restore.Candidates;
import io.cairn.store.Standing;
import io.cairn.store.StoreView;
import io.cairn.store.StoreView.Newest;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;

/**
 * A job in all the stores that were looked at.
 *
 * @param id its name, that of its directories
 * @param uuid its random id, if any store tells
 * @param worldSize number of ranks, or 0 if no store tells
 * @param stores all of them
 * @param sharedTier those of them that are no rank's, but the shared tier
 * @param findings what is wrong with the stores themselves
 * @param locked whether this process holds the stores' locks: nobody else does then, and the lock
 *     files are not to be opened again
 */
record Job(
    String id,
    Optional<UUID> uuid,
    int worldSize,
    List<StoreView> stores,
    Set<StoreView> sharedTier,
    List<Finding> findings,
    boolean locked) {

  /** The same, while this process holds the locks of all its stores. */
  Job whileLocked() {
    return new Job(id, uuid, worldSize, stores, sharedTier, findings, true);
  }

  boolean isShared(StoreView store) {
    return sharedTier.contains(store);
  }

  /** Epochs that any store has something of, oldest first. */
  List<EpochId> epochs() throws IOException {
    TreeSet<EpochId> epochs = new TreeSet<>();
    for (StoreView store : stores) {
      epochs.addAll(store.epochs());
    }
    return new ArrayList<>(epochs);
  }

  /** The epochs that a start may restore, newest first. */
  Map<EpochId, Standing> candidates() throws IOException {
    List<Map<EpochId, Standing>> inventories = new ArrayList<>();
    Map<EpochId, Standing> shared = new HashMap<>();
    for (StoreView store : stores) {
      Map<EpochId, Standing> epochs = isShared(store) ? shared : new HashMap<>();
      for (EpochId epoch : store.epochs()) {
        store.standing(epoch).ifPresent(standing -> epochs.put(epoch, standing));
      }
      if (!isShared(store) && !store.isNewborn()) {
        inventories.add(epochs);
      }
    }
    return Candidates.of(inventories, shared);
  }

  /** Whether a store has seen a committed epoch, ever. */
  boolean everCommitted() throws IOException {
    for (StoreView store : stores) {
      if (store.everCommitted()) {
        return true;
      }
    }
    return false;
  }

  /** The newest launch that any store knows; damaged files tell of none. */
  Optional<Newest> newest() {
    Newest newest = null;
    for (StoreView store : stores) {
      try {
        Optional<Newest> here = store.newest();
        if (here.isPresent() && (newest == null || here.get().generation() > newest.generation())) {
          newest = here.get();
        }
      } catch (IOException e) {
        // Among the findings.
      }
    }
    return Optional.ofNullable(newest);
  }

  /** Who holds a lock of one of the stores, if anybody else does. */
  Optional<String> holder() {
    if (locked) {
      // To open a lock's file and close it would give the lock up.
      return Optional.empty();
    }
    for (StoreView store : stores) {
      try {
        Optional<String> holder = store.lockHolder();
        if (holder.isPresent()) {
          return holder;
        }
      } catch (IOException e) {
        // Not ours to read: then nothing is known of it.
      }
    }
    return Optional.empty();
  }

  List<Path> directories() {
    return stores.stream().map(StoreView::directory).toList();
  }
}

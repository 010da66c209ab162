// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.testing.NodesJob;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.IntUnaryOperator;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Nodes are lost with all they have: what tiers promise comes back, bit by bit. */
final class NodeLossTest {
  private static final int RANKS = 6;

  @TempDir Path base;

  private NodesJob job;

  @BeforeEach
  void useImagesOfDifferentSizes() {
    // Some many pieces long.
    job = new NodesJob(base, RANKS, rank -> 1000 + rank * 130_001);
  }

  private void launch(IntUnaryOperator placement, TierSettings tiers, NodesJob.Part part)
      throws Exception {
    job.launch(placement).with(tiers).run(part);
  }

  private void protectedLaunch(TierSettings tiers, String promise) throws Exception {
    launch(
        r -> r / 2,
        tiers,
        (rank, state) -> {
          assertNull(rank.restore());
          job.epoch(rank, state, 1);
          job.epoch(rank, state, 2);
          rank.news.await(promise);
        });
  }

  @Test
  void shouldRestoreFromPartnerCopiesOnASpareNode() throws Exception {
    TierSettings tiers = NodesJob.partner();
    protectedLaunch(tiers, "protected partner 2");
    job.wipe(1);
    // Node 1 is gone, node 7 takes its place; all others have swapped their ranks.
    launch(
        r -> List.of(2, 0, 7, 7, 0, 2).get(r),
        tiers,
        (rank, state) -> {
          job.assertRestored(rank, state, 2);
          rank.news.await("protected partner 2");
        });
    // It is protected again, in the new places: the next loss is survived, too.
    job.wipe(0);
    launch(
        r -> List.of(2, 2, 7, 7, 2, 2).get(r),
        tiers,
        (rank, state) -> job.assertRestored(rank, state, 2));
  }

  @Test
  void shouldRebuildAnyTwoLostNodesOfAReedSolomonSet() throws Exception {
    List<List<Integer>> losses = new ArrayList<>();
    for (int a = 0; a < 3; a++) {
      losses.add(List.of(a));
    }
    TierSettings tiers = NodesJob.sets(1, 2);
    losses.addAll(List.of(List.of(0, 1), List.of(1, 2), List.of(0, 2)));
    protectedLaunch(tiers, "protected set 2");
    for (List<Integer> lost : losses) {
      for (int node : lost) {
        job.wipe(node);
      }
      launch(
          r -> r / 2,
          tiers,
          (rank, state) -> {
            job.assertRestored(rank, state, 2);
            rank.news.await("protected set 2");
          });
    }
  }

  @Test
  void shouldUseWhatARankGetsThoughWhatItShouldSendIsLost() throws Exception {
    TierSettings tiers =
        NodesJob.tiers(1, Optional.of(new SetSize(2, 1)), Optional.empty(), Optional.empty());
    launch(
        r -> r / 2,
        tiers,
        (rank, state) -> {
          assertNull(rank.restore());
          job.epoch(rank, state, 1);
          rank.news.await("protected partner 1");
          rank.news.await("protected set 1");
        });
    // Rank 2 has the copy of rank 0's image, or should have, and rank 4 has that of its own.
    Files.delete(job.epoch(0, 1).resolve("rank-0.image"));
    Files.delete(job.epoch(1, 1).resolve("rank-0.image"));
    Files.delete(job.epoch(1, 1).resolve("rank-2.image"));
    launch(
        r -> r / 2,
        tiers,
        (rank, state) -> {
          job.assertRestored(rank, state, 1);
          String recovered = rank.recovered.toString();
          assertTrue(recovered.contains("rank 2: copied from the store of rank 4"), recovered);
          assertTrue(recovered.contains("rank 2: " + job.epoch(1, 1)), recovered);
          assertTrue(recovered.contains("rank 0: rebuilt from redundancy set"), recovered);
        });
  }

  @Test
  void shouldRebuildOneLostNodeByXor() throws Exception {
    TierSettings tiers = NodesJob.sets(2, 1);
    protectedLaunch(tiers, "protected set 2");
    job.wipe(2);
    launch(
        r -> r / 2,
        tiers,
        (rank, state) -> {
          job.assertRestored(rank, state, 2);
          assertEquals(2, rank.recovered.size(), () -> rank.recovered.toString());
          assertTrue(
              rank.recovered.get(0).contains("rebuilt from redundancy set"),
              () -> rank.recovered.toString());
          assertEquals(1, rank.store.nodeLosses());
          rank.news.await("protected set 2");
        });
  }

  @Test
  void shouldFetchAllFromTheSharedTier() throws Exception {
    TierSettings tiers =
        NodesJob.tiers(0, Optional.empty(), Optional.of(base.resolve("shared")), Optional.empty());
    launch(
        r -> r / 2,
        tiers,
        (rank, state) -> {
          assertNull(rank.restore());
          job.epoch(rank, state, 1);
          if (rank.group.rank() == 0) {
            rank.news.await("protected shared 1");
          }
          rank.group.allGather(new byte[0]);
        });
    for (int node = 0; node < 3; node++) {
      job.wipe(node);
    }
    launch(r -> 5 - r, tiers, (rank, state) -> job.assertRestored(rank, state, 1));
  }

  @Test
  void shouldProtectBeforeTheVoteWhenACommitWaitsForIt() throws Exception {
    TierSettings tiers =
        NodesJob.tiers(1, Optional.empty(), Optional.empty(), Optional.of(Tier.PARTNER));
    launch(
        r -> r / 2,
        tiers,
        (rank, state) -> {
          assertNull(rank.restore());
          job.epoch(rank, state, 1);
        });
    job.wipe(0);
    launch(r -> r / 2, tiers, (rank, state) -> job.assertRestored(rank, state, 1));
  }
}

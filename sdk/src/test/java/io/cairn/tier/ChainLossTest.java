// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.image.EpochId;
import io.cairn.image.ImageReader;
import io.cairn.image.SystemFiles;
import io.cairn.testing.NodesJob;
import io.cairn.testing.SimulatedRank;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.IntUnaryOperator;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An epoch is protected, kept and recovered together with those that it takes bytes from. */
final class ChainLossTest {
  private static final int NODES = 3;

  @TempDir Path base;

  private static int home(int rank) {
    return rank / 2;
  }

  private NodesJob job;

  @BeforeEach
  void useImagesOfDifferentSizes() {
    int block = SimulatedRank.BLOCK_BYTES;
    job = new NodesJob(base, 2 * NODES, rank -> (10 + rank) * block + 100).chained(4);
  }

  private void launch(IntUnaryOperator placement, TierSettings tiers, NodesJob.Part part)
      throws Exception {
    job.launch(placement).with(tiers).run(part);
  }

  /** Takes epochs 1 to {@code epochs}; 1 is full, 2 to 4 are not, and so on. */
  private void protectedLaunch(TierSettings tiers, int epochs, Tier tier) throws Exception {
    launch(
        ChainLossTest::home,
        tiers,
        (rank, state) -> {
          assertNull(rank.restore());
          for (int epoch = 1; epoch <= epochs; epoch++) {
            job.epoch(rank, state, epoch);
            // One after the other, so that each is protected before the next one is committed.
            if (tier != Tier.SHARED || rank.group.rank() == 0) {
              rank.news.await("protected " + tier.word() + " " + epoch);
            }
            rank.group.allGather(new byte[0]);
          }
          assertEquals(3, ancestors(rank, epochs).size());
        });
  }

  private static List<Long> ancestors(SimulatedRank rank, long epoch) throws Exception {
    Path file = rank.directory.view().imageFile(new EpochId(1, epoch), rank.group.rank());
    try (ImageReader image = ImageReader.open(new SystemFiles(), file)) {
      return image.ancestors().stream().map(ancestor -> ancestor.epoch().epoch()).toList();
    }
  }

  private void assertComesBackOnOtherNodes(TierSettings tiers, Tier tier) throws Exception {
    launch(
        r -> List.of(2, 0, 7, 7, 0, 2).get(r),
        tiers,
        (rank, state) -> {
          job.assertRestored(rank, state, 4);
          if (tier != Tier.SHARED) {
            rank.news.await("protected " + tier.word() + " 4");
          }
        });
  }

  @Test
  void shouldRestoreAChainFromPartnerCopies() throws Exception {
    TierSettings tiers = NodesJob.partner();
    protectedLaunch(tiers, 4, Tier.PARTNER);
    job.wipe(1);
    assertComesBackOnOtherNodes(tiers, Tier.PARTNER);
    // It is protected again, in the new places: the next loss is survived, too.
    job.wipe(0);
    launch(
        r -> List.of(2, 2, 7, 7, 2, 2).get(r),
        tiers,
        (rank, state) -> job.assertRestored(rank, state, 4));
  }

  @Test
  void shouldRebuildAChainFromRedundancySets() throws Exception {
    TierSettings tiers = NodesJob.sets(2, 1);
    protectedLaunch(tiers, 4, Tier.SET);
    job.wipe(2);
    // Node 7 takes its place; the others have swapped their ranks.
    launch(
        r -> List.of(1, 0, 7, 7, 0, 1).get(r),
        tiers,
        (rank, state) -> {
          job.assertRestored(rank, state, 4);
          rank.news.await("protected set 4");
        });
  }

  @Test
  void shouldProtectOlderEpochsThatWereNotDueThemselves() throws Exception {
    // Every fourth commit, the first one among them, so that none of 2, 3, 4 has a turn before 5.
    TierSettings tiers = NodesJob.tiers(4, Optional.empty(), Optional.empty(), Optional.empty());
    job = job.chained(8);
    launch(
        ChainLossTest::home,
        tiers,
        (rank, state) -> {
          assertNull(rank.restore());
          for (int epoch = 1; epoch <= 5; epoch++) {
            job.epoch(rank, state, epoch);
            rank.group.allGather(new byte[0]);
          }
          rank.news.await("protected partner 5");
          assertEquals(List.of(4L, 3L, 2L, 1L), ancestors(rank, 5));
        });
    for (int epoch = 1; epoch <= 5; epoch++) {
      assertTrue(Files.exists(job.epoch(0, epoch).resolve("partner-record")), "epoch " + epoch);
    }
    job.wipe(1);
    launch(ChainLossTest::home, tiers, (rank, state) -> job.assertRestored(rank, state, 5));
  }

  @Test
  void shouldFetchAChainFromTheSharedTier() throws Exception {
    TierSettings tiers =
        NodesJob.tiers(0, Optional.empty(), Optional.of(base.resolve("shared")), Optional.empty());
    protectedLaunch(tiers, 4, Tier.SHARED);
    for (int node = 0; node < NODES; node++) {
      job.wipe(node);
    }
    assertComesBackOnOtherNodes(tiers, Tier.SHARED);
  }

  /** The first launch flushes nothing; the second one what it restored. */
  private void fourEpochsThenShared(TierSettings shared) throws Exception {
    launch(
        ChainLossTest::home,
        NodesJob.tiers(0, Optional.empty(), Optional.empty(), Optional.empty()),
        (rank, state) -> {
          assertNull(rank.restore());
          for (int epoch = 1; epoch <= 4; epoch++) {
            job.epoch(rank, state, epoch);
          }
        });
    launch(
        ChainLossTest::home,
        shared,
        (rank, state) -> {
          job.assertRestored(rank, state, 4);
          if (rank.group.rank() == 0) {
            rank.news.await("protected shared 4");
          }
          rank.group.allGather(new byte[0]);
        });
  }

  @Test
  void shouldFlushWhatAnEpochTakesBytesFromThoughItWasNotDue() throws Exception {
    TierSettings every =
        NodesJob.tiers(0, Optional.empty(), Optional.of(base.resolve("shared")), Optional.empty());
    fourEpochsThenShared(every);
    for (int node = 0; node < NODES; node++) {
      job.wipe(node);
    }
    assertComesBackOnOtherNodes(every, Tier.SHARED);
  }

  /** In the shared tier the older epochs had no records; where they are now, nobody else's help. */
  @Test
  void shouldProtectAChainAgainThatIsFetchedFromTheSharedTier() throws Exception {
    TierSettings shared =
        NodesJob.tiers(0, Optional.empty(), Optional.of(base.resolve("shared")), Optional.empty());
    fourEpochsThenShared(shared);
    assertFalse(Files.exists(base.resolve("shared/job/epoch-1-3/record")));
    for (int node = 0; node < NODES; node++) {
      job.wipe(node);
    }
    TierSettings both =
        NodesJob.tiers(1, Optional.empty(), Optional.of(base.resolve("shared")), Optional.empty());
    launch(
        ChainLossTest::home,
        both,
        (rank, state) -> {
          job.assertRestored(rank, state, 4);
          assertEquals("protected partner 4", rank.news.await("protected partner", "failed"));
          rank.group.allGather(new byte[0]);
        });
    // It says what it does: the loss of a node costs nothing, without the shared tier.
    NodesJob.wipe(base.resolve("shared"));
    job.wipe(1);
    launch(ChainLossTest::home, both, (rank, state) -> job.assertRestored(rank, state, 4));
  }

  @Test
  void shouldKeepWholeChainsWhileNewerOnesAreNotProtected() throws Exception {
    TierSettings tiers = NodesJob.tiers(4, Optional.empty(), Optional.empty(), Optional.empty());
    launch(
        ChainLossTest::home,
        tiers,
        (rank, state) -> {
          assertNull(rank.restore());
          for (int epoch = 1; epoch <= 8; epoch++) {
            job.epoch(rank, state, epoch);
            if (epoch == 1 || epoch == 5) {
              rank.news.await("protected partner " + epoch);
            }
            rank.group.allGather(new byte[0]);
          }
          rank.settle();
        });
    // Full are 1 and 5. The first four went when 5 was protected.
    for (int epoch = 1; epoch <= 8; epoch++) {
      assertEquals(epoch >= 5, Files.exists(job.epoch(0, epoch)), "epoch " + epoch);
    }
  }

  @Test
  void shouldFallBackWhenAnAncestorIsLostEverywhereAndSayWhy() throws Exception {
    TierSettings tiers = NodesJob.partner();
    protectedLaunch(tiers, 4, Tier.PARTNER);
    for (int node = 0; node < NODES; node++) {
      Files.deleteIfExists(job.epoch(node, 3).resolve("rank-2.image"));
    }
    launch(
        ChainLossTest::home,
        tiers,
        (rank, state) -> {
          job.assertRestored(rank, state, 2);
          String reasons = String.join("\n", rank.reasons);
          assertTrue(
              reasons.contains(
                  "epoch 4 of generation 1, epoch 3 of generation 1, rank 2: no sound"),
              reasons);
          assertFalse(reasons.contains("epoch 2 of generation 1, "), reasons);
        });
  }

  @Test
  void shouldRecoverADamagedAncestorOnly() throws Exception {
    TierSettings tiers = NodesJob.partner();
    protectedLaunch(tiers, 4, Tier.PARTNER);
    Path image = job.epoch(1, 3).resolve("rank-2.image");
    byte[] bytes = Files.readAllBytes(image);
    bytes[4096 + 9] ^= 1;
    Files.write(image, bytes);
    launch(
        ChainLossTest::home,
        tiers,
        (rank, state) -> {
          job.assertRestored(rank, state, 4);
          assertEquals(1, rank.recovered.size(), () -> rank.recovered.toString());
          assertTrue(
              rank.recovered
                  .get(0)
                  .contains("epoch 3 of generation 1, rank 2: copied from the store of rank 4"),
              () -> rank.recovered.toString());
        });
  }
}

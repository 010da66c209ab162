// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.coordinate.MeanTime;
import io.cairn.image.SystemFiles;
import io.cairn.testing.FaultyFiles;
import io.cairn.testing.NodesJob;
import io.cairn.testing.SimulatedRank;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** With automatic periods rank 0 says which epochs are protected, and all ranks do that. */
final class AutomaticProtectionTest {
  private static final int RANKS = 6;
  private static final int SLOWEST = 4;

  @TempDir Path base;

  private NodesJob job() {
    return new NodesJob(base, RANKS, rank -> 1000 + rank * 130_001);
  }

  private TierSettings settings(Tier tier) {
    return NodesJob.automatic(
        switch (tier) {
          case PARTNER -> NodesJob.partner();
          case SET -> NodesJob.sets(1, 2);
          case SHARED ->
              NodesJob.tiers(
                  0, Optional.empty(), Optional.of(base.resolve("shared")), Optional.empty());
        });
  }

  /**
   * Half an hour is what a protection costs the slowest rank: with 24 hours between two failures
   * the optimum is 5.07 hours. The other ranks' clocks stand, and they think that failures are much
   * more frequent.
   */
  private static NodesJob.Launch launch(NodesJob job, TierSettings settings) {
    return job.launch(r -> r / 2)
        .with(settings)
        .automatic(
            rank -> rank == SLOWEST ? Duration.ofMinutes(30) : Duration.ofSeconds(1),
            rank -> MeanTime.given(rank == 0 ? Duration.ofHours(24) : Duration.ofMillis(1)));
  }

  private static void pass(NodesJob.Launch launch, SimulatedRank rank, Duration time)
      throws Exception {
    if (rank.group.rank() == 0) {
      launch.pass(time);
    }
    rank.group.allGather(new byte[0]);
  }

  private static void awaitProtected(SimulatedRank rank, Tier tier, long epoch) throws Exception {
    // A flush is told by rank 0 alone.
    if (tier != Tier.SHARED || rank.group.rank() == 0) {
      rank.news.await("protected " + tier.word() + " " + epoch);
    }
    rank.group.allGather(new byte[0]);
  }

  private static void awaitLeftOut(SimulatedRank rank, long epoch) throws Exception {
    rank.awaitLetGo(epoch);
    rank.group.allGather(new byte[0]);
  }

  @ParameterizedTest
  @EnumSource(Tier.class)
  void shouldProtectWhatRankZeroFindsDueAndLeaveOutTheRest(Tier tier) throws Exception {
    NodesJob job = job();
    NodesJob.Launch launch = launch(job, settings(tier));
    launch.run(
        (rank, state) -> {
          assertNull(rank.restore());
          job.epoch(rank, state, 1);
          awaitProtected(rank, tier, 1); // nothing is known of the cost
          pass(launch, rank, Duration.ofHours(3));
          job.epoch(rank, state, 2);
          awaitLeftOut(rank, 2);
          pass(launch, rank, Duration.ofHours(3));
          job.epoch(rank, state, 3);
          awaitProtected(rank, tier, 3);
          pass(launch, rank, Duration.ofHours(4));
          job.epoch(rank, state, 4);
          awaitLeftOut(rank, 4);
          pass(launch, rank, Duration.ofHours(2));
          job.epoch(rank, state, 5);
          awaitProtected(rank, tier, 5);
          String begin = "protected " + tier.word() + " ";
          String chosen =
              "chosen "
                  + tier.word()
                  + " protects an epoch every 5.1 h: that costs 1800 s, and what it protects"
                  + " against is every 24.0 h (given)";
          List<String> told = List.of(begin + 1, chosen, begin + 3, begin + 5);
          List<String> others =
              tier == Tier.SHARED ? List.of() : List.of(begin + 1, begin + 3, begin + 5);
          assertEquals(rank.group.rank() == 0 ? told : others, rank.news.all());
        });
    if (tier != Tier.SHARED) {
      job.wipe(1);
      launch(job, settings(tier)).run((rank, state) -> job.assertRestored(rank, state, 5));
    }
  }

  @ParameterizedTest
  @EnumSource(Tier.class)
  void shouldProtectTheNextEpochAtOnceWhenAProtectionHasFailed(Tier tier) throws Exception {
    NodesJob job = job();
    FaultyFiles files = new FaultyFiles();
    NodesJob.Launch launch =
        launch(job, settings(tier)).files(rank -> rank == 3 ? files : new SystemFiles());
    launch.run(
        (rank, state) -> {
          assertNull(rank.restore());
          job.epoch(rank, state, 1);
          awaitProtected(rank, tier, 1);
          // Copies, shards, and what is flushed.
          files.fail("no space", op -> op.matches("create pending-(copy|shard|rank)-.*"));
          pass(launch, rank, Duration.ofHours(6));
          job.epoch(rank, state, 2);
          // Of a flush each rank tells its own failure; the others hear of it before the next step.
          if (tier != Tier.SHARED || rank.group.rank() == 3) {
            rank.news.await("failed " + tier.word() + " 2");
          }
          rank.group.allGather(new byte[0]);
          files.heal();
          pass(launch, rank, Duration.ofMinutes(1));
          job.epoch(rank, state, 3);
          awaitProtected(rank, tier, 3);
          pass(launch, rank, Duration.ofHours(5));
          job.epoch(rank, state, 4);
          awaitLeftOut(rank, 4);
        });
  }

  /** A flush that costs no core time is not begun again as soon as it has ended. */
  @Test
  void shouldLeaveTheStorageAloneForTwiceAsLongAsAFlushTakes() throws Exception {
    NodesJob job = job();
    FaultyFiles slow = new FaultyFiles();
    NodesJob.Launch launch =
        job.launch(r -> r / 2)
            .with(settings(Tier.SHARED))
            .automatic(rank -> Duration.ZERO, rank -> MeanTime.given(Duration.ofHours(24)))
            .files(rank -> rank == 0 ? slow : new SystemFiles());
    launch.run(
        (rank, state) -> {
          assertNull(rank.restore());
          if (rank.group.rank() == 0) {
            slow.fail(
                "",
                operation -> {
                  if (operation.startsWith("create pending-rank-")) {
                    launch.pass(Duration.ofHours(1));
                  }
                  return false;
                });
          }
          job.epoch(rank, state, 1);
          awaitProtected(rank, Tier.SHARED, 1);
          pass(launch, rank, Duration.ofMinutes(110));
          job.epoch(rank, state, 2);
          awaitLeftOut(rank, 2);
          pass(launch, rank, Duration.ofMinutes(20));
          job.epoch(rank, state, 3);
          awaitProtected(rank, Tier.SHARED, 3);
          if (rank.group.rank() == 0) {
            String chosen = rank.news.all().get(1);
            assertTrue(
                chosen.startsWith(
                    "chosen shared protects an epoch every 3.0 h, 3 times what that takes:"),
                chosen);
          }
        });
  }

  /** What was restored is protected in its new places, whatever else is due. */
  @Test
  void shouldProtectWhatWasRestored() throws Exception {
    NodesJob job = job();
    launch(job, settings(Tier.SET))
        .run(
            (rank, state) -> {
              assertNull(rank.restore());
              job.epoch(rank, state, 1);
              awaitProtected(rank, Tier.SET, 1);
            });
    job.wipe(2);
    launch(job, settings(Tier.SET))
        .run(
            (rank, state) -> {
              job.assertRestored(rank, state, 1);
              awaitProtected(rank, Tier.SET, 1);
              job.epoch(rank, state, 2);
              awaitLeftOut(rank, 2);
              assertEquals(
                  rank.group.rank() == 0 ? 2 : 1,
                  rank.news.all().size(),
                  rank.news.all()::toString);
            });
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.image.FaultHook;
import io.cairn.image.SystemFiles;
import io.cairn.restore.RestoredImage;
import io.cairn.store.StoreSettings;
import io.cairn.testing.LocalTransport;
import io.cairn.testing.SimulatedRank;
import io.cairn.testing.ThreadGroupWorld;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.IntUnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Nodes are lost with all they have: what tiers promise comes back, bit by bit. */
final class NodeLossTest {
  private static final int RANKS = 6;

  @TempDir Path base;

  /** What a rank does with its part of a job. */
  @FunctionalInterface
  private interface Part {
    void run(SimulatedRank rank, ByteBuffer state) throws Exception;
  }

  private Path node(int node) {
    return base.resolve("node" + node);
  }

  static TierSettings settings(
      int node, int partner, Optional<SetSize> set, Optional<Path> shared, Optional<Tier> commit) {
    Map<Tier, Integer> every = new java.util.EnumMap<>(Tier.class);
    if (partner > 0) {
      every.put(Tier.PARTNER, partner);
    }
    set.ifPresent(size -> every.put(Tier.SET, 1));
    shared.ifPresent(path -> every.put(Tier.SHARED, 1));
    Map<Tier, Integer> kept = new java.util.EnumMap<>(Tier.class);
    every.keySet().forEach(tier -> kept.put(tier, 1));
    return new TierSettings("node" + node, every, kept, set, shared, 0, commit, 20_000);
  }

  /** Images of all ranks are of different sizes, some many pieces long. */
  private static int stateBytes(int rank) {
    return 1000 + rank * 130_001;
  }

  static byte[] state(int rank, long epoch) {
    byte[] bytes = new byte[stateBytes(rank)];
    new Random(31L * rank + epoch).nextBytes(bytes);
    return bytes;
  }

  /** Runs a launch; rank r is on node {@code placement(r)}. */
  private void launch(IntUnaryOperator placement, Optional<TierSettings> like, Part part)
      throws Exception {
    ThreadGroupWorld world = new ThreadGroupWorld(RANKS);
    LocalTransport.World transports = new LocalTransport.World(RANKS, Duration.ofSeconds(30));
    List<ThreadGroupWorld.Outcome<Void>> outcomes =
        ThreadGroupWorld.run(
            RANKS,
            number ->
                () -> {
                  int node = placement.applyAsInt(number);
                  StoreSettings store =
                      new StoreSettings(
                          node(node), "job", 1, 0, 0, like.flatMap(TierSettings::shared));
                  SimulatedRank rank =
                      new SimulatedRank(
                          store, world.group(number), new SystemFiles(), FaultHook.NONE);
                  TierSettings settings =
                      like.map(
                              l ->
                                  new TierSettings(
                                      "node" + node,
                                      l.every(),
                                      l.kept(),
                                      l.sets(),
                                      l.shared(),
                                      l.sharedBytesPerSecond(),
                                      l.commit(),
                                      l.stallMillis()))
                          .orElse(TierSettings.none("node" + node));
                  rank.useTiers(settings, transports.transport(number));
                  ByteBuffer state = rank.region("u", stateBytes(number));
                  part.run(rank, state);
                  rank.close();
                  return null;
                });
    outcomes.forEach(ThreadGroupWorld.Outcome::get);
    assertEquals(0, transports.unreceived(), "messages are left");
  }

  private static void epoch(SimulatedRank rank, ByteBuffer state, long epoch) throws Exception {
    state.put(0, state(rank.group.rank(), epoch));
    rank.epoch(epoch, "late " + epoch);
  }

  private static void assertRestored(SimulatedRank rank, ByteBuffer state, long epoch)
      throws Exception {
    try (RestoredImage restored = rank.restore()) {
      assertNotNull(restored, () -> "nothing restored: " + rank.reasons);
      assertEquals(epoch, restored.epoch().epoch(), () -> rank.reasons.toString());
      assertEquals(
          -1, state.mismatch(ByteBuffer.wrap(state(rank.group.rank(), epoch))), "wrong state");
      assertEquals("late " + epoch, rank.channels(restored));
    }
  }

  private void wipe(int node) throws IOException {
    try (Stream<Path> all = Files.walk(node(node))) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }

  private void protectedLaunch(TierSettings tiers, String... promises) throws Exception {
    launch(
        r -> r / 2,
        Optional.of(tiers),
        (rank, state) -> {
          assertNull(rank.restore());
          epoch(rank, state, 1);
          epoch(rank, state, 2);
          for (String promise : promises) {
            rank.news.await(promise);
          }
        });
  }

  @Test
  void shouldRestoreFromPartnerCopiesOnASpareNode() throws Exception {
    TierSettings tiers = settings(0, 1, Optional.empty(), Optional.empty(), Optional.empty());
    protectedLaunch(tiers, "protected partner 2");
    wipe(1);
    // Node 1 is gone, node 7 takes its place; all others have swapped their ranks.
    launch(
        r -> List.of(2, 0, 7, 7, 0, 2).get(r),
        Optional.of(tiers),
        (rank, state) -> {
          assertRestored(rank, state, 2);
          rank.news.await("protected partner 2");
        });
    // It is protected again, in the new places: the next loss is survived, too.
    wipe(0);
    launch(
        r -> List.of(2, 2, 7, 7, 2, 2).get(r),
        Optional.of(tiers),
        (rank, state) -> assertRestored(rank, state, 2));
  }

  @Test
  void shouldRebuildAnyTwoLostNodesOfAReedSolomonSet() throws Exception {
    List<List<Integer>> losses = new ArrayList<>();
    for (int a = 0; a < 3; a++) {
      losses.add(List.of(a));
    }
    TierSettings tiers =
        settings(0, 0, Optional.of(new SetSize(1, 2)), Optional.empty(), Optional.empty());
    losses.addAll(List.of(List.of(0, 1), List.of(1, 2), List.of(0, 2)));
    protectedLaunch(tiers, "protected set 2");
    for (List<Integer> lost : losses) {
      for (int node : lost) {
        wipe(node);
      }
      launch(
          r -> r / 2,
          Optional.of(tiers),
          (rank, state) -> {
            assertRestored(rank, state, 2);
            rank.news.await("protected set 2");
          });
    }
  }

  @Test
  void shouldRebuildOneLostNodeByXor() throws Exception {
    TierSettings tiers =
        settings(0, 0, Optional.of(new SetSize(2, 1)), Optional.empty(), Optional.empty());
    protectedLaunch(tiers, "protected set 2");
    wipe(2);
    launch(
        r -> r / 2,
        Optional.of(tiers),
        (rank, state) -> {
          assertRestored(rank, state, 2);
          assertEquals(2, rank.recovered.size(), () -> rank.recovered.toString());
          assertTrue(
              rank.recovered.get(0).contains("rebuilt from redundancy set"),
              () -> rank.recovered.toString());
          rank.news.await("protected set 2");
        });
  }

  @Test
  void shouldFetchAllFromTheSharedTier() throws Exception {
    TierSettings tiers =
        settings(0, 0, Optional.empty(), Optional.of(base.resolve("shared")), Optional.empty());
    launch(
        r -> r / 2,
        Optional.of(tiers),
        (rank, state) -> {
          assertNull(rank.restore());
          epoch(rank, state, 1);
          if (rank.group.rank() == 0) {
            rank.news.await("protected shared 1");
          }
          rank.group.allGather(new byte[0]);
        });
    for (int node = 0; node < 3; node++) {
      wipe(node);
    }
    launch(r -> 5 - r, Optional.of(tiers), (rank, state) -> assertRestored(rank, state, 1));
  }

  @Test
  void shouldProtectBeforeTheVoteWhenACommitWaitsForIt() throws Exception {
    TierSettings tiers =
        settings(0, 1, Optional.empty(), Optional.empty(), Optional.of(Tier.PARTNER));
    launch(
        r -> r / 2,
        Optional.of(tiers),
        (rank, state) -> {
          assertNull(rank.restore());
          epoch(rank, state, 1);
        });
    wipe(0);
    launch(r -> r / 2, Optional.of(tiers), (rank, state) -> assertRestored(rank, state, 1));
  }
}

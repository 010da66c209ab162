// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.coordinate.Capture.PendingImage;
import io.cairn.image.EpochId;
import io.cairn.image.FaultHook;
import io.cairn.image.FaultPoint;
import io.cairn.image.ImageReader;
import io.cairn.testing.Chained;
import io.cairn.testing.FaultyFiles;
import io.cairn.testing.NodesJob;
import io.cairn.testing.UnsyncedFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A node with two ranks dies at each named point of protection and recovery: the next launch has
 * the newest committed epoch, whether the node comes back with its disk or without.
 */
final class TierCrashTest {
  private static final int RANKS = 6;
  private static final int VICTIM = 1;

  @TempDir Path base;

  /** A node that dies the nth time that one of its ranks reaches a point. */
  private static final class Death {
    private final FaultPoint point;
    private final AtomicInteger left;
    private final FaultyFiles files = new FaultyFiles(new UnsyncedFiles());
    private final AtomicBoolean died = new AtomicBoolean();
    private final CountDownLatch dead = new CountDownLatch(1);
    private NodesJob.Launch launch;

    Death(FaultPoint point, int nth) {
      this.point = point;
      left = new AtomicInteger(nth);
    }

    void of(NodesJob.Launch dying) {
      launch = dying;
      launch
          .files(rank -> rank / 2 == VICTIM ? files : new FaultyFiles(new UnsyncedFiles()))
          .faults(rank -> rank / 2 == VICTIM ? hook() : FaultHook.NONE);
    }

    private FaultHook hook() {
      return here -> {
        if (here == point && left.decrementAndGet() == 0) {
          died.set(true);
          files.crash();
          launch.lose(List.of(2 * VICTIM, 2 * VICTIM + 1));
          dead.countDown();
        }
        files.live();
      };
    }
  }

  private NodesJob job(boolean chained) throws IOException {
    // Of four pieces and more, and of one: of the latter every block changes, so that their images
    // are full always.
    NodesJob job =
        new NodesJob(
            Files.createTempDirectory(base, "job"), RANKS, r -> r % 2 == 0 ? 3000 : 600_000);
    return chained ? job.chained(4) : job;
  }

  private static void assertChained(NodesJob job, boolean chained) throws IOException {
    Path image = job.epoch(VICTIM, 2).resolve("rank-" + (2 * VICTIM + 1) + ".image");
    try (ImageReader reader = ImageReader.open(new UnsyncedFiles(), image)) {
      assertEquals(chained ? 1 : 0, reader.ancestors().size());
    }
  }

  private static TierSettings tiers(String tier) {
    return tier.equals("partner") ? NodesJob.partner() : NodesJob.sets(1, 2);
  }

  private static Tier tierOf(String word) {
    return word.equals("partner") ? Tier.PARTNER : Tier.SET;
  }

  /** Epoch 1 is protected, epoch 2 committed; the node dies while epoch 2 is protected. */
  private static boolean dieProtecting(NodesJob job, TierSettings tiers, Death death, String tier)
      throws Exception {
    NodesJob.Launch launch = job.launch(r -> r / 2).with(tiers);
    death.of(launch);
    launch
        .outcomes(
            (rank, state) -> {
              assertNull(rank.restore());
              job.epoch(rank, state, 1);
              rank.news.await("protected " + tier + " 1");
              job.epoch(rank, state, 2);
              if (rank.group.rank() / 2 == VICTIM) {
                rank.news.await("ended ");
              } else {
                // The others hear of it, or were through with it before.
                rank.news.await("ended ", "protected " + tier + " 2");
              }
            })
        .forEach(outcome -> outcome.get());
    return death.died.get();
  }

  @ParameterizedTest
  @CsvSource({
    "partner, BEFORE_PROTECTION", "partner, AFTER_PROTECTION_STREAMS",
    "partner, AFTER_PENDING_PROTECTION", "set, BEFORE_PROTECTION",
    "set, AFTER_PROTECTION_STREAMS", "set, AFTER_PENDING_PROTECTION"
  })
  void shouldHaveTheCommittedEpochAfterANodeDiedAt(String tier, FaultPoint point) throws Exception {
    for (boolean chained : Chained.forms(tier, point)) {
      // Each of the node's two ranks passes the point once for epoch 1, and then for epoch 2.
      for (int nth = 3; nth <= 4; nth++) {
        dieAndComeBack(tier, point, nth, chained);
      }
    }
  }

  private void dieAndComeBack(String tier, FaultPoint point, int nth, boolean chained)
      throws Exception {
    NodesJob job = job(chained);
    Death death = new Death(point, nth);
    assertTrue(dieProtecting(job, tiers(tier), death, tier), "time " + nth);
    assertChained(job, chained);
    // The node comes back with its disk: nothing is lost, and the epoch is protected.
    job.launch(r -> r / 2)
        .with(tiers(tier))
        .run(
            (rank, state) -> {
              job.assertRestored(rank, state, 2);
              assertEquals(List.of(), rank.recovered);
              NodesJob.awaitRecord(rank, tierOf(tier), new EpochId(1, 2));
            });
    job.wipe(VICTIM);
    job.launch(r -> r / 2)
        .with(tiers(tier))
        .run(
            (rank, state) -> {
              job.assertRestored(rank, state, 2);
              NodesJob.awaitRecord(rank, tierOf(tier), new EpochId(1, 2));
              rank.settle();
              assertNothingPending(rank.directory.directory());
            });
  }

  /** A record of before may be there while the protection anew is still under way. */
  private static void assertNothingPending(Path directory) throws Exception {
    List<Path> left = pending(directory);
    for (int i = 0; i < 20_000 && !left.isEmpty(); i++) {
      Thread.sleep(1);
      left = pending(directory);
    }
    assertEquals(List.of(), left);
  }

  private static List<Path> pending(Path directory) throws IOException {
    try (Stream<Path> all = Files.walk(directory)) {
      return all.filter(path -> path.getFileName().toString().startsWith("pending-")).toList();
    } catch (UncheckedIOException e) {
      return List.of(directory); // something went away meanwhile: look again
    }
  }

  @ParameterizedTest
  @CsvSource({
    "partner, BEFORE_PROTECTION, 1", "partner, AFTER_PROTECTION_STREAMS, 1",
    "partner, AFTER_PENDING_PROTECTION, 2", "set, BEFORE_PROTECTION, 1",
    "set, AFTER_PROTECTION_STREAMS, 1", "set, AFTER_PENDING_PROTECTION, 2"
  })
  void shouldHaveTheProtectedEpochAfterANodeDiedForGoodAt(
      String tier, FaultPoint point, long expected) throws Exception {
    for (boolean chained : Chained.forms("for good", tier, point)) {
      NodesJob job = job(chained);
      // Local retention alone would delete epoch 1, which is all that a lost node leaves.
      assertTrue(dieProtecting(job, tiers(tier), new Death(point, 3), tier));
      assertChained(job, chained);
      job.wipe(VICTIM);
      job.launch(r -> r / 2)
          .with(tiers(tier))
          .run((rank, state) -> job.assertRestored(rank, state, expected));
    }
  }

  @Test
  void shouldUseCopiesThatAPendingRecordNames() throws Exception {
    for (boolean chained : Chained.forms("pending record")) {
      useCopiesThatAPendingRecordNames(job(chained));
    }
  }

  private static void useCopiesThatAPendingRecordNames(NodesJob job) throws Exception {
    Death death = new Death(FaultPoint.AFTER_PENDING_PROTECTION, 3);
    assertTrue(dieProtecting(job, NodesJob.partner(), death, "partner"));
    assertTrue(Files.exists(job.epoch(VICTIM, 2).resolve("pending-partner-record")));
    assertFalse(Files.exists(job.epoch(VICTIM, 2).resolve("partner-record")));
    // The node with the copies is back, that of the images is lost.
    job.wipe(VICTIM - 1);
    job.launch(r -> r / 2)
        .with(NodesJob.partner())
        .run((rank, state) -> job.assertRestored(rank, state, 2));
  }

  @ParameterizedTest
  @ValueSource(strings = {"partner", "set"})
  void shouldRecoverAfterANodeDiedInARecovery(String tier) throws Exception {
    for (boolean chained : Chained.forms("recovery", tier)) {
      // Of a chain, an image more is missing.
      for (int nth = 1; nth <= (chained ? 3 : 2); nth++) {
        dieInARecovery(tier, nth, job(chained), chained ? 2 : 1);
      }
    }
  }

  private static void dieInARecovery(String tier, int nth, NodesJob job, int epochs)
      throws Exception {
    TierSettings tiers = tiers(tier);
    job.launch(r -> r / 2)
        .with(tiers)
        .run(
            (rank, state) -> {
              assertNull(rank.restore());
              for (int epoch = 1; epoch <= epochs; epoch++) {
                job.epoch(rank, state, epoch);
                rank.news.await("protected " + tier + " " + epoch);
                rank.group.allGather(new byte[0]);
              }
            });
    job.wipe(VICTIM);
    Death death = new Death(FaultPoint.AFTER_RECOVERED_IMAGE, nth);
    NodesJob.Launch launch = job.launch(r -> r / 2).with(tiers);
    death.of(launch);
    launch.outcomes((rank, state) -> rank.restore()).forEach(o -> assertTrue(o.failure() != null));
    assertTrue(death.died.get());
    List<List<String>> recovered = new ArrayList<>();
    job.launch(r -> r / 2)
        .with(tiers)
        .run(
            (rank, state) -> {
              job.assertRestored(rank, state, epochs);
              rank.news.await("protected " + tier + " " + epochs);
              synchronized (recovered) {
                recovered.add(rank.recovered);
              }
            });
    // What was in its place already isn't fetched again.
    assertFalse(recovered.get(0).isEmpty());
    assertTrue(recovered.get(0).size() <= 1 + epochs, () -> recovered.get(0).toString());
    job.wipe(0);
    job.launch(r -> r / 2)
        .with(tiers)
        .run((rank, state) -> job.assertRestored(rank, state, epochs));
  }

  @Test
  void shouldNotUseAnAbandonedEpochsCopiesOfACommitThatWaitedForThem() throws Exception {
    for (boolean chained : Chained.forms("abandoned")) {
      abandonWhatIsCopied(job(chained));
    }
  }

  private static void abandonWhatIsCopied(NodesJob job) throws Exception {
    TierSettings tiers =
        NodesJob.tiers(1, Optional.empty(), Optional.empty(), Optional.of(Tier.PARTNER));
    job.launch(r -> r / 2)
        .with(tiers)
        .run(
            (rank, state) -> {
              assertNull(rank.restore());
              job.epoch(rank, state, 1);
              state.put(0, job.state(rank.group.rank(), 2));
              PendingImage image = rank.image(2, "late 2");
              rank.record(2, image);
              // Protected as a commit demands; then the pulse decides against it.
              assertTrue(
                  Files.exists(rank.directory.directory().resolve("epoch-1-2/partner-record")));
              rank.group.allGather(new byte[0]);
              image.discard();
              rank.store.abandon(2);
              rank.settle();
              job.epoch(rank, state, 3);
              rank.settle();
              assertFalse(Files.exists(rank.directory.directory().resolve("epoch-1-2/record")));
              rank.group.allGather(new byte[0]);
            });
    for (int node = 0; node < 3; node++) {
      assertFalse(Files.exists(job.epoch(node, 2)), "node " + node);
    }
    job.wipe(2);
    job.launch(r -> r / 2).with(tiers).run((rank, state) -> job.assertRestored(rank, state, 3));
  }
}

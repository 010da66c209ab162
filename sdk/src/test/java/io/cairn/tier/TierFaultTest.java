// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.image.FileOperations;
import io.cairn.restore.RestoredImage;
import io.cairn.testing.FaultyFiles;
import io.cairn.testing.NodesJob;
import io.cairn.testing.SimulatedRank;
import io.cairn.testing.ThreadGroupWorld;
import io.cairn.testing.UnsyncedFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Files and transfers fail while an epoch is protected, or recovered: committed epochs stay
 * committed, older protection stays, what is of no use goes, and the next epoch is protected.
 */
final class TierFaultTest {
  private static final int RANKS = 3;
  private static final int STEP = 4; // of the operations of a recovery one in so many fails
  private static final String IO_ERROR = "Input/output error";
  private static final String NO_SPACE = "No space left on device";

  @TempDir Path base;

  private final FaultyFiles faulty = new FaultyFiles(new UnsyncedFiles());

  private static TierSettings tiers(String tier) {
    return tier.equals("partner") ? NodesJob.partner() : NodesJob.sets(2, 1);
  }

  private NodesJob job(int bytes) throws IOException {
    return new NodesJob(Files.createTempDirectory(base, "job"), RANKS, r -> bytes + 1000 * r);
  }

  private FileOperations filesOf(int rank, int faultyRank) {
    return rank == faultyRank ? faulty : new UnsyncedFiles();
  }

  private static boolean protecting() {
    return Thread.currentThread().getName().equals("cairn-protect");
  }

  /** What is in an epoch's directory of each store, but for what the store has of its own. */
  private static Set<String> foreign(NodesJob job, long epoch) throws IOException {
    Set<String> names = new HashSet<>();
    for (int node = 0; node < RANKS; node++) {
      try (Stream<Path> all = Files.list(job.epoch(node, epoch))) {
        String image = "rank-" + node + ".image";
        all.map(path -> path.getFileName().toString())
            .filter(name -> !name.equals("record") && !name.equals(image))
            .forEach(names::add);
      }
    }
    return names;
  }

  /** An operation, whatever the epoch is, and however much is written. */
  private static String label(String operation) {
    return operation.replaceAll("epoch-1-[0-9]+", "epoch").replaceAll("write [0-9]+", "write");
  }

  /**
   * In every second epoch another operation of the protection fails, of those that are often done
   * alike the first ones; returns all of them.
   */
  private List<String> failAtEach(NodesJob job, String tier, String message) throws Exception {
    Map<String, Integer> seen = new LinkedHashMap<>(); // in the protection of the first epoch
    Map<String, Integer> now = new HashMap<>();
    List<String> wanted = new ArrayList<>();
    String[] next = {""};
    String[] failed = new String[1];
    faulty.fail(
        message,
        operation -> {
          if (!protecting()) {
            return false;
          }
          String label = label(operation);
          (wanted.isEmpty() ? seen : now).merge(label, 1, Integer::sum);
          boolean hit = (label + " " + now.get(label)).equals(next[0]);
          failed[0] = hit ? operation : failed[0];
          return hit;
        });
    job.launch(r -> r)
        .with(tiers(tier))
        .files(rank -> filesOf(rank, 1))
        .run(
            (rank, state) -> {
              assertNull(rank.restore());
              job.epoch(rank, state, 0);
              rank.news.await("protected " + tier + " 0");
              rank.group.allGather(new byte[0]);
              if (rank.group.rank() == 1) {
                seen.forEach(
                    (label, count) -> {
                      for (int nth = 1; nth <= Math.min(count, 2); nth++) {
                        wanted.add(label + " " + nth);
                      }
                    });
              }
              rank.group.allGather(new byte[0]);
              for (int i = 0; i < wanted.size(); i++) {
                long epoch = 2L * i + 1;
                if (rank.group.rank() == 1) {
                  failed[0] = null;
                  now.clear();
                  next[0] = wanted.get(i);
                }
                rank.group.allGather(new byte[0]);
                job.epoch(rank, state, epoch);
                String news =
                    rank.news.await(
                        "failed " + tier + " " + epoch + " ", "protected " + tier + " " + epoch);
                rank.settle();
                rank.group.allGather(new byte[0]);
                if (rank.group.rank() == 1) {
                  next[0] = "";
                  assertNotNull(failed[0], () -> "didn't happen: " + wanted);
                  check(job, tier, epoch, news, failed[0], message);
                }
                rank.group.allGather(new byte[0]);
                job.epoch(rank, state, epoch + 1);
                rank.news.await("protected " + tier + " " + (epoch + 1));
                rank.group.allGather(new byte[0]);
              }
            });
    faulty.heal();
    return wanted;
  }

  private static void check(
      NodesJob job, String tier, long epoch, String news, String operation, String message)
      throws IOException {
    String where = operation + ": " + news;
    for (int node = 0; node < RANKS; node++) {
      assertTrue(Files.exists(job.epoch(node, epoch).resolve("record")), where);
    }
    if (news.startsWith("protected")) {
      return;
    }
    assertTrue(news.contains(message), where);
    Set<String> left = foreign(job, epoch);
    int named = 0;
    for (int node = 0; node < RANKS; node++) {
      Path there = job.epoch(node, epoch);
      named +=
          Files.exists(there.resolve(tier + "-record"))
                  || Files.exists(there.resolve("pending-" + tier + "-record"))
              ? 1
              : 0;
    }
    if (named < RANKS) {
      // Nothing of it counts; the one before is still protected.
      assertEquals(Set.of(), left, where);
      for (int node = 0; node < RANKS; node++) {
        assertTrue(Files.exists(job.epoch(node, epoch - 1).resolve(tier + "-record")), where);
      }
    }
    assertTrue(
        left.stream().noneMatch(name -> name.matches("pending-(copy|shard).*")), where + left);
  }

  @ParameterizedTest
  @ValueSource(strings = {"partner", "set"})
  void shouldKeepWhatIsProtectedWhicheverOperationFails(String tier) throws Exception {
    NodesJob job = job(5000);
    List<String> hit = failAtEach(job, tier, IO_ERROR);
    String all = hit.toString();
    for (String operation :
        List.of(
            "open rank-1.image",
            "usableBytes job",
            "read rank-1.image",
            tier.equals("partner") ? "create pending-copy-0" : "create pending-shard-1-0",
            tier.equals("partner") ? "force pending-copy-0" : "force pending-shard-1-0",
            tier.equals("partner") ? "rename pending-copy-0" : "rename pending-shard-1-0",
            "create pending-" + tier + "-record",
            "force pending-" + tier + "-record",
            "rename pending-" + tier + "-record",
            "syncDirectory epoch")) {
      assertTrue(all.contains(operation), operation + " in " + all);
    }
    long last = 2L * hit.size();
    job.wipe(0);
    job.launch(r -> r)
        .with(tiers(tier))
        .run((rank, state) -> job.assertRestored(rank, state, last));
  }

  @ParameterizedTest
  @ValueSource(strings = {"partner", "set"})
  void shouldLeaveNothingOfAProtectionThatFoundNoSpace(String tier) throws Exception {
    NodesJob job = job(600_000);
    AtomicInteger writes = new AtomicInteger(Integer.MAX_VALUE);
    faulty.fail(
        NO_SPACE,
        operation ->
            protecting() && operation.startsWith("write") && writes.getAndDecrement() <= 0);
    AtomicInteger rooms = new AtomicInteger();
    job.launch(r -> r)
        .with(tiers(tier))
        .files(rank -> filesOf(rank, 2))
        .run(
            (rank, state) -> {
              assertNull(rank.restore());
              job.epoch(rank, state, 0);
              rank.news.await("protected " + tier + " 0");
              rank.group.allGather(new byte[0]);
              for (int room = 0; ; room++) {
                if (rank.group.rank() == 2) {
                  writes.set(room);
                }
                rank.group.allGather(new byte[0]);
                job.epoch(rank, state, room + 1L);
                String epoch = tier + " " + (room + 1);
                String news = rank.news.await("failed " + epoch, "protected " + epoch);
                rank.settle();
                rank.group.allGather(new byte[0]);
                if (news.startsWith("protected")) {
                  break;
                }
                rooms.incrementAndGet();
                assertTrue(news.contains(NO_SPACE), news);
                assertEquals(Set.of(), foreign(job, room + 1L), news);
                assertTrue(Files.exists(job.epoch(0, 0).resolve(tier + "-record")));
                rank.group.allGather(new byte[0]);
              }
            });
    assertTrue(rooms.get() >= 3 * RANKS, "pieces and the record are written: " + rooms);
  }

  @ParameterizedTest
  @ValueSource(strings = {"partner", "set"})
  void shouldWriteOnWhereAWriteWasShort(String tier) throws Exception {
    NodesJob job = job(300_000);
    faulty.shortWrites(1000);
    job.launch(r -> r)
        .with(tiers(tier))
        .files(rank -> filesOf(rank, 1))
        .run(
            (rank, state) -> {
              assertNull(rank.restore());
              job.epoch(rank, state, 1);
              rank.news.await("protected " + tier + " 1");
            });
    assertTrue(
        faulty.takeLog().stream()
                .filter(operation -> operation.startsWith("write 1000 pending-"))
                .count()
            > 100);
    job.wipe(0);
    job.launch(r -> r)
        .with(tiers(tier))
        .files(rank -> filesOf(rank, 0))
        .run((rank, state) -> job.assertRestored(rank, state, 1));
  }

  @Test
  void shouldNotBeginWhatHardlyFits() throws Exception {
    NodesJob job = job(300_000);
    job.launch(r -> r)
        .with(tiers("partner"))
        .files(rank -> filesOf(rank, 1))
        .run(
            (rank, state) -> {
              assertNull(rank.restore());
              job.epoch(rank, state, 1);
              rank.news.await("protected partner 1");
              faulty.usableBytes(10 << 20);
              rank.group.allGather(new byte[0]);
              job.epoch(rank, state, 2);
              String news = rank.news.await("failed partner 2");
              assertTrue(news.contains((10 << 20) + " bytes free, expected "), news);
              rank.group.allGather(new byte[0]);
              assertEquals(Set.of(), foreign(job, 2));
            });
  }

  /** How a start with a fault ended on all ranks: the epoch, or null if it was refused. */
  private static Long ended(List<ThreadGroupWorld.Outcome<Void>> outcomes, List<Long> epochs) {
    long failures = outcomes.stream().filter(outcome -> outcome.failure() != null).count();
    outcomes.stream()
        .filter(outcome -> outcome.failure() != null)
        .forEach(
            outcome -> {
              if (outcome.failure() instanceof AssertionError wrong) {
                throw wrong;
              }
            });
    assertTrue(failures == 0 || failures == RANKS, "the ranks come to the same end: " + outcomes);
    assertTrue(epochs.stream().distinct().count() <= 1, epochs.toString());
    return failures == 0 ? epochs.get(0) : null;
  }

  private static void restoreAny(
      NodesJob job, SimulatedRank rank, ByteBuffer state, List<Long> epochs) throws Exception {
    try (RestoredImage restored = rank.restore()) {
      assertNotNull(restored);
      long epoch = restored.epoch().epoch();
      assertEquals(-1, state.mismatch(ByteBuffer.wrap(job.state(rank.group.rank(), epoch))));
      synchronized (epochs) {
        epochs.add(epoch);
      }
    }
    rank.close();
  }

  @ParameterizedTest
  @CsvSource({"partner, 0", "partner, 1", "set, 0", "set, 1"})
  void shouldHaveTheRightStateWhicheverOperationOfARecoveryFails(String tier, int faultyRank)
      throws Exception {
    // Node 0 is lost each time; the fault is there, or at another that gives what it has.
    NodesJob job = job(5000).keeping(2);
    job.launch(r -> r)
        .with(NodesJob.keeping(tiers(tier), 2))
        .run(
            (rank, state) -> {
              assertNull(rank.restore());
              for (long epoch = 1; epoch <= 2; epoch++) {
                job.epoch(rank, state, epoch);
                rank.news.await("protected " + tier + " " + epoch);
              }
            });
    int hits = 0;
    int refused = 0;
    int first = new Random().nextInt(STEP);
    for (int nth = first; ; nth += STEP) {
      job.wipe(0);
      AtomicInteger left = new AtomicInteger(nth);
      boolean[] hit = new boolean[1];
      faulty.heal();
      List<Long> epochs = new ArrayList<>();
      Long epoch =
          ended(
              job.launch(r -> r)
                  .with(TierSettings.none(""))
                  .files(rank -> filesOf(rank, faultyRank))
                  .outcomes(
                      (rank, state) -> {
                        if (rank.group.rank() == faultyRank) {
                          faulty.fail(
                              IO_ERROR,
                              operation -> {
                                hit[0] |= left.get() == 0;
                                return left.getAndDecrement() == 0;
                              });
                        }
                        restoreAny(job, rank, state, epochs);
                      }),
              epochs);
      faulty.heal();
      if (!hit[0]) {
        assertEquals(2L, epoch);
        break;
      }
      hits++;
      refused += epoch == null ? 1 : 0;
      // Whatever it did, it did no harm: what there was can still be recovered.
      job.launch(r -> r)
          .with(TierSettings.none(""))
          .run((rank, state) -> job.assertRestored(rank, state, 2));
    }
    assertTrue(
        hits >= 8 && refused < hits, "from " + first + ": " + hits + " faults, refused " + refused);
  }

  /** What a rank gets from the shared tier is damaged, while another waits for a copy from it. */
  @Test
  void shouldServeACopyThoughItsOwnImageCannotBeFetched() throws Exception {
    NodesJob job = job(600_000).keeping(9);
    Path shared = base.resolve("shared");
    TierSettings tiers =
        NodesJob.keeping(
            NodesJob.tiers(1, Optional.empty(), Optional.of(shared), Optional.empty()), 9);
    job.launch(r -> r)
        .with(tiers)
        .run(
            (rank, state) -> {
              assertNull(rank.restore());
              for (long epoch = 1; epoch <= 2; epoch++) {
                job.epoch(rank, state, epoch);
                rank.news.await("protected partner " + epoch);
                if (rank.group.rank() == 0) {
                  rank.news.await("protected shared " + epoch);
                }
                rank.group.allGather(new byte[0]);
              }
            });
    // Rank 1's copy is with node 2; nobody knows of the one of rank 2, which has but that of the
    // shared tier.
    Files.delete(job.epoch(1, 2).resolve("rank-1.image"));
    Files.delete(job.epoch(2, 2).resolve("rank-2.image"));
    Files.delete(job.epoch(0, 2).resolve("partner-record"));
    Path only = shared.resolve("job/epoch-1-2/rank-2.image");
    byte[] image = Files.readAllBytes(only);
    Files.write(only, Arrays.copyOf(image, image.length / 2));
    job.launch(r -> r)
        .with(tiers)
        .run(
            (rank, state) -> {
              job.assertRestored(rank, state, 1);
              assertTrue(
                  rank.reasons.toString().contains("rank 2: in vain fetched from the shared tier"),
                  rank.reasons::toString);
              assertTrue(
                  rank.reasons.toString().contains("rank 1: copied from the store of rank 2"),
                  rank.reasons::toString);
            });
  }

  @ParameterizedTest
  @CsvSource({"partner, true", "partner, false", "set, true", "set, false"})
  void shouldEndTheTiersAndNothingElseWhenATransferFails(String tier, boolean onSendersSide)
      throws Exception {
    NodesJob job = job(600_000);
    NodesJob.Launch launch = job.launch(r -> r).with(tiers(tier));
    launch
        .outcomes(
            (rank, state) -> {
              assertNull(rank.restore());
              job.epoch(rank, state, 1);
              rank.news.await("protected " + tier + " 1");
              rank.group.allGather(new byte[0]);
              if (rank.group.rank() == 0) {
                launch.transports().failNext(0, 1, onSendersSide);
              }
              rank.group.allGather(new byte[0]);
              job.epoch(rank, state, 2);
              while (!launch.transports().haveFailed()) {
                Thread.sleep(1);
              }
              launch.lose(List.of());
              rank.news.await("ended ");
              // The computation goes on, and so do its epochs.
              job.epoch(rank, state, 3);
            })
        .forEach(ThreadGroupWorld.Outcome::get);
    for (int node = 0; node < RANKS; node++) {
      assertTrue(Files.exists(job.epoch(node, 1).resolve(tier + "-record")), "older protection");
    }
    job.launch(r -> r)
        .with(tiers(tier))
        .run(
            (rank, state) -> {
              job.assertRestored(rank, state, 3);
              rank.news.await("protected " + tier + " 3");
            });
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.image.StateFile;
import io.cairn.restore.NoUsableEpochException;
import io.cairn.testing.FaultyFiles;
import io.cairn.testing.NodesJob;
import io.cairn.testing.SimulatedRank;
import io.cairn.testing.ThreadGroupWorld;
import io.cairn.testing.UnsyncedFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What each tier keeps, for how long, and what the shared tier does in bad times. */
final class TierRetentionTest {
  private static final int RANKS = 3;
  private static final int STATE_BYTES = 600_000;

  @TempDir Path base;

  private NodesJob job(int bytes) throws IOException {
    return new NodesJob(Files.createTempDirectory(base, "job"), RANKS, r -> bytes + 1000 * r);
  }

  private TierSettings shared(long bytesPerSecond) {
    return new TierSettings(
        "",
        Map.of(Tier.SHARED, 1),
        Map.of(Tier.SHARED, 1),
        Optional.empty(),
        Optional.of(base.resolve("shared")),
        bytesPerSecond,
        Optional.empty(),
        20_000);
  }

  private Path flushed(long generation, long epoch) {
    return base.resolve("shared/job/epoch-" + generation + "-" + epoch);
  }

  /** Waits for something that another thread does. */
  private static void until(java.util.concurrent.Callable<Boolean> what) throws Exception {
    long end = System.nanoTime() + 20_000_000_000L;
    while (!what.call()) {
      assertTrue(System.nanoTime() < end, "in vain");
      Thread.sleep(1);
    }
  }

  /** An epoch, and then a moment in which all ranks have it. */
  private static void epoch(NodesJob job, SimulatedRank rank, ByteBuffer state, long epoch)
      throws Exception {
    job.epoch(rank, state, epoch);
    rank.group.allGather(new byte[0]);
  }

  @Test
  void shouldKeepAnEpochWithCopiesWhileNewerOnesHaveNone() throws Exception {
    NodesJob job = job(5000);
    TierSettings every3 = NodesJob.tiers(3, Optional.empty(), Optional.empty(), Optional.empty());
    job.launch(r -> r)
        .with(every3)
        .run(
            (rank, state) -> {
              assertNull(rank.restore());
              epoch(job, rank, state, 1);
              rank.news.await("protected partner 1");
              epoch(job, rank, state, 2);
              epoch(job, rank, state, 3);
              for (int node = 0; node < RANKS; node++) {
                // One epoch is kept, and the newest with copies.
                assertTrue(Files.exists(job.epoch(node, 1).resolve("record")));
                assertFalse(Files.exists(job.epoch(node, 2).resolve("record")));
                assertTrue(Files.exists(job.epoch(node, 3).resolve("record")));
              }
              rank.group.allGather(new byte[0]);
              epoch(job, rank, state, 4);
              rank.news.await("protected partner 4");
              rank.settle();
              rank.group.allGather(new byte[0]);
              assertFalse(Files.exists(job.epoch(rank.group.rank(), 1)));
              epoch(job, rank, state, 5);
              epoch(job, rank, state, 6);
            });
    job.wipe(1);
    job.launch(r -> r)
        .with(every3)
        .run(
            (rank, state) -> {
              // Beyond repair is the newest: what comes back is said, and why.
              job.assertRestored(rank, state, 4);
              assertTrue(
                  rank.reasons.stream()
                      .anyMatch(line -> line.startsWith("epoch 6 of generation 1, rank 1: ")),
                  () -> rank.reasons.toString());
            });
  }

  @Test
  void shouldSurviveOneLossAfterTheOther() throws Exception {
    NodesJob job = job(5000);
    job.launch(r -> r)
        .with(NodesJob.partner())
        .run(
            (rank, state) -> {
              assertNull(rank.restore());
              epoch(job, rank, state, 1);
              rank.news.await("protected partner 1");
            });
    for (int node : List.of(0, 1, 2, 0, 2)) {
      job.wipe(node);
      job.launch(r -> r)
          .with(NodesJob.partner())
          .run(
              (rank, state) -> {
                job.assertRestored(rank, state, 1);
                rank.news.await("protected partner 1");
              });
    }
  }

  @Test
  void shouldFillANodeThatComesBackWithAnOldDisk() throws Exception {
    NodesJob job = job(5000);
    Path saved = base.resolve("saved");
    for (int launch = 1; launch <= 2; launch++) {
      int number = launch;
      job.launch(r -> r)
          .with(NodesJob.partner())
          .run(
              (rank, state) -> {
                if (number > 1) {
                  job.assertRestored(rank, state, 1);
                } else {
                  assertNull(rank.restore());
                }
                epoch(job, rank, state, number);
                rank.news.await("protected partner " + number);
              });
      if (launch == 1) {
        copy(job.node(1), saved);
      }
    }
    job.wipe(1);
    copy(saved, job.node(1));
    job.launch(r -> r)
        .with(NodesJob.partner())
        .run(
            (rank, state) -> {
              job.assertRestored(rank, state, 2);
              assertEquals(3, rank.directory.generation());
              assertTrue(
                  rank.recovered.get(0).contains("rank 1: copied from the store of rank 2"),
                  () -> rank.recovered.toString());
              rank.news.await("protected partner 2");
              rank.settle();
              rank.group.allGather(new byte[0]);
              // What the old disk had is of the past.
              assertFalse(Files.exists(job.epoch(1, 1)));
            });
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> all = Files.walk(from)) {
      for (Path path : all.toList()) {
        Files.copy(path, to.resolve(from.relativize(path)));
      }
    }
  }

  @Test
  void shouldHoldWhatIsBeingFlushedAndGoOnWithItInTheNextLaunch() throws Exception {
    NodesJob job = job(STATE_BYTES);
    // At this rate an image takes minutes.
    job.launch(r -> r)
        .with(shared(10_000))
        .run(
            (rank, state) -> {
              assertNull(rank.restore());
              epoch(job, rank, state, 1);
              Path partial = flushed(1, 1).resolve("pending-rank-" + rank.group.rank() + ".image");
              until(() -> Files.exists(partial) && Files.size(partial) > 0);
              rank.group.allGather(new byte[0]);
              for (long epoch = 2; epoch <= 4; epoch++) {
                epoch(job, rank, state, epoch);
              }
              assertTrue(Files.exists(job.epoch(rank.group.rank(), 1).resolve("record")));
              assertFalse(Files.exists(job.epoch(rank.group.rank(), 2).resolve("record")));
              assertFalse(Files.exists(flushed(1, 1).resolve("record")));
            });
    // Epoch 1 is still there, as newer ones are not yet flushed; 4 is restored and flushed first.
    FaultyFiles files = new FaultyFiles(new UnsyncedFiles());
    job.launch(r -> r)
        .with(shared(0))
        .files(rank -> rank == 0 ? files : new UnsyncedFiles())
        .run(
            (rank, state) -> {
              job.assertRestored(rank, state, 4);
              if (rank.group.rank() == 0) {
                rank.news.await("protected shared 4");
              }
              rank.group.allGather(new byte[0]);
              assertFalse(Files.exists(flushed(1, 1)), "what was never finished is deleted");
              assertTrue(Files.exists(flushed(1, 4).resolve("record")));
            });
    for (int node = 0; node < RANKS; node++) {
      job.wipe(node);
    }
    job.launch(r -> r).with(shared(0)).run((rank, state) -> job.assertRestored(rank, state, 4));
  }

  @Test
  void shouldWriteOnWhereAFlushWasInterrupted() throws Exception {
    NodesJob job = job(STATE_BYTES);
    job.launch(r -> r)
        .with(shared(10_000))
        .run(
            (rank, state) -> {
              assertNull(rank.restore());
              epoch(job, rank, state, 1);
              Path partial = flushed(1, 1).resolve("pending-rank-" + rank.group.rank() + ".image");
              until(() -> Files.exists(partial) && Files.size(partial) > 0);
            });
    // One was left whole, one damaged, one cut short.
    Path damaged = flushed(1, 1).resolve("pending-rank-1.image");
    byte[] bytes = Files.readAllBytes(damaged);
    bytes[bytes.length / 2] ^= 4;
    Files.write(damaged, bytes);
    FaultyFiles[] files = new FaultyFiles[RANKS];
    for (int rank = 0; rank < RANKS; rank++) {
      files[rank] = new FaultyFiles(new UnsyncedFiles());
    }
    job.launch(r -> r)
        .with(shared(0))
        .files(rank -> files[rank])
        .run(
            (rank, state) -> {
              job.assertRestored(rank, state, 1);
              if (rank.group.rank() == 0) {
                rank.news.await("protected shared 1");
              }
              rank.group.allGather(new byte[0]);
            });
    assertTrue(files[0].takeLog().contains("append pending-rank-0.image"));
    assertTrue(files[1].takeLog().contains("create pending-rank-1.image"), "begun anew");
    for (int node = 0; node < RANKS; node++) {
      job.wipe(node);
    }
    job.launch(r -> r).with(shared(0)).run((rank, state) -> job.assertRestored(rank, state, 1));
  }

  @Test
  void shouldFlushTheNextEpochAfterOneThatFoundNoSpace() throws Exception {
    NodesJob job = job(STATE_BYTES);
    FaultyFiles full = new FaultyFiles(new UnsyncedFiles());
    AtomicInteger hits = new AtomicInteger();
    full.fail(
        "No space left on device",
        operation ->
            Thread.currentThread().getName().equals("cairn-flush")
                && operation.startsWith("write")
                && hits.getAndIncrement() == 0);
    job.launch(r -> r)
        .with(shared(0))
        .files(rank -> rank == 2 ? full : new UnsyncedFiles())
        .run(
            (rank, state) -> {
              assertNull(rank.restore());
              epoch(job, rank, state, 1);
              if (rank.group.rank() == 2) {
                String news = rank.news.await("failed shared 1");
                assertTrue(news.contains("No space left on device"), news);
                assertTrue(news.contains("pending-rank-2.image"), news);
              }
              rank.group.allGather(new byte[0]);
              epoch(job, rank, state, 2);
              if (rank.group.rank() == 0) {
                rank.news.await("failed shared 1");
                rank.news.await("protected shared 2");
                assertFalse(Files.exists(flushed(1, 1)), "it takes no space any more");
              }
              rank.group.allGather(new byte[0]);
            });
    for (int node = 0; node < RANKS; node++) {
      job.wipe(node);
    }
    job.launch(r -> r).with(shared(0)).run((rank, state) -> job.assertRestored(rank, state, 2));
  }

  @Test
  void shouldNotPublishWhenANewerLaunchHasTheSharedTier() throws Exception {
    NodesJob job = job(5000);
    job.launch(r -> r)
        .with(shared(0))
        .run(
            (rank, state) -> {
              assertNull(rank.restore());
              if (rank.group.rank() == 0) {
                Files.write(
                    base.resolve("shared/job/generation"),
                    StateFile.builder("generation")
                        .field("generation", 7)
                        .field("host", "elsewhere")
                        .field("pid", 42)
                        .field("started", "2026-01-01T00:00:00Z")
                        .toBytes());
              }
              rank.group.allGather(new byte[0]);
              epoch(job, rank, state, 1);
              if (rank.group.rank() == 0) {
                String news = rank.news.await("fenced ");
                assertTrue(news.contains("generation 7") && news.contains("elsewhere"), news);
              }
              rank.group.allGather(new byte[0]);
            });
    assertFalse(Files.exists(flushed(1, 1).resolve("record")));
    assertFalse(Files.exists(flushed(1, 1).resolve("pending-record")));
  }

  @Test
  void shouldGoOnWithoutASharedTierThatIsGoneButNotStartAfresh() throws Exception {
    NodesJob job = job(5000);
    // No directory can be made there.
    Files.createFile(base.resolve("shared"));
    job.launch(r -> r)
        .with(shared(0))
        .outcomes(
            (rank, state) -> {
              assertTrue(rank.directory.sharedProblem().isPresent());
              rank.restore();
            })
        .forEach(
            outcome -> {
              assertInstanceOf(NoUsableEpochException.class, outcome.failure());
              assertTrue(
                  outcome.failure().getMessage().contains("the shared tier can't be reached"));
            });
    Files.delete(base.resolve("shared"));
    job.launch(r -> r)
        .with(shared(0))
        .run(
            (rank, state) -> {
              assertNull(rank.restore());
              epoch(job, rank, state, 1);
            });
    NodesJob.wipe(base.resolve("shared"));
    Files.createFile(base.resolve("shared"));
    List<ThreadGroupWorld.Outcome<Void>> outcomes =
        job.launch(r -> r)
            .with(shared(0))
            .outcomes(
                (rank, state) -> {
                  job.assertRestored(rank, state, 1);
                  job.epoch(rank, state, 2);
                  rank.close();
                });
    outcomes.forEach(ThreadGroupWorld.Outcome::get);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.coordinate.Capture.PendingImage;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FaultHook;
import io.cairn.image.StateFile;
import io.cairn.image.SystemFiles;
import io.cairn.restore.Choice;
import io.cairn.restore.NoUsableEpochException;
import io.cairn.restore.RestoreAgreement;
import io.cairn.restore.RestoredImage;
import io.cairn.testing.SimulatedRank;
import io.cairn.testing.ThreadGroupWorld;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which epochs there are after commits, abandonments, crashes and damage, in one store or two. */
final class RetentionTest {
  private static final int RANKS = 3;

  @TempDir Path base;

  /** What a rank does with its part of a job. */
  @FunctionalInterface
  private interface Part {
    void run(SimulatedRank rank, ByteBuffer state) throws Exception;
  }

  private Path place(int rank) {
    return base.resolve(rank < 2 ? "shared" : "own");
  }

  /** Runs all ranks of a launch; it ends in order, or as if killed. */
  private void launch(int kept, boolean killed, Part part) throws Exception {
    ThreadGroupWorld world = new ThreadGroupWorld(RANKS);
    IntFunction<Callable<Void>> ranks =
        number ->
            () -> {
              SimulatedRank rank =
                  new SimulatedRank(
                      new StoreSettings(place(number), "job", kept, 0, 0),
                      world.group(number),
                      new SystemFiles(),
                      FaultHook.NONE);
              try {
                part.run(rank, rank.region("u", 5_000));
              } finally {
                if (killed) {
                  rank.kill();
                } else {
                  rank.close();
                }
              }
              return null;
            };
    for (ThreadGroupWorld.Outcome<Void> outcome : ThreadGroupWorld.run(RANKS, ranks)) {
      outcome.get();
    }
  }

  private static void fill(ByteBuffer state, int rank, long epoch) {
    for (int i = 0; i < state.capacity(); i++) {
      state.put(i, (byte) (31L * rank + 7 * epoch + i % 5));
    }
  }

  private static void epochs(SimulatedRank rank, ByteBuffer state, int from, int to)
      throws Exception {
    for (int epoch = from; epoch < to; epoch++) {
      fill(state, rank.group.rank(), epoch);
      rank.epoch(epoch, "late of " + epoch);
    }
  }

  /** Restores, and checks that it is that epoch's memory; -1 if there is nothing to restore. */
  private static void restores(SimulatedRank rank, ByteBuffer state, long generation, long epoch)
      throws Exception {
    RestoredImage restored = rank.restore();
    rank.settle();
    if (epoch < 0) {
      assertNull(restored);
      return;
    }
    assertNotNull(restored);
    assertEquals(new EpochId(generation, epoch), restored.epoch());
    assertEquals("late of " + epoch, rank.channels(restored));
    restored.close();
    ByteBuffer expected = ByteBuffer.allocate(state.capacity());
    fill(expected, rank.group.rank(), epoch);
    assertEquals(-1, state.mismatch(expected));
  }

  private Set<String> epochs(String store) throws IOException {
    try (Stream<Path> all = Files.list(base.resolve(store).resolve("job"))) {
      Set<String> names = new TreeSet<>();
      all.map(path -> path.getFileName().toString())
          .filter(name -> name.startsWith("epoch-"))
          .forEach(names::add);
      return names;
    }
  }

  private void assertEpochs(String... names) throws IOException {
    assertEquals(Set.of(names), epochs("shared"), "shared");
    assertEquals(Set.of(names), epochs("own"), "own");
  }

  private Path file(String store, String epoch, String name) {
    return base.resolve(store).resolve("job").resolve(epoch).resolve(name);
  }

  @Test
  void shouldKeepTheNewestCommittedEpochs() throws Exception {
    launch(
        3,
        false,
        (rank, state) -> {
          restores(rank, state, 0, -1);
          epochs(rank, state, 0, 5);
        });
    assertEpochs("epoch-1-2", "epoch-1-3", "epoch-1-4");
    assertTrue(Files.exists(file("shared", "epoch-1-4", "rank-0.image")));
    assertTrue(Files.exists(file("shared", "epoch-1-4", "rank-1.image")));
    assertFalse(Files.exists(file("shared", "epoch-1-4", "rank-2.image")));
    assertTrue(Files.exists(file("own", "epoch-1-4", "rank-2.image")));
    launch(
        2,
        false,
        (rank, state) -> {
          restores(rank, state, 1, 4);
          epochs(rank, state, 0, 1);
        });
    assertEpochs("epoch-1-4", "epoch-2-0");
    launch(2, false, (rank, state) -> restores(rank, state, 2, 0));
  }

  @Test
  void shouldKeepWhatItHasWhenEpochsAreAbandoned() throws Exception {
    launch(
        2,
        false,
        (rank, state) -> {
          restores(rank, state, 0, -1);
          epochs(rank, state, 0, 2);
          for (int epoch = 2; epoch < 5; epoch++) {
            PendingImage image = rank.image(epoch, "");
            if (epoch > 2) {
              rank.record(epoch, image);
            }
            // Whoever comes last leaves no directory behind.
            if (rank.group.rank() == epoch % RANKS) {
              rank.group.allGather(new byte[0]);
            }
            image.discard();
            rank.store.abandon(epoch);
            rank.settle();
            if (rank.group.rank() != epoch % RANKS) {
              rank.group.allGather(new byte[0]);
            }
          }
        });
    assertEpochs("epoch-1-0", "epoch-1-1");
    launch(2, false, (rank, state) -> restores(rank, state, 1, 1));
  }

  @Test
  void shouldDeleteNothingBeforeTheRanksHaveAgreed() throws Exception {
    launch(
        2,
        true,
        (rank, state) -> {
          restores(rank, state, 0, -1);
          epochs(rank, state, 0, 2);
          rank.image(2, "");
        });
    assertEpochs("epoch-1-0", "epoch-1-1", "epoch-1-2");
    launch(
        1,
        true,
        (rank, state) -> new RestoreAgreement(rank.directory, rank.group, rank.files).choose(""));
    assertEpochs("epoch-1-0", "epoch-1-1", "epoch-1-2");
    launch(1, false, (rank, state) -> restores(rank, state, 1, 1));
    assertEpochs("epoch-1-1");
  }

  @Test
  void shouldPublishAnEpochThatAnotherStoreCommitted() throws Exception {
    launch(
        2,
        true,
        (rank, state) -> {
          restores(rank, state, 0, -1);
          epochs(rank, state, 0, 1);
          fill(state, rank.group.rank(), 1);
          rank.record(1, rank.image(1, "late of 1"));
          if (rank.group.rank() == 2) {
            rank.store.commit(1);
            rank.settle();
          }
        });
    assertTrue(Files.exists(file("own", "epoch-1-1", EpochRecord.COMMITTED)));
    assertFalse(Files.exists(file("shared", "epoch-1-1", EpochRecord.COMMITTED)));
    launch(2, false, (rank, state) -> restores(rank, state, 1, 1));
    assertTrue(Files.exists(file("shared", "epoch-1-1", EpochRecord.COMMITTED)));
    assertFalse(Files.exists(file("shared", "epoch-1-1", EpochRecord.PENDING)));
    assertEpochs("epoch-1-0", "epoch-1-1");
  }

  @Test
  void shouldUseAnEpochThatIsPendingInAllStoresAndNoneThatIsNot() throws Exception {
    Part dies =
        (rank, state) -> {
          rank.restore();
          fill(state, rank.group.rank(), 0);
          rank.record(0, rank.image(0, "late of 0"));
        };
    launch(2, true, dies);
    Files.delete(file("own", "epoch-1-0", EpochRecord.PENDING));
    // The job never had a committed epoch, so it starts afresh; what is left goes.
    launch(2, true, (rank, state) -> restores(rank, state, 0, -1));
    assertEpochs();
    launch(2, true, dies);
    launch(2, false, (rank, state) -> restores(rank, state, 3, 0));
    assertTrue(Files.exists(file("own", "epoch-3-0", EpochRecord.COMMITTED)));
  }

  @Test
  void shouldGoBackToTheOlderEpochTogetherAndKeepIt() throws Exception {
    launch(
        2,
        true,
        (rank, state) -> {
          restores(rank, state, 0, -1);
          epochs(rank, state, 0, 3);
        });
    Path image = file("own", "epoch-1-2", "rank-2.image");
    byte[] bytes = Files.readAllBytes(image);
    // In the first block: only who reads it all finds out.
    bytes[100] ^= 1;
    Files.write(image, bytes);
    launch(
        2,
        true,
        (rank, state) -> {
          Choice choice = new RestoreAgreement(rank.directory, rank.group, rank.files).choose("");
          assertEquals(Optional.of(new EpochId(1, 1)), choice.epoch());
          assertEquals(1, choice.reasons().size(), choice.reasons().toString());
          String reason = choice.reasons().get(0);
          for (String part : List.of("epoch 2", "rank 2", image.toString(), "checksum", "0x")) {
            assertTrue(reason.contains(part), reason);
          }
        });
    launch(
        2,
        true,
        (rank, state) -> {
          restores(rank, state, 1, 1);
          epochs(rank, state, 0, 1);
        });
    // The broken one didn't push the sound one out.
    assertTrue(epochs("own").containsAll(Set.of("epoch-1-1", "epoch-3-0")), "" + epochs("own"));
    launch(2, false, (rank, state) -> restores(rank, state, 3, 0));
  }

  @Test
  void shouldNotTakeImagesOfTwoEpochsForOne() throws Exception {
    launch(
        2,
        true,
        (rank, state) -> {
          restores(rank, state, 0, -1);
          epochs(rank, state, 0, 2);
        });
    Files.copy(
        file("own", "epoch-1-0", "rank-2.image"),
        file("own", "epoch-1-1", "rank-2.image"),
        java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    launch(2, false, (rank, state) -> restores(rank, state, 1, 0));
  }

  @Test
  void shouldRefuseToStartAfreshWhenWhatWasCommittedIsLost() throws Exception {
    launch(
        2,
        true,
        (rank, state) -> {
          restores(rank, state, 0, -1);
          epochs(rank, state, 0, 1);
        });
    Files.delete(file("shared", "epoch-1-0", "rank-1.image"));
    launch(
        2,
        true,
        (rank, state) -> {
          Exception e = assertThrows(NoUsableEpochException.class, rank::restore);
          assertTrue(e.getMessage().contains("rank-1.image: missing"), e.getMessage());
          assertTrue(e.getMessage().contains("start-afresh"), e.getMessage());
        });
    // Not even if nothing but the marker in one store tells of it.
    for (String store : List.of("shared", "own")) {
      for (String name : List.of(EpochRecord.COMMITTED, "rank-0.image", "rank-2.image")) {
        Files.deleteIfExists(file(store, "epoch-1-0", name));
      }
    }
    Files.delete(base.resolve("shared/job/committed"));
    launch(2, true, (rank, state) -> assertThrows(NoUsableEpochException.class, rank::restore));
  }

  /** What a launch that is not this one writes when it begins. */
  private void takeOver(String store) throws IOException {
    Files.write(
        base.resolve(store).resolve("job").resolve("generation"),
        StateFile.builder("generation")
            .field("generation", 2)
            .field("host", "node9")
            .field("pid", 1)
            .field("started", "now")
            .toBytes());
  }

  /** A launch that stood still between its decision and what follows from it. */
  @Test
  void shouldPublishAndDeleteNothingOnceANewerLaunchHasTakenOver() throws Exception {
    launch(
        1,
        true,
        (old, state) -> {
          restores(old, state, 0, -1);
          epochs(old, state, 0, 1);
          PendingImage committed = old.image(1, "");
          old.record(1, committed);
          boolean leader = old.group.rank() == 2;
          if (!leader) {
            old.group.allGather(new byte[0]);
            return;
          }
          takeOver("own");
          AtomicReference<FencedException> told = new AtomicReference<>();
          old.store.whenFenced(told::set);
          old.store.commit(1);
          old.settle();
          assertNotNull(told.getAndSet(null));
          assertTrue(Files.exists(file("own", "epoch-1-1", EpochRecord.PENDING)));
          assertFalse(Files.exists(file("own", "epoch-1-1", EpochRecord.COMMITTED)));
          assertTrue(Files.exists(file("own", "epoch-1-0", EpochRecord.COMMITTED)));
          old.store.abandon(1);
          old.settle();
          assertNotNull(told.getAndSet(null));
          assertTrue(Files.exists(file("own", "epoch-1-1", EpochRecord.PENDING)));
          old.store.ranksAgreed(Optional.empty(), false, Set.of());
          old.settle();
          assertNotNull(told.get());
          old.group.allGather(new byte[0]);
        });
  }

  @Test
  void shouldRecordNothingOnceANewerLaunchHasTakenOver() throws Exception {
    launch(
        2,
        true,
        (old, state) -> {
          restores(old, state, 0, -1);
          PendingImage image = old.image(0, "");
          if (old.group.rank() != 2) {
            // Rank 2's store alone knows of the newer launch: it is enough.
            assertThrows(IOException.class, () -> old.record(0, image));
            return;
          }
          takeOver("own");
          AtomicReference<FencedException> told = new AtomicReference<>();
          old.store.whenFenced(told::set);
          Exception e = assertThrows(IOException.class, () -> old.record(0, image));
          assertInstanceOf(FencedException.class, e.getCause());
          assertSame(e.getCause(), told.get());
          assertFalse(Files.exists(file("own", "epoch-1-0", EpochRecord.PENDING)));
        });
  }
}

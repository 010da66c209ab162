// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.image.CorruptImageException;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FaultHook;
import io.cairn.image.FaultPoint;
import io.cairn.image.FileOperations;
import io.cairn.image.ImageReader;
import io.cairn.image.JobIdentity;
import io.cairn.image.SystemFiles;
import io.cairn.restore.RestoredImage;
import io.cairn.store.Compaction.Outlook;
import io.cairn.testing.FaultyFiles;
import io.cairn.testing.NodesJob;
import io.cairn.testing.SimulatedRank;
import io.cairn.testing.UnsyncedFiles;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A chain is written anew as full images, in two stores: whatever fails or dies meanwhile, a start
 * comes to the same state.
 */
final class CompactionTest {
  private static final int RANKS = 2;
  private static final int STATE_BYTES = 9 * SimulatedRank.BLOCK_BYTES + 5;
  private static final EpochId OLD = new EpochId(1, 4);
  private static final EpochId NEW = new EpochId(2, 4);
  private static final Launch SELF = new Launch("login", 7, "today", UUID.randomUUID());

  @TempDir Path base;

  private NodesJob job;

  /** Two nodes with a rank each; epochs 1 to 4, of which the first is full. */
  private void writeAChain(Path where) throws Exception {
    job = new NodesJob(where, RANKS, rank -> STATE_BYTES).chained(8).keeping(9);
    job.launch(rank -> rank)
        .run(
            (rank, state) -> {
              assertNull(rank.restore());
              for (int epoch = 1; epoch <= 4; epoch++) {
                job.epoch(rank, state, epoch);
              }
            });
  }

  private StoreView store(int node) {
    return new StoreView(new SystemFiles(), job.node(node).resolve("job"));
  }

  /** What a tool does, with nothing but the files. */
  private Compaction.Result compact(EpochId epoch, FileOperations files, FaultHook faults)
      throws Exception {
    List<StoreKeeper> keepers = new ArrayList<>();
    try {
      for (int node = 0; node < RANKS; node++) {
        keepers.add(StoreKeeper.open(store(node), files, SELF));
      }
      Compaction compaction = compaction(epoch, keepers, files, faults);
      Outlook outlook = compaction.examine();
      assertEquals(List.of(), outlook.damages());
      return compaction.run(keepers, SELF, outlook, bytes -> {});
    } finally {
      for (StoreKeeper keeper : keepers) {
        keeper.close();
      }
    }
  }

  private static Compaction compaction(
      EpochId epoch, List<StoreKeeper> keepers, FileOperations files, FaultHook faults)
      throws IOException {
    List<Compaction.Part> parts = new ArrayList<>();
    for (StoreKeeper keeper : keepers) {
      EpochRecord record = EpochRecord.read(new SystemFiles(), keeper.store().recordFile(epoch));
      parts.add(new Compaction.Part(keeper.store(), record));
    }
    EpochRecord record = parts.get(0).record();
    JobIdentity identity =
        new JobIdentity(record.jobId(), record.jobUuid(), record.worldSize(), 4096);
    return new Compaction(identity, epoch, parts, files, faults);
  }

  /** A start comes to the state of the chain, by way of an epoch of that generation. */
  private void requireRestored(Set<Long> generations) throws Exception {
    AtomicLong came = new AtomicLong();
    job.launch(rank -> rank)
        .run(
            (rank, state) -> {
              job.assertRestored(rank, state, OLD.epoch());
              came.set(rank.choices.get(0).epoch().orElseThrow().generation());
            });
    assertTrue(generations.contains(came.get()), "generation " + came);
  }

  private Set<String> tree(Path where) throws Exception {
    try (Stream<Path> all = Files.walk(where)) {
      Set<String> names = new TreeSet<>();
      all.map(path -> where.relativize(path).toString())
          .filter(name -> name.contains("epoch-"))
          .forEach(names::add);
      return names;
    }
  }

  private void wipeOld() throws Exception {
    for (int node = 0; node < RANKS; node++) {
      for (int epoch = 1; epoch <= OLD.epoch(); epoch++) {
        NodesJob.wipe(job.epoch(node, epoch));
      }
    }
  }

  @Test
  void shouldNeedNoOlderEpoch() throws Exception {
    writeAChain(base);
    Compaction.Result result = compact(OLD, new SystemFiles(), FaultHook.NONE);
    assertEquals(NEW, result.epoch());
    assertEquals(List.of(), result.unpublished());
    long bytes = 0;
    for (int node = 0; node < RANKS; node++) {
      assertEquals(Standing.COMMITTED, store(node).standing(NEW).orElseThrow());
      assertEquals(2, store(node).newest().orElseThrow().generation());
      try (ImageReader image =
          ImageReader.open(new SystemFiles(), store(node).imageFile(NEW, node))) {
        assertEquals(List.of(), image.ancestors());
        assertEquals(100 + OLD.epoch(), image.header().safePoint());
        bytes += image.lengthBytes();
      }
    }
    assertEquals(bytes, result.bytes());
    wipeOld();
    requireRestored(Set.of(2L));
  }

  @Test
  void shouldTouchNothingThatIsThere() throws Exception {
    writeAChain(base);
    FaultyFiles files = new FaultyFiles();
    Set<String> before = tree(base);
    compact(OLD, files, FaultHook.NONE);
    Set<String> after = tree(base);
    assertTrue(after.containsAll(before));
    after.removeAll(before);
    assertTrue(after.stream().allMatch(name -> name.contains("epoch-2-4")), after.toString());
    assertTrue(files.takeLog().stream().noneMatch(o -> o.startsWith("delete rank-")));
  }

  @Test
  void shouldSayWhatThereIsToDo() throws Exception {
    writeAChain(base);
    List<StoreKeeper> keepers = new ArrayList<>();
    for (int node = 0; node < RANKS; node++) {
      keepers.add(StoreKeeper.open(store(node), new SystemFiles(), SELF));
    }
    Outlook chain = compaction(OLD, keepers, new SystemFiles(), FaultHook.NONE).examine();
    assertEquals(2, chain.images());
    assertEquals(3, chain.mostAncestors());
    // The state, counts and channel state: "counts of 4", "late 4".
    assertEquals(RANKS * (STATE_BYTES + 11L + 6L), chain.rawBytes());
    // Noise, so that it is stored as it is.
    for (int node = 0; node < RANKS; node++) {
      long needed = chain.neededBytes().get(store(node).directory());
      assertTrue(needed >= STATE_BYTES && needed < STATE_BYTES + 100, "" + needed);
    }
    EpochId first = new EpochId(1, 1);
    Outlook full = compaction(first, keepers, new SystemFiles(), FaultHook.NONE).examine();
    assertEquals(0, full.mostAncestors());
    for (StoreKeeper keeper : keepers) {
      keeper.close();
    }
  }

  /** Dies the nth time that a point is reached. */
  private static final class Death implements FaultHook {
    final FaultyFiles files = new FaultyFiles(new UnsyncedFiles());
    private final FaultPoint point;
    private int left;

    Death(FaultPoint point, int nth) {
      this.point = point;
      left = nth;
    }

    @Override
    public void reached(FaultPoint here) {
      if (here == point && --left == 0) {
        files.crash();
      }
      files.live();
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = FaultPoint.class,
      names = {
        "MID_BLOCKS",
        "AFTER_BLOCKS_BEFORE_FOOTER",
        "AFTER_FOOTER_BEFORE_SYNC",
        "AFTER_SYNC",
        "BEFORE_PENDING_RECORD",
        "AFTER_PENDING_RECORD",
        "AFTER_COMMIT_BEFORE_RENAME",
        "AFTER_RENAME_BEFORE_PRUNE"
      })
  void shouldComeToTheSameStateAfterADeathAt(FaultPoint point) throws Exception {
    int nth = 1;
    for (boolean died = true; died; nth++) {
      writeAChain(base.resolve("" + nth));
      Death death = new Death(point, nth);
      died = dies(death);
      // From the last pending record on it is what a start restores, before it is nothing.
      boolean decided =
          !died
              || point.compareTo(FaultPoint.AFTER_PENDING_RECORD) > 0
              || (point == FaultPoint.AFTER_PENDING_RECORD && nth == RANKS);
      requireRestored(Set.of(decided ? 2L : 1L));
      // What was left is gone, and another one does it.
      if (!decided) {
        assertTrue(tree(base.resolve("" + nth)).stream().noneMatch(n -> n.contains("epoch-2")));
        EpochId again = compact(OLD, new UnsyncedFiles(), FaultHook.NONE).epoch();
        assertEquals(OLD.epoch(), again.epoch());
        wipeOld();
        requireRestored(Set.of(again.generation()));
      }
    }
    assertTrue(nth > RANKS, point + " was reached " + (nth - 2) + " times");
  }

  private boolean dies(Death death) throws Exception {
    try {
      compact(OLD, death.files, death);
      return false;
    } catch (FaultyFiles.Crashed e) {
      return true;
    }
  }

  private static boolean changes(String operation) {
    return !operation.matches("(read|open|list|exists|usableBytes) .*");
  }

  @Test
  void shouldComeToTheSameStateWhateverChangeIsTheLast() throws Exception {
    for (int nth = 1; ; nth++) {
      writeAChain(base.resolve("" + nth));
      FaultyFiles files = new FaultyFiles(new UnsyncedFiles());
      int last = nth;
      AtomicInteger changes = new AtomicInteger();
      // One that fails is followed by nothing.
      files.fail(
          "the power is off",
          operation -> {
            if (changes(operation) && changes.incrementAndGet() >= last) {
              files.crash();
              return true;
            }
            return false;
          });
      boolean died = true;
      try {
        compact(OLD, files, FaultHook.NONE);
        died = changes.get() >= last;
      } catch (IOException | FaultyFiles.Crashed e) {
        assertTrue(changes.get() >= last, e.toString());
      }
      requireRestored(Set.of(1L, 2L));
      if (!died) {
        assertTrue(nth > 30, "only " + nth + " changes");
        return;
      }
    }
  }

  @Test
  void shouldLeaveNothingWhenTheDiskIsFullAtAnyTime() throws Exception {
    writeAChain(base);
    Set<String> before = tree(base);
    int failures = 0;
    EpochId done = null;
    for (int nth = 1; done == null; nth++) {
      FaultyFiles files = new FaultyFiles(new UnsyncedFiles());
      int last = nth;
      AtomicInteger writes = new AtomicInteger();
      files.fail(
          "No space left on device",
          operation ->
              operation.matches("(write|create|force|createDirectories) .*")
                  && writes.incrementAndGet() == last);
      try {
        Compaction.Result result = compact(OLD, files, FaultHook.NONE);
        assertEquals(List.of(), result.unpublished());
        done = result.epoch();
      } catch (IOException e) {
        failures++;
        assertTrue(e.getMessage().contains("No space left on device"), e.getMessage());
        assertEquals(0, e.getSuppressed().length);
        assertEquals(before, tree(base));
      }
    }
    // A generation in both stores, two images, two records.
    assertTrue(failures > 20, failures + " failures");
    wipeOld();
    requireRestored(Set.of(done.generation()));
  }

  @Test
  void shouldNotBeginWithoutTheSpace() throws Exception {
    writeAChain(base);
    FaultyFiles files = new FaultyFiles();
    files.usableBytes(STATE_BYTES - 1);
    IOException e = assertThrows(IOException.class, () -> compact(OLD, files, FaultHook.NONE));
    assertTrue(e.getMessage().contains(STATE_BYTES - 1 + " bytes free, expected"), e.getMessage());
    assertEquals(1, store(0).newest().orElseThrow().generation());
    files.usableBytes(2 * STATE_BYTES);
    compact(OLD, files, FaultHook.NONE);
  }

  @Test
  void shouldTellWhatItCouldNotDeleteAgain() throws Exception {
    writeAChain(base);
    FaultyFiles files = new FaultyFiles();
    files.fail(
        "Input/output error",
        operation ->
            operation.equals("force rank-1.image") || operation.startsWith("delete rank-"));
    IOException e = assertThrows(IOException.class, () -> compact(OLD, files, FaultHook.NONE));
    assertTrue(e.getMessage().contains("rank-1.image"), e.getMessage());
    assertEquals(2, e.getSuppressed().length);
    assertTrue(Files.exists(store(0).imageFile(NEW, 0)));
    requireRestored(Set.of(1L));
    assertFalse(Files.exists(store(0).directory(NEW)));
  }

  @Test
  void shouldBeOfNoEpochWhenALaunchHasTakenOver() throws Exception {
    writeAChain(base);
    Set<String> before = tree(base);
    int[] records = new int[1];
    FaultHook overtaken =
        point -> {
          if (point == FaultPoint.AFTER_PENDING_RECORD && ++records[0] == 1) {
            try {
              new StoreWriter(store(1), new SystemFiles()).writeGeneration(9, SELF);
            } catch (IOException e) {
              throw new AssertionError(e);
            }
          }
        };
    FencedException e =
        assertThrows(FencedException.class, () -> compact(OLD, new SystemFiles(), overtaken));
    assertTrue(e.getMessage().contains("generation 9 of job job (process 7 on login"), "" + e);
    assertEquals(before, tree(base));
  }

  @Test
  void shouldLeaveItToAStartToPublishWhatCouldNotBe() throws Exception {
    writeAChain(base);
    FaultyFiles files = new FaultyFiles();
    files.fail("Input/output error", operation -> operation.equals("rename pending-record record"));
    Compaction.Result result = compact(OLD, files, FaultHook.NONE);
    assertEquals(RANKS, result.unpublished().size());
    assertEquals(Standing.PENDING, store(0).standing(NEW).orElseThrow());
    requireRestored(Set.of(2L));
    assertEquals(Standing.COMMITTED, store(1).standing(NEW).orElseThrow());
  }

  /** The bytes are written, and change before they are safe. */
  @Test
  void shouldNotTrustWhatItHasWritten() throws Exception {
    writeAChain(base);
    Set<String> before = tree(base);
    FaultHook flip =
        point -> {
          if (point == FaultPoint.AFTER_FOOTER_BEFORE_SYNC) {
            flip(store(0).imageFile(NEW, 0), 4096 + 3);
          }
        };
    IOException e = assertThrows(IOException.class, () -> compact(OLD, new SystemFiles(), flip));
    assertFalse(e instanceof CorruptImageException);
    assertTrue(e.getMessage().contains("epoch-2-4/rank-0.image at offset 4096"), e.getMessage());
    assertTrue(e.getMessage().contains("what was just written"), e.getMessage());
    assertEquals(before, tree(base));
  }

  private static void flip(Path file, long at) {
    try (RandomAccessFile bytes = new RandomAccessFile(file.toFile(), "rw")) {
      bytes.seek(at);
      int old = bytes.read();
      bytes.seek(at);
      bytes.write(old ^ 1);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void shouldFindDamageInTheMiddleAndLeaveNothing() throws Exception {
    writeAChain(base);
    Set<String> before = tree(base);
    // A block of the oldest image that no newer one has instead.
    Path oldest = store(1).imageFile(new EpochId(1, 1), 1);
    flip(oldest, 4096 + 8L * SimulatedRank.BLOCK_BYTES + 1);
    CorruptImageException e =
        assertThrows(
            CorruptImageException.class, () -> compact(OLD, new SystemFiles(), FaultHook.NONE));
    assertEquals(oldest, e.file());
    assertEquals(before, tree(base));
  }

  @Test
  void shouldNotMindDamageThatNewerImagesHaveOverwritten() throws Exception {
    writeAChain(base);
    flip(store(1).imageFile(new EpochId(1, 1), 1), 4096 + 4L * SimulatedRank.BLOCK_BYTES + 1);
    compact(OLD, new SystemFiles(), FaultHook.NONE);
    wipeOld();
    requireRestored(Set.of(2L));
  }

  @Test
  void shouldSayWhatIsMissingBeforeItBegins() throws Exception {
    writeAChain(base);
    Path lost = store(1).imageFile(new EpochId(1, 2), 1);
    Files.delete(lost);
    try (StoreKeeper zero = StoreKeeper.open(store(0), new SystemFiles(), SELF);
        StoreKeeper one = StoreKeeper.open(store(1), new SystemFiles(), SELF)) {
      List<Compaction.Damage> damages =
          compaction(OLD, List.of(zero, one), new SystemFiles(), FaultHook.NONE)
              .examine()
              .damages();
      assertEquals(1, damages.size());
      assertTrue(damages.get(0).cause().getMessage().contains(lost + ": missing"), "" + damages);
      // Half of the images are no epoch.
      List<Compaction.Damage> half =
          compaction(OLD, List.of(zero), new SystemFiles(), FaultHook.NONE).examine().damages();
      assertTrue(
          half.get(0).cause().getMessage().contains("the images of 1 of 2 ranks"), "" + half);
    }
  }

  @Test
  void shouldGoOnWithALaunchAndItsOwnChains() throws Exception {
    writeAChain(base);
    compact(OLD, new SystemFiles(), FaultHook.NONE);
    job.launch(rank -> rank)
        .run(
            (rank, state) -> {
              job.assertRestored(rank, state, OLD.epoch());
              for (int epoch = 5; epoch <= 7; epoch++) {
                job.epoch(rank, state, epoch);
              }
            });
    EpochId newest = new EpochId(3, 7);
    assertEquals(new EpochId(4, 7), compact(newest, new SystemFiles(), FaultHook.NONE).epoch());
    job.launch(rank -> rank)
        .run(
            (rank, state) -> {
              try (RestoredImage restored = rank.restore()) {
                assertNotNull(restored);
                assertEquals(new EpochId(4, 7), restored.epoch());
              }
            });
  }
}

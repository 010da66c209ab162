// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.coordinate.Capture.PendingImage;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FaultHook;
import io.cairn.image.FaultPoint;
import io.cairn.image.ImageChain;
import io.cairn.image.ImageReader;
import io.cairn.image.JobIdentity;
import io.cairn.image.Section;
import io.cairn.image.SectionKind;
import io.cairn.image.SystemFiles;
import io.cairn.restore.RestoredImage;
import io.cairn.testing.FaultyFiles;
import io.cairn.testing.SimulatedRank;
import io.cairn.testing.ThreadGroupWorld;
import io.cairn.testing.UnsyncedFiles;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Launches that write, commit, abandon and die at random, with images that take bytes from each
 * other: what is restored is the last committed state, to the bit, or the one that was about to be.
 */
final class ChainPropertyTest {
  private static final int STATE_BYTES = 12 * SimulatedRank.BLOCK_BYTES + 77;

  // Those that a rank without tiers passes.
  private static final List<FaultPoint> POINTS =
      List.of(
          FaultPoint.DURING_CAPTURE,
          FaultPoint.AFTER_CAPTURE,
          FaultPoint.MID_BLOCKS,
          FaultPoint.AFTER_BLOCKS_BEFORE_FOOTER,
          FaultPoint.AFTER_FOOTER_BEFORE_SYNC,
          FaultPoint.AFTER_SYNC,
          FaultPoint.BEFORE_PENDING_RECORD,
          FaultPoint.AFTER_PENDING_RECORD,
          FaultPoint.AFTER_COMMIT_BEFORE_RENAME,
          FaultPoint.AFTER_RENAME_BEFORE_PRUNE,
          FaultPoint.DURING_PRUNE);

  @TempDir Path base;

  // What the job knows of itself.
  private final Map<EpochId, byte[]> states = new HashMap<>();
  private EpochId lastCommitted;
  private EpochId lastTried;
  private int longest;

  private SimulatedRank rank(int kept, int fullEvery, FaultyFiles files, FaultHook hook)
      throws Exception {
    return new SimulatedRank(
        new StoreSettings(base, "job", kept, 0, 0),
        new ThreadGroupWorld(1).group(0),
        files,
        hook,
        SimulatedRank.chained(fullEvery));
  }

  /** Dies at the nth passing of any of the points. */
  private static final class Death implements FaultHook {
    final FaultyFiles files = new FaultyFiles(new UnsyncedFiles());
    private final FaultPoint point;
    private int left;

    Death(Random random) {
      point = POINTS.get(random.nextInt(POINTS.size()));
      left = 1 + random.nextInt(point == FaultPoint.DURING_CAPTURE ? 150 : 12);
    }

    @Override
    public synchronized void reached(FaultPoint here) {
      if (here == point && --left == 0) {
        files.crash();
      }
      files.live();
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6})
  void shouldRestoreTheLastCommittedStateWhateverHappens(long seed) throws Exception {
    Random random = new Random(seed);
    int kept = 1 + random.nextInt(2);
    for (int launch = 1; launch <= 6; launch++) {
      Death death = new Death(random);
      SimulatedRank rank = rank(kept, 2 + random.nextInt(7), death.files, death);
      try {
        run(rank, random);
      } catch (Exception | FaultyFiles.Crashed e) {
        assertTrue(death.left <= 0, () -> "seed " + seed + " failed without a crash: " + e);
      }
      rank.kill();
    }
    SimulatedRank rank = rank(kept, 8, new FaultyFiles(new UnsyncedFiles()), FaultHook.NONE);
    requireState(rank, rank.region("u", STATE_BYTES), seed);
    rank.close();
    assertTrue(longest > 1, "seed " + seed + ": at most " + longest + " ancestors");
  }

  private void requireState(SimulatedRank rank, ByteBuffer state, long seed) throws Exception {
    try (RestoredImage restored = rank.restore()) {
      rank.settle();
      if (restored == null) {
        assertNull(lastCommitted, "seed " + seed);
        return;
      }
      EpochId epoch = restored.epoch();
      assertTrue(
          epoch.equals(lastCommitted) || epoch.equals(lastTried),
          () -> "seed " + seed + ": " + epoch + ", not " + lastCommitted + " or " + lastTried);
      assertEquals(-1, state.mismatch(ByteBuffer.wrap(states.get(epoch))), "seed " + seed);
      lastCommitted = epoch;
    }
  }

  /** Goes on from where the job is. */
  private void run(SimulatedRank rank, Random random) throws Exception {
    ByteBuffer state = rank.region("u", STATE_BYTES);
    if (lastCommitted == null) {
      byte[] noise = new byte[STATE_BYTES];
      random.nextBytes(noise);
      state.put(0, noise);
    }
    requireState(rank, state, random.nextLong());
    for (int epoch = 1; epoch < 15; epoch++) {
      for (int n = random.nextInt(4); n > 0; n--) {
        int at = random.nextInt(STATE_BYTES);
        switch (random.nextInt(3)) {
          case 0 -> state.put(at, (byte) random.nextInt());
          case 1 -> {
            byte[] block = new byte[SimulatedRank.BLOCK_BYTES];
            random.nextBytes(block);
            state.put(at / block.length % 12 * block.length, block);
          }
          default ->
              state.put(
                  at / SimulatedRank.BLOCK_BYTES % 12 * SimulatedRank.BLOCK_BYTES,
                  new byte[SimulatedRank.BLOCK_BYTES]);
        }
      }
      byte[] copy = new byte[STATE_BYTES];
      state.get(0, copy);
      EpochId id = rank.directory.epochId(epoch);
      states.put(id, copy);
      lastTried = id;
      boolean abandoned = random.nextInt(4) == 0;
      PendingImage image = rank.image(epoch, "late");
      if (abandoned) {
        if (random.nextBoolean()) {
          rank.record(epoch, image);
        }
        image.discard();
        rank.store.abandon(epoch);
        rank.settle();
        lastTried = null;
      } else {
        rank.commit(epoch, image);
        lastCommitted = id;
        longest = Math.max(longest, requireChains(rank));
      }
    }
  }

  /** All that committed epochs refer to is there, and nothing else is; the most ancestors. */
  private int requireChains(SimulatedRank rank) throws Exception {
    Set<EpochId> kept = new TreeSet<>();
    int most = 0;
    StoreView view = rank.directory.view();
    List<EpochId> epochs = view.epochs();
    int found = 0;
    for (int i = epochs.size() - 1; i >= 0 && found < 1; i--) {
      if (view.standing(epochs.get(i)).equals(java.util.Optional.of(Standing.COMMITTED))) {
        found++;
        kept.add(epochs.get(i));
        Path file = view.imageFile(epochs.get(i), 0);
        try (ImageReader image = ImageReader.open(new SystemFiles(), file)) {
          image.ancestors().forEach(ancestor -> kept.add(ancestor.epoch()));
          most = Math.max(most, image.ancestors().size());
          EpochRecord record = EpochRecord.read(new SystemFiles(), view.recordFile(epochs.get(i)));
          assertEquals(
              image.ancestors().stream().map(a -> a.epoch()).sorted().toList(), record.refersTo());
        }
      }
    }
    for (EpochId epoch : kept) {
      assertTrue(Files.exists(view.imageFile(epoch, 0)), epoch + " of " + kept);
    }
    return most;
  }

  /** Between launches what there is is written anew, and that dies at random, too. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6})
  void shouldComeToTheSameBytesWhateverIsCompacted(long seed) throws Exception {
    Random random = new Random(seed);
    int compacted = 0;
    for (int launch = 1; launch <= 5; launch++) {
      SimulatedRank rank =
          rank(2, 4 + random.nextInt(7), new FaultyFiles(new UnsyncedFiles()), FaultHook.NONE);
      Death death = new Death(random);
      try {
        run(rank, random);
      } finally {
        rank.kill();
      }
      for (boolean died = true; died; ) {
        died = !compact(death, seed);
        compacted += died ? 0 : 1;
        death = new Death(random);
      }
    }
    SimulatedRank rank = rank(2, 8, new FaultyFiles(new UnsyncedFiles()), FaultHook.NONE);
    requireState(rank, rank.region("u", STATE_BYTES), seed);
    rank.close();
    assertEquals(5, compacted);
    assertTrue(longest > 1, "seed " + seed + ": at most " + longest + " ancestors");
  }

  /** Writes the newest epoch anew; returns false if that died. */
  private boolean compact(Death death, long seed) throws Exception {
    StoreView view = new StoreView(new SystemFiles(), base.resolve("job"));
    List<EpochId> recorded = new ArrayList<>();
    for (EpochId epoch : view.epochs()) {
      if (view.standing(epoch).isPresent()) {
        recorded.add(epoch);
      }
    }
    EpochId from = recorded.get(recorded.size() - 1);
    assertTrue(from.equals(lastCommitted) || from.equals(lastTried), "seed " + seed);
    lastCommitted = from;
    EpochId to = new EpochId(view.newest().orElseThrow().generation() + 1, from.epoch());
    states.put(to, states.get(from));
    requireBytes(view, from, seed);
    Launch self = new Launch("login", 1, "now", new UUID(seed, seed));
    try (StoreKeeper keeper = StoreKeeper.open(view, death.files, self)) {
      EpochRecord record = EpochRecord.read(new SystemFiles(), view.recordFile(from));
      Compaction compaction =
          new Compaction(
              new JobIdentity("job", record.jobUuid(), 1, 4096),
              from,
              List.of(new Compaction.Part(view, record)),
              death.files,
              death);
      Compaction.Outlook outlook = compaction.examine();
      assertEquals(List.of(), outlook.damages());
      assertEquals(to, compaction.run(List.of(keeper), self, outlook, bytes -> {}).epoch());
      lastCommitted = to;
      requireBytes(view, to, seed);
      return true;
    } catch (FaultyFiles.Crashed e) {
      lastTried = to;
      return false;
    }
  }

  /** What the image and all that it needs come to is the state that was saved. */
  private void requireBytes(StoreView view, EpochId epoch, long seed) throws Exception {
    ByteBuffer found = ByteBuffer.allocateDirect(STATE_BYTES);
    try (ImageChain chain =
        ImageChain.open(
            new SystemFiles(), view.imageFile(epoch, 0), older -> view.imageFile(older, 0))) {
      Section section = chain.newest().find(SectionKind.REGION, "u").orElseThrow();
      chain.read(section, (offset, length) -> found.slice((int) offset, length));
    }
    assertEquals(
        -1, found.mismatch(ByteBuffer.wrap(states.get(epoch))), "seed " + seed + ", " + epoch);
  }

  @Test
  void shouldKeepWhatAKeptEpochRefersToAndNothingElse() throws Exception {
    SimulatedRank rank = rank(1, 4, new FaultyFiles(new UnsyncedFiles()), FaultHook.NONE);
    ByteBuffer state = rank.region("u", STATE_BYTES);
    byte[] noise = new byte[STATE_BYTES];
    new Random(1).nextBytes(noise);
    state.put(0, noise);
    assertNull(rank.restore());
    Map<Integer, List<Long>> left = new HashMap<>();
    for (int epoch = 1; epoch <= 6; epoch++) {
      state.put(epoch * SimulatedRank.BLOCK_BYTES, (byte) epoch);
      rank.epoch(epoch, "");
      left.put(epoch, rank.directory.epochs().stream().map(EpochId::epoch).toList());
    }
    rank.close();
    assertEquals(
        Map.of(
            1, List.of(1L),
            2, List.of(1L, 2L),
            3, List.of(1L, 2L, 3L),
            4, List.of(1L, 2L, 3L, 4L),
            5, List.of(5L),
            6, List.of(5L, 6L)),
        left);
  }

  /** Writes a chain of three and returns where they are. */
  private List<Path> chain() throws Exception {
    SimulatedRank rank = rank(3, 8, new FaultyFiles(new UnsyncedFiles()), FaultHook.NONE);
    ByteBuffer state = rank.region("u", STATE_BYTES);
    byte[] noise = new byte[STATE_BYTES];
    new Random(1).nextBytes(noise);
    state.put(0, noise);
    assertNull(rank.restore());
    for (int epoch = 1; epoch <= 3; epoch++) {
      // The second changes the first block, the third the second one.
      state.put((epoch - 2) * SimulatedRank.BLOCK_BYTES + SimulatedRank.BLOCK_BYTES, (byte) epoch);
      rank.epoch(epoch, "");
    }
    rank.close();
    return List.of(1L, 2L, 3L).stream()
        .map(epoch -> rank.directory.view().imageFile(new EpochId(1, epoch), 0))
        .toList();
  }

  private static void flip(Path file, long at) throws Exception {
    byte[] bytes = Files.readAllBytes(file);
    bytes[(int) at] ^= 1;
    Files.write(file, bytes);
  }

  private void assertRestores(long epoch, String reason) throws Exception {
    SimulatedRank rank = rank(3, 8, new FaultyFiles(new UnsyncedFiles()), FaultHook.NONE);
    rank.region("u", STATE_BYTES);
    try (RestoredImage restored = rank.restore()) {
      assertNotNull(restored);
      assertEquals(epoch, restored.epoch().epoch(), () -> rank.reasons.toString());
      assertTrue(rank.reasons.toString().contains(reason), () -> rank.reasons.toString());
    }
    rank.close();
  }

  @Test
  void shouldFallBackWhenAnAncestorIsMissing() throws Exception {
    List<Path> images = chain();
    Files.delete(images.get(1));
    assertRestores(1, "epoch 3 of generation 1, rank 0: " + images.get(2));
    assertRestores(1, "missing");
  }

  @Test
  void shouldFallBackWhenABlockOfAnAncestorIsDamaged() throws Exception {
    List<Path> images = chain();
    flip(images.get(1), 4096 + 10);
    assertRestores(1, images.get(1) + " at offset 4096: block checksum");
  }

  @Test
  void shouldNotMindDamageInABlockThatIsOverlaid() throws Exception {
    List<Path> images = chain();
    flip(images.get(0), 4096 + SimulatedRank.BLOCK_BYTES + 10);
    assertRestores(3, "[]");
  }
}

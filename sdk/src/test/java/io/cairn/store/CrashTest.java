// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.image.FaultHook;
import io.cairn.image.FaultPoint;
import io.cairn.image.ImageReader;
import io.cairn.image.SystemFiles;
import io.cairn.restore.RestoredImage;
import io.cairn.testing.Chained;
import io.cairn.testing.CrashingProgram;
import io.cairn.testing.FaultyFiles;
import io.cairn.testing.SimulatedRank;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The process dies at each named point, each time it gets there: the next launch has the right
 * epoch, and cleans up; whether images are full or take bytes from each other.
 */
final class CrashTest {
  @TempDir Path base;

  /** Dies the nth time that a point is reached; counts on otherwise. */
  private static final class Death implements FaultHook {
    final FaultyFiles files = new FaultyFiles();
    final Map<FaultPoint, Integer> reached = new TreeMap<>();
    private final FaultPoint point;
    private final int nth;
    volatile boolean died;

    Death(FaultPoint point, int nth) {
      this.point = point;
      this.nth = nth;
    }

    @Override
    public synchronized void reached(FaultPoint here) {
      if (reached.merge(here, 1, Integer::sum) == nth && here == point) {
        died = true;
        files.crash();
      }
      files.live();
    }
  }

  /** Runs the program until it dies; returns whether it did. */
  private static boolean runUntilDeath(Path directory, Death death, boolean chained)
      throws Exception {
    SimulatedRank rank = CrashingProgram.rank(directory, death.files, death, chained);
    try {
      CrashingProgram.run(rank, chained);
    } catch (Exception | FaultyFiles.Crashed e) {
      assertTrue(death.died, "failed without a crash: " + e);
    }
    if (!death.died) {
      rank.close();
    }
    rank.kill();
    return death.died;
  }

  private static Set<String> tree(Path directory) throws Exception {
    try (Stream<Path> all = Files.walk(directory.resolve("job"))) {
      Set<String> names = new TreeSet<>();
      all.filter(
              path -> path.getNameCount() > directory.getNameCount() + 2 || Files.isDirectory(path))
          .forEach(path -> names.add(directory.resolve("job").relativize(path).toString()));
      names.remove("");
      return names;
    }
  }

  /** What a launch finds and leaves; returns the epoch that it restored, null if none. */
  private static Long recover(Path directory, boolean chained) throws Exception {
    try (SimulatedRank rank =
        CrashingProgram.rank(directory, new FaultyFiles(), FaultHook.NONE, chained)) {
      ByteBuffer state = rank.region("u", CrashingProgram.STATE_BYTES);
      RestoredImage restored = rank.restore();
      rank.settle();
      Set<String> expected = new TreeSet<>();
      if (restored != null) {
        long epoch = restored.epoch().epoch();
        long generation = restored.epoch().generation();
        assertEquals(-1, state.mismatch(ByteBuffer.wrap(CrashingProgram.state(epoch, chained))));
        restored.close();
        // The last two, and what they take bytes from.
        for (long kept = chained ? 0 : Math.max(0, epoch - 1); kept <= epoch; kept++) {
          String place = "epoch-" + generation + "-" + kept;
          expected.addAll(Set.of(place, place + "/rank-0.image", place + "/record"));
        }
      }
      assertEquals(expected, tree(directory));
      state.put(0, CrashingProgram.state(7, chained));
      rank.epoch(7, "");
      return restored == null ? null : restored.epoch().epoch();
    }
  }

  /** The epoch that must come back when the point is passed for the nth time, a block each. */
  private static Long expected(Death death) {
    int committed = death.reached.getOrDefault(FaultPoint.AFTER_PENDING_RECORD, 0);
    return committed == 0 ? null : committed - 1L;
  }

  @ParameterizedTest
  @EnumSource(
      value = FaultPoint.class,
      names = {".*_RESTORE", ".*PROTECTION.*", ".*RECOVERED.*"}, // TierCrashTest has those
      mode = EnumSource.Mode.MATCH_NONE)
  void shouldHaveTheLastDecidableEpochAfterADeathAt(FaultPoint point) throws Exception {
    for (boolean chained : Chained.forms(point)) {
      int nth = 1;
      for (; ; nth++) {
        String title = point + ", time " + nth + (chained ? ", chained" : "");
        Path directory = Files.createDirectory(base.resolve(title));
        Death death = new Death(point, nth);
        if (!runUntilDeath(directory, death, chained)) {
          break;
        }
        Long expected = expected(death);
        assertEquals(expected, recover(directory, chained), title);
        assertEquals(7L, recoverAgain(directory, chained), title);
      }
      // Of a chain nothing is deleted before its last epoch is taken.
      int least = chained && point == FaultPoint.DURING_PRUNE ? 0 : CrashingProgram.EPOCHS;
      assertTrue(nth > least, point + " was reached " + (nth - 1) + " times, chained " + chained);
    }
  }

  private static long recoverAgain(Path directory, boolean chained) throws Exception {
    try (SimulatedRank rank =
        CrashingProgram.rank(directory, new FaultyFiles(), FaultHook.NONE, chained)) {
      rank.region("u", CrashingProgram.STATE_BYTES);
      RestoredImage restored = rank.restore();
      assertNotNull(restored);
      restored.close();
      return restored.epoch().epoch();
    }
  }

  @ParameterizedTest
  @EnumSource(value = FaultPoint.class, names = ".*_RESTORE", mode = EnumSource.Mode.MATCH_ALL)
  void shouldChangeNothingWhenARestoreDiesAt(FaultPoint point) throws Exception {
    for (boolean chained : Chained.forms(point)) {
      Path directory = Files.createDirectory(base.resolve("store " + chained));
      runUntilDeath(directory, new Death(FaultPoint.AFTER_RESTORE, 1), chained);
      Set<String> before = tree(directory);
      assertTrue(runUntilDeath(directory, new Death(point, 1), chained));
      assertEquals(before, tree(directory));
      assertEquals(CrashingProgram.EPOCHS - 1L, recover(directory, chained));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "MID_BLOCKS:0:3, -1",
    "AFTER_FOOTER_BEFORE_SYNC:0:2, 0",
    "AFTER_PENDING_RECORD:0:2, 1",
    "DURING_PRUNE:0:2, 2"
  })
  void shouldRecoverFromAProcessThatIsGone(String fault, long expected) throws Exception {
    for (boolean chained : Chained.forms(fault)) {
      // Nothing of a chain is deleted as long as its last one is kept.
      if (!chained || !fault.startsWith("DURING_PRUNE")) {
        Path directory = Files.createDirectory(base.resolve("" + chained));
        dieAsAProcess(directory, fault, chained);
        assertEquals(expected < 0 ? null : expected, recover(directory, chained));
      }
    }
  }

  private void dieAsAProcess(Path directory, String fault, boolean chained) throws Exception {
    Path output = base.resolve("output");
    Process program =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                CrashingProgram.class.getName(),
                directory.toString(),
                fault,
                "" + chained)
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    assertTrue(program.waitFor(60, TimeUnit.SECONDS));
    assertEquals(137, program.exitValue(), Files.readString(output));
  }

  @Test
  void shouldRunToItsEndWithoutAFault() throws Exception {
    Death none = new Death(FaultPoint.MID_BLOCKS, -1);
    assertEquals(false, runUntilDeath(base, none, false));
    assertEquals(
        List.of(3, 3, 3, 3),
        List.of(
            none.reached.get(FaultPoint.AFTER_CAPTURE),
            none.reached.get(FaultPoint.AFTER_SYNC),
            none.reached.get(FaultPoint.AFTER_PENDING_RECORD),
            none.reached.get(FaultPoint.AFTER_RENAME_BEFORE_PRUNE)));
    assertEquals(6, tree(base).size(), tree(base).toString());
  }

  @Test
  void shouldHaveTakenBytesFromOtherImagesWhereItIsChained() throws Exception {
    assertEquals(false, runUntilDeath(base, new Death(FaultPoint.MID_BLOCKS, -1), true));
    assertEquals(9, tree(base).size(), tree(base).toString());
    Path image = base.resolve("job/epoch-1-2/rank-0.image");
    try (ImageReader reader = ImageReader.open(new SystemFiles(), image)) {
      assertEquals(2, reader.ancestors().size());
    }
  }
}

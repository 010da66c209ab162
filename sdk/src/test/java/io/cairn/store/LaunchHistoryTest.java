// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.cairn.coordinate.Group;
import io.cairn.image.CorruptImageException;
import io.cairn.image.FaultHook;
import io.cairn.image.FileOperations;
import io.cairn.image.StateFile;
import io.cairn.image.SystemFiles;
import io.cairn.testing.ThreadGroupWorld;
import io.cairn.testing.ThreadGroupWorld.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a launch knows of those before it. */
final class LaunchHistoryTest {

  private static final FileOperations FILES = new SystemFiles();

  @TempDir Path base;

  private long nanos = 1_000;

  /** One rank of a launch, whose background work is done at once. */
  private record Rank(JobDirectory directory, DirectoryStore store) {

    void begin() {
      begin(false);
    }

    void begin(boolean recovered) {
      store.ranksAgreed(Optional.empty(), recovered, Set.of());
    }

    /** What the kernel does with a killed process. */
    void kill() throws IOException {
      directory.close();
    }

    void end() throws IOException {
      store.ended();
      directory.close();
    }
  }

  private Rank open(Path place, Group group) throws Exception {
    JobDirectory directory =
        JobDirectory.open(
            new StoreSettings(place, "job", 2, 0, 0),
            4096,
            group,
            FILES,
            new Launch("node" + group.rank(), 4711, "2026-01-01T00:00:00Z", UUID.randomUUID()),
            System::nanoTime);
    return new Rank(
        directory,
        new DirectoryStore(directory, FILES, FaultHook.NONE, Runnable::run, () -> nanos));
  }

  private List<Rank> launch(int ranks, IntFunction<Path> place) throws Exception {
    ThreadGroupWorld world = new ThreadGroupWorld(ranks);
    IntFunction<Callable<Rank>> body = rank -> () -> open(place.apply(rank), world.group(rank));
    return ThreadGroupWorld.run(ranks, body).stream().map(Outcome::get).toList();
  }

  private Rank launch() throws Exception {
    return launch(1, rank -> base).get(0);
  }

  private void pass(Duration time) {
    nanos += time.toNanos();
  }

  private static void assertSeen(long failures, Duration computed, Rank rank) {
    assertEquals(failures, rank.store.failures());
    assertEquals(computed, Duration.ofNanos(rank.store.computedNanos()));
  }

  @Test
  void shouldCountTheLaunchesThatDidNotComeToTheirEnd() throws Exception {
    Rank rank = launch();
    rank.begin();
    assertSeen(0, Duration.ZERO, rank);
    rank.kill();
    rank = launch();
    rank.begin();
    assertSeen(1, Duration.ZERO, rank);
    rank.kill();
    rank = launch();
    rank.begin();
    assertSeen(2, Duration.ZERO, rank);
    rank.end();
    rank = launch();
    rank.begin();
    assertSeen(2, Duration.ZERO, rank);
    rank.kill();
  }

  @Test
  void shouldCountTheFailuresAfterWhichImagesHadToBeRecovered() throws Exception {
    Rank rank = launch();
    rank.begin(true); // no failure was before that
    assertEquals(0, rank.store.nodeLosses());
    rank.kill();
    rank = launch();
    assertEquals(0, rank.store.nodeLosses());
    rank.begin(true);
    assertSeen(1, Duration.ZERO, rank);
    assertEquals(1, rank.store.nodeLosses());
    rank.kill();
    rank = launch();
    rank.begin(false);
    assertSeen(2, Duration.ZERO, rank);
    assertEquals(1, rank.store.nodeLosses());
    rank.end();
    rank = launch();
    rank.begin(true); // moved to other nodes, say
    assertEquals(1, rank.store.nodeLosses());
    rank.kill();
  }

  @Test
  void shouldNotCountALaunchThatNeverBeganToCompute() throws Exception {
    launch().kill();
    Rank rank = launch();
    rank.store.ended();
    rank.store.commit(1);
    rank.kill();
    assertFalse(Files.exists(base.resolve("job/history")));
    rank = launch();
    rank.begin();
    assertSeen(0, Duration.ZERO, rank);
    rank.kill();
  }

  @Test
  void shouldKnowHowLongAllHaveComputedUpToTheirLastNotedCommit() throws Exception {
    Rank rank = launch();
    pass(Duration.ofMinutes(5)); // the restore
    rank.begin();
    pass(Duration.ofHours(1));
    assertSeen(0, Duration.ofHours(1), rank);
    rank.store.commit(1);
    pass(Duration.ofSeconds(4));
    rank.store.commit(2);
    pass(Duration.ofSeconds(7));
    rank.store.commit(3);
    pass(Duration.ofSeconds(9));
    rank.store.commit(4); // not worth a note
    rank.kill();

    rank = launch();
    rank.begin();
    assertSeen(1, Duration.ofHours(1).plusSeconds(11), rank);
    pass(Duration.ofSeconds(3));
    rank.end();

    rank = launch();
    rank.begin();
    assertSeen(1, Duration.ofHours(1).plusSeconds(14), rank);
    rank.kill();
  }

  @Test
  void shouldBelieveTheStoreThatKnowsMost() throws Exception {
    List<Rank> two = launch(2, rank -> base.resolve("node" + rank));
    two.forEach(Rank::begin);
    pass(Duration.ofHours(2));
    two.get(0).store.commit(1);
    two.get(1).store.commit(1);
    two.get(0).kill();
    two.get(1).kill();
    // One node's last note is lost, then all of it.
    byte[] old = Files.readAllBytes(base.resolve("node0/job/history"));
    two = launch(2, rank -> base.resolve("node" + rank));
    two.forEach(Rank::begin);
    two.get(0).kill();
    two.get(1).kill();
    Files.write(base.resolve("node0/job/history"), old);
    two = launch(2, rank -> base.resolve("node" + rank));
    for (Rank rank : two) {
      rank.begin();
      assertSeen(2, Duration.ofHours(2), rank);
    }
    two.get(0).kill();
    two.get(1).kill();
    Files.delete(base.resolve("node1/job/history"));
    two = launch(2, rank -> base.resolve("node" + rank));
    for (Rank rank : two) {
      rank.begin();
      assertSeen(3, Duration.ofHours(2), rank);
    }
    two.get(0).kill();
    two.get(1).kill();
    assertEquals(
        Files.readString(base.resolve("node0/job/history")),
        Files.readString(base.resolve("node1/job/history")));
  }

  @Test
  void shouldOrderHistoriesByWhatTheyKnow() {
    LaunchHistory running = new LaunchHistory(3, true, 2, 1, 500);
    LaunchHistory ended = new LaunchHistory(3, false, 2, 1, 500);
    List<LaunchHistory> better =
        List.of(
            new LaunchHistory(3, true, 2, 1, 400),
            running,
            new LaunchHistory(3, true, 2, 2, 500),
            new LaunchHistory(3, true, 3, 0, 500),
            new LaunchHistory(3, true, 0, 0, 600),
            ended,
            new LaunchHistory(4, true, 0, 0, 0));
    List<LaunchHistory> found = new ArrayList<>(better);
    Collections.reverse(found);
    found.sort(LaunchHistory.BY_KNOWLEDGE);
    assertEquals(better, found);
    assertEquals(running, LaunchHistory.ofText(running.toText()));
    assertEquals(ended, LaunchHistory.ofText(ended.toText()));
  }

  @Test
  void shouldForgetRatherThanFailWhenTheFileIsDamaged() throws Exception {
    Rank rank = launch();
    rank.begin();
    rank.kill();
    Path file = base.resolve("job/history");
    byte[] whole = Files.readAllBytes(file);
    for (int at = 0; at < whole.length; at++) {
      byte[] damaged = whole.clone();
      damaged[at] ^= 4;
      Files.write(file, damaged);
      assertThrows(CorruptImageException.class, () -> LaunchHistory.read(FILES, file.getParent()));
    }
    rank = launch();
    rank.begin();
    assertSeen(0, Duration.ZERO, rank);
    rank.kill();
    // And from then on it is known again.
    rank = launch();
    rank.begin();
    assertSeen(1, Duration.ZERO, rank);
    rank.kill();
  }

  @Test
  void shouldLookLikeThis() throws Exception {
    Path file = base.resolve("history");
    LaunchHistory history = new LaunchHistory(7, true, 2, 1, 123_456);
    Files.write(file, history.toBytes());
    assertEquals(
        """
        cairn-history 1
        generation=7
        state=running
        failures=2
        node-losses=1
        computed-ms=123456
        crc32c=CRC
        """,
        new String(history.toBytes(), US_ASCII).replaceFirst("crc32c=[0-9a-f]{8}", "crc32c=CRC"));
    assertEquals(history, LaunchHistory.read(FILES, base));
    Files.write(file, history.ended().toBytes());
    assertEquals(history.ended(), LaunchHistory.read(FILES, base));
    for (String bad :
        List.of(
            "generation=0 state=running failures=2 node-losses=1 computed-ms=5",
            "generation=1 state=dead failures=2 node-losses=1 computed-ms=5",
            "generation=1 state=ended failures=-1 node-losses=1 computed-ms=5",
            "generation=1 state=ended failures=1 node-losses=1 computed-ms=9000000000000000000",
            "generation=1 state=ended failures=1 node-losses=1 computed-ms=5 more=1",
            "generation=1 state=ended failures=1 node-losses=-1 computed-ms=5",
            "generation=1 state=ended failures=1 node-losses=1")) {
      StateFile.Builder builder = StateFile.builder(LaunchHistory.FILE);
      for (String field : bad.split(" ", -1)) {
        builder.field(field.split("=", -1)[0], field.split("=", -1)[1]);
      }
      Files.write(file, builder.toBytes());
      assertThrows(CorruptImageException.class, () -> LaunchHistory.read(FILES, base), bad);
    }
  }

  @Test
  void shouldReadWhatAReleaseWroteThatDidNotCountNodes() throws Exception {
    Files.write(
        base.resolve("history"),
        StateFile.builder(LaunchHistory.FILE)
            .field("generation", 3)
            .field("state", "running")
            .field("failures", 2)
            .field("computed-ms", 500)
            .toBytes());
    assertEquals(new LaunchHistory(3, true, 2, 0, 500), LaunchHistory.read(FILES, base));
  }

  @Test
  void shouldNoteNothingOnceANewerLaunchHasTakenOver() throws Exception {
    Rank old = launch();
    old.begin();
    old.kill(); // Only its lock is gone: it goes on.
    Rank taken = launch();
    taken.begin();
    String history = Files.readString(base.resolve("job/history"));
    pass(Duration.ofHours(1));
    old.store.commit(1);
    old.store.ended();
    assertEquals(history, Files.readString(base.resolve("job/history")));
    taken.kill();
  }
}

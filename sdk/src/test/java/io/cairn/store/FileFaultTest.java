// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.coordinate.Capture.PendingImage;
import io.cairn.coordinate.Group;
import io.cairn.image.FaultHook;
import io.cairn.restore.RestoredImage;
import io.cairn.testing.FaultyFiles;
import io.cairn.testing.SimulatedRank;
import io.cairn.testing.ThreadGroupWorld;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Each operation on a file fails once, in every way that it can: the epoch is lost, said why, and
 * nothing else.
 */
final class FileFaultTest {
  private static final String NO_SPACE = "No space left on device";
  private static final String IO_ERROR = "Input/output error";
  private static final int STATE_BYTES = 300_000;

  @TempDir Path base;
  private Path directory;
  private final FaultyFiles files = new FaultyFiles();
  private ByteBuffer state;
  private int stateBytes = STATE_BYTES;
  private boolean direct;

  @BeforeEach
  void useADirectoryOfItsOwn() throws IOException {
    directory = Files.createTempDirectory(base, "store");
  }

  private SimulatedRank rank() throws Exception {
    StoreSettings settings = new StoreSettings(directory, "job", 2, 0, 0);
    Group group = new ThreadGroupWorld(1).group(0);
    SimulatedRank rank =
        direct
            ? new SimulatedRank(settings, group, files, FaultHook.NONE, SimulatedRank.DIRECT)
            : new SimulatedRank(settings, group, files, FaultHook.NONE);
    state = rank.region("u", stateBytes);
    return rank;
  }

  /** From now on ranks write past the page cache, and more than is written at once. */
  private void goDirect() {
    direct = true;
    stateBytes = 4_500_000;
    files.pretendDirect(4096);
  }

  private void fill(long seed) {
    byte[] noise = new byte[stateBytes];
    new Random(seed).nextBytes(noise);
    state.put(0, noise);
  }

  private byte[] expected(long seed) {
    byte[] noise = new byte[stateBytes];
    new Random(seed).nextBytes(noise);
    return noise;
  }

  /** What the coordinator does: an epoch that fails anywhere is abandoned everywhere. */
  private static Throwable attempt(SimulatedRank rank, long epoch) throws Exception {
    PendingImage image = null;
    try {
      image = rank.capture.capture(epoch, 100 + epoch);
      image.seal(rank.channels("late", "counts"));
      SimulatedRank.await(image);
      rank.record(epoch, image);
    } catch (IOException e) {
      if (image != null) {
        image.discard();
      }
      rank.store.abandon(epoch);
      rank.settle();
      return e;
    }
    rank.store.commit(epoch);
    rank.settle();
    return null;
  }

  private long restoredEpoch() throws Exception {
    files.heal();
    try (SimulatedRank rank = rank()) {
      RestoredImage restored = rank.restore();
      assertNotNull(restored);
      restored.close();
      assertEquals(-1, state.mismatch(ByteBuffer.wrap(expected(restored.epoch().epoch()))));
      return restored.epoch().epoch();
    }
  }

  /** The writer deletes in the background: waits for it. */
  private void assertTree(Set<String> expected, String message) throws Exception {
    long begin = System.nanoTime();
    while (!expected.equals(tree()) && System.nanoTime() - begin < 5_000_000_000L) {
      Thread.sleep(1);
    }
    assertEquals(expected, tree(), message);
  }

  private Set<String> tree() throws IOException {
    try (Stream<Path> all = Files.walk(directory)) {
      Set<String> names = new TreeSet<>();
      all.forEach(path -> names.add(directory.relativize(path).toString()));
      return names;
    } catch (UncheckedIOException e) {
      // Something was deleted while it was listed: look again.
      return tree();
    }
  }

  /** Epoch 0 is committed, then the nth operation of epoch 1 fails; returns it, null if none. */
  private String failAt(int nth, String message) throws Exception {
    useADirectoryOfItsOwn();
    String[] failed = new String[1];
    Throwable cause;
    boolean committed;
    Set<String> before;
    try (SimulatedRank rank = rank()) {
      rank.restore();
      fill(0);
      assertEquals(null, attempt(rank, 0));
      before = tree();
      AtomicInteger left = new AtomicInteger(nth);
      files.fail(
          message,
          operation -> {
            boolean hit = left.getAndDecrement() == 0;
            failed[0] = hit ? operation : failed[0];
            return hit;
          });
      fill(1);
      cause = attempt(rank, 1);
      files.heal();
      committed = cause == null;
      String where = failed[0] + ": " + cause;
      if (!committed) {
        assertTree(before, where);
        assertTrue(cause.getMessage().contains(message), where);
        String[] words = failed[0].split(" ", -1);
        assertTrue(cause.getMessage().contains(words[words[1].matches("[0-9]+") ? 2 : 1]), where);
      }
    }
    if (failed[0] == null) {
      assertTrue(committed, "nothing failed but the epoch: " + cause);
    }
    assertEquals(committed ? 1 : 0, restoredEpoch(), failed[0] + ": " + cause);
    return failed[0];
  }

  private List<String> failAtEach(String message) throws Exception {
    List<String> hit = new ArrayList<>();
    for (int nth = 0; ; nth++) {
      String operation = failAt(nth, message);
      if (operation == null) {
        return hit;
      }
      hit.add(operation.replaceFirst("[0-9]+ ", ""));
    }
  }

  @Test
  void shouldKeepTheCommittedEpochWhicheverOperationFails() throws Exception {
    Set<String> hit = new HashSet<>(failAtEach(IO_ERROR));
    // Each of those was among the operations, so that the loop can't have ended too early.
    for (String operation :
        List.of(
            "usableBytes job",
            "createDirectories epoch-1-1",
            "create rank-0.image",
            "write rank-0.image",
            "force rank-0.image",
            "open rank-0.image",
            "read rank-0.image",
            "create pending-record",
            "write pending-record",
            "force pending-record",
            "syncDirectory epoch-1-1",
            "syncDirectory job",
            "rename pending-record record")) {
      assertTrue(hit.contains(operation), operation + " in " + hit);
    }
  }

  @Test
  void shouldKeepTheCommittedEpochWhicheverDirectOperationFails() throws Exception {
    goDirect();
    for (String message : List.of(IO_ERROR, NO_SPACE)) {
      List<String> hit = failAtEach(message);
      for (String operation :
          List.of(
              "create rank-0.image",
              "reserve rank-0.image",
              "appendDirect rank-0.image",
              "writeDirect rank-0.image",
              "write rank-0.image",
              "force rank-0.image")) {
        assertTrue(hit.contains(operation), operation + " in " + hit);
      }
      assertEquals(2, hit.stream().filter(op -> op.startsWith("writeDirect")).count());
    }
  }

  @Test
  void shouldWriteOnWhereADirectWriteWasShort() throws Exception {
    goDirect();
    // Whole pages, half pages, less than a page: then direct I/O can't go on, or not even begin.
    for (int most : new int[] {3 * 4096, 512 * 1023, 1000}) {
      useADirectoryOfItsOwn();
      files.pretendDirect(most == 3 * 4096 ? 4096 : 512);
      files.shortWrites(most);
      files.takeLog();
      try (SimulatedRank rank = rank()) {
        rank.restore();
        fill(0);
        assertEquals(null, attempt(rank, 0));
        List<String> log = files.takeLog();
        assertTrue(
            log.stream().anyMatch(op -> op.startsWith("writeDirect " + (most - most % 512))),
            most + ": " + log);
      }
      files.shortWrites(Integer.MAX_VALUE);
      assertEquals(0, restoredEpoch(), most + " bytes at most");
    }
  }

  @Test
  void shouldLeaveNothingOfAnEpochThatFoundNoSpace() throws Exception {
    try (SimulatedRank rank = rank()) {
      rank.restore();
      fill(0);
      assertEquals(null, attempt(rank, 0));
      Set<String> before = tree();
      int room = 0;
      for (; ; room++) {
        AtomicInteger writes = new AtomicInteger(room);
        files.fail(NO_SPACE, op -> op.startsWith("write") && writes.getAndDecrement() <= 0);
        fill(1);
        Throwable cause = attempt(rank, 1 + room);
        if (cause == null) {
          break;
        }
        assertTrue(cause.getMessage().contains(NO_SPACE), cause.getMessage());
        assertTrue(cause.getMessage().contains(directory.toString()), cause.getMessage());
        assertTree(before, "after " + room + " writes");
      }
      assertTrue(room >= 4, "blocks, index, footer and record are written: " + room);
      files.heal();
      fill(200);
      assertEquals(null, attempt(rank, 200), "the computation goes on, and so do its epochs");
    }
    assertEquals(200, restoredEpoch());
  }

  @Test
  void shouldWriteOnWhereAWriteWasShort() throws Exception {
    files.shortWrites(1000);
    try (SimulatedRank rank = rank()) {
      rank.restore();
      fill(0);
      assertEquals(null, attempt(rank, 0));
      assertTrue(
          files.takeLog().stream().filter(op -> op.startsWith("write 1000 rank-0")).count() >= 300);
    }
    files.shortWrites(Integer.MAX_VALUE);
    assertEquals(0, restoredEpoch());
  }

  @Test
  void shouldCreateTheDirectoryAgainWhenARankThatFailedTookItAway() throws Exception {
    try (SimulatedRank rank = rank()) {
      rank.restore();
      fill(0);
      AtomicInteger left = new AtomicInteger(3);
      files.fail(
          IO_ERROR,
          op -> {
            if (op.equals("create rank-0.image") && left.getAndDecrement() > 0) {
              try {
                Files.delete(rank.directory.directory(rank.directory.epochId(0)));
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            }
            return false;
          });
      assertEquals(null, attempt(rank, 0));
      assertTrue(left.get() < 0, "the directory was not taken away");
      files.heal();
    }
    assertEquals(0, restoredEpoch());
  }

  @Test
  void shouldGiveUpWhenTheFileSystemTakesNothing() throws Exception {
    try (SimulatedRank rank = rank()) {
      rank.restore();
      files.shortWrites(0);
      Throwable cause = attempt(rank, 0);
      assertTrue(cause.getMessage().contains("accepts no more bytes"), cause.getMessage());
      files.shortWrites(Integer.MAX_VALUE);
    }
  }

  @Test
  void shouldNotBeginAnImageThatHardlyFits() throws Exception {
    try (SimulatedRank rank = rank()) {
      rank.restore();
      fill(0);
      assertEquals(null, attempt(rank, 0));
      files.takeLog();
      files.usableBytes(STATE_BYTES / 2);
      Throwable cause = attempt(rank, 1);
      assertTrue(cause.getMessage().contains("no space for an image in " + directory));
      assertTrue(cause.getMessage().contains(STATE_BYTES / 2 + " bytes are left"));
      assertFalse(files.takeLog().stream().anyMatch(op -> op.startsWith("create")));
    }
  }

  @Test
  void shouldTryAnImageThatHardlyFitsAfterOneThatWasNotBegun() throws Exception {
    try (SimulatedRank rank = rank()) {
      rank.restore();
      fill(0);
      assertEquals(null, attempt(rank, 0));
      files.usableBytes(STATE_BYTES / 2);
      assertTrue(attempt(rank, 1).getMessage().contains("no space for an image in "));
      fill(2);
      // It fits after all: had it not been tried, no epoch would ever be taken again.
      assertEquals(null, attempt(rank, 2));
      assertTrue(attempt(rank, 3).getMessage().contains("no space for an image in "));
    }
    assertEquals(2, restoredEpoch());
  }

  @Test
  void shouldPublishAnEpochWhoseRenameFailedWithTheNextOne() throws Exception {
    try (SimulatedRank rank = rank()) {
      rank.restore();
      fill(0);
      files.fail(IO_ERROR, op -> op.startsWith("rename pending-record"));
      assertEquals(null, attempt(rank, 0), "a committed epoch stays committed");
      assertTrue(tree().contains("job/epoch-1-0/pending-record"));
      files.heal();
      fill(1);
      assertEquals(null, attempt(rank, 1));
      assertTrue(tree().contains("job/epoch-1-0/record"), tree().toString());
      assertTrue(tree().contains("job/epoch-1-1/record"), tree().toString());
    }
  }

  @Test
  void shouldDeleteNoEpochWhoseRecordItCannotSee() throws Exception {
    try (SimulatedRank rank = rank()) {
      rank.restore();
      for (long epoch = 0; epoch < 2; epoch++) {
        fill(epoch);
        assertEquals(null, attempt(rank, epoch));
      }
      // A record that can't be looked at isn't one that doesn't exist.
      AtomicInteger looks = new AtomicInteger();
      files.fail(IO_ERROR, op -> op.equals("exists record") && looks.incrementAndGet() > 2);
      fill(2);
      assertEquals(null, attempt(rank, 2));
      files.heal();
      assertEquals(3, looks.get(), "retention looked, and gave up at the first error");
      for (long epoch = 0; epoch < 3; epoch++) {
        assertTrue(tree().contains("job/epoch-1-" + epoch + "/rank-0.image"), tree().toString());
      }
    }
    assertEquals(2, restoredEpoch());
  }
}

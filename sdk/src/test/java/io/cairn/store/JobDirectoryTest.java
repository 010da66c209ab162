// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.coordinate.Group;
import io.cairn.image.CorruptImageException;
import io.cairn.image.FaultHook;
import io.cairn.image.ForeignImageException;
import io.cairn.image.StateFile;
import io.cairn.image.SystemFiles;
import io.cairn.restore.NoUsableEpochException;
import io.cairn.testing.LockHolder;
import io.cairn.testing.SimulatedRank;
import io.cairn.testing.ThreadGroupWorld;
import io.cairn.testing.ThreadGroupWorld.Outcome;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who shares a store, who may use it, and which launch is the newest. */
final class JobDirectoryTest {
  @TempDir Path base;

  private static JobDirectory open(StoreSettings settings, Group group) throws Exception {
    Launch launch =
        new Launch("node" + group.rank(), 4711, "2026-01-01T00:00:00Z", UUID.randomUUID());
    return JobDirectory.open(settings, 4096, group, new SystemFiles(), launch, System::nanoTime);
  }

  private static StoreSettings settings(Path directory) {
    return new StoreSettings(directory, "job", 2, 0, 0);
  }

  /** All ranks of a launch open their directories; those that are to fail do so on all. */
  private static List<Outcome<JobDirectory>> launch(int ranks, IntFunction<Path> place)
      throws Exception {
    ThreadGroupWorld world = new ThreadGroupWorld(ranks);
    return ThreadGroupWorld.run(
        ranks, rank -> () -> open(settings(place.apply(rank)), world.group(rank)));
  }

  private static void close(List<Outcome<JobDirectory>> launch) throws IOException {
    for (Outcome<JobDirectory> outcome : launch) {
      outcome.get().close();
    }
  }

  @Test
  void shouldFindOutWhoSharesAStore() throws Exception {
    List<Outcome<JobDirectory>> ranks = launch(5, rank -> base.resolve("node" + rank % 2));
    for (int rank = 0; rank < 5; rank++) {
      JobDirectory directory = ranks.get(rank).get();
      assertEquals(rank % 2 == 0 ? List.of(0, 2, 4) : List.of(1, 3), directory.storeRanks());
      assertEquals(rank < 2, directory.leader());
      assertEquals(ranks.get(0).get().job(), directory.job());
      assertEquals(1, directory.generation());
    }
    close(ranks);
  }

  /** How often a rank that starts on its own waits for all. */
  private int gathersOfAStart(String job, Optional<Path> shared) throws Exception {
    Group alone = new ThreadGroupWorld(1).group(0);
    AtomicInteger gathers = new AtomicInteger();
    Group counting =
        new Group() {
          @Override
          public int rank() {
            return alone.rank();
          }

          @Override
          public int size() {
            return alone.size();
          }

          @Override
          public byte[][] allGather(byte[] mine) {
            gathers.incrementAndGet();
            return alone.allGather(mine);
          }
        };
    try (SimulatedRank rank =
        new SimulatedRank(
            new StoreSettings(base, job, 2, 0, 0, shared),
            counting,
            new SystemFiles(),
            FaultHook.NONE)) {
      rank.restore();
      return gathers.get();
    }
  }

  @Test
  void shouldAskNobodyAboutASharedTierThatThereIsNot() throws Exception {
    int without = gathersOfAStart("without", Optional.empty());
    // Read its job file, write it, read its generation, write it; list its epochs.
    assertEquals(without + 5, gathersOfAStart("with", Optional.of(base.resolve("shared"))));
    Files.createFile(base.resolve("file"));
    Path unusable = base.resolve("file/shared");
    NoUsableEpochException refused =
        assertThrows(
            NoUsableEpochException.class, () -> gathersOfAStart("unusable", Optional.of(unusable)));
    assertTrue(refused.getMessage().contains("the shared tier can't be reached"));
  }

  @Test
  void shouldTakeTheGenerationAfterTheNewestOfAllStores() throws Exception {
    close(launch(1, rank -> base.resolve("a")));
    close(launch(1, rank -> base.resolve("a")));
    // Only an epoch's directory tells of a launch whose file is lost.
    Files.createDirectories(base.resolve("b/job/epoch-6-0"));
    Files.delete(base.resolve("a/job/generation"));
    Files.createDirectories(base.resolve("a/job/epoch-2-3"));
    // One store knows a job of one rank, the other none: two ranks are another size.
    Files.delete(base.resolve("a/job/job"));
    List<Outcome<JobDirectory>> ranks = launch(2, rank -> base.resolve(rank == 0 ? "a" : "b"));
    assertEquals(7, ranks.get(0).get().generation());
    assertEquals(7, ranks.get(1).get().generation());
    close(ranks);
  }

  @Test
  void shouldRefuseAnotherSizeOfTheWorldWithBothValues() throws Exception {
    close(launch(3, rank -> base));
    for (Outcome<JobDirectory> outcome : launch(2, rank -> base)) {
      Throwable failure = assertInstanceOf(ForeignImageException.class, outcome.failure());
      assertTrue(
          failure.getMessage().contains("world size: found 3, expected 2"), failure.getMessage());
    }
  }

  @Test
  void shouldRefuseStoresOfTwoJobsOfTheSameName() throws Exception {
    UUID[] uuids = new UUID[2];
    for (int node = 0; node < 2; node++) {
      Path place = base.resolve("node" + node);
      List<Outcome<JobDirectory>> ranks = launch(2, rank -> place);
      uuids[node] = ranks.get(0).get().job().jobUuid();
      close(ranks);
    }
    assertNotEquals(uuids[0], uuids[1]);
    for (Outcome<JobDirectory> outcome : launch(2, rank -> base.resolve("node" + rank))) {
      Throwable failure = assertInstanceOf(ForeignImageException.class, outcome.failure());
      assertTrue(failure.getMessage().contains(uuids[0].toString()), failure.getMessage());
      assertTrue(failure.getMessage().contains(uuids[1].toString()), failure.getMessage());
    }
  }

  @Test
  void shouldGiveAStoreThatLostEverythingTheJobAgain() throws Exception {
    List<Outcome<JobDirectory>> first = launch(2, rank -> base.resolve("node" + rank));
    UUID job = first.get(0).get().job().jobUuid();
    close(first);
    for (Path file : List.of(Path.of("job"), Path.of("store"), Path.of("generation"))) {
      Files.delete(base.resolve("node0/job").resolve(file));
    }
    List<Outcome<JobDirectory>> second = launch(2, rank -> base.resolve("node" + rank));
    for (Outcome<JobDirectory> outcome : second) {
      assertEquals(job, outcome.get().job().jobUuid());
      assertEquals(2, outcome.get().generation());
    }
    close(second);
  }

  @Test
  void shouldNotTakeADamagedJobFileForNone() throws Exception {
    close(launch(1, rank -> base));
    Files.writeString(base.resolve("job/job"), "cairn-job 1\nrubbish");
    Throwable failure = launch(1, rank -> base).get(0).failure();
    assertTrue(failure.getMessage().contains("can't be told from another job's"), "" + failure);
    assertTrue(failure.getMessage().contains(base.toString()), "" + failure);
  }

  @Test
  void shouldReplaceAStoreFileThatALaunchDiedOver() throws Exception {
    Files.createDirectories(base.resolve("job"));
    Files.writeString(base.resolve("job/store"), "cairn-st");
    close(launch(3, rank -> base));
    StateFile.read(new SystemFiles(), base.resolve("job/store"), "store");
  }

  @Test
  void shouldKeepOthersOut() throws Exception {
    close(launch(1, rank -> base.resolve("new/parents")));
    try (Stream<Path> all = Files.walk(base.resolve("new"))) {
      for (Path path : all.toList()) {
        String expected = Files.isDirectory(path) ? "rwx------" : "rw-------";
        assertEquals(
            expected,
            PosixFilePermissions.toString(Files.getPosixFilePermissions(path)),
            path.toString());
      }
    }
  }

  @Test
  void shouldFailOnAllRanksWhenItFailsOnOne() throws Exception {
    Path file = Files.createFile(base.resolve("file"));
    List<Outcome<JobDirectory>> ranks = launch(3, rank -> rank == 1 ? file : base.resolve("ok"));
    assertTrue(ranks.get(1).failure().getMessage().contains(file.toString()));
    for (int rank : new int[] {0, 2}) {
      Throwable failure = assertInstanceOf(PeerFailureException.class, ranks.get(rank).failure());
      assertTrue(failure.getMessage().contains("rank 1"), failure.getMessage());
      assertTrue(failure.getMessage().contains(file.toString()), failure.getMessage());
    }
    // The ranks that had come further hold nothing any more.
    close(launch(1, rank -> base.resolve("ok")));
  }

  @Test
  void shouldNameTheHolderOfTheLockUntilItIsDead() throws Exception {
    Process holder =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                LockHolder.class.getName(),
                base.toString())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(holder.getInputStream(), StandardCharsets.US_ASCII))) {
      assertEquals("held", lines.readLine());
      Launch self = Launch.current();
      Throwable failure =
          assertInstanceOf(JobLockedException.class, launch(1, rank -> base).get(0).failure());
      assertTrue(failure.getMessage().contains("process " + holder.pid()), failure.getMessage());
      assertTrue(failure.getMessage().contains(" on " + self.host()), failure.getMessage());
      String started = holder.info().startInstant().orElseThrow().toString().substring(0, 19);
      assertTrue(failure.getMessage().contains("since " + started), failure.getMessage());
      assertTrue(failure.getMessage().contains(base.toString()), failure.getMessage());
      // It must not have changed what the living launch needs.
      assertEquals(1, generation());
    } finally {
      holder.destroyForcibly();
      assertTrue(holder.waitFor(10, TimeUnit.SECONDS));
    }
    close(launch(1, rank -> base));
    assertEquals(2, generation());
  }

  private long generation() throws IOException {
    return StateFile.read(new SystemFiles(), base.resolve("job/generation"), "generation")
        .number("generation", 1, Long.MAX_VALUE);
  }

  @Test
  void shouldWaitForALaunchThatIsAboutToEnd() throws Exception {
    JobDirectory ending = open(settings(base), new ThreadGroupWorld(1).group(0));
    Thread end =
        new Thread(
            () -> {
              try {
                Thread.sleep(200);
                ending.close();
              } catch (InterruptedException | IOException e) {
                throw new AssertionError(e);
              }
            });
    end.start();
    StoreSettings patient = new StoreSettings(base, "job", 2, 20_000, 0);
    open(patient, new ThreadGroupWorld(1).group(0)).close();
    end.join();
  }

  @Test
  void shouldNoticeThatANewerLaunchHasTakenOver() throws Exception {
    JobDirectory old = launch(1, rank -> base).get(0).get();
    old.requireNewest();
    new SystemFiles()
        .publish(
            base.resolve("job/generation"),
            StateFile.builder("generation")
                .field("generation", 9)
                .field("host", "node17")
                .field("pid", 99)
                .field("started", "2027-01-01T00:00:00Z")
                .toBytes());
    String message = assertThrows(FencedException.class, old::requireNewest).getMessage();
    for (String part :
        List.of("generation 9", "process 99", "node17", "2027-01-01", "generation 1")) {
      assertTrue(message.contains(part), message);
    }
    Files.writeString(base.resolve("job/generation"), "x");
    assertThrows(CorruptImageException.class, old::requireNewest);
    old.close();
  }

  @Test
  void shouldGiveTheHolderOfTheLockASignWhileItWaits() throws Exception {
    Path file = base.resolve("lock");
    KernelLock held = KernelLock.take(file, Launch.current(), 0, System::nanoTime);
    CompletableFuture<KernelLock> waits =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return KernelLock.take(file, Launch.current(), 60_000, System::nanoTime);
              } catch (IOException | InterruptedException e) {
                throw new AssertionError(e);
              }
            });
    // It lives: the sign changes.
    Set<String> signs = new HashSet<>();
    while (signs.size() < 3) {
      String sign = KernelLock.waiting(file);
      assertFalse(waits.isDone());
      if (!sign.isEmpty()) {
        assertTrue(sign.contains(" on " + Launch.current().host()), sign);
        signs.add(sign);
      }
      Thread.sleep(5);
    }
    held.close();
    waits.get(60, TimeUnit.SECONDS).close();
    assertEquals("", KernelLock.waiting(file));
    assertFalse(Files.exists(base.resolve(StoreView.WAITING)));
  }
}

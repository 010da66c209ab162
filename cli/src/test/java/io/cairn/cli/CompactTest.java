// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.image.StateFile;
import io.cairn.image.SystemFiles;
import io.cairn.restore.RestoredImage;
import io.cairn.testing.FaultyFiles;
import io.cairn.testing.NodesJob;
import io.cairn.testing.SimulatedRank;
import io.cairn.testing.UnsyncedFiles;
import io.cairn.tier.TierSettings;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A chain on two nodes is written anew: what the operator is told, and what a start comes to. */
final class CompactTest {
  private static final int RANKS = 2;
  private static final int EPOCHS = 4;
  private static final int STATE_BYTES = 9 * SimulatedRank.BLOCK_BYTES;

  @TempDir static Path written;
  @TempDir Path base;

  /** Epochs 1 to 4 of a job; the first is full, each other one has a block of its own. */
  @BeforeAll
  static void writeAChain() throws Exception {
    launch(job(written), 1, EPOCHS);
  }

  private static NodesJob job(Path where) {
    return new NodesJob(where, RANKS, rank -> STATE_BYTES).chained(8).keeping(9);
  }

  /** A launch that goes on from what is there, if its first epoch isn't 1. */
  private static void launch(NodesJob job, int first, int last) throws Exception {
    job.launch(rank -> rank)
        .run(
            (rank, state) -> {
              if (first == 1) {
                assertNull(rank.restore());
              } else {
                requireState(job, rank, state, first - 1);
              }
              for (int epoch = first; epoch <= last; epoch++) {
                state.put(0, job.state(rank.group.rank(), epoch));
                rank.commit(epoch, rank.image(epoch, new byte[0], new byte[3 * Long.BYTES]));
              }
            });
  }

  private static String requireState(NodesJob job, SimulatedRank rank, ByteBuffer state, long epoch)
      throws Exception {
    try (RestoredImage restored = rank.restore()) {
      assertNotNull(restored, () -> rank.reasons.toString());
      assertEquals(epoch, restored.epoch().epoch(), () -> rank.reasons.toString());
      byte[] expected = job.state(rank.group.rank(), epoch);
      assertEquals(-1, state.mismatch(ByteBuffer.wrap(expected)), "wrong state");
      return restored.epoch().generation() + "-" + restored.epoch().epoch();
    }
  }

  @BeforeEach
  void copyIt() throws IOException {
    base = base.resolve("job");
    VerifyTest.copyTree(written, base);
  }

  private Path node(int node) {
    return base.resolve("node" + node);
  }

  private Path epoch(int node, String epoch) {
    return node(node).resolve("job/epoch-" + epoch);
  }

  private Path image(int rank, String epoch) {
    return epoch(rank, epoch).resolve("rank-" + rank + ".image");
  }

  private Object[] words(String verb, Object... more) {
    List<Object> words = new ArrayList<>(List.of(verb));
    for (int node = 0; node < RANKS; node++) {
      words.addAll(List.of("--dir", node(node)));
    }
    words.addAll(List.of(more));
    return words.toArray();
  }

  private Ran tool(String verb, Object... more) {
    return Ran.tool(words(verb, more));
  }

  /** What a start comes to; it commits nothing. */
  private String start() throws Exception {
    NodesJob job = job(base);
    String[] came = new String[RANKS];
    job.launch(rank -> rank)
        .run((rank, state) -> came[rank.group.rank()] = requireState(job, rank, state, EPOCHS));
    assertEquals(came[0], came[1]);
    return came[0];
  }

  private List<String> files() throws IOException {
    try (Stream<Path> all = Files.walk(base)) {
      return all.map(path -> base.relativize(path).toString())
          .filter(name -> name.contains("epoch-"))
          .sorted()
          .toList();
    }
  }

  @Test
  void shouldWriteAnEpochThatNeedsNoOther() throws Exception {
    Ran ran =
        tool("compact", "job")
            .require(
                ExitCode.OK,
                "job: epoch 1-4, which needs 3 older ones, is written anew as 2-4, which needs "
                    + "none: 2 images, ");
    assertFalse(ran.out().contains("protected"), ran.out());
    tool("show", "job").require(ExitCode.OK, "job, epoch 2-4: committed");
    assertFalse(tool("show", "job").out().contains("takes bytes from"));
    tool("verify", "job").require(ExitCode.OK, "epoch 1-4: sound", "epoch 2-4: sound: 2 images");
    tool("recoverable", "job").require(ExitCode.OK, "job goes on from epoch 2-4 (committed");
    Ran list = tool("list", "--json").require(ExitCode.OK);
    assertEquals(2L, list.at("jobs.0.generation"));
    assertEquals("committed", list.at("jobs.0.epochs.4.state"));
    assertEquals(List.of("local"), list.at("jobs.0.epochs.4.protection"));
    assertEquals(100L + EPOCHS, list.at("jobs.0.epochs.4.safePoint"));

    tool("prune", "job", "--keep", 1).require(ExitCode.OK, "job: deleted 4 epochs", "kept 2-4");
    assertEquals("2-4", start());
    // And on from there, with chains of its own.
    launch(job(base), EPOCHS + 1, EPOCHS + 2);
    tool("verify", "job").require(ExitCode.OK, "epoch 4-6: sound");
    tool("compact", "job").require(ExitCode.OK, "epoch 4-6, which needs 1 older one,", "as 5-6");
  }

  @Test
  void shouldHaveNothingToDoTwice() throws Exception {
    tool("compact").require(ExitCode.OK, "written anew as 2-4");
    List<String> before = files();
    Ran again = tool("compact", "--json").require(ExitCode.OK);
    assertEquals("full", again.at("jobs.0.outcome"));
    assertNull(again.at("jobs.0.to"));
    assertEquals(before, files());
    tool("compact").require(ExitCode.OK, "job: epoch 2-4 needs no older one: nothing to do\n");
    // No generation is used up by that.
    assertEquals(2L, tool("list", "--json").at("jobs.0.generation"));
  }

  @Test
  void shouldSayWhatItWouldDo() throws Exception {
    List<String> before = files();
    tool("compact", "--dry-run")
        .require(ExitCode.OK, "job: would write epoch 1-4 anew, which needs 3 older ones");
    Ran dry = tool("compact", "--dry-run", "--json").require(ExitCode.OK);
    assertEquals(true, dry.at("dryRun"));
    assertEquals("compacted", dry.at("jobs.0.outcome"));
    assertNull(dry.at("jobs.0.to"));
    assertEquals(before, files());
    assertEquals(1L, tool("list", "--json").at("jobs.0.generation"));
  }

  @Test
  void shouldTellPrograms() throws Exception {
    Ran ran = tool("compact", "--json").require(ExitCode.OK);
    ran.requireDocumented();
    assertEquals("cairn-compact", ran.at("format"));
    assertEquals("job", ran.at("jobs.0.job"));
    assertEquals("compacted", ran.at("jobs.0.outcome"));
    assertEquals(Map.of("generation", 1L, "epoch", 4L), ran.at("jobs.0.from"));
    assertEquals(Map.of("generation", 2L, "epoch", 4L), ran.at("jobs.0.to"));
    assertEquals(3L, ran.at("jobs.0.ancestors"));
    assertEquals(2L, ran.at("jobs.0.images"));
    assertEquals(Files.size(image(0, "2-4")) + Files.size(image(1, "2-4")), ran.at("jobs.0.bytes"));
    assertEquals(List.of(), ran.at("jobs.0.problems"));
  }

  // Damage.

  @Test
  void shouldTellDamageAsVerifyDoes() throws Exception {
    VerifyTest.flip(image(1, "1-2"), JobFixture.FIRST_BLOCK);
    List<String> before = files();
    String finding = image(1, "1-2") + " at offset 4096: block checksum: found";
    tool("verify", "job", "1-4").require(ExitCode.NOT_FOUND_OR_DAMAGED, finding);
    Ran ran = tool("compact", "--json").require(ExitCode.NOT_FOUND_OR_DAMAGED);
    assertEquals("damaged", ran.at("jobs.0.outcome"));
    assertEquals("damaged", ran.at("jobs.0.problems.0.kind"));
    assertEquals(4096L, ran.at("jobs.0.problems.0.offset"));
    ran.requireDocumented();
    tool("compact")
        .require(
            ExitCode.NOT_FOUND_OR_DAMAGED,
            "job, epoch 1-4: DAMAGED, 1 finding; nothing is written",
            "  " + finding);
    assertEquals(before, files());

    // What a start then goes on from, if that is what is wanted.
    tool("compact", "--epoch", "1-1")
        .require(ExitCode.OK, "job: epoch 1-1 needs no older one: nothing to do");
  }

  @Test
  void shouldTellWhatIsMissing() throws Exception {
    Files.delete(image(0, "1-3"));
    tool("compact")
        .require(
            ExitCode.NOT_FOUND_OR_DAMAGED,
            "job, epoch 1-4: DAMAGED, 1 finding",
            image(0, "1-3") + ": missing");
    Files.delete(epoch(0, "1-4").resolve("record"));
    tool("compact")
        .require(ExitCode.NOT_FOUND_OR_DAMAGED, epoch(0, "1-4").resolve("record") + ": missing");
    Files.writeString(node(1).resolve("job/job"), "cairn-job 1\n");
    tool("compact").require(ExitCode.NOT_FOUND_OR_DAMAGED, node(1).resolve("job/job").toString());
  }

  @Test
  void shouldCompactAnOlderEpochOnlyWhereNewerOnesAreOfNoUse() throws Exception {
    List<String> before = files();
    tool("compact", "--epoch", "1-3")
        .require(
            ExitCode.FAILED,
            "a start of job job goes on from epoch 1-4: epoch 1-3, written anew, would take its");
    assertEquals(before, files());
    // Its own block, which no other epoch needs.
    VerifyTest.flip(image(0, "1-4"), JobFixture.FIRST_BLOCK);
    tool("compact", "--epoch", "3").require(ExitCode.OK, "epoch 1-3, which needs 2 older", "2-3");
    tool("recoverable").require(ExitCode.OK, "job goes on from epoch 2-3");
    tool("compact", "--epoch", "1-9").require(ExitCode.NOT_FOUND_OR_DAMAGED, "no epoch 1-9");
    tool("compact", "--epoch", "new").require(ExitCode.USAGE, "expected GENERATION-EPOCH");
  }

  // Who else may be there.

  @Test
  void shouldKeepOffALiveLaunch() throws Exception {
    List<String> before = files();
    Path elsewhere = base.resolve("elsewhere");
    try (OtherLaunch live = new OtherLaunch(elsewhere)) {
      assertTrue(live.holds(), live.text());
      Ran.tool("compact", "--dir", elsewhere, "job")
          .require(ExitCode.FAILED, live.name(), "the job is running");
      Ran.tool("compact", "--dir", elsewhere, "job", "--dry-run")
          .require(ExitCode.FAILED, live.name(), "is running");
    }
    Ran.tool("compact", "--dir", elsewhere, "job")
        .require(ExitCode.NOT_FOUND_OR_DAMAGED, "job job has no committed epoch");
    assertEquals(before, files());
  }

  /** All locks are held while it works: nobody else gets any of them. */
  @Test
  void shouldHoldAllLocksWhileItWrites() throws Exception {
    FaultyFiles files = new FaultyFiles();
    List<String> others = new ArrayList<>();
    files.fail(
        "",
        operation -> {
          if (operation.equals("force rank-1.image")) {
            for (int node = 0; node < RANKS; node++) {
              try (OtherLaunch other = new OtherLaunch(node(node))) {
                assertFalse(other.holds());
                others.add(other.text());
              } catch (IOException | InterruptedException e) {
                throw new AssertionError(e);
              }
            }
          }
          return false;
        });
    Ran.with(files, words("compact")).require(ExitCode.OK);
    assertEquals(RANKS, others.size());
    for (String other : others) {
      assertTrue(other.contains("is held by process 1 on login"), other);
    }
    tool("prune", "job", "--leftovers").require(ExitCode.OK);
  }

  @Test
  void shouldRefuseWhatItCannotSeeWhole() throws Exception {
    List<String> before = files();
    Ran.tool("compact", "--dir", node(0))
        .require(
            ExitCode.FAILED,
            "epoch 1-4 of job job: the images of ranks 1 are in no store that was given",
            "(--dir)");
    // A newer epoch that may be committed where nobody looks.
    Files.createDirectories(epoch(0, "1-5"));
    Files.createDirectories(epoch(1, "1-5"));
    Files.copy(image(0, "1-1"), image(0, "1-5"));
    Files.copy(epoch(0, "1-1").resolve("record"), epoch(0, "1-5").resolve("pending-record"));
    tool("compact")
        .require(
            ExitCode.FAILED,
            "epoch 1-5 is newer, and may be committed in stores that aren't here: the images of 1");
    VerifyTest.deleteTree(epoch(0, "1-5"));
    VerifyTest.deleteTree(epoch(1, "1-5"));
    assertEquals(before, files());
    tool("compact").require(ExitCode.OK, "as 2-4");
  }

  @Test
  void shouldWriteAnewWhatIsPendingInAllStores() throws Exception {
    for (int node = 0; node < RANKS; node++) {
      Path record = epoch(node, "1-4").resolve("record");
      Files.move(record, record.resolveSibling("pending-record"));
    }
    tool("compact").require(ExitCode.OK, "epoch 1-4, which needs 3 older ones, is written anew");
    assertEquals("2-4", start());
  }

  /** A store that was used before, and has nothing of the newest epoch, says nothing about it. */
  @Test
  void shouldNotMindAStoreThatIsUsedNoMore() throws Exception {
    Path third = node(2).resolve("job");
    VerifyTest.copyTree(node(0).resolve("job"), third);
    byte[] id = StateFile.builder("store").field("id", new UUID(7, 8)).toBytes();
    Files.write(third.resolve("store"), id);
    for (int epoch = 2; epoch <= EPOCHS; epoch++) {
      VerifyTest.deleteTree(third.resolve("epoch-1-" + epoch));
    }
    for (int node = 0; node < RANKS; node++) {
      Path record = epoch(node, "1-4").resolve("record");
      Files.move(record, record.resolveSibling("pending-record"));
    }
    // A start on all three passes over it; one without the third goes on from it.
    tool("list", "--dir", node(2)).require(ExitCode.OK, "4  incomplete");
    tool("compact", "--dir", node(2)).require(ExitCode.OK, "epoch 1-4, which needs 3", "as 2-4");
    assertFalse(Files.exists(third.resolve("epoch-2-4")));
    assertTrue(Files.readString(third.resolve("generation")).contains("generation=2\n"));
    tool("recoverable", "--dir", node(2)).require(ExitCode.OK, "goes on from epoch 2-4 (comm");
    assertEquals("2-4", start());
  }

  // What can fail.

  @Test
  void shouldLeaveNothingWhenTheDiskIsFull() throws Exception {
    List<String> before = files();
    FaultyFiles files = new FaultyFiles();
    files.fail("No space left on device", operation -> operation.matches("write .* rank-1.image"));
    Ran.with(files, words("compact"))
        .require(
            ExitCode.FAILED,
            image(1, "2-4") + ": write of ",
            "No space left on device; epoch 1-4 and all that it needs are as they were");
    assertEquals(before, files());
    files.heal();
    files.usableBytes(1000);
    Ran.with(files, words("compact"))
        .require(ExitCode.FAILED, node(0).resolve("job") + ": 1000 bytes free, expected about");
    assertEquals(before, files());
    tool("compact").require(ExitCode.OK, "as 3-4");
    assertEquals("3-4", start());
  }

  @Test
  void shouldSayWhatItLeft() throws Exception {
    FaultyFiles files = new FaultyFiles();
    files.fail(
        "Input/output error",
        operation ->
            operation.equals("force rank-1.image") || operation.startsWith("delete rank-"));
    Ran.with(files, words("compact"))
        .require(
            ExitCode.FAILED, "not all that was written could be deleted again", "rank-0.image");
    assertTrue(Files.exists(image(0, "2-4")));
    Ran again = tool("compact", "--json").require(ExitCode.OK);
    assertEquals(Map.of("generation", 2L, "epoch", 4L), again.at("jobs.0.leftovers.0"));
    again.requireDocumented();
    assertFalse(Files.exists(image(0, "2-4")));
    assertTrue(Files.exists(image(0, "3-4")));
  }

  @Test
  void shouldPublishWhatAnInterruptedOneHasLeftPending() throws Exception {
    FaultyFiles files = new FaultyFiles();
    files.fail("Input/output error", operation -> operation.equals("rename pending-record record"));
    Ran.with(files, words("compact"))
        .require(
            ExitCode.FAILED,
            "epoch 2-4 is written and a start goes on from it, but not all of its records could",
            "pending-record: Input/output error");
    tool("recoverable").require(ExitCode.OK, "goes on from epoch 2-4 (pending");
    tool("compact", "--dry-run").require(ExitCode.OK, "nothing to do, but to publish its record");
    tool("compact")
        .require(ExitCode.OK, "epoch 2-4 needs no older one", "its record is published now");
    tool("recoverable").require(ExitCode.OK, "goes on from epoch 2-4 (committed");
    tool("prune", "job", "--keep", 1).require(ExitCode.OK, "kept 2-4");
  }

  @Test
  void shouldPassOverWhatIsPendingAndDamagedAsAStartDoes() throws Exception {
    tool("compact").require(ExitCode.OK);
    for (int node = 0; node < RANKS; node++) {
      Path record = epoch(node, "2-4").resolve("record");
      Files.move(record, record.resolveSibling("pending-record"));
    }
    VerifyTest.flip(image(1, "2-4"), JobFixture.FIRST_BLOCK);
    VerifyTest.flip(image(1, "1-2"), JobFixture.FIRST_BLOCK);
    tool("compact").require(ExitCode.NOT_FOUND_OR_DAMAGED, "job, epoch 1-4: DAMAGED");
    // There is nothing better yet.
    assertTrue(Files.exists(image(1, "2-4")));
    VerifyTest.flip(image(1, "1-2"), JobFixture.FIRST_BLOCK);
    tool("compact")
        .require(ExitCode.OK, "deleted epoch 2-4, which was never committed", "anew as 4-4");
    assertFalse(Files.exists(epoch(0, "2-4")));
    assertEquals("4-4", start());
  }

  /** Whatever change of the disk is the last: a start comes to the state, and another one helps. */
  @Test
  void shouldBeDoneAgainWhereverItDied() throws Exception {
    int died = 0;
    for (int nth = 1; ; nth++) {
      VerifyTest.deleteTree(base);
      VerifyTest.copyTree(written, base);
      FaultyFiles files = new FaultyFiles(new UnsyncedFiles());
      AtomicInteger changes = new AtomicInteger();
      int last = nth;
      files.fail(
          "dead",
          operation -> {
            boolean dies =
                !operation.matches("(read|open|list|exists|usableBytes) .*")
                    && changes.incrementAndGet() >= last;
            if (dies) {
              files.crash();
            }
            return dies;
          });
      try {
        Ran.with(files, words("compact"));
      } catch (FaultyFiles.Crashed e) {
        // That was all.
      }
      if (changes.get() < last) {
        break;
      }
      died++;
      tool("recoverable", "--quick").require(ExitCode.OK, "-4 (");
      Ran again = Ran.with(new UnsyncedFiles(), words("compact", "--json")).require(ExitCode.OK);
      Ran after = tool("recoverable", "--json").require(ExitCode.OK);
      assertEquals("committed", after.at("epoch.state"), again::toString);
      assertEquals(4L, after.at("epoch.epoch"));
      String now = after.at("epoch.generation") + "-4";
      // With its records, one of which was perhaps half written.
      tool("verify", "job", now).require(ExitCode.OK, ": sound: 2 images");
      for (int node = 0; node < RANKS; node++) {
        for (int old = 1; old <= EPOCHS; old++) {
          VerifyTest.deleteTree(epoch(node, "1-" + old));
        }
        assertEquals(
            List.of("epoch-" + now),
            new SystemFiles()
                .list(node(node).resolve("job")).stream()
                    .filter(name -> name.startsWith("epoch"))
                    .toList());
      }
      assertEquals(now, start());
    }
    assertTrue(died > 30, died + " deaths");
  }

  // Tiers.

  @Test
  void shouldLeaveItToALaunchToProtectTheNewEpoch() throws Exception {
    Path where = base.resolve("tiers");
    Path shared = where.resolve("shared");
    TierSettings tiers =
        NodesJob.keeping(
            NodesJob.tiers(1, Optional.empty(), Optional.of(shared), Optional.empty()), 9);
    NodesJob job = job(where);
    launchProtected(job, tiers, 1, 3);
    Object[] words = {
      "compact", "--dir", job.node(0), "--dir", job.node(1), "--dir", shared, "--json"
    };
    Ran ran = Ran.tool(words).require(ExitCode.OK);
    assertEquals(List.of("partner", "shared"), ran.at("jobs.0.unprotected"));
    Object[] list = {"list", job.node(0), job.node(1), shared, "--json"};
    Object[] prune = {
      "prune", "--dir", job.node(0), "--dir", job.node(1), "--dir", shared, "job", "--keep", 1
    };
    assertEquals(List.of("local"), Ran.tool(list).at("jobs.0.epochs.3.protection"));
    assertEquals(
        List.of("local", "partner", "shared"), Ran.tool(list).at("jobs.0.epochs.2.protection"));
    Ran.tool(prune)
        .require(ExitCode.OK, "kept epoch 1-3: no newer sound epoch is protected by partner");

    // Without a node it is the old epoch that comes back, with the same state.
    Path lost = base.resolve("lost");
    VerifyTest.copyTree(where, lost);
    VerifyTest.deleteTree(lost.resolve("node1"));
    Ran.tool("recoverable", "--dir", lost.resolve("node0"))
        .require(ExitCode.OK, "not epoch 2-3", "job goes on from epoch 1-3");

    // A launch protects what it restores, and then it survives that.
    launchProtected(job, tiers, 4, 3);
    assertEquals(
        List.of("local", "partner", "shared"), Ran.tool(list).at("jobs.0.epochs.3.protection"));
    Ran.tool(prune).require(ExitCode.OK, "deleted 3 epochs", "kept 2-3");
    Ran.tool("verify", "--dir", job.node(0), "--dir", job.node(1), "--dir", shared)
        .require(ExitCode.OK, "epoch 2-3: sound: 4 images, 2 copies");
    VerifyTest.deleteTree(job.node(1));
    Ran.tool("recoverable", "--dir", job.node(0))
        .require(ExitCode.OK, "job goes on from epoch 2-3", "copy in " + job.node(0));
    Ran.tool("compact", "--dir", shared)
        .require(ExitCode.FAILED, "only the shared tier of job job");
  }

  private static void launchProtected(NodesJob job, TierSettings tiers, int first, int last)
      throws Exception {
    job.launch(rank -> rank)
        .with(tiers)
        .run(
            (rank, state) -> {
              if (first == 1) {
                assertNull(rank.restore());
              } else {
                requireState(job, rank, state, first - 1);
                awaitProtected(rank, first - 1);
              }
              for (int epoch = first; epoch <= last; epoch++) {
                state.put(0, job.state(rank.group.rank(), epoch));
                rank.commit(epoch, rank.image(epoch, new byte[0], new byte[3 * Long.BYTES]));
                awaitProtected(rank, epoch);
              }
            });
  }

  private static void awaitProtected(SimulatedRank rank, int epoch) throws Exception {
    rank.news.await("protected partner " + epoch);
    if (rank.group.rank() == 0) {
      rank.news.await("protected shared " + epoch);
    }
    rank.group.allGather(new byte[0]);
  }

  // Several jobs.

  @Test
  void shouldTakeSeveralJobs() throws Exception {
    Path jobs = base.resolve("jobs");
    JobFixture.launch(rank -> jobs, "heat", 1);
    JobFixture.launch(rank -> jobs, "cg", 1);
    Ran.tool("compact", "--dir", jobs, "heat", "cg")
        .require(ExitCode.OK, "heat: epoch 1-1 needs no older", "cg: epoch 1-1 needs no older");
    Ran.tool("compact", "--dir", jobs).require(ExitCode.USAGE, "which job?");
    Ran.tool("compact", "--dir", jobs, "heat", "cgg")
        .require(ExitCode.NOT_FOUND_OR_DAMAGED, "no job 'cgg'", "did you mean cg?");
    Ran.tool("compact", "--dir", jobs, "heat", "cg", "--epoch", "1")
        .require(ExitCode.USAGE, "--epoch is one job's, and there are 2");
    Ran.tool("compcat").require(ExitCode.USAGE, "did you mean compact?");
  }

  @Test
  void shouldShowHowFarItIs() {
    Ran ran = Ran.atTerminal(words("compact")).require(ExitCode.OK);
    assertTrue(ran.err().contains("compact 100%"), ran.err());
  }
}

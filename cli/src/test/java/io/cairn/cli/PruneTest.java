// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.image.SystemFiles;
import io.cairn.store.Launch;
import io.cairn.store.StoreKeeper;
import io.cairn.store.StoreView;
import io.cairn.testing.FaultyFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is deleted, and above all what isn't. */
final class PruneTest {
  @TempDir Path base;

  private Path job;

  @BeforeEach
  void writeALaunch() throws Exception {
    job = base.resolve("heat");
    JobFixture.launch(rank -> base, "heat", 4);
  }

  private Ran prune(Object... args) {
    Object[] all = new Object[args.length + 4];
    all[0] = "prune";
    all[1] = "--dir";
    all[2] = base;
    all[3] = "heat";
    System.arraycopy(args, 0, all, 4, args.length);
    return Ran.tool(all);
  }

  private List<String> epochs() throws IOException {
    return new SystemFiles().list(job).stream().filter(name -> name.startsWith("epoch-")).toList();
  }

  @Test
  void shouldKeepTheNewest() throws Exception {
    Ran dry = prune("--keep", 2, "--dry-run", "--json").require(ExitCode.OK);
    assertEquals(2, ((List<?>) dry.at("deleted")).size());
    assertEquals(4, epochs().size());

    Ran done = prune("--keep", 2, "--json").require(ExitCode.OK);
    assertEquals(List.of("epoch-1-3", "epoch-1-4"), epochs());
    assertEquals(dry.at("deleted"), done.at("deleted"));
    assertEquals(dry.at("bytes"), done.at("bytes"));
    assertEquals(false, done.at("jobDeleted"));
    prune("--keep", 2).require(ExitCode.OK, "deleted 0 epochs");
    // The job itself is none the wiser.
    JobFixture.relaunchAndCommitWhatWasRestored(base, "heat");
    Ran.tool("verify", "--dir", base).require(ExitCode.OK, "epoch 2-1: sound");
  }

  @Test
  void shouldNotCountADamagedEpochAsKept() throws Exception {
    VerifyTest.flip(job.resolve("epoch-1-4/rank-0.image"), JobFixture.FIRST_BLOCK);
    prune("--keep", 1).require(ExitCode.OK);
    assertEquals(List.of("epoch-1-3", "epoch-1-4"), epochs());
    Ran.tool("recoverable", "--dir", base).require(ExitCode.OK, "from epoch 1-3");
  }

  @Test
  void shouldDeleteNothingWhenNothingIsSound() throws Exception {
    for (String epoch : epochs()) {
      VerifyTest.flip(job.resolve(epoch).resolve("rank-0.image"), JobFixture.FIRST_BLOCK);
    }
    prune("--keep", 1).require(ExitCode.OK, "deleted 0 epochs");
    assertEquals(4, epochs().size());
  }

  @Test
  void shouldDeleteLeftoversButNotWhatAStartWouldRestore() throws Exception {
    // Pending in all stores and newer than all that is committed: as good as committed.
    Files.move(job.resolve("epoch-1-4/record"), job.resolve("epoch-1-4/pending-record"));
    Files.delete(job.resolve("epoch-1-2/record"));
    Files.createDirectory(job.resolve("epoch-1-7"));

    prune("--leftovers").require(ExitCode.OK, "deleted epoch 1-2", "kept 1-1, 1-3, 1-4");
    assertEquals(List.of("epoch-1-1", "epoch-1-3", "epoch-1-4"), epochs());
    prune("--leftovers", "--even-the-last").require(ExitCode.OK, "deleted epoch 1-4");
    assertEquals(List.of("epoch-1-1", "epoch-1-3"), epochs());
  }

  @Test
  void shouldDeleteAWholeJobOnlyWhenToldSoTwice() throws Exception {
    prune("--whole-job").require(ExitCode.FAILED, "go on from epoch 1-4", "--even-the-last");
    assertEquals(4, epochs().size());
    prune("--whole-job", "--even-the-last", "--dry-run").require(ExitCode.OK, "would delete");
    assertEquals(4, epochs().size());
    prune("--whole-job", "--even-the-last").require(ExitCode.OK, "no epoch is left");
    assertFalse(Files.exists(job));
    assertTrue(Files.exists(base));
    prune("--whole-job").require(ExitCode.NOT_FOUND_OR_DAMAGED, "no jobs in");
  }

  @Test
  void shouldLeaveWhatIsNotCairns() throws Exception {
    Path notes = Files.writeString(job.resolve("notes.txt"), "mine");
    prune("--whole-job", "--even-the-last").require(ExitCode.OK, notes.toString());
    assertTrue(Files.exists(notes));
    assertEquals(List.of(), epochs());
  }

  @Test
  void shouldKeepOffALiveLaunch() throws Exception {
    try (OtherLaunch live = new OtherLaunch(base)) {
      assertTrue(live.holds(), live.text());
      // That is the lock of a job called "job".
      Files.createDirectory(base.resolve("job/epoch-1-1"));
      Ran.tool("prune", "--dir", base, "job", "--leftovers")
          .require(ExitCode.FAILED, live.name(), "the job is running");
      Ran.tool("prune", "--dir", base, "job", "--leftovers", "--dry-run")
          .require(ExitCode.FAILED, live.name(), "is running");
      Ran.tool("list", base)
          .require(
              ExitCode.OK, "running (" + live.name(), "heat: 4 ranks, generation 1, not running");
      assertTrue(Files.exists(base.resolve("job/epoch-1-1")));
    }
    Ran.tool("prune", "--dir", base, "job", "--leftovers")
        .require(ExitCode.OK, "deleted epoch 1-1");
  }

  @Test
  void shouldLeaveNoHalfOfAnEpochWhenItIsInterrupted() throws Exception {
    FaultyFiles files = new FaultyFiles();
    files.fail("Input/output error", operation -> operation.equals("delete rank-1.image"));
    Ran.with(files, "prune", "--dir", base, "heat", "--keep", 1)
        .require(ExitCode.FAILED, "rank-1.image: Input/output error");
    Ran list = Ran.tool("list", base, "--json").require(ExitCode.OK);
    for (int epoch = 0; epoch < 3; epoch++) {
      assertEquals("incomplete", list.at("jobs.0.epochs." + epoch + ".state"), list::toString);
    }
    Ran.tool("verify", "--dir", base).require(ExitCode.OK, "epoch 1-4: sound");
    prune("--keep", 1).require(ExitCode.OK, "deleted 3 epochs");
    assertEquals(List.of("epoch-1-4"), epochs());
  }

  @Test
  void shouldHoldTheLockWhileItDeletes() throws Exception {
    Launch self = new Launch("login", 1, "now", UUID.randomUUID());
    StoreView store = new StoreView(new SystemFiles(), job);
    try (StoreKeeper keeper = StoreKeeper.open(store, new SystemFiles(), self)) {
      assertEquals(job, keeper.store().directory());
      prune("--keep", 1).require(ExitCode.FAILED, "is held by process 1 on login");
    }
    prune("--keep", 1).require(ExitCode.OK);
    assertEquals(List.of("epoch-1-4"), epochs());
  }
}

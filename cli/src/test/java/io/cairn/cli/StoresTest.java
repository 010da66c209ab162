// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.testing.FaultyFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A job whose nodes have disks of their own. */
final class StoresTest {
  @TempDir Path base;

  private Path first;
  private Path second;

  @BeforeEach
  void writeALaunchOnTwoNodes() throws Exception {
    first = base.resolve("node0");
    second = base.resolve("node1");
    JobFixture.launch(rank -> rank < 2 ? first : second, "heat", 2);
  }

  @Test
  void shouldPutTheStoresOfAJobTogether() throws Exception {
    Ran list = Ran.tool("list", first, second, "--json").require(ExitCode.OK);
    assertEquals(1, ((List<?>) list.at("jobs")).size());
    assertEquals(2, ((List<?>) list.at("jobs.0.stores")).size());
    assertEquals(List.of(0L, 1L, 2L, 3L), list.at("jobs.0.epochs.1.ranks"));
    assertEquals(List.of(2L, 3L), list.at("jobs.0.epochs.1.stores.1.ranks"));
    assertEquals("local", list.at("jobs.0.epochs.1.stores.1.tier"));
    assertEquals(List.of("local"), list.at("jobs.0.epochs.1.protection"));
    Ran.tool("list", first, second).require(ExitCode.OK, "in 2 stores", "1-2 (ranks 2-3)", "4/4");
    Ran.tool("verify", "--dir", first, "--dir", second)
        .require(ExitCode.OK, "epoch 1-2: sound: 4 images", "4 channels");
    Ran.tool("recoverable", "--dir", first, "--dir", second).require(ExitCode.OK, "from epoch 1-2");
    // One store by two ways is one.
    Path mount = Files.createSymbolicLink(base.resolve("mount"), first);
    Ran twice = Ran.tool("list", first, second, mount, first.resolve("heat"), "--json");
    assertEquals(2, ((List<?>) twice.at("jobs.0.stores")).size());
  }

  @Test
  void shouldSayWhatItCannotSee() {
    Ran.tool("list", first).require(ExitCode.OK, "2/4");
    Ran partial =
        Ran.tool("verify", "--dir", first, "--json").require(ExitCode.NOT_FOUND_OR_DAMAGED);
    assertEquals("partial", partial.at("jobs.0.epochs.0.outcome"));
    assertEquals(List.of(2L, 3L), partial.at("jobs.0.epochs.0.elsewhere"));
    assertEquals(1L, partial.at("jobs.0.epochs.0.channels"));
    Ran.tool("verify", "--dir", first)
        .require(ExitCode.NOT_FOUND_OR_DAMAGED, "in no store that was looked at: ranks 2-3");
    Ran.tool("recoverable", "--dir", first)
        .require(ExitCode.NOT_FOUND_OR_DAMAGED, "images of ranks 2-3 are named by no readable");
  }

  @Test
  void shouldTakeAnEpochThatOneStoreHasPublished() throws Exception {
    Path record = first.resolve("heat/epoch-1-2/record");
    Files.move(record, record.resolveSibling("pending-record"));
    Ran list = Ran.tool("list", first, second, "--json").require(ExitCode.OK);
    assertEquals("committed", list.at("jobs.0.epochs.1.state"));
    assertEquals("pending", list.at("jobs.0.epochs.1.stores.0.record"));
    Ran.tool("recoverable", "--dir", first, "--dir", second)
        .require(ExitCode.OK, "from epoch 1-2 (committed");

    // Pending in one, and nothing in the other: nobody was told that it is safe.
    VerifyTest.deleteTree(second.resolve("heat/epoch-1-2"));
    Ran.tool("list", first, second).require(ExitCode.OK, "incomplete");
    Ran.tool("recoverable", "--dir", first, "--dir", second).require(ExitCode.OK, "from epoch 1-1");
  }

  @Test
  void shouldPruneAllStoresOrWhatIsHere() throws Exception {
    Ran.tool("prune", "--dir", first, "heat", "--keep", 1).require(ExitCode.OK, "deleted 0 epochs");
    Ran.tool("prune", "--dir", first, "heat", "--keep", 1, "--partial")
        .require(ExitCode.OK, "deleted epoch 1-1");
    assertFalse(Files.exists(first.resolve("heat/epoch-1-1")));
    assertTrue(Files.exists(second.resolve("heat/epoch-1-1")));
    Ran.tool("prune", "--dir", first, "--dir", second, "heat", "--keep", 1)
        .require(ExitCode.OK, "deleted epoch 1-1");
    assertFalse(Files.exists(second.resolve("heat/epoch-1-1")));
    Ran.tool("verify", "--dir", first, "--dir", second).require(ExitCode.OK);
  }

  /** To look whether a launch is alive is to open the lock's file, which would give it up. */
  @Test
  void shouldHoldTheLocksWhateverItFinds() throws Exception {
    JobFixture.launch(rank -> rank < 2 ? first : second, "job", 2);
    // It looks as if a launch deleted the epoch.
    Files.delete(first.resolve("job/epoch-1-1/record"));
    List<String> others = new ArrayList<>();
    FaultyFiles files = new FaultyFiles();
    files.fail(
        "",
        operation -> {
          if (operation.equals("delete rank-0.image") || operation.equals("delete rank-2.image")) {
            Path store = operation.contains("rank-0") ? first : second;
            try (OtherLaunch other = new OtherLaunch(store)) {
              others.add(other.text());
            } catch (IOException | InterruptedException e) {
              throw new AssertionError(e);
            }
          }
          return false;
        });
    Ran.with(files, "prune", "--dir", first, "--dir", second, "job", "--keep", 1)
        .require(ExitCode.OK, "deleted epoch 1-1");
    assertEquals(2, others.size());
    for (String other : others) {
      assertTrue(other.contains("is held by process 1 on login"), other);
    }
  }

  @Test
  void shouldTellJobsOfOneNameApart() throws Exception {
    Path other = base.resolve("other");
    JobFixture.launch(rank -> other, "heat", 1);
    Ran list = Ran.tool("list", first, second, other, "--json").require(ExitCode.OK);
    assertEquals(2, ((List<?>) list.at("jobs")).size());
    Ran.tool("recoverable", "--dir", first, "--dir", other, "heat")
        .require(ExitCode.USAGE, "2 different jobs are called 'heat'");
    Ran.tool("recoverable", other.resolve("heat")).require(ExitCode.OK, "from epoch 1-1");
  }
}

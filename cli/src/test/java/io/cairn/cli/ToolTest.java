// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.cairn.testing.FaultyFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Lists, shows, and answers those who mistype. Nothing of it changes the job. */
final class ToolTest {
  @TempDir static Path base;

  @BeforeAll
  static void writeALaunch() throws Exception {
    JobFixture.launch(rank -> base, "heat", 2);
  }

  @Test
  void shouldListJobsAndEpochs() throws IOException {
    Ran list = Ran.tool("list", base, "--json").require(ExitCode.OK);
    assertEquals("cairn-list", list.at("format"));
    assertEquals(1L, list.at("version"));
    assertEquals("heat", list.at("jobs.0.job"));
    assertEquals(4L, list.at("jobs.0.worldSize"));
    assertEquals(1L, list.at("jobs.0.generation"));
    assertEquals(null, list.at("jobs.0.runningAs"));
    assertEquals(true, list.at("jobs.0.everCommitted"));
    assertEquals("committed", list.at("jobs.0.epochs.1.state"));
    assertEquals(102L, list.at("jobs.0.epochs.1.safePoint"));
    long bytes = 0;
    for (int rank = 0; rank < 4; rank++) {
      bytes += Files.size(base.resolve("heat/epoch-1-2/rank-" + rank + ".image"));
    }
    assertEquals(bytes, list.at("jobs.0.epochs.1.bytes"));
    Ran.tool("list", base)
        .require(
            ExitCode.OK,
            "heat: 4 ranks, generation 1, not running, in " + base.resolve("heat"),
            "GENERATION  EPOCH  STATE",
            "         1      2  committed         102");
    assertEquals(list.out(), Ran.tool("list", "--dir", base, "--json").out());
    Ran.tool("list", base.resolve("heat")).require(ExitCode.OK, "heat: 4 ranks");
  }

  @Test
  void shouldShowWhatImagesHold() {
    Ran show = Ran.tool("show", "--dir", base, "--json", "--messages").require(ExitCode.OK);
    assertEquals(2L, show.at("epoch.epoch"));
    assertEquals(1L, show.at("images.1.rank"));
    assertEquals(102L, show.at("images.1.safePoint"));
    assertEquals("region", show.at("images.1.sections.0.kind"));
    assertEquals("u", show.at("images.1.sections.0.name"));
    assertEquals(3L * 4096 + 100, show.at("images.1.sections.0.bytes"));
    assertEquals(
        Map.of("zero", 1L, "raw", 1L, "lz4", 2L, "parent", 0L),
        show.at("images.1.sections.0.blocks"));
    assertEquals("long", show.at("images.1.sections.1.type"));
    assertEquals(1L, show.at("images.1.lateMessages"));
    assertEquals(0L, show.at("images.1.messages.0.source"));
    assertEquals((long) JobFixture.TAG, show.at("images.1.messages.0.tag"));
    assertEquals((long) JobFixture.LATE_BYTES, show.at("images.1.messages.0.bytes"));
    Ran.tool("show", "--dir", base, "heat", "1", "--messages")
        .require(
            ExitCode.OK,
            "heat, epoch 1-1: committed",
            "rank 3: safe point 101",
            "1 message in flight (13 B), pages of 4096, blocks of 4096 bytes",
            "region \"u\"",
            "array \"steps\" of long",
            "from rank 2, tag 7, communicator 0000000000001234: 13 bytes");
  }

  @Test
  void shouldAnswerUnknownNamesWithNearOnes() {
    Ran.tool("verfy").require(ExitCode.USAGE, "unknown verb 'verfy'; did you mean verify?");
    Ran.tool("list", "--jsn").require(ExitCode.USAGE, "'--jsn'; did you mean --json?");
    Ran.tool("prune", "heat", "--kep=1").require(ExitCode.USAGE, "'--kep'; did you mean --keep");
    Ran.tool("show", "--dir", base, "heet")
        .require(ExitCode.NOT_FOUND_OR_DAMAGED, "no job 'heet'", "did you mean heat?");
    Ran.tool("show", "--dir", base, "heat", "1-3")
        .require(ExitCode.NOT_FOUND_OR_DAMAGED, "no epoch 1-3; did you mean 1-1 or 1-2?");
    Ran.tool("show", "--dir", base, "heat", "newest")
        .require(ExitCode.USAGE, "expected GENERATION-EPOCH");
    Ran.tool("show", "--dir", base, "heat", "1", "2")
        .require(ExitCode.USAGE, "'2' is one argument");
    Ran.tool("prune", "--dir", base, "heat").require(ExitCode.USAGE, "--keep");
    Ran.tool("prune", "--dir", base, "heat", "--keep", "0").require(ExitCode.USAGE, "1 or more");
    Ran.tool("prune", "--dir", base, "heat", "--keep", "x").require(ExitCode.USAGE, "--keep");
    Ran.tool("prune", "--dir", base, "heat", "--keep", "1", "--whole-job")
        .require(ExitCode.USAGE, "mutually exclusive");
    Ran.tool().require(ExitCode.USAGE, "which verb?");
  }

  @Test
  void shouldSayWhenThereIsNothing() throws IOException {
    Path empty = Files.createDirectories(base.resolveSibling(base.getFileName() + "-empty"));
    try {
      Ran.tool("list", empty).require(ExitCode.NOT_FOUND_OR_DAMAGED, "no jobs in " + empty);
      Ran none = Ran.tool("list", empty, "--json").require(ExitCode.NOT_FOUND_OR_DAMAGED);
      assertEquals(List.of(), none.at("jobs"));
      Ran.tool("verify", "--dir", empty).require(ExitCode.NOT_FOUND_OR_DAMAGED, "no jobs in");
    } finally {
      Files.delete(empty);
    }
    Ran.tool("list", empty).require(ExitCode.NOT_FOUND_OR_DAMAGED, "no such directory: " + empty);
    Ran.tool("list", base.resolve("heat/job"))
        .require(ExitCode.NOT_FOUND_OR_DAMAGED, "not a directory");
  }

  @Test
  void shouldNotLetOneDirectoryHideTheOthers() throws Exception {
    Path jobs = base.resolve("two");
    JobFixture.launch(rank -> jobs, "heat", 1);
    JobFixture.launch(rank -> jobs, "cg", 1);
    FaultyFiles files = new FaultyFiles();
    files.fail("Permission denied", operation -> operation.equals("list cg"));
    String cg = jobs.resolve("cg") + ": Permission denied";
    Ran.with(files, "list", jobs).require(ExitCode.OK, "heat: 4 ranks", "cairn: " + cg);
    Ran list = Ran.with(files, "list", jobs, "--json").require(ExitCode.OK);
    assertEquals("unreadable", list.at("unreadable.0.kind"));
    Ran.with(files, "show", "--dir", jobs, "cg").require(ExitCode.FAILED, cg);
    Ran.with(files, "show", "--dir", jobs, "heat").require(ExitCode.OK);
  }

  @Test
  void shouldHelp() {
    Ran help = Ran.tool("--help").require(ExitCode.OK, "list", "show", "Exit codes");
    assertEquals("", help.err());
    for (String verb : List.of("list", "show", "verify", "recoverable", "prune", "compact")) {
      Ran.tool(verb, "--help").require(ExitCode.OK, "--json", "Usage: cairn " + verb);
    }
    Ran.tool("--version").require(ExitCode.OK, "cairn ");
  }

  /** docs/cli.md says which fields there are. */
  @Test
  void shouldWriteOnlyDocumentedFields() throws IOException {
    for (Ran ran :
        List.of(
            Ran.tool("list", base, "--json"),
            Ran.tool("show", "--dir", base, "--json", "--messages"),
            Ran.tool("verify", "--dir", base, "--json"),
            Ran.tool("recoverable", "--dir", base, "--json"),
            Ran.tool("prune", "--dir", base, "heat", "--keep", "1", "--dry-run", "--json"))) {
      ran.require(ExitCode.OK).requireDocumented();
    }
  }
}

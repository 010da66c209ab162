// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.systemtests.programs.Backlog;
import io.cairn.systemtests.programs.SparseWrites;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The operator's tool, as it is installed, on a job that ran under mpirun and was killed. */
class ToolIT {
  private static final int RANKS = 3;
  private static final long TIMEOUT_SECONDS = 120;
  private static final Pattern GOES_ON = Pattern.compile("goes on from epoch (\\d+)-(\\d+) ");
  private static final Pattern SAFE_POINT = Pattern.compile("goes on .*, safe point (\\d+),");
  private static final Pattern NEEDS = Pattern.compile("which needs (\\d+) older");
  private static final Pattern IN_FLIGHT = Pattern.compile("with (\\d+) messages? in flight");

  @RegisterExtension final Workbench bench = new Workbench();

  private record Ran(int exitCode, String text) {
    Ran require(int expected, String... parts) {
      assertEquals(expected, exitCode, text);
      for (String part : parts) {
        assertTrue(text.contains(part), () -> "no \"" + part + "\" in " + text);
      }
      return this;
    }

    long number(Pattern pattern, int group) {
      Matcher matcher = pattern.matcher(text);
      assertTrue(matcher.find(), text);
      return Long.parseLong(matcher.group(group));
    }
  }

  /** Without anything of MPI or of the build in its environment. */
  private Ran tool(String... words) throws IOException, InterruptedException {
    Path tool = Path.of("..", "cli", "target", "cairn", "bin", "cairn").toRealPath();
    List<String> command = new ArrayList<>(List.of("/bin/sh", tool.toString()));
    command.addAll(List.of(words));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.directory(bench.folder().toFile());
    builder.environment().clear();
    builder.environment().put("PATH", "/usr/bin:/bin");
    builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
    Path output = bench.folder().resolve("tool-output");
    Process process = builder.redirectErrorStream(true).redirectOutput(output.toFile()).start();
    process.getOutputStream().close();
    if (!process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new AssertionError("the tool hangs: " + command);
    }
    return new Ran(process.exitValue(), Files.readString(output, StandardCharsets.UTF_8));
  }

  @Test
  void shouldTellBeforehandWhatTheJobThenDoes() throws Exception {
    bench
        .job(RANKS, Backlog.class)
        .property("cairn.every", 15)
        .property("systemtests.halt", "0:2:late")
        .arguments("steps=100000", "millis=2", "hold=40")
        .run()
        .requireFailure();
    List<JobFiles.Epoch> epochs =
        bench.files(Backlog.class).epochs().stream()
            .filter(e -> e.committed() || e.pendingRecord())
            .toList();
    assertTrue(epochs.size() >= 2, epochs::toString);
    JobFiles.Epoch newest = epochs.get(epochs.size() - 1);
    JobFiles.Epoch older = epochs.get(epochs.size() - 2);
    String name = newest.generation() + "-" + newest.number();

    tool("list").require(0, "Backlog: 3 ranks, generation 1, not running", "committed", "3/3");
    Ran sound = tool("verify", "Backlog").require(0, "epoch " + name + ": sound");
    assertTrue(
        IN_FLIGHT.matcher(sound.text()).results().anyMatch(r -> Long.parseLong(r.group(1)) > 0),
        sound.text());
    tool("show", "Backlog", name).require(0, "array \"state\" of long", "rank 2: safe point");
    Ran before = tool("recoverable").require(0);
    assertEquals(newest.number(), before.number(GOES_ON, 2), before.text());

    Path image = newest.image(2);
    int firstBlock = 4096;
    JobFiles.flipBit(image, firstBlock + 3);
    Path shown = Path.of("cairn-jobs", "Backlog", newest.folder().getFileName().toString());
    Ran damaged =
        tool("verify", "Backlog", name)
            .require(
                1,
                shown.resolve("rank-2.image") + " at offset " + firstBlock + ": ",
                "block checksum: found",
                "array \"state\" of long");
    Matcher values =
        Pattern.compile("found (0x[0-9a-f]{8}), expected (0x[0-9a-f]{8})").matcher(damaged.text());
    assertTrue(values.find(), damaged.text());
    assertNotEquals(values.group(1), values.group(2));
    Ran after = tool("recoverable", "Backlog").require(0, "not epoch " + name + ": rank 2: ");
    assertEquals(older.generation(), after.number(GOES_ON, 1), after.text());
    assertEquals(older.number(), after.number(GOES_ON, 2), after.text());

    // And the job itself, for some steps more; it has one safe point in each.
    String steps = "steps=" + (after.number(SAFE_POINT, 1) / 40 + 3) * 40;
    String reference =
        bench
            .job(RANKS, Backlog.class)
            .property("cairn.enabled", false)
            .arguments(steps, "millis=0", "hold=40")
            .run()
            .requireSuccess()
            .only("result ");
    MpiJob.Outcome outcome =
        bench
            .job(RANKS, Backlog.class)
            .property("cairn.every", 15)
            .arguments(steps, "millis=2", "hold=40")
            .run()
            .requireSuccess();
    List<EventLog.Event> restored = outcome.events().of("restored");
    assertEquals(RANKS, restored.size(), outcome::text);
    for (EventLog.Event event : restored) {
      assertEquals(after.number(GOES_ON, 2), event.epoch(), outcome::text);
    }
    assertEquals(reference, outcome.only("result "), outcome::text);
    // Committed meanwhile or not: there is always something to go on from.
    tool("recoverable").require(0);
  }

  private MpiJob.Builder chained() {
    return bench
        .job(RANKS, SparseWrites.class)
        .property("cairn.full.every", 100)
        .property("cairn.encode", "small")
        .property("cairn.every", 15)
        .arguments("steps=300", "mebibytes=8", "commits=4");
  }

  @Test
  void shouldLetAJobGoOnFromOneFullEpoch() throws Exception {
    String reference =
        chained().property("cairn.full.every", 1).run().requireSuccess().only("result ");
    bench.emptyFolder();
    chained().property("systemtests.halt", "1:4").run().requireFailure();
    JobFiles files = bench.files(SparseWrites.class);
    JobFiles.Epoch newest = files.newestDecided().orElseThrow();

    Ran compact =
        tool("compact", "SparseWrites")
            .require(0, "epoch " + newest.generation() + "-" + newest.number() + ", which needs ");
    compact.require(0, "is written anew as 2-" + newest.number() + ", which needs none: 3 images");
    assertTrue(compact.number(NEEDS, 1) >= 2, compact.text());
    tool("verify", "SparseWrites", "2-" + newest.number()).require(0, ": sound: 3 images");
    tool("prune", "SparseWrites", "--keep", "1").require(0, "kept 2-" + newest.number());
    assertEquals(
        List.of("epoch-2-" + newest.number()),
        files.epochs().stream().map(epoch -> epoch.folder().getFileName().toString()).toList());

    MpiJob.Outcome outcome = chained().run().requireSuccess();
    outcome.line("rank 0 goes on after step");
    List<EventLog.Event> restored = outcome.events().of("restored");
    assertEquals(RANKS, restored.size(), outcome::text);
    for (EventLog.Event event : restored) {
      assertEquals(newest.number(), event.epoch(), outcome::text);
    }
    assertEquals(reference, outcome.only("result "), outcome::text);
  }

  @Test
  void shouldSeeALiveLaunchAndKeepOff() throws Exception {
    MpiJob job =
        bench
            .job(RANKS, Backlog.class)
            .property("cairn.every", 15)
            .arguments("steps=1000000", "millis=2", "hold=40")
            .start();
    job.awaitLines(2 * RANKS, "event committed");
    tool("list").require(0, "Backlog: 3 ranks, generation 1, running (process ");
    // Epochs come and go meanwhile: that is no damage.
    Ran verified = tool("verify");
    assertFalse(verified.text().contains("DAMAGED"), verified.text());
    assertTrue(
        verified.exitCode() == 0 || verified.text().contains("no epoch with a record"),
        verified.text());
    tool("prune", "Backlog", "--keep", "1").require(3, "the job is running");
    tool("compact", "Backlog").require(3, "the job is running");
    job.killAll();
    job.finish();
    tool("prune", "Backlog", "--keep", "1").require(0, "Backlog: deleted ");
    assertEquals(
        1, bench.files(Backlog.class).committed().size(), () -> "" + bench.files(Backlog.class));
    tool("recoverable").require(0);
  }
}

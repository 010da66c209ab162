// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.systemtests.programs.Ring;
import io.cairn.systemtests.programs.Stuck;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * The tool launches a job, watches it and launches it again: real mpirun, real ranks, real ends.
 * The workbench sees to it that no process is left, of any launch.
 */
class RunIT {
  private static final int KILLS = 3;

  @RegisterExtension final Workbench bench = new Workbench();

  private static String events(Path directory) throws IOException {
    return Files.readString(directory.resolve("events.jsonl"));
  }

  @Test
  void shouldBringAJobBackFromKillsWithTheSameAnswer() throws Exception {
    SplittableRandom random = Seed.random("run");
    Sample sample = random.nextBoolean() ? Sample.HEAT2D : Sample.PIPELINE;
    int ranks = 3;
    String reference = sample.reference(bench, ranks);
    bench.emptyFolder();
    MpiJob job = sample.checkpointed(bench, ranks).supervised().start();
    int killed = 0;
    for (int i = 1; i <= KILLS; i++) {
      // Each launch after the first says that it has restored.
      if (i > 1) {
        job.awaitLinesOrEnd(ranks * (i - 1), "event restored rank=");
      }
      int seen =
          (int) job.printed().stream().filter(l -> l.contains("event committed rank=0 ")).count();
      job.awaitLinesOrEnd(seen + 1, "event committed rank=0 ");
      int rank = random.nextInt(ranks);
      job.livesFor(random.nextInt(100));
      killed += job.kill(rank) ? 1 : 0;
    }
    MpiJob.Outcome outcome = job.finish().requireSuccess();
    assertTrue(
        killed > 0, () -> "seed " + Seed.value() + ": nothing was killed; " + outcome.text());
    assertEquals(reference, outcome.only("result "), outcome::text);
    String done = outcome.only("cairn: done; ");
    String events = events(bench.files(sample.program()).folder());
    assertTrue(events.contains("\"event\":\"launch\",\"launch\":2"), events);
    assertTrue(events.contains("\"event\":\"running\",\"launch\":2,\"generation\":2"), events);
    assertTrue(events.contains("\"outcome\":\"DONE\""), events);
    assertTrue(
        done.contains(killed == 1 ? " 1 restart," : " " + killed + " restarts,"), outcome::text);
  }

  @Test
  void shouldEndAProgramThatHangsAndLaunchItAgain() throws Exception {
    String reference =
        bench
            .job(2, Stuck.class)
            .property("cairn.enabled", false)
            .arguments("steps=100")
            .run()
            .requireSuccess()
            .only("result ");
    MpiJob.Outcome outcome =
        bench
            .job(2, Stuck.class)
            .property("cairn.every", 10)
            .arguments("steps=100", "at=60")
            .supervised("--stall", "5s")
            .run()
            .requireSuccess();
    outcome.line("cairn: no safe point for ", "(--stall): the program hangs, at safe point ");
    outcome.line("cairn: generation 2 goes on from epoch 1-");
    outcome.only("cairn: done; ");
    assertEquals(reference, outcome.only("result "), outcome::text);
  }

  @Test
  void shouldEndALaunchWhoseRankIsStoppedAndLaunchItAgain() throws Exception {
    MpiJob job =
        bench
            .job(2, Ring.class)
            .property("cairn.every", 10)
            .arguments("steps=400", "millis=5")
            .supervised("--silence", "5s")
            .start();
    job.awaitLines(2, "event committed rank=0 ");
    long pid = job.ranks().stream().filter(r -> r.rank() == 1).findFirst().orElseThrow().pid();
    Processes.output(List.of("kill", "-STOP", Long.toString(pid)), 30);
    MpiJob.Outcome outcome = job.finish().requireSuccess();
    outcome.line("cairn: no pulse for ");
    outcome.line("cairn: generation 2 goes on from epoch 1-");
  }

  @Test
  void shouldGiveUpOnAProgramThatDiesAgainAndAgain() throws Exception {
    MpiJob.Outcome outcome =
        bench
            .job(2, Ring.class)
            .property("cairn.every", 10)
            .arguments("steps=400", "millis=5", "fail=75")
            .supervised("--max-restarts", "9", "--backoff", "100ms")
            .run();
    assertEquals(4, outcome.exitCode(), outcome::text);
    outcome.line("cairn: ended twice at safe point ", "trying the epoch before ");
    outcome.line("left out, as whoever started this launch wants it");
    outcome.line("cairn: gave up: ", "so did one from the epoch before", "exit code");
    String events = events(bench.files(Ring.class).folder());
    assertTrue(events.contains("\"outcome\":\"GAVE_UP\""), events);
  }

  @Test
  void shouldGiveUpSoonOnAProgramThatCannotStart() {
    MpiJob.Outcome outcome = bench.job(2, "no.such.Program").supervised("--backoff", "100ms").run();
    assertEquals(4, outcome.exitCode(), outcome::text);
    outcome.line("cairn: gave up: ", "before any report", "exit code 1");
  }

  @Test
  void shouldEndTheJobWhenItIsToldToEnd() {
    MpiJob job =
        bench
            .job(2, Ring.class)
            .property("cairn.every", 10)
            .arguments("steps=1000000", "millis=5")
            .supervised()
            .start();
    job.awaitLines(2, "event committed rank=0 ");
    job.terminate();
    MpiJob.Outcome outcome = job.finish();
    assertEquals(143, outcome.exitCode(), outcome::text);
    outcome.line("cairn: interrupted; ");
  }

  @Test
  void shouldPassOutputOnAndRefuseWhatCannotBe() {
    MpiJob.Outcome fine =
        bench.job(1, Ring.class).arguments("steps=5").supervised().run().requireSuccess();
    assertTrue(fine.out(false).stream().anyMatch(l -> l.startsWith("result ")), fine::text);
    MpiJob.Outcome refused =
        bench
            .job(64, Ring.class)
            .environment("OMPI_MCA_rmaps_base_oversubscribe", "0")
            .supervised()
            .run();
    assertEquals(3, refused.exitCode(), refused::text);
    refused.line("64 ranks need as many slots", "--oversubscribe");
  }
}

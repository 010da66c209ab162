// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.image.StateFile;
import io.cairn.systemtests.programs.Attached;
import io.cairn.systemtests.programs.LargeRegion;
import io.cairn.systemtests.programs.Ring;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** When epochs are begun, what the listener is told, and who may launch a job. */
class LifecycleIT {

  @RegisterExtension final Workbench bench = new Workbench();

  @Test
  void shouldTellEveryRankOfEveryEpochInOrder() {
    MpiJob.Outcome outcome =
        bench
            .job(3, Ring.class)
            .property("cairn.every", 20)
            .arguments("steps=40", "millis=2", "commits=3")
            .run()
            .requireSuccess();

    EventLog events = outcome.events();
    Set<Long> committed =
        events.of("committed").stream().map(EventLog.Event::epoch).collect(Collectors.toSet());
    assertTrue(committed.size() >= 3, outcome::text);
    Map<Long, String> reasons = new TreeMap<>();
    for (int rank = 0; rank < 3; rank++) {
      long last = 0;
      for (List<EventLog.Event> epoch : events.epochsOfRank(rank)) {
        long number = epoch.get(0).epoch();
        assertTrue(number > last, outcome::text);
        last = number;
        List<String> kinds = epoch.stream().map(EventLog.Event::kind).toList();
        if (committed.contains(number)) {
          assertEquals(List.of("cut", "captured", "committed"), kinds, outcome::text);
          assertEquals(
              epoch.get(0).number("safepoint"), epoch.get(2).number("safepoint"), outcome::text);
        } else {
          // The program's end may find one pending. All are told of that, once, and the same.
          assertEquals(kinds.size() - 1, kinds.indexOf("abandoned"), outcome::text);
          EventLog.Event end = epoch.get(epoch.size() - 1);
          String reason = reasons.computeIfAbsent(number, e -> end.text("reason"));
          assertEquals(reason, end.text("reason"), outcome::text);
        }
      }
    }
    // All ranks cut at the same safe point.
    for (long epoch : committed) {
      assertEquals(
          1,
          events.of("cut").stream()
              .filter(e -> e.epoch() == epoch)
              .map(e -> e.number("safepoint"))
              .distinct()
              .count(),
          outcome::text);
    }
  }

  @Test
  void shouldCommitWhenTheProgramAsks() {
    MpiJob.Outcome outcome =
        bench
            .job(2, Ring.class)
            .arguments("steps=60", "millis=2", "request=20", "rank=1", "commits=1")
            .run()
            .requireSuccess();

    List<EventLog.Event> committed = outcome.events().of("committed");
    assertEquals(2, committed.size(), outcome::text); // one epoch, on two ranks
    assertTrue(committed.get(0).number("safepoint") > 20, outcome::text);
  }

  @Test
  void shouldCommitWhenAnOperatorAsksThroughTheRequestFile() throws IOException {
    MpiJob job = bench.job(2, Ring.class).arguments("steps=100000000", "millis=1").start();
    job.awaitLine("rank 1 begins");
    Path request = bench.files(Ring.class).folder().resolve("request");
    Files.createFile(request);
    job.awaitLine("event committed rank=0 ");
    assertTrue(Files.notExists(request), "the request is still there");
    Files.createFile(request);
    job.awaitLines(2, "event committed rank=0 ");
    job.killAll();
    assertEquals(
        2,
        job.finish().events().of("committed").stream().mapToLong(e -> e.epoch()).max().orElse(0));
  }

  @Test
  void shouldCommitInIntervals() {
    MpiJob job =
        bench
            .job(2, Ring.class)
            .property("cairn.interval", "100ms")
            .arguments("steps=100000000", "millis=1")
            .start();
    job.awaitLines(4, "event committed rank=1 ");
    job.killAll();
    job.finish();
  }

  @Test
  void shouldEndALaunchThatANewerOneHasTakenOverFrom() throws IOException {
    MpiJob job =
        bench
            .job(2, Ring.class)
            .property("cairn.interval", "100ms")
            .arguments("steps=100000000", "millis=1")
            .start();
    job.awaitLines(2, "event committed rank=1 ");
    Path folder = bench.files(Ring.class).folder();
    Path pending = folder.resolve("taken-over");
    // As a launch on another node would, where the kernel's lock doesn't reach.
    Files.write(
        pending,
        StateFile.builder("generation")
            .field("generation", 2)
            .field("host", "node9")
            .field("pid", 4711)
            .field("started", "2026-01-01T00:00:00Z")
            .toBytes());
    Files.move(pending, folder.resolve("generation"), StandardCopyOption.REPLACE_EXISTING);
    MpiJob.Outcome outcome = job.finish().requireFailure();
    outcome.line("generation 2 of job", "node9", "4711", "this is generation 1");
  }

  @Test
  void shouldServeAProgramThatInitialisesMpiItself() {
    MpiJob.Outcome killed =
        bench
            .job(2, Attached.class)
            .property("cairn.every", 15)
            .property("systemtests.halt", "1:2")
            .arguments("steps=1000000")
            .run()
            .requireFailure();
    long cut =
        killed.events().of("cut").stream().mapToLong(e -> e.number("safepoint")).max().orElse(0);
    String steps = "steps=" + (cut + 30);
    MpiJob.Outcome restarted =
        bench
            .job(2, Attached.class)
            .property("cairn.every", 15)
            .arguments(steps)
            .run()
            .requireSuccess();
    MpiJob.Outcome whole =
        bench
            .job(2, Attached.class)
            .property("cairn.enabled", false)
            .arguments(steps)
            .run()
            .requireSuccess();

    assertTrue(killed.events().newestCommitted() > 0, killed::text);
    assertEquals(2, restarted.events().of("restored").size(), restarted::text);
    assertEquals(whole.only("result "), restarted.only("result "));
  }

  @Test
  void shouldRefuseASecondLaunchOfALiveJob() {
    MpiJob first =
        bench
            .job(2, Ring.class)
            .property("cairn.every", 20)
            .arguments("steps=1000000", "millis=1")
            .start();
    first.awaitLine("event committed rank=0 ");
    long pid = first.ranks().get(0).pid();

    MpiJob.Outcome second =
        bench.job(2, Ring.class).property("cairn.lock.wait", "300ms").run().requireFailure();
    second.line("Ring", Long.toString(pid), host());
    second.requireNo("rank 0 goes on").requireNo("rank 0 begins");

    // The first one is not disturbed.
    long commits =
        first.printed().stream().filter(l -> l.startsWith("event committed rank=0 ")).count();
    first.awaitLines((int) commits + 2, "event committed rank=0 ");
    first.killAll();
    first.finish();
  }

  @Test
  void shouldLetOneOfTwoLaunchesRunThatBeginAtOnce() {
    MpiJob[] jobs = new MpiJob[2];
    for (int i = 0; i < jobs.length; i++) {
      jobs[i] =
          bench
              .job(2, Ring.class)
              .property("cairn.every", 20)
              .property("cairn.lock.wait", "300ms")
              .arguments("steps=100000000", "millis=1")
              .start();
    }
    MpiJob winner = jobs[0].endsBefore(jobs[1]) ? jobs[1] : jobs[0];
    MpiJob.Outcome refused = (winner == jobs[0] ? jobs[1] : jobs[0]).finish().requireFailure();

    winner.awaitLine("event committed rank=0 ");
    String holder = Long.toString(winner.ranks().get(0).pid());
    refused.line("Ring", holder, host());
    refused.requireNo("rank 0 begins").requireNo("event ");
    winner.killAll();
    winner.finish();
  }

  @Test
  void shouldSaveARegionOfMoreThanTwoGibibytes() {
    bench
        .job(1, LargeRegion.class)
        .property("systemtests.halt", "0:1")
        .timeoutSeconds(180)
        .run()
        .requireFailure();
    MpiJob.Outcome restarted =
        bench.job(1, LargeRegion.class).timeoutSeconds(180).run().requireSuccess();

    assertEquals("result " + Long.toHexString(2_300L << 20), restarted.only("result "));
    assertEquals(1, restarted.events().of("restored").size(), restarted::text);
  }

  private static String host() {
    return Processes.output(List.of("uname", "-n"), 10).strip();
  }
}

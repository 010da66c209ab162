// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.systemtests.programs.Communicators;
import io.cairn.systemtests.programs.Ring;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Images that are damaged, gone or somebody else's: never used, always named, never changed. */
class RestoreIT {

  private static final int RANKS = 3;

  /** What can't be compressed: a flipped bit in it is valid data but for the checksum. */
  private static final String RANDOM = "random=1";

  /** The answer of {@link #continued}; and a job to continue, copied by each test. */
  private static String reference;

  private static Path prepared;

  @RegisterExtension final Workbench bench = new Workbench();

  @AfterAll
  static void deletePrepared() {
    if (prepared != null) {
      Workbench.delete(prepared);
      prepared = null;
    }
  }

  @Test
  void shouldUseTheOlderEpochOnAllRanksWhenAByteIsFlipped() throws IOException {
    List<JobFiles.Epoch> epochs = interruptedJob();
    Path image = epochs.get(1).image(2);
    JobFiles.flipBit(image, Files.size(image) / 2);

    requireOlderEpoch(epochs, "rank 2", image.getFileName().toString(), epochDirectory(epochs, 1));
  }

  @Test
  void shouldUseTheOlderEpochOnAllRanksWhenAnImageIsTruncated() throws IOException {
    List<JobFiles.Epoch> epochs = interruptedJob();
    Path image = epochs.get(1).image(1);
    JobFiles.truncate(image, Files.size(image) - 1);

    requireOlderEpoch(epochs, "rank 1", image.getFileName().toString(), epochDirectory(epochs, 1));
  }

  @Test
  void shouldUseTheOlderEpochOnAllRanksWhenAnImageIsMissing() throws IOException {
    List<JobFiles.Epoch> epochs = interruptedJob();
    Files.delete(epochs.get(1).image(0));

    requireOlderEpoch(epochs, "rank 0", "rank-0.image", "missing");
  }

  @Test
  void shouldUseTheOlderEpochWhenAnImageIsOneOfAnotherJob() throws IOException {
    Path foreign = runAndInterrupt().get(1).image(1);
    bench.emptyFolder();
    List<JobFiles.Epoch> epochs = interruptedJob();
    Files.delete(epochs.get(1).image(1));
    Files.copy(foreign, epochs.get(1).image(1));

    requireOlderEpoch(epochs, "rank 1", "rank-1.image", "another job", "found", "expected");
  }

  @Test
  void shouldRefuseAWorldOfAnotherSizeWithBothSizes() throws IOException {
    interruptedJob();
    List<JobFiles.Epoch> before = bench.files(Ring.class).epochs();

    bench
        .job(RANKS + 1, Ring.class)
        .run()
        .requireFailure()
        .line("world size", "found " + RANKS, "expected " + (RANKS + 1));
    assertEquals(before, bench.files(Ring.class).epochs());
  }

  @Test
  void shouldRefuseToStartWhenNothingIsUsableUntilToldToStartAfresh() throws IOException {
    List<JobFiles.Epoch> epochs = interruptedJob();
    for (JobFiles.Epoch epoch : epochs) {
      JobFiles.truncate(epoch.image(1), 100);
    }

    MpiJob.Outcome refused = continued().run().requireFailure();
    refused.line("no committed epoch can be restored");
    refused.line("rank-1.image");
    refused.line("cairn.restore=fresh");
    refused.requireNo("result ").requireNo("begins");
    // What was only decided isn't kept when it can't be completed.
    assertEquals(
        epochs.stream().filter(JobFiles.Epoch::committed).toList(),
        bench.files(Ring.class).committed());

    MpiJob.Outcome fresh = continued().property("cairn.restore", "fresh").run().requireSuccess();
    assertEquals(reference(), fresh.only("result "), fresh::text);
    fresh.line("rank 0 begins");
    assertTrue(!fresh.events().of("committed").isEmpty(), fresh::text);
  }

  @Test
  void shouldRefuseToStartWhenAllCommittedEpochsAreGone() throws IOException {
    for (JobFiles.Epoch epoch : interruptedJob()) {
      Workbench.delete(epoch.folder());
    }

    continued().run().requireFailure().line("no committed epoch can be restored");
  }

  @Test
  void shouldStartFromTheBeginningWhenNothingWasEverCommitted() {
    MpiJob job = bench.job(RANKS, Ring.class).arguments("steps=1000000", "millis=1").start();
    job.awaitLine("rank 2 begins");
    job.killAll();
    job.finish();

    MpiJob.Outcome outcome = continued().run().requireSuccess();
    assertEquals(reference(), outcome.only("result "), outcome::text);
    outcome.line("rank 0 begins");
  }

  @Test
  void shouldRefuseToRestoreIntoMoreCommunicatorsThanWereAlive() {
    bench
        .job(RANKS, Communicators.class)
        .property("cairn.every", 9)
        .property("systemtests.halt", "1:2")
        .run()
        .requireFailure();
    List<JobFiles.Epoch> before = bench.files(Communicators.class).committed();
    assertTrue(!before.isEmpty(), "nothing was committed");

    MpiJob.Outcome refused =
        bench.job(RANKS, Communicators.class).arguments("surplus=1").run().requireFailure();
    refused.line("MPI_Comm_dup", "was made before restore()", "alive at the cut");
    refused.requireNo("result ");
    assertEquals(before, bench.files(Communicators.class).committed());
    bench.job(RANKS, Communicators.class).run().requireSuccess().only("result ");
  }

  @Test
  void shouldRefuseToRestoreIntoSomethingElse() throws IOException {
    interruptedJob();
    bench
        .job(RANKS, Ring.class)
        .arguments("bytes=131072")
        .run()
        .requireFailure()
        .line("\"memory\"", "131072", "65536");
  }

  private void requireOlderEpoch(List<JobFiles.Epoch> epochs, String... reason) {
    MpiJob.Outcome outcome = continued().run().requireSuccess();

    assertEquals(reference(), outcome.only("result "), outcome::text);
    List<EventLog.Event> restored = outcome.events().of("restored");
    assertEquals(RANKS, restored.size(), outcome::text);
    for (EventLog.Event event : restored) {
      assertEquals(epochs.get(0).number(), event.epoch(), outcome::text);
    }
    outcome.line(reason);
  }

  /** A job that was killed when it had two committed epochs; returns these. */
  private List<JobFiles.Epoch> interruptedJob() throws IOException {
    if (prepared == null) {
      runAndInterrupt();
      prepared = Files.createTempDirectory("cst-prepared");
      copy(bench.files(Ring.class).folder(), prepared.resolve("job"));
    } else {
      copy(prepared.resolve("job"), bench.files(Ring.class).folder());
    }
    return decided();
  }

  private List<JobFiles.Epoch> runAndInterrupt() {
    bench
        .job(RANKS, Ring.class)
        .property("cairn.every", 15)
        .property("systemtests.halt", "0:3")
        .arguments("steps=100000", "millis=2", RANDOM)
        .run()
        .requireFailure();
    List<JobFiles.Epoch> decided = decided();
    assertTrue(decided.size() >= 2, decided::toString);
    // Older ones may not be pruned yet; with them, damage would be no news.
    decided.subList(0, decided.size() - 2).forEach(epoch -> Workbench.delete(epoch.folder()));
    List<JobFiles.Epoch> newest = decided();
    assertTrue(newest.get(0).committed(), newest::toString);
    return newest;
  }

  private List<JobFiles.Epoch> decided() {
    return bench.files(Ring.class).epochs().stream()
        .filter(e -> e.committed() || e.pendingRecord())
        .toList();
  }

  /** The same job again; long enough to commit more. */
  private MpiJob.Builder continued() {
    return bench
        .job(RANKS, Ring.class)
        .property("cairn.every", 15)
        .arguments("steps=300", "millis=1", "commits=1", RANDOM);
  }

  private String reference() {
    if (reference == null) {
      reference =
          bench
              .job(RANKS, Ring.class)
              .property("cairn.enabled", false)
              .arguments("steps=300", RANDOM)
              .run()
              .requireSuccess()
              .only("result ");
    }
    return reference;
  }

  private static String epochDirectory(List<JobFiles.Epoch> epochs, int index) {
    return epochs.get(index).folder().getFileName().toString();
  }

  private static void copy(Path from, Path to) throws IOException {
    Files.createDirectories(to.getParent());
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Files.copy(
            file, to.resolve(from.relativize(file).toString()), StandardCopyOption.COPY_ATTRIBUTES);
      }
    }
  }
}

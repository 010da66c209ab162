// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.image.StateFile;
import io.cairn.image.SystemFiles;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A job that chooses when to checkpoint, and knows how often it has failed. */
class AutomaticIntervalIT {

  private static final int RANKS = 2;

  @RegisterExtension final Workbench bench = new Workbench();

  private MpiJob.Builder job() {
    return bench
        .job(RANKS, Sample.HEAT2D.program())
        .property("cairn.interval", "auto")
        .arguments("--nx", 512, "--ny", 384, "--steps", 240)
        .arguments("--step-millis", 50, "--events", 1);
  }

  private void assertHistory(String state, long failures) throws IOException {
    Path file = bench.files(Sample.HEAT2D.program()).folder().resolve("history");
    StateFile history = StateFile.read(new SystemFiles(), file, "history");
    history.number("generation", 1, 9);
    assertEquals(state, history.text("state"));
    assertEquals(failures, history.number("failures", 0, 9));
  }

  @Test
  void shouldChooseByWhatAnEpochCostsAndCountTheLaunchesThatFailed() throws IOException {
    String reference = Sample.HEAT2D.reference(bench, RANKS);
    // Where a job fails all the time, and an epoch costs milliseconds, the shortest is chosen.
    MpiJob job = job().property("cairn.mtbf", "100ms").start();
    job.awaitLines(2, "event committed rank=1 ");
    assertHistory("running", 0);
    job.killAll();
    MpiJob.Outcome first = job.finish();
    first.line(
        "next epoch in 5.000 s: what an epoch costs isn't known yet, failures every 0.100 s (given)");
    String choice = first.line(": an epoch costs ");
    assertTrue(
        choice.contains(", the shortest: ") || choice.contains(" takes to become durable: "),
        choice);
    assertTrue(choice.endsWith(" s, failures every 0.100 s (given)"), choice);

    // What is estimated has seen that.
    MpiJob.Outcome second = job().run().requireSuccess();
    assertEquals(RANKS, second.events().of("restored").size(), second::text);
    second.line("failures every 12.0 h (1 seen in 0.0 h, and 1 in 24 h assumed)");
    assertTrue(second.events().of("committed").size() >= RANKS, second::text);
    assertEquals(reference, second.only("result "), second::text);
    assertHistory("ended", 1);
  }
}

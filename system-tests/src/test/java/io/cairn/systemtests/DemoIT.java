// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.samples.Demo;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** {@code ./cairn demo}, small: its exit code is its own judgement, so its story is checked too. */
class DemoIT {

  @RegisterExtension final Workbench bench = new Workbench();

  @Test
  void shouldShowAKillARestartAndTheSameAnswer() {
    MpiJob.Outcome outcome =
        bench
            .program(Demo.class)
            .arguments("--sample", "pipeline", "--ranks", 3, "--size", 64, "--steps", 400)
            .arguments("--kills", 2, "--interval", 200, "--seed", Seed.value())
            .run()
            .requireSuccess();

    assertEquals(2, count(outcome, "kill -9 for rank"), outcome::text);
    assertTrue(count(outcome, "All 3 ranks go on from it") >= 1, outcome::text);
    String expected = outcome.line("uninterrupted").replaceAll(".*result ", "");
    String answer = outcome.line("killed 2 x").replaceAll(".*result ", "");
    assertEquals(expected, answer);
    outcome.line("Identical to the last bit");
  }

  @Test
  void shouldFailWhenTheJobEndsBeforeItCanBeKilled() {
    bench
        .program(Demo.class)
        .arguments("--ranks", 1, "--size", 16, "--steps", 10)
        .run()
        .requireFailure()
        .line("FAILED", "more --steps");
  }

  @Test
  void shouldExplainItsOptions() {
    bench.program(Demo.class).arguments("--help").run().requireSuccess().line("--kills N");
    assertEquals(
        2, bench.program(Demo.class).arguments("--stepps", 3).run().requireFailure().exitCode());
  }

  private static long count(MpiJob.Outcome outcome, String part) {
    return outcome.all().stream().filter(line -> line.contains(part)).count();
  }
}

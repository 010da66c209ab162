// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.cairn.systemtests.programs.RandomPrograms;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Programs from one seed each, on 2 to 8 ranks: what they receive and compute is the same without
 * the shim, with it, with an epoch after the other, with everything drained always, and killed and
 * restored. They check each message and status themselves, too.
 */
class RandomProgramsIT {

  /** In each launch; {@code ./cairn test --long} asks for many more. */
  private static final int PROGRAMS = Integer.getInteger("systemtests.programs", 20);

  private static final int AT_ONCE = 25;

  @RegisterExtension final Workbench bench = new Workbench();

  @ParameterizedTest(name = "on {0} ranks, {1}")
  @CsvSource({"3, 'tcp,self'", "8, 'vader,self'"})
  void shouldDoTheSameWhateverCairnDoes(int ranks, String transport) {
    SplittableRandom random = Seed.random("random programs " + ranks);
    for (int left = PROGRAMS; left > 0; left -= AT_ONCE) {
      List<String> programs = new ArrayList<>();
      for (int i = Math.min(left, AT_ONCE); i > 0; i--) {
        programs.add(random.nextInt(1_000_000) + "/" + random.nextInt(2, ranks + 1));
      }
      compare(ranks, transport, programs);
    }
  }

  private void compare(int ranks, String transport, List<String> programs) {
    List<String> alone =
        results(launch(ranks, transport, programs).property("cairn.enabled", false).run());
    assertEquals(alone, results(launch(ranks, transport, programs).run()));
    MpiJob.Outcome cut = checkpointed(ranks, transport, programs).run();
    assertEquals(alone, results(cut));
    System.out.println(
        ranks
            + " ranks: "
            + cut.events().of("committed").size() / ranks
            + " epochs, late "
            + cut.events().sum("committed", "late")
            + ", drained "
            + cut.events().sum("committed", "drained")
            + " "
            + cut.events().reasons());
  }

  private MpiJob.Builder launch(int ranks, String transport, List<String> programs) {
    MpiJob.Builder launch =
        bench
            .job(ranks, RandomPrograms.class)
            .environment("OMPI_MCA_btl", transport)
            .property("cairn.log", "quiet");
    programs.forEach(p -> launch.arguments("program=" + p));
    return launch;
  }

  private MpiJob.Builder checkpointed(int ranks, String transport, List<String> programs) {
    return launch(ranks, transport, programs)
        .property("cairn.every", 1)
        .property("cairn.drain.deadline", "1ms")
        .arguments("millis=1");
  }

  private static List<String> results(MpiJob.Outcome outcome) {
    return outcome.requireSuccess().all().stream()
        .filter(l -> l.startsWith("result "))
        .sorted()
        .toList();
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.systemtests.programs.Bulk;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Bulk data between the ranks' background threads, while the program communicates. */
class TransportIT {

  @RegisterExtension final Workbench bench = new Workbench();

  @ParameterizedTest
  @CsvSource({"4, 'vader,self'", "3, 'tcp,self'", "1, 'vader,self'"})
  void shouldMoveRandomMessagesWhileTheProgramCommunicates(int ranks, String network) {
    SplittableRandom random = Seed.random("bulk " + ranks);
    MpiJob.Outcome outcome =
        bench
            .job(ranks, Bulk.class)
            .property("cairn.every", 50)
            .environment("OMPI_MCA_btl", network)
            .arguments("rounds=60", "seed=" + random.nextInt(Integer.MAX_VALUE))
            .run()
            .requireSuccess();
    for (int rank = 0; rank < ranks; rank++) {
      outcome.only("rank %d moved=".formatted(rank));
      outcome.line(
          "rank %d refused: ".formatted(rank),
          "from %d, tag 0".formatted((rank + ranks - 1) % ranks),
          "found 100000 bytes, room for 10");
    }
    assertTrue(outcome.events().of("committed").size() >= ranks, outcome::text);
  }

  @Test
  void shouldEndAnAgreementThatARankDoesntComeTo() {
    MpiJob.Outcome outcome =
        bench.job(3, Bulk.class).arguments("rounds=1", "absent=1").run().requireSuccess();
    for (int rank = 1; rank < 3; rank++) {
      outcome.line("rank %d gave up: waited for ".formatted(rank), " ms in allGather 0 on rank ");
      outcome.line("rank %d gave up: ".formatted(rank), "is out of step");
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.samples.TaskFarm;
import io.cairn.systemtests.programs.Forbidden;
import io.cairn.systemtests.programs.LongAnswers;
import io.cairn.systemtests.programs.Misuse;
import io.cairn.systemtests.programs.Uneven;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Ranks that pass safe points as often as they like: cut where they can be, or told why not. */
class FreeRunningIT {

  @RegisterExtension final Workbench bench = new Workbench();

  @Test
  void shouldHoldSendsAndCollectivesUntilAllRanksAreCut() {
    String reference =
        bench
            .job(4, Uneven.class)
            .property("cairn.enabled", false)
            .arguments("millis=0")
            .run()
            .requireSuccess()
            .only("result ");

    MpiJob.Outcome first =
        uneven().arguments("commits=2").property("systemtests.halt", "1:2").run().requireFailure();
    MpiJob.Outcome second = uneven().arguments("commits=1").run().requireSuccess();

    assertEquals(reference, second.only("result "), second::text);
    assertEquals(4, second.events().of("restored").size(), second::text);
    assertTrue(second.events().of("committed").size() > 0, second::text);
    // Else the test has proved nothing about it.
    assertTrue(
        first.events().sum("committed", "heldMicros")
                + second.events().sum("committed", "heldMicros")
            > 0,
        () -> "no call was held\n" + first.text() + second.text());
    requireNothingEarly(first);
    requireNothingEarly(second);
  }

  private MpiJob.Builder uneven() {
    return bench
        .job(4, Uneven.class)
        .property("cairn.every", 15)
        .property("cairn.hold.limit", "150ms")
        .property("cairn.drain.deadline", "1ms");
  }

  @Test
  void shouldTakeLongMessagesForARankThatIsHeld() {
    String reference =
        bench
            .job(2, LongAnswers.class)
            .property("cairn.enabled", false)
            .run()
            .requireSuccess()
            .only("result ");

    MpiJob.Outcome outcome =
        bench
            .job(2, LongAnswers.class)
            .property("cairn.every", 5)
            .property("cairn.hold.limit", "20s")
            .run()
            .requireSuccess();

    assertEquals(reference, outcome.only("result "), outcome::text);
    outcome.requireNo("was held in"); // to the limit
    List<EventLog.Event> committed = outcome.events().of("committed");
    assertTrue(committed.size() > 0, outcome::text);
    assertTrue(outcome.events().sum("committed", "drained") > 0, outcome::text);
  }

  /** What was held is named, and the program comes to its end: neither slowly nor wrongly. */
  @Test
  void shouldNameTheCallsForWhichTheProgramCantBeCut() {
    List<String> named =
        List.of(
            "a send to rank 1 (MPI_COMM_WORLD, tag 3)",
            "MPI_Allreduce on MPI_COMM_WORLD",
            "MPI_Comm_dup on MPI_COMM_WORLD");
    MpiJob.Outcome outcome = forbidden("send", "sendrecv", "collective", "communicator");

    for (String call : named) {
      outcome.line("abandoned", "was held in " + call, "rank 1 came to no safe point");
    }
    outcome.line(
        "3 epochs in a row", "was held in a send to rank ", "cairn.hold.limit", "cairn.probe");
    // Not the shape of these: they only came after.
    assertTrue(outcome.events().of("committed").size() > 0, outcome::text);
  }

  /** Taking the message would complete the send before the application has received it. */
  @Test
  void shouldLeaveASynchronousSendAloneEvenForARankThatIsHeld() {
    MpiJob.Outcome outcome = forbidden("synchronous");

    // Rank 0's to rank 1, but on a busy machine perhaps rank 1's first.
    outcome.line("abandoned", "was held in a send to rank ");
    assertEquals(0, outcome.events().sum("committed", "drained"), outcome::text);
  }

  private MpiJob.Outcome forbidden(String... calls) {
    MpiJob.Outcome outcome =
        bench
            .job(2, Forbidden.class)
            .property("cairn.hold.limit", "40ms")
            .arguments((Object[]) calls)
            .run()
            .requireSuccess();
    // 1 + 2 + ... + 50 for each, on both ranks
    String expected = "result " + Long.toHexString(2L * 1275 * calls.length);
    assertEquals(expected, outcome.only("result "), outcome::text);
    assertTrue(
        outcome.events().reasons().stream().allMatch(r -> r.contains("was held in ")),
        outcome::text);
    requireNothingEarly(outcome);
    return outcome;
  }

  @Test
  void shouldGiveTheSameAnswerWithoutCairn() {
    String[] arguments = {"--tasks", "100", "--doubles", "2000", "--window", "1"};
    String reference =
        bench
            .job(3, TaskFarm.class)
            .property("cairn.enabled", false)
            .arguments((Object[]) arguments)
            .run()
            .requireSuccess()
            .only("result ");
    MpiJob.Outcome outcome =
        bench
            .job(3, TaskFarm.class)
            .property("cairn.every", 10)
            .arguments((Object[]) arguments)
            .arguments("--events", 1, "--step-millis", 1)
            .run()
            .requireSuccess();

    assertEquals(reference, outcome.only("result "), outcome::text);
    assertTrue(outcome.events().of("committed").size() > 0, outcome::text);
    requireNothingEarly(outcome);
  }

  @Test
  void shouldRefuseToStartWhereRanksDisagreeOnTheirSafePoints() {
    MpiJob.Outcome outcome =
        bench.job(2, Misuse.class).arguments("mixed-safe-points").run().requireFailure();

    outcome.line("options must be the same on all ranks");
    outcome.line("cairn.safepoints=FREE");
  }

  @Test
  void shouldRefuseToWaitAtASafePointWhereTheyAreAligned() {
    MpiJob.Outcome outcome =
        bench.job(1, Misuse.class).arguments("waiting-receives").run().requireSuccess();

    outcome.line("refused probe: ", "cairn.safepoints is aligned");
    outcome.line("refused receive: ", "cairn.safepoints is aligned");
  }

  private static void requireNothingEarly(MpiJob.Outcome outcome) {
    outcome.requireNo("early message").requireNo("straddles");
  }
}

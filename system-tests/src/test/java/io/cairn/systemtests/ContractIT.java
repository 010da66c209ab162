// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.systemtests.programs.EarlyMessage;
import io.cairn.systemtests.programs.Misaligned;
import io.cairn.systemtests.programs.StraddlingCollective;
import io.cairn.systemtests.programs.Vetoes;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Programs that break the contract: told by name, and never kept from their work. */
class ContractIT {

  @RegisterExtension final Workbench bench = new Workbench();

  @Test
  void shouldNameBothEndsOfAnEarlyMessage() {
    MpiJob.Outcome outcome = runWithEpochs(2, EarlyMessage.class);

    // 1 + 2 + ... + 1500
    assertEquals("result " + Long.toHexString(1_125_750), outcome.only("result "));
    assertEquals(0, outcome.events().of("committed").size(), outcome::text);
    assertEquals(List.of(), bench.files(EarlyMessage.class).committed());
    EventLog.Event abandoned = firstAbandoned(outcome);
    long safePoint = safePointOfCut(outcome, abandoned.epoch());
    requireAll(
        outcome,
        abandoned.text("reason"),
        "early message",
        "rank 1 received, before its safe point " + safePoint,
        "rank 0 sent after its safe point " + safePoint,
        "tag 4711",
        "MPI_Comm_dup");
  }

  @Test
  void shouldNameTheCulpritOfAStraddlingCollective() {
    MpiJob.Outcome outcome = runWithEpochs(3, StraddlingCollective.class);

    // (1 + 2 + ... + 1500) x (1 + 2 + 3), on each of three ranks
    assertEquals("result " + Long.toHexString(1_125_750 * 6 * 3), outcome.only("result "));
    assertEquals(0, outcome.events().of("committed").size(), outcome::text);
    String reason = firstAbandoned(outcome).text("reason");
    requireAll(outcome, reason, "rank 2", "MPI_COMM_WORLD", "MPI_Allreduce");
  }

  @Test
  void shouldNameTheRankThatFinishedBeforeTheSafePoint() {
    MpiJob.Outcome outcome = bench.job(2, Misaligned.class).run().requireSuccess();

    assertEquals("result 4000", outcome.only("result "));
    assertEquals(0, outcome.events().of("committed").size(), outcome::text);
    requireAll(
        outcome, firstAbandoned(outcome).text("reason"), "rank 1 finished before safe point");
  }

  @Test
  void shouldNameTheCollectiveThatIsOpenAtASafePoint() {
    requireVetoThenCommit("collective", "MPI_Ibarrier");
  }

  @Test
  void shouldNameTheWindowThatIsOpenAtASafePoint() {
    requireVetoThenCommit("window", "MPI_Win_create");
  }

  @Test
  void shouldNameTheMatchedMessageThatIsNotReceivedAtASafePoint() {
    requireVetoThenCommit("matched", "MPI_Mprobe");
  }

  private void requireVetoThenCommit(String what, String call) {
    MpiJob.Outcome outcome =
        bench
            .job(2, Vetoes.class)
            .property("cairn.every", 20)
            .arguments(what)
            .run()
            .requireSuccess();

    EventLog.Event abandoned = firstAbandoned(outcome);
    long closedAfter = Long.parseLong(outcome.only("closed after ").replaceAll("\\D", ""));
    requireAll(outcome, abandoned.text("reason"), call, "rank ");
    List<EventLog.Event> committed = outcome.events().of("committed");
    assertTrue(!committed.isEmpty(), outcome::text);
    assertTrue(
        committed.stream().allMatch(e -> e.epoch() > abandoned.epoch()),
        () -> "committed while " + what + " was open\n" + outcome.text());
    // No cut while it was open is committed.
    assertTrue(
        committed.stream().allMatch(e -> e.number("safepoint") > closedAfter), outcome::text);
  }

  private MpiJob.Outcome runWithEpochs(int ranks, Class<?> program) {
    return bench.job(ranks, program).property("cairn.every", 30).run().requireSuccess();
  }

  private static EventLog.Event firstAbandoned(MpiJob.Outcome outcome) {
    List<EventLog.Event> abandoned = outcome.events().of("abandoned");
    if (abandoned.isEmpty()) {
      throw outcome.failure("abandoned no epoch");
    }
    // C: the same reason on every rank.
    EventLog.Event first = abandoned.get(0);
    for (EventLog.Event event : abandoned) {
      if (event.epoch() == first.epoch()) {
        assertEquals(first.text("reason"), event.text("reason"));
      }
    }
    return first;
  }

  private static long safePointOfCut(MpiJob.Outcome outcome, long epoch) {
    return outcome.events().of("cut").stream()
        .filter(e -> e.epoch() == epoch)
        .findFirst()
        .orElseThrow(() -> outcome.failure("did not cut for epoch " + epoch))
        .number("safepoint");
  }

  private static void requireAll(MpiJob.Outcome outcome, String reason, String... parts) {
    for (String part : parts) {
      assertTrue(
          reason.contains(part), () -> "no '" + part + "' in: " + reason + "\n" + outcome.text());
    }
  }
}

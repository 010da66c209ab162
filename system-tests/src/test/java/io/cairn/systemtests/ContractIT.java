// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.systemtests.programs.EarlyMessage;
import io.cairn.systemtests.programs.Misaligned;
import io.cairn.systemtests.programs.StraddlingCollective;
import io.cairn.systemtests.programs.Vetoes;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
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

  /** One after the other in one program: no epoch while it is open, and epochs again afterwards. */
  @Test
  void shouldNameWhatIsOpenAtASafePointAndGoOnWhenItIsClosed() {
    Map<String, List<String>> kinds = new LinkedHashMap<>();
    kinds.put("matched", List.of("a message matched by MPI_Mprobe"));
    kinds.put(
        "collectives",
        pending(
            "MPI_Ibarrier",
            "MPI_Ibcast",
            "MPI_Igather",
            "MPI_Igatherv",
            "MPI_Iscatter",
            "MPI_Iscatterv",
            "MPI_Iallgather",
            "MPI_Iallgatherv",
            "MPI_Ialltoall",
            "MPI_Ialltoallv"));
    kinds.put(
        "reductions",
        pending(
            "MPI_Ireduce",
            "MPI_Iallreduce",
            "MPI_Ireduce_scatter",
            "MPI_Ireduce_scatter_block",
            "MPI_Iscan",
            "MPI_Iexscan"));
    kinds.put(
        "neighbours",
        pending(
            "MPI_Ineighbor_allgather",
            "MPI_Ineighbor_allgatherv",
            "MPI_Ineighbor_alltoall",
            "MPI_Ineighbor_alltoallv",
            "MPI_Comm_idup"));
    kinds.put(
        "windows",
        List.of(
            "a window of MPI_Win_create is open",
            "a window of MPI_Win_allocate is open",
            "a window of MPI_Win_allocate_shared is open",
            "a window of MPI_Win_create_dynamic is open"));
    kinds.put(
        "files",
        pending(
            "MPI_File_iread_at",
            "MPI_File_iread_at_all",
            "MPI_File_iwrite_at",
            "MPI_File_iwrite_at_all",
            "MPI_File_iread",
            "MPI_File_iread_all",
            "MPI_File_iwrite",
            "MPI_File_iwrite_all",
            "MPI_File_iread_shared",
            "MPI_File_iwrite_shared"));
    kinds.put(
        "split",
        pending(
            "MPI_File_write_at_all_begin",
            "MPI_File_write_all_begin",
            "MPI_File_write_ordered_begin",
            "MPI_File_read_at_all_begin",
            "MPI_File_read_all_begin",
            "MPI_File_read_ordered_begin"));
    kinds.put("spawned", List.of("a communicator of MPI_Comm_spawn is open"));
    // Named by the rank that came to its cut first: rank 0 accepts, rank 1 connects.
    kinds.put("connected", List.of("a communicator of MPI_Comm_(accept|connect) is open"));

    MpiJob.Outcome outcome =
        bench
            .job(2, Vetoes.class)
            .property("cairn.every", 20)
            .arguments(kinds.keySet().toArray())
            .run()
            .requireSuccess();

    kinds.forEach((kind, parts) -> requireVetoThenCommit(outcome, kind, parts));
    // By the one rank that is the first of all files' communicators.
    assertEquals(
        1,
        outcome.all().stream().filter(l -> l.contains("MPI_File_open of output")).count(),
        outcome::text);
  }

  private static List<String> pending(String... calls) {
    return Stream.of(calls).map(call -> call + " is pending").toList();
  }

  private static void requireVetoThenCommit(
      MpiJob.Outcome outcome, String kind, List<String> parts) {
    // Rank 0 tells in order.
    List<String> lines = outcome.all();
    String opens = outcome.only("opens " + kind + " after ");
    String closed = outcome.only("closed " + kind + " after ");
    EventLog meanwhile = EventLog.of(lines.subList(lines.indexOf(opens), lines.indexOf(closed)));
    String reason =
        meanwhile.of("abandoned").stream()
            .filter(e -> e.rank() == 0)
            .findFirst()
            .orElseThrow(() -> outcome.failure("abandoned no epoch for " + kind))
            .text("reason");
    for (String part : parts) {
      assertTrue(
          Pattern.compile(part).matcher(reason).find(),
          () -> "no '" + part + "' in: " + reason + "\n" + outcome.text());
    }
    requireAll(outcome, reason, "rank ");
    // No cut while it was open is committed.
    long from = safePoints(opens);
    long to = safePoints(closed);
    assertTrue(
        outcome.events().of("committed").stream()
            .mapToLong(e -> e.number("safepoint"))
            .noneMatch(at -> at > from && at <= to),
        () -> "committed while " + kind + " was open\n" + outcome.text());
  }

  private static long safePoints(String line) {
    return Long.parseLong(line.replaceAll(".* after (\\d+) safe points", "$1"));
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

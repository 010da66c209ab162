// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.systemtests.programs.Ring;
import io.cairn.systemtests.programs.Stuck;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Nodes are lost under jobs that the tool runs, in all the ways in which nodes are lost; the job's
 * directory is one that all nodes share. The answer is always that of an undisturbed run, and in
 * the end no process is left on any node.
 *
 * <p>With one sample and one number of nodes, drawn; {@code -Dsystemtests.product=true} takes all.
 */
@ParameterizedClass(name = "{0}, {1} nodes with ranks")
@MethodSource("io.cairn.systemtests.Rounds#ofNodes")
class NodeLossIT {
  private static final int SLOTS = Rounds.SLOTS;

  /** Counted from 1, of those that have ranks. */
  private static final int FIRST_RANKS_NODE = 1;

  private static final String OVERSUBSCRIBE = "OMPI_MCA_rmaps_base_oversubscribe";

  @RegisterExtension final Workbench bench = new Workbench();

  private final SplittableRandom random = Seed.random("node loss");
  private final Sample sample;
  private final int used; // nodes that have ranks
  private final int spare; // the node that has none
  private final int ranks;
  private Nodes nodes;

  NodeLossIT(Sample sample, int used) {
    this.sample = sample;
    this.used = used;
    spare = used + 1;
    ranks = used * SLOTS;
  }

  private void start() throws IOException {
    nodes = bench.nodes(spare, SLOTS);
  }

  @AfterEach
  void requireNoProcessLeft() {
    if (nodes != null) {
      for (int node = 1; node <= nodes.count(); node++) {
        assertEquals(List.of(), nodes.processes(node), "left on node " + node);
      }
    }
  }

  private MpiJob.Builder launch(Path hosts, String... options) {
    return sample
        .checkpointed(bench, ranks)
        .supervised(options)
        .on(nodes, hosts)
        .arguments("--step-millis", 10);
  }

  /** Of all nodes; the last one is taken only if it is needed. */
  private Path hosts() {
    Map<Integer, String> settings = new TreeMap<>();
    for (int node = 1; node <= spare; node++) {
      settings.put(node, "slots=" + SLOTS + " weight=" + (node < spare ? 10 : 1));
    }
    return nodes.hostfile(settings);
  }

  private Path withoutSpare() {
    return nodes.hostfile(IntStream.rangeClosed(1, used).toArray());
  }

  private static int committed(MpiJob job) {
    return (int) job.printed().stream().filter(l -> l.contains("event committed rank=0 ")).count();
  }

  /** So that there is something to come back to, and then at any time. */
  private void awaitCommit(MpiJob job) {
    job.awaitLines(committed(job) + 1, "event committed rank=0 ");
    assertTrue(job.livesFor(random.nextInt(60)), "it ended before anything could be lost");
  }

  private String events() throws IOException {
    return Files.readString(bench.files(sample.program()).folder().resolve("events.jsonl"));
  }

  /** Shows how long it took, which decides nothing. */
  private static void show(String what, MpiJob.Outcome outcome, long lostMillis) {
    long noticed = at(outcome, lostMillis, "cairn: launch 1 has ended", "doesn't answer (");
    long launched = at(outcome, lostMillis, "cairn: launch 2: ranks ");
    long restored = at(outcome, lostMillis, "event restored rank=0 ");
    System.out.printf(
        "%s: noticed after %.1f s, launched again %.1f s later, restored %.1f s after that%n",
        what,
        (noticed - lostMillis) / 1e3,
        (launched - noticed) / 1e3,
        (restored - launched) / 1e3);
  }

  /** When the first such line was printed. */
  private static long at(MpiJob.Outcome outcome, long after, String... anyOf) {
    return outcome.lines().stream()
        .filter(l -> l.millis() >= after)
        .filter(l -> List.of(anyOf).stream().anyMatch(l.text()::contains))
        .findFirst()
        .orElseThrow(() -> outcome.failure("printed none of " + List.of(anyOf)))
        .millis();
  }

  private String onNodes(int... wanted) {
    List<String> parts = new ArrayList<>();
    for (int node : wanted) {
      parts.add(SLOTS + " on " + nodes.host(node));
    }
    return String.join(", ", parts);
  }

  @Test
  void shouldGoOnWithASpareWhenANodeDies() throws Exception {
    start();
    String reference = sample.reference(bench, ranks);
    MpiJob job = launch(hosts()).start();
    awaitCommit(job);
    int lost = FIRST_RANKS_NODE + random.nextInt(used);
    long millis = job.millis();
    nodes.kill(lost);
    MpiJob.Outcome outcome = job.finish().requireSuccess();
    show("node " + lost + " of " + sample + " died", outcome, millis);
    assertEquals(reference, outcome.only("result "), outcome::text);
    outcome.line("cairn: " + nodes.host(lost) + " is gone: ");
    outcome.line("cairn: launch 2: ranks ", "2 on " + nodes.host(spare));
    outcome.line("cairn: generation 2 goes on from epoch 1-");
    outcome.only("cairn: done; ");
    assertTrue(events().contains("\"event\":\"host-gone\",\"host\":\"" + nodes.host(lost)));
  }

  @Test
  void shouldGoOnWithASpareWhenANodeIsLostSilentlyAndClearItWhenItIsBack() throws Exception {
    start();
    String reference = sample.reference(bench, ranks);
    MpiJob job = launch(hosts()).start();
    awaitCommit(job);
    int lost = FIRST_RANKS_NODE + random.nextInt(used);
    long millis = job.millis();
    nodes.cut(lost);
    job.awaitLine("cairn: generation 2 goes on from epoch 1-");
    nodes.heal(lost);
    MpiJob.Outcome outcome = job.finish().requireSuccess();
    show("node " + lost + " of " + sample + " was cut off", outcome, millis);
    assertEquals(reference, outcome.only("result "), outcome::text);
    // By mpirun's own keepalive, or by the pulses that don't come; whichever was faster.
    outcome.line("cairn: " + nodes.host(lost) + " is gone: ");
    outcome.line("cairn: launch 2: ranks ", "2 on " + nodes.host(spare));
    outcome.only("cairn: done; ");
  }

  /**
   * The old launch lives on, on a node that sees the job's directory but nobody else: the daemon
   * that would end it is stopped, and nobody can log in.
   */
  @Test
  void shouldFenceALaunchThatWasCutOff() throws Exception {
    start();
    MpiJob job = ring("steps=100000000", "millis=10").supervised().on(nodes, hosts()).start();
    awaitCommit(job);
    int lost = FIRST_RANKS_NODE;
    assertEquals("", nodes.on(lost, "pkill", "-STOP", "orted"));
    nodes.cut(lost);
    nodes.allowLogin(lost, false);
    // Rank 0 of the old launch has the lock. It hears that another one waits for it.
    job.awaitLine("cairn: generation 2 goes on from epoch 1-");
    List<String> left = nodes.processes(lost);
    assertEquals(
        0, left.stream().filter(p -> p.contains("java") && isRank(p, 0)).count(), left::toString);
    assertEquals(
        1, left.stream().filter(p -> p.contains("java") && isRank(p, 1)).count(), left::toString);
    // Rank 1 learns that its launch is over as soon as it can ask.
    nodes.heal(lost);
    job.awaitLine("cairn: rank 1 on " + nodes.name(lost) + " of launch 1, which was given up");
    nodes.allowLogin(lost, true);
    awaitCommit(job);
    job.terminate();
    MpiJob.Outcome outcome = job.finish();
    assertEquals(143, outcome.exitCode(), outcome::text);
    JobFiles files = bench.files(Ring.class);
    assertTrue(files.newestCommitted().orElseThrow().generation() >= 2, () -> files.epochs() + "");
  }

  private static boolean isRank(String process, int rank) {
    return Processes.rank(Long.parseLong(process.replaceFirst(":.*", ""))) == rank;
  }

  @Test
  void shouldRunOnFewerNodesWhereThatIsAllowed() throws Exception {
    start();
    String reference = sample.reference(bench, ranks);
    MpiJob job = launch(withoutSpare(), "--oversubscribe").start();
    awaitCommit(job);
    nodes.kill(2);
    MpiJob.Outcome outcome = job.finish().requireSuccess();
    assertEquals(reference, outcome.only("result "), outcome::text);
    List<String> left = new ArrayList<>();
    int nodesLeft = used - 1;
    for (int node = 1; node <= used; node++) {
      if (node != 2) {
        // The first ones have one more, if it can't be the same for all.
        int more = left.size() < ranks % nodesLeft ? 1 : 0;
        left.add(ranks / nodesLeft + more + " on " + nodes.host(node));
      }
    }
    outcome.line("cairn: launch 2: ranks " + String.join(", ", left));
  }

  @Test
  void shouldWaitForANodeWhereTooFewAreLeft() throws Exception {
    start();
    String reference = sample.reference(bench, ranks);
    MpiJob job = launch(withoutSpare()).environment(OVERSUBSCRIBE, "0").start();
    awaitCommit(job);
    nodes.kill(2);
    job.awaitLine(
        "cairn: %d ranks need as many slots, and the hosts that answer have %d"
            .formatted(ranks, ranks - SLOTS));
    nodes.boot(2);
    MpiJob.Outcome outcome = job.finish().requireSuccess();
    outcome.line("cairn: " + nodes.host(2) + " is back");
    outcome.line("cairn: launch 2: ranks " + onNodes(IntStream.rangeClosed(1, used).toArray()));
    assertEquals(reference, outcome.only("result "), outcome::text);
  }

  @Test
  void shouldGiveUpWhereTooFewNodesAreLeftForTooLong() throws Exception {
    start();
    MpiJob job =
        ring("steps=100000000", "millis=10")
            .supervised("--host-wait", "1s")
            .on(nodes, withoutSpare())
            .environment(OVERSUBSCRIBE, "0")
            .start();
    awaitCommit(job);
    nodes.kill(1);
    MpiJob.Outcome outcome = job.finish();
    assertEquals(4, outcome.exitCode(), outcome::text);
    outcome.line(
        "cairn: gave up: " + ranks + " ranks need as many slots", "gone: " + nodes.host(1));
    // From the start there is nothing to wait for.
    MpiJob.Outcome refused =
        ring("steps=1")
            .supervised("--host-wait", "10m")
            .on(nodes, withoutSpare())
            .environment(OVERSUBSCRIBE, "0")
            .run();
    assertEquals(3, refused.exitCode(), refused::text);
  }

  private MpiJob.Builder ring(Object... arguments) {
    return bench.job(ranks, Ring.class).property("cairn.every", 10).arguments(arguments);
  }

  @Test
  void shouldLeaveOutANodeOnWhichNothingCanBeStarted() throws Exception {
    start();
    String reference = sample.reference(bench, ranks);
    int broken = FIRST_RANKS_NODE + random.nextInt(used);
    // It answers, but has no daemon of Open MPI.
    String orted = nodes.on(broken, "bash", "-c", "readlink -f $(command -v orted)").strip();
    assertEquals("", nodes.on(broken, "mount", "--bind", "/dev/null", orted));
    MpiJob.Outcome outcome = launch(hosts()).run().requireSuccess();
    outcome.line("cairn: " + nodes.host(broken) + " is gone: mpirun can't start the program there");
    outcome.line("cairn: launch 2: ranks ", "2 on " + nodes.host(spare));
    assertEquals(reference, outcome.only("result "), outcome::text);
  }

  @Test
  void shouldShowWhereAProgramHangsAndLaunchItAgain() throws Exception {
    start();
    MpiJob.Outcome outcome =
        bench
            .job(ranks, Stuck.class)
            .property("cairn.every", 10)
            .arguments("steps=100", "at=60", "rank=3")
            .supervised("--stall", "4s", "--dump", "3s")
            .on(nodes, hosts())
            .run()
            .requireSuccess();
    outcome.line("cairn: no safe point for ", "(--stall): the program hangs, at safe point ");
    outcome.line("Full thread dump");
    outcome.line("at io.cairn.systemtests.programs.Stuck.run");
    outcome.line("cairn: generation 2 goes on from epoch 1-");
  }

  @Test
  void shouldTryThePreviousEpochOnceAndGiveUpOnAProgramThatDiesInOnePlace() throws Exception {
    start();
    MpiJob.Outcome outcome =
        ring("steps=400", "millis=5", "fail=75", "rank=" + random.nextInt(ranks))
            .supervised("--backoff", "100ms")
            .on(nodes, hosts())
            .run();
    assertEquals(4, outcome.exitCode(), outcome::text);
    outcome.line("cairn: ended twice at safe point ", "trying the epoch before ");
    outcome.line("cairn: gave up: ", "so did one from the epoch before");
    outcome.requireNo(" is gone");
  }

  @Test
  void shouldPreferNodesWithMoreToGive() throws Exception {
    start();
    Map<Integer, String> hosts = new TreeMap<>();
    for (int node = 1; node <= spare; node++) {
      hosts.put(node, "slots=" + SLOTS + (node == 1 ? "" : " weight=8"));
    }
    MpiJob job =
        ring("steps=150", "millis=10").supervised().on(nodes, nodes.hostfile(hosts)).start();
    awaitCommit(job);
    nodes.kill(3);
    MpiJob.Outcome outcome = job.finish().requireSuccess();
    // Only when one of the better ones is lost is the first one taken.
    int[] others = IntStream.rangeClosed(1, spare).filter(node -> node != 3).toArray();
    outcome.line("cairn: launch 2: ranks " + onNodes(others));
    Path file = bench.files(Ring.class).folder().resolve("events.jsonl");
    String first =
        Files.readAllLines(file).stream()
            .filter(l -> l.contains("\"event\":\"launch\",\"launch\":1"))
            .findFirst()
            .orElseThrow();
    assertTrue(!first.contains(nodes.host(1) + ":"), first);
  }
}

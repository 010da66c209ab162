// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Each node has a disk of its own, and nodes are lost with theirs: what the tiers have of it brings
 * the job back, with the answer of an undisturbed run.
 */
class TiersIT {
  private static final int SLOTS = 2;

  @RegisterExtension final Workbench bench = new Workbench();

  private final SplittableRandom random = Seed.random("tiers");
  private final Sample sample = random.nextBoolean() ? Sample.HEAT2D : Sample.PIPELINE;
  private Nodes nodes;

  @AfterEach
  void requireNoProcessLeft() {
    if (nodes != null) {
      for (int node = 1; node <= nodes.count(); node++) {
        assertEquals(List.of(), nodes.processes(node), "left on node " + node);
      }
    }
  }

  /** A launch on nodes whose disks are their own, with tiers as {@code name=value}. */
  private MpiJob.Builder launch(int ranks, Path hosts, String... tiers) {
    MpiJob.Builder job =
        sample
            .checkpointed(bench, ranks)
            .property("cairn.dir", nodes.local())
            .on(nodes, hosts)
            .arguments("--step-millis", 10);
    for (String tier : tiers) {
      String[] option = tier.split("=", 2);
      job.property("cairn." + option[0], option[1]);
    }
    return job;
  }

  /** Nodes with ranks, some of them, drawn. */
  private List<Integer> draw(int count, int of) {
    List<Integer> all = new ArrayList<>();
    for (int node = 1; node <= of; node++) {
      all.add(node);
    }
    while (all.size() > count) {
      all.remove(random.nextInt(all.size()));
    }
    return all;
  }

  private void lose(List<Integer> lost) throws IOException {
    for (int node : lost) {
      nodes.kill(node);
      nodes.wipe(node);
    }
  }

  private static long restoredBy(MpiJob.Outcome outcome, String how) {
    return outcome.lines().stream().filter(l -> l.text().contains(how)).count();
  }

  /** A spare takes the place of a dead node, by itself. */
  private void survive(int used, int lostNodes, String how, String promise, String... tiers)
      throws IOException {
    int ranks = used * SLOTS;
    nodes = bench.nodes(used + lostNodes, SLOTS);
    String reference = sample.reference(bench, ranks);
    MpiJob.Builder builder = launch(ranks, nodes.hostfile(), tiers).supervised();
    MpiJob job = builder.start();
    job.awaitLines(1 + random.nextInt(3), promise);
    List<Integer> lost = draw(lostNodes, used);
    lose(lost);
    MpiJob.Outcome outcome = job.finish().requireSuccess();
    assertEquals(reference, outcome.only("result "), outcome::text);
    assertTrue(restoredBy(outcome, how) >= (long) lost.size() * SLOTS, outcome::text);
    outcome.line("cairn: generation 2 goes on from epoch 1-");
    outcome.only("cairn: done; ");
  }

  @Test
  void shouldGoOnFromPartnerCopies() throws IOException {
    survive(3, 1, ": copied from the store of rank ", "by the partner tier", "partner=1");
  }

  @Test
  void shouldGoOnByXor() throws IOException {
    survive(3, 1, ": rebuilt from redundancy set ", "by the set tier", "set=2+1");
  }

  @Test
  void shouldGoOnByReedSolomonWhenTwoNodesDieAtOnce() throws IOException {
    survive(4, 2, ": rebuilt from redundancy set ", "by the set tier", "set=2+2", "commit=set");
  }

  @Test
  void shouldGoOnFromTheSharedTierWhenAllNodesAreLost() throws IOException {
    int used = 3;
    int ranks = used * SLOTS;
    nodes = bench.nodes(used, SLOTS);
    String reference = sample.reference(bench, ranks);
    String shared = "shared=" + bench.folder().resolve("shared");
    MpiJob first = launch(ranks, nodes.hostfile(), shared).start();
    first.awaitLines(1, "by the shared tier");
    lose(List.of(1, 2, 3));
    first.finish().requireFailure();
    for (int node = 1; node <= used; node++) {
      nodes.boot(node);
    }
    // Nearly all ranks are somewhere else.
    MpiJob.Outcome second =
        launch(ranks, nodes.hostfile(), shared).mpirun("--map-by", "node").run().requireSuccess();
    assertEquals(reference, second.only("result "), second::text);
    assertEquals(ranks, restoredBy(second, ": fetched from the shared tier"), second::text);
  }

  /** More is lost than the tiers can stand: said, and nothing else. */
  @Test
  void shouldRefuseToStartWhenMoreIsLostThanATierCanStand() throws IOException {
    int used = 3;
    int ranks = used * SLOTS;
    nodes = bench.nodes(used, SLOTS);
    MpiJob first = launch(ranks, nodes.hostfile(), "set=2+1").start();
    first.awaitLines(1, "by the set tier");
    lose(List.of(1, 3));
    first.finish().requireFailure();
    nodes.boot(1);
    nodes.boot(3);
    MpiJob.Outcome second = launch(ranks, nodes.hostfile(), "set=2+1").run().requireFailure();
    second.line("no committed epoch can be restored by all ranks");
    second.line("rank 0: no store that is here names an image, a copy or a set of it");
    second.requireNo("event restored");
  }

  /** Once on other nodes and fewer, then a second loss, before anything new was committed. */
  @Test
  void shouldMoveImagesToWhereTheirRanksRunAndProtectThemAgain() throws IOException {
    int used = 3;
    int ranks = used * SLOTS;
    nodes = bench.nodes(used, SLOTS);
    String reference = sample.reference(bench, ranks);
    MpiJob first = launch(ranks, nodes.hostfile(), "partner=1").start();
    first.awaitLines(2, "by the partner tier");
    List<Integer> left = draw(2, used);
    int lost = 6 - left.get(0) - left.get(1);
    lose(List.of(lost));
    first.finish().requireFailure();
    MpiJob second =
        launch(ranks, nodes.hostfile(left.get(0), left.get(1)), "partner=1")
            .mpirun("--oversubscribe", "--map-by", "node")
            .property("cairn.every", "off")
            .property("cairn.interval", "off")
            .start();
    second.awaitLines(ranks, "event restored ");
    second.awaitLines(1, "by the partner tier");
    int last = left.remove(random.nextInt(2));
    lose(left);
    second.finish().requireFailure();
    MpiJob.Outcome third =
        launch(ranks, nodes.hostfile(last), "partner=1")
            .mpirun("--oversubscribe")
            .run()
            .requireSuccess();
    assertEquals(reference, third.only("result "), third::text);
    third.line("no partner copies: all ranks are in one failure group");
  }
}

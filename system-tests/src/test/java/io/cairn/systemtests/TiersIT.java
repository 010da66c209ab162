// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.image.FaultPoint;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
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
        assertEquals(List.of(), nodes.left(node), "left on node " + node);
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
    second.line("rank 0: nothing says what its image is");
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

  /** The points of an epoch's life at which a node is lost, and how often a rank has been there. */
  private static final Map<FaultPoint, Integer> POINTS =
      Map.of(
          FaultPoint.DURING_CAPTURE, 8,
          FaultPoint.MID_BLOCKS, 8,
          FaultPoint.AFTER_SYNC, 3,
          FaultPoint.AFTER_PENDING_RECORD, 3,
          FaultPoint.AFTER_COMMIT_BEFORE_RENAME, 3,
          FaultPoint.BEFORE_PROTECTION, 3,
          FaultPoint.AFTER_PROTECTION_STREAMS, 3,
          FaultPoint.AFTER_PENDING_PROTECTION, 3);

  /** In the middle of an epoch, and once more in the middle of the recovery. */
  @Test
  void shouldComeBackWhenANodeIsLostInTheMiddle() throws IOException {
    int used = 3;
    int ranks = used * SLOTS;
    nodes = bench.nodes(used, SLOTS);
    String reference = sample.reference(bench, ranks);
    List<FaultPoint> points = POINTS.keySet().stream().sorted().toList();
    FaultPoint point = points.get(random.nextInt(points.size()));
    String[] tiers =
        random.nextBoolean()
            ? new String[] {"partner=1", "commit=partner"}
            : new String[] {"set=2+1", "commit=set"};
    int lost = 1 + random.nextInt(used);
    int dying = (lost - 1) * SLOTS; // the node's store is this rank's to lead
    System.out.printf("node %d is lost at %s, %s%n", lost, point, tiers[1]);
    MpiJob.Outcome first =
        launch(ranks, nodes.hostfile(), tiers)
            .environment("CAIRN_TEST_FAULT", point + ":" + dying + ":" + POINTS.get(point))
            .run()
            .requireFailure();
    assertTrue(first.events().newestCommitted() > 0, first::text);
    lose(List.of(lost));
    nodes.boot(lost);
    MpiJob.Outcome second =
        launch(ranks, nodes.hostfile(), tiers)
            .environment(
                "CAIRN_TEST_FAULT", FaultPoint.AFTER_RECOVERED_IMAGE + ":" + (dying + 1) + ":1")
            .run()
            .requireFailure();
    second.requireNo("event restored");
    MpiJob.Outcome third = launch(ranks, nodes.hostfile(), tiers).run().requireSuccess();
    assertEquals(reference, third.only("result "), third::text);
    List<EventLog.Event> restored = third.events().of("restored");
    assertEquals(ranks, restored.size(), third::text);
    for (EventLog.Event event : restored) {
      // What was committed was protected.
      assertTrue(event.epoch() >= first.events().newestCommitted(), third::text);
    }
  }

  /** What it still has is of a past that the job has gone on from. */
  @Test
  void shouldTakeANodeBackThatHasOldEpochs() throws IOException {
    int used = 3;
    int ranks = used * SLOTS;
    nodes = bench.nodes(used + 1, SLOTS);
    String reference = sample.reference(bench, ranks);
    MpiJob first = launch(ranks, nodes.hostfile(1, 2, 3), "partner=1").start();
    first.awaitLines(2, "by the partner tier");
    nodes.kill(2);
    first.finish().requireFailure();
    MpiJob second = launch(ranks, nodes.hostfile(1, 3, 4), "partner=1").start();
    second.awaitLines(3, "by the partner tier");
    nodes.kill(4);
    MpiJob.Outcome died = second.finish().requireFailure();
    nodes.boot(2);
    MpiJob.Outcome third = launch(ranks, nodes.hostfile(1, 2, 3), "partner=1").run();
    third.requireSuccess();
    assertEquals(reference, third.only("result "), third::text);
    long oldest =
        died.events().of("committed").stream().mapToLong(EventLog.Event::epoch).min().orElseThrow();
    List<EventLog.Event> restored = third.events().of("restored");
    assertEquals(ranks, restored.size(), third::text);
    for (EventLog.Event event : restored) {
      assertTrue(event.epoch() > oldest, third::text);
    }
  }

  @Test
  void shouldLeaveASharedTierOutThatCanNotBeUsed() throws IOException {
    int ranks = SLOTS;
    nodes = bench.nodes(1, SLOTS);
    String reference = sample.reference(bench, ranks);
    Path blocked = Files.writeString(bench.folder().resolve("blocked"), "not a directory");
    String shared = "shared=" + blocked.resolve("below");
    MpiJob.Outcome fresh = launch(ranks, nodes.hostfile(), shared).run().requireFailure();
    fresh.line("the shared tier can't be reached: ");
    MpiJob.Outcome forced =
        launch(ranks, nodes.hostfile(), shared, "restore=fresh").run().requireSuccess();
    forced.line("the shared tier is left out in this launch, as its directory can't be used");
    assertEquals(reference, forced.only("result "), forced::text);
  }

  private static final List<String> DAMAGES = List.of("erase", "flip a bit of", "truncate");

  /** What is damaged of a node's files, by what their names begin or end with. */
  private static final List<String> VICTIMS = List.of("rank-", ".parity", "record", "-record");

  /** A part of the damage matrix that unit tests have whole (docs/damage.md), drawn. */
  @Test
  void shouldRestoreWhateverIsDamagedOnOneNode() throws IOException {
    int used = 3;
    int ranks = used * SLOTS;
    nodes = bench.nodes(used, SLOTS);
    String reference = sample.reference(bench, ranks);
    boolean partner = random.nextBoolean();
    String[] tiers =
        partner
            ? new String[] {"partner=1", "commit=partner"}
            : new String[] {"set=2+1", "commit=set"};
    MpiJob first = launch(ranks, nodes.hostfile(), tiers).start();
    first.awaitLines(3, "event committed rank=0 ");
    first.killAll();
    first.finish().requireFailure();
    int node = 1 + random.nextInt(used);
    String how = DAMAGES.get(random.nextInt(DAMAGES.size()));
    String what = VICTIMS.get(random.nextInt(VICTIMS.size()));
    JobFiles.Epoch newest = newestOfAll(used, node);
    int damaged = 0;
    try (DirectoryStream<Path> all = Files.newDirectoryStream(newest.folder())) {
      for (Path file : all) {
        String name = file.getFileName().toString();
        if (what.equals("record")
            ? name.equals(what)
            : name.startsWith(what) || name.endsWith(what)) {
          damage(file, how);
          damaged++;
        }
      }
    }
    System.out.printf("%s %d files like %s of node %d, %s%n", how, damaged, what, node, tiers[0]);
    MpiJob.Outcome second = launch(ranks, nodes.hostfile(), tiers).run().requireSuccess();
    assertEquals(reference, second.only("result "), second::text);
    List<EventLog.Event> restored = second.events().of("restored");
    assertEquals(ranks, restored.size(), second::text);
    for (EventLog.Event event : restored) {
      assertTrue(event.epoch() >= newest.number(), second::text);
    }
    if (what.equals("rank-") && restored.get(0).epoch() == newest.number()) {
      long back =
          restoredBy(second, ": copied from the store of rank ")
              + restoredBy(second, ": rebuilt from redundancy set ");
      assertEquals(SLOTS, back, second::text);
    }
  }

  /** The newest epoch whose record is published on all nodes, as the given one has it. */
  private JobFiles.Epoch newestOfAll(int used, int given) {
    String job = sample.program().getSimpleName();
    List<JobFiles.Epoch> there = new JobFiles(nodes.storage(given).resolve(job)).committed();
    for (int i = there.size() - 1; i >= 0; i--) {
      JobFiles.Epoch epoch = there.get(i);
      boolean all = true;
      for (int node = 1; node <= used; node++) {
        all &=
            new JobFiles(nodes.storage(node).resolve(job))
                .committed().stream().anyMatch(other -> other.compareTo(epoch) == 0);
      }
      if (all) {
        return epoch;
      }
    }
    throw new AssertionError("no epoch is committed on all nodes: " + there);
  }

  private void damage(Path file, String how) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    switch (how) {
      case "erase" -> Files.delete(file);
      case "truncate" -> Files.write(file, Arrays.copyOf(bytes, random.nextInt(bytes.length)));
      default -> {
        bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
        Files.write(file, bytes);
      }
    }
  }
}

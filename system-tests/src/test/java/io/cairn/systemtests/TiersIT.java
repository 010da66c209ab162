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
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Each node has a disk of its own, and nodes are lost with theirs: what the tiers have of it brings
 * the job back, with the answer of an undisturbed run.
 *
 * <p>With one sample and one number of nodes, drawn; {@code -Dsystemtests.product=true} takes all.
 */
@ParameterizedClass(name = "{0}, {1} nodes with ranks")
@MethodSource("io.cairn.systemtests.Rounds#ofNodes")
class TiersIT {
  private static final int SLOTS = Rounds.SLOTS;

  @RegisterExtension final Workbench bench = new Workbench();

  private final SplittableRandom random = Seed.random("tiers");
  private final Sample sample;
  private final int used; // nodes that have ranks, unless a test needs more
  private Nodes nodes;

  TiersIT(Sample sample, int used) {
    this.sample = sample;
    this.used = used;
  }

  /** One redundancy set over all nodes; any so many of them may be lost. */
  private String set(int parity) {
    return "set=" + (used - parity) + "+" + parity;
  }

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
    return with(job, tiers);
  }

  private static MpiJob.Builder with(MpiJob.Builder job, String... tiers) {
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
  private void survive(int lostNodes, String how, String promise, String... tiers)
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
    survive(1, ": copied from the store of rank ", "by the partner tier", "partner=1");
  }

  @Test
  void shouldGoOnByXor() throws IOException {
    survive(1, ": rebuilt from redundancy set ", "by the set tier", set(1));
  }

  @Test
  void shouldGoOnByReedSolomonWhenTwoNodesDieAtOnce() throws IOException {
    survive(2, ": rebuilt from redundancy set ", "by the set tier", set(2), "commit=set");
  }

  @Test
  void shouldGoOnFromTheSharedTierWhenAllNodesAreLost() throws IOException {
    int ranks = used * SLOTS;
    nodes = bench.nodes(used, SLOTS);
    String reference = sample.reference(bench, ranks);
    String shared = "shared=" + bench.folder().resolve("shared");
    MpiJob first = launch(ranks, nodes.hostfile(), shared).start();
    first.awaitLines(1, "by the shared tier");
    lose(draw(used, used));
    first.finishAfterALoss().requireFailure();
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
    int ranks = used * SLOTS;
    nodes = bench.nodes(used, SLOTS);
    MpiJob first = launch(ranks, nodes.hostfile(), set(1)).start();
    first.awaitLines(1, "by the set tier");
    lose(List.of(1, 3));
    first.finishAfterALoss().requireFailure();
    nodes.boot(1);
    nodes.boot(3);
    MpiJob.Outcome second = launch(ranks, nodes.hostfile(), set(1)).run().requireFailure();
    second.line("no committed epoch can be restored by all ranks");
    second.line("rank 0: nothing says what its image is");
    second.requireNo("event restored");
  }

  /** Once on other nodes and fewer, then a second loss, before anything new was committed. */
  @Test
  void shouldMoveImagesToWhereTheirRanksRunAndProtectThemAgain() throws IOException {
    int ranks = used * SLOTS;
    nodes = bench.nodes(used, SLOTS);
    String reference = sample.reference(bench, ranks);
    MpiJob first = launch(ranks, nodes.hostfile(), "partner=1").start();
    first.awaitLines(2, "by the partner tier");
    List<Integer> left = loseOneOf(draw(used, used));
    first.finishAfterALoss().requireFailure();
    MpiJob second =
        launch(ranks, hostfile(left), "partner=1")
            .mpirun("--oversubscribe", "--map-by", "node")
            .property("cairn.every", "off")
            .property("cairn.interval", "off")
            .start();
    second.awaitLines(ranks, "event restored ");
    second.awaitLines(1, "by the partner tier");
    left = loseOneOf(left);
    second.finishAfterALoss().requireFailure();
    MpiJob.Outcome third =
        launch(ranks, hostfile(left), "partner=1").mpirun("--oversubscribe").run();
    third.requireSuccess();
    assertEquals(reference, third.only("result "), third::text);
    if (left.size() == 1) {
      third.line("no partner copies: all ranks are in one failure group");
    }
  }

  /** Returns those that are left. */
  private List<Integer> loseOneOf(List<Integer> there) throws IOException {
    List<Integer> left = new ArrayList<>(there);
    lose(List.of(left.remove(random.nextInt(left.size()))));
    return left;
  }

  private Path hostfile(List<Integer> wanted) {
    return nodes.hostfile(wanted.stream().mapToInt(Integer::intValue).toArray());
  }

  /** Where in an epoch's life a rank is, and how often it has been there when its node is lost. */
  private record Stage(int times, List<FaultPoint> points) {}

  private static final Stage CAPTURE = new Stage(8, List.of(FaultPoint.DURING_CAPTURE));
  private static final Stage ENCODE = new Stage(8, List.of(FaultPoint.MID_BLOCKS));
  private static final Stage COMMIT =
      new Stage(
          3,
          List.of(
              FaultPoint.AFTER_SYNC,
              FaultPoint.AFTER_PENDING_RECORD,
              FaultPoint.AFTER_COMMIT_BEFORE_RENAME));
  private static final Stage PROTECTION =
      new Stage(
          3,
          List.of(
              FaultPoint.BEFORE_PROTECTION,
              FaultPoint.AFTER_PROTECTION_STREAMS,
              FaultPoint.AFTER_PENDING_PROTECTION));
  private static final Stage RECOVERY = new Stage(1, List.of(FaultPoint.AFTER_RECOVERED_IMAGE));

  /** One node after the other, with its disk, each in another stage of the job's life. */
  @Test
  void shouldComeBackWheneverANodeIsLost() throws IOException {
    int ranks = used * SLOTS;
    nodes = bench.nodes(used, SLOTS);
    String reference = sample.reference(bench, ranks);
    String[] tiers =
        random.nextBoolean()
            ? new String[] {"partner=1", "commit=partner"}
            : new String[] {set(1), "commit=set"};
    List<Stage> stages = new ArrayList<>();
    for (Stage stage : List.of(CAPTURE, ENCODE, COMMIT, PROTECTION)) {
      stages.add(random.nextInt(stages.size() + 1), stage);
    }
    // There must be something to recover.
    stages.add(1 + random.nextInt(stages.size()), RECOVERY);
    long committed = 0; // the newest safe point that all ranks can go on from
    int lost = 0;
    for (Stage stage : stages) {
      // A recovery is one of the ranks whose node was lost before it.
      int node = stage.equals(RECOVERY) ? lost : 1 + random.nextInt(used);
      // The first rank of a node leads its store, the second has its image recovered as well.
      int dying = (node - 1) * SLOTS + (stage.equals(RECOVERY) ? 1 : 0);
      FaultPoint point = stage.points().get(random.nextInt(stage.points().size()));
      System.out.printf("node %d is lost at %s, %s%n", node, point, tiers[1]);
      MpiJob.Outcome outcome =
          launch(ranks, nodes.hostfile(), tiers)
              .environment("CAIRN_TEST_FAULT", point + ":" + dying + ":" + stage.times())
              .run()
              .requireFailure();
      requireRestored(outcome, stage.equals(RECOVERY) ? 0 : ranks, committed);
      for (EventLog.Event event : outcome.events().of("committed")) {
        // What was committed was protected.
        committed = Math.max(committed, event.number("safepoint"));
      }
      lose(List.of(node));
      nodes.boot(node);
      lost = node;
    }
    MpiJob.Outcome last = launch(ranks, nodes.hostfile(), tiers).run().requireSuccess();
    assertEquals(reference, last.only("result "), last::text);
    requireRestored(last, ranks, committed);
  }

  private static void requireRestored(MpiJob.Outcome launch, int ranks, long committed) {
    List<EventLog.Event> restored = launch.events().of("restored");
    assertEquals(committed == 0 ? 0 : ranks, restored.size(), launch::text);
    for (EventLog.Event event : restored) {
      assertTrue(event.number("safepoint") >= committed, launch::text);
    }
  }

  /** What it still has is of a past that the job has gone on from. */
  @Test
  void shouldTakeANodeBackThatHasOldEpochs() throws IOException {
    int ranks = used * SLOTS;
    nodes = bench.nodes(used + 1, SLOTS);
    String reference = sample.reference(bench, ranks);
    int spare = used + 1;
    List<Integer> before = draw(used, used);
    MpiJob first = launch(ranks, hostfile(before), "partner=1").start();
    first.awaitLines(2, "by the partner tier");
    int stale = before.get(random.nextInt(used));
    nodes.kill(stale);
    first.finishAfterALoss().requireFailure();
    List<Integer> between = new ArrayList<>(before);
    between.remove(Integer.valueOf(stale));
    between.add(spare);
    MpiJob second = launch(ranks, hostfile(between), "partner=1").start();
    second.awaitLines(3, "by the partner tier");
    nodes.kill(spare);
    MpiJob.Outcome died = second.finishAfterALoss().requireFailure();
    nodes.boot(stale);
    MpiJob.Outcome third = launch(ranks, hostfile(before), "partner=1").run().requireSuccess();
    assertEquals(reference, third.only("result "), third::text);
    long oldest =
        died.events().of("committed").stream().mapToLong(EventLog.Event::epoch).min().orElseThrow();
    List<EventLog.Event> restored = third.events().of("restored");
    assertEquals(ranks, restored.size(), third::text);
    for (EventLog.Event event : restored) {
      assertTrue(event.epoch() > oldest, third::text);
    }
  }

  /** What a protection costs is measured, and how often nodes are lost is remembered. */
  @Test
  void shouldChooseHowOftenEachTierProtects() throws IOException {
    int used = 2;
    int ranks = used * SLOTS;
    nodes = bench.nodes(used, SLOTS);
    String reference = sample.reference(bench, ranks);
    List<String> tiers = new ArrayList<>(List.of("partner=auto", "set=1+1", "set.every=auto"));
    tiers.addAll(List.of("shared=" + bench.folder().resolve("shared"), "shared.every=auto"));
    List<String> given = new ArrayList<>(tiers);
    given.addAll(List.of("mtbf.node=50h", "mtbf.all=100h"));
    MpiJob first = launch(ranks, nodes.hostfile(), given.toArray(new String[0])).start();
    for (String tier : List.of("partner", "set", "shared")) {
      first.awaitLines(1, "the " + tier + " tier protects an epoch every ");
    }
    lose(List.of(2));
    MpiJob.Outcome died = first.finishAfterALoss().requireFailure();
    died.line("the set tier protects ", "what it protects against is every 50.0 h (given)");
    died.line("the shared tier protects ", "what it protects against is every 100.0 h (given)");
    nodes.boot(2);
    MpiJob.Outcome second =
        launch(ranks, nodes.hostfile(), tiers.toArray(new String[0])).run().requireSuccess();
    assertEquals(reference, second.only("result "), second::text);
    second.line("the partner tier protects ", " every 84.0 h (1 seen in 0.0 h, and 1 in 168 h ");
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

  /** It is full in the middle of a flush; later there is room. */
  @Test
  void shouldGoOnWithoutASharedTierThatIsFull() throws IOException {
    int ranks = SLOTS;
    Path disk = bench.smallFileSystem(1);
    // What is left is less than any image.
    Path other = Files.write(disk.resolve("other"), new byte[(1 << 20) - (32 << 10)]);
    nodes = bench.nodes(1, SLOTS);
    String reference = Sample.HEAT2D.reference(bench, ranks);
    MpiJob job = onOneNode("shared=" + disk, "encode=small").start();
    job.awaitLine("could not be protected by the shared tier: ");
    Files.delete(other);
    job.awaitLine("by the shared tier, after ");
    MpiJob.Outcome outcome = job.finish().requireSuccess();
    assertEquals(reference, outcome.only("result "), outcome::text);
    outcome.line("No space left on device");
    outcome.events().requireHarmless();
  }

  /** It takes longer than the job lives: epochs are committed, and their protection waits. */
  @Test
  void shouldGoOnBesideASharedTierThatIsSlow() throws IOException {
    nodes = bench.nodes(1, SLOTS);
    String reference = Sample.HEAT2D.reference(bench, SLOTS);
    String shared = "shared=" + bench.folder().resolve("shared");
    MpiJob slow = onOneNode(shared, "shared.bandwidth=4KiB").start();
    slow.awaitLines(5, "event committed rank=0 ");
    slow.killAll();
    MpiJob.Outcome killed = slow.finish().requireFailure();
    killed.requireNo("by the shared tier");
    MpiJob.Outcome second = onOneNode(shared).run().requireSuccess();
    assertEquals(reference, second.only("result "), second::text);
    second.line("by the shared tier, after ");
    for (EventLog.Event event : second.events().of("restored")) {
      assertTrue(event.epoch() >= killed.events().newestCommitted(), second::text);
    }
  }

  /** The sample whose images are not small. */
  private MpiJob.Builder onOneNode(String... tiers) {
    MpiJob.Builder job =
        Sample.HEAT2D
            .checkpointed(bench, SLOTS)
            .property("cairn.dir", nodes.local())
            .on(nodes, nodes.hostfile())
            .arguments("--step-millis", 10);
    return with(job, tiers);
  }

  private static final List<String> DAMAGES = List.of("erase", "flip a bit of", "truncate");

  /** What is damaged of a node's files, by what their names begin or end with. */
  private static final List<String> VICTIMS = List.of("rank-", ".parity", "record", "-record");

  /** A part of the damage matrix that unit tests have whole (docs/damage.md), drawn. */
  @Test
  void shouldRestoreWhateverIsDamagedOnOneNode() throws IOException {
    int ranks = used * SLOTS;
    nodes = bench.nodes(used, SLOTS);
    String reference = sample.reference(bench, ranks);
    boolean partner = random.nextBoolean();
    String[] tiers =
        partner
            ? new String[] {"partner=1", "commit=partner"}
            : new String[] {set(1), "commit=set"};
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

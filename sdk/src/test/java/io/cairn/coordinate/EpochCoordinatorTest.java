// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;

/**
 * Coordinators in lockstep, on one thread and a clock that the test moves: what each phase waits
 * for, how long, and what it says when that doesn't come.
 */
class EpochCoordinatorTest {

  private static final long MILLI = 1_000_000;
  private static final long TICK = MILLI / 10;

  private static final EpochSettings SETTINGS =
      EpochSettings.onRequest()
          .withTimeouts(
              Duration.ofMillis(100),
              Duration.ofMillis(200),
              Duration.ofMillis(300),
              Duration.ofMillis(400),
              Duration.ofMillis(500))
          .withDrainDelay(Duration.ofMillis(50));

  private long now = 1000 * MILLI;

  /** A rank whose ledger, image and record do what the test says. */
  private final class Rank implements Capture, EpochEvents {
    final int number;
    final Deque<Fabric.Message> held = new ArrayDeque<>();
    final List<EpochReport> told = new ArrayList<>();
    final List<Long> cuts = new ArrayList<>();
    final List<String> accepted = new ArrayList<>();
    final List<Image> images = new ArrayList<>();
    final Stubs.Notes notes = new Stubs.Notes();
    final EpochCoordinator coordinator;
    final SafePointGate gate;
    final Stubs.NotedHold calls;

    boolean holdFrames;
    boolean holdPulses;
    boolean advances = true;
    List<Integer> peers = List.of();
    long missing;
    int drains;
    long drainedAt;
    String ledgerFault;
    String refusal;
    long collectiveTerm;
    long channelTerm;
    List<Ledger.CollectiveCount> counts = List.of();
    Progress image = Progress.DONE;
    Progress record = Progress.DONE;
    long taken;
    boolean operatorRequest;
    boolean ended;
    int frames;
    long channels;
    long channelsLeft;
    int moved;
    int unmoved;
    Runnable whileCapturing = () -> {};

    final class Image extends Stubs.InstantImage {
      @Override
      public Progress progress() {
        return image == Progress.DONE ? super.progress() : image;
      }

      @Override
      public Throwable failure() {
        return new IOException("No space left on device");
      }

      @Override
      public long takenNanos() {
        return taken;
      }
    }

    Rank(Fabric world, EpochSettings settings, Origin origin) {
      number = world.rank();
      Fabric fabric =
          new Fabric() {
            @Override
            public int rank() {
              return world.rank();
            }

            @Override
            public int size() {
              return world.size();
            }

            @Override
            public void startPulse(long[] max, long[] sum) {
              world.startPulse(max, sum);
            }

            @Override
            public boolean testPulse(long[] max, long[] sum) {
              return !holdPulses && world.testPulse(max, sum);
            }

            @Override
            public void send(int destination, byte[] message) {
              world.send(destination, message);
            }

            @Override
            public Message poll() {
              for (Message m = world.poll(); m != null; m = world.poll()) {
                held.add(m);
              }
              Message next = holdFrames ? null : held.poll();
              frames += next == null ? 0 : 1;
              return next;
            }
          };
      Ledger ledger =
          new Stubs.QuietLedger() {
            @Override
            public List<OutgoingMarker> cut(long epoch, long safePoint) throws CutRefusedException {
              if (Rank.this.refusal != null) {
                throw new CutRefusedException(Rank.this.refusal);
              }
              cuts.add(safePoint);
              return peers.stream().map(p -> new OutgoingMarker(p, new byte[8])).toList();
            }

            @Override
            public void accept(int source, long epoch, byte[] marker) {
              accepted.add(source + " in " + epoch);
            }

            @Override
            public List<OutgoingMarker> bareCut() {
              return peers.stream().map(p -> new OutgoingMarker(p, new byte[8])).toList();
            }

            @Override
            public void acceptBare(int source, byte[] marker) {
              accepted.add(source + " bare");
            }

            @Override
            public void commit() {
              moved++;
              channels = channelsLeft;
            }

            @Override
            public void abandon() {
              unmoved++;
            }

            @Override
            public long channels() {
              return channels;
            }

            @Override
            public long missing() {
              return missing;
            }

            @Override
            public void drain() {
              if (drains++ == 0) {
                drainedAt = now;
              }
            }

            @Override
            public String fault() {
              return ledgerFault;
            }

            @Override
            public long collectiveFingerprint() {
              return collectiveTerm;
            }

            @Override
            public long channelFingerprint() {
              return channelTerm;
            }

            @Override
            public List<CollectiveCount> collectiveCounts() {
              return counts;
            }
          };
      Store store =
          new Stubs.InstantStore() {
            @Override
            public Progress recordProgress() {
              return record;
            }

            @Override
            public Throwable recordFailure() {
              return new IOException("Input/output error");
            }

            @Override
            public boolean takeRequest() {
              boolean taken = operatorRequest;
              operatorRequest = false;
              return taken;
            }
          };
      coordinator =
          new EpochCoordinator(
              fabric, ledger, this, store, this, notes, () -> now, settings, origin);
      gate = coordinator.gate();
      calls = (Stubs.NotedHold) ledger.hold();
    }

    @Override
    public PendingImage capture(long epoch, long safePoint) {
      whileCapturing.run();
      images.add(new Image());
      return images.get(images.size() - 1);
    }

    @Override
    public void committed(EpochReport report) {
      told.add(report);
    }

    @Override
    public void abandoned(EpochReport report) {
      told.add(report);
    }

    /** Passes a safe point; false if it is held there, then {@link #goOn} follows. */
    boolean safePoint() {
      return gate.pass() || gate.tryAttend();
    }

    boolean goOn() {
      return gate.tryAttend();
    }

    EpochReport settled() {
      return notes.settled.stream().reduce((a, b) -> b).orElseThrow();
    }
  }

  private final List<Rank> ranks = new ArrayList<>();

  private void world(int size, EpochSettings settings, Origin origin) {
    Stubs.LocalWorld world = new Stubs.LocalWorld(size);
    for (int i = 0; i < size; i++) {
      ranks.add(new Rank(world.fabric(i), settings, origin));
    }
  }

  private void world(int size) {
    world(size, SETTINGS, Origin.fresh(1));
  }

  private void tick() {
    now += TICK;
    for (Rank r : ranks) {
      if (r.advances && !r.ended) {
        r.ended = r.coordinator.advance() == EpochCoordinator.CLOSED;
      }
    }
  }

  private void ticks(int n) {
    for (int i = 0; i < n; i++) {
      tick();
    }
  }

  private void until(String what, BooleanSupplier condition) {
    for (int i = 0; !condition.getAsBoolean(); i++) {
      assertTrue(i < 100_000, () -> "waited in vain for: " + what);
      tick();
    }
  }

  private boolean settledBy(int epochs) {
    return ranks.stream().allMatch(r -> r.notes.settled.size() >= epochs);
  }

  /** All ranks pass one safe point, held or not. */
  private void step() {
    List<Rank> waiting = new ArrayList<>();
    for (Rank r : ranks) {
      if (!r.safePoint()) {
        waiting.add(r);
      }
    }
    until("the vote", () -> waiting.stream().allMatch(Rank::goOn));
  }

  /** Steps on until all ranks have cut. */
  private void cutAll() {
    int cuts = ranks.get(0).cuts.size();
    for (int i = 0; ranks.get(0).cuts.size() == cuts; i++) {
      assertTrue(i < 1000, "no rank was cut");
      ticks(100);
      step();
    }
  }

  private EpochReport settle(int epochs) {
    until("the epoch's end", () -> settledBy(epochs));
    EpochReport first = ranks.get(0).settled();
    for (Rank r : ranks) {
      assertEquals(first.committed(), r.settled().committed());
      assertEquals(first.reason(), r.settled().reason());
      assertEquals(first.epoch(), r.settled().epoch());
    }
    return first;
  }

  private void assertAbandoned(String reason) {
    EpochReport report = settle(1);
    assertFalse(report.committed());
    assertEquals(reason, report.reason());
    assertGoesOn();
  }

  /** An abandoned epoch is followed by a good one. */
  private void assertGoesOn() {
    for (Rank r : ranks) {
      r.holdFrames = false;
      r.holdPulses = false;
      r.missing = 0;
      r.ledgerFault = null;
      r.refusal = null;
      r.collectiveTerm = 0;
      r.channelTerm = 0;
      r.image = Capture.Progress.DONE;
      r.record = Capture.Progress.DONE;
      r.told.clear();
    }
    while (ranks.stream().mapToLong(r -> r.gate.index()).distinct().count() > 1) {
      long most = ranks.stream().mapToLong(r -> r.gate.index()).max().orElseThrow();
      ranks.stream().filter(r -> r.gate.index() < most).forEach(Rank::safePoint);
    }
    int settled = ranks.get(0).notes.settled.size();
    ranks.get(0).gate.requestCheckpoint();
    cutAll();
    EpochReport report = settle(settled + 1);
    assertTrue(report.committed(), report::reason);
    assertEquals(report.epoch(), ranks.get(0).coordinator.base());
  }

  private void request() {
    ranks.get(0).gate.requestCheckpoint();
  }

  // ---- limits, and what is said

  @Test
  void shouldNameTheRankThatDoesNotReachTheSafePoint() {
    world(3);
    request();
    ticks(100);
    ranks.get(0).safePoint();
    ranks.get(2).safePoint();
    long begin = now;
    assertAbandoned(
        "rank 1 did not get past safe point 1 within 0.1 s, it is at 0 (1 ranks were awaited)");
    assertTrue(now - begin >= 80 * MILLI);
  }

  @Test
  void shouldSayThatMarkersAreLost() {
    world(2);
    ranks.get(0).peers = List.of(1);
    ranks.get(1).holdFrames = true;
    request();
    cutAll();
    assertAbandoned("1 markers did not arrive within 0.1 s");
  }

  @Test
  void shouldNameTheRankWhoseLateMessagesDoNotCome() {
    world(3);
    ranks.get(1).missing = 3;
    request();
    cutAll();
    long begin = now;
    EpochReport report = settle(1);
    assertEquals(
        "rank 1 has not received 3 late messages after 0.3 s, and they can't be taken off the"
            + " network (synchronous sends?)",
        report.reason());
    assertTrue(ranks.get(1).drainedAt - begin >= 40 * MILLI, "drained before the delay was over");
    assertTrue(ranks.get(1).drains > 10, "not drained again and again");
    assertEquals(0, ranks.get(0).drains);
    assertGoesOn();
  }

  @Test
  void shouldNameTheRankWhoseImageFails() {
    world(3);
    ranks.get(2).image = Capture.Progress.FAILED;
    request();
    cutAll();
    assertAbandoned(
        "rank 2 could not write its image of epoch 1: java.io.IOException: No space left on device");
    assertTrue(ranks.get(0).images.get(0).discarded, "an abandoned image was not deleted");
  }

  @Test
  void shouldNameTheRankWhoseImageTakesTooLong() {
    world(2);
    ranks.get(1).image = Capture.Progress.RUNNING;
    request();
    cutAll();
    assertAbandoned("rank 1 did not get its image of epoch 1 synced within 0.4 s");
  }

  @Test
  void shouldNameTheRankWhoseRecordFails() {
    world(2);
    ranks.get(1).record = Capture.Progress.FAILED;
    request();
    cutAll();
    assertAbandoned(
        "rank 1 could not write the record of epoch 1: java.io.IOException: Input/output error");
  }

  @Test
  void shouldNameTheRankWhoseRecordTakesTooLong() {
    world(2);
    ranks.get(0).record = Capture.Progress.RUNNING;
    request();
    cutAll();
    assertAbandoned("rank 0 did not get the record of epoch 1 synced within 0.4 s");
  }

  @Test
  void shouldProposeANearerSafePointWhenTheProgramSlowsDown() {
    world(
        2,
        SETTINGS.withTimeouts(
            Duration.ofMinutes(10),
            Duration.ofSeconds(1),
            Duration.ofSeconds(1),
            Duration.ofSeconds(1),
            Duration.ofSeconds(1)),
        Origin.fresh(1));
    for (int pulse = 0; pulse < 20; pulse++) { // 100,000 safe points a pulse ...
      for (int i = 0; i < 100_000; i++) {
        ranks.forEach(Rank::safePoint);
      }
      ticks(60);
    }
    request();
    until("an agreement", () -> ranks.stream().allMatch(r -> r.gate.view() != null));
    long begin = now;
    while (ranks.get(0).notes.settled.size() < 2) { // ... and from here on one in ten milliseconds
      assertTrue(now - begin < 10_000 * MILLI, "no epoch in sight at a slow pace");
      ticks(100);
      step();
    }
    EpochReport given = ranks.get(0).notes.settled.peek();
    assertFalse(given.committed());
    assertTrue(given.reason().contains("passed safe points faster"), given.reason());
    EpochReport second = settle(2);
    assertTrue(second.committed(), "the request stands: " + second.reason());
    assertTrue(second.safePoint() < given.safePoint(), "a nearer safe point");
  }

  @Test
  void shouldNotHoldARankForEver() {
    world(2);
    Rank first = ranks.get(0);
    request();
    until("a proposal", () -> first.gate.view() != null);
    first.holdPulses = true;
    assertFalse(first.safePoint());
    ticks(100);
    assertFalse(first.goOn());
    now += 200 * MILLI;
    assertTrue(first.goOn(), "held for ever");
    first.holdPulses = false;
    EpochReport report = settle(1);
    assertTrue(
        report
            .reason()
            .matches(
                "rank 0 was held at safe point 1 for 0\\.21 s without hearing the ranks' vote, and"
                    + " went on; do the agents get no processor time\\?"),
        report::reason);
    assertGoesOn();
  }

  @Test
  void shouldTakeTheCapturesRefusalAsTheReason() {
    world(2);
    ranks.get(1).refusal = "MPI_Iallreduce is pending";
    request();
    cutAll();
    assertAbandoned("rank 1 can't be captured at safe point 1: MPI_Iallreduce is pending");
  }

  @Test
  void shouldPreferACauseToATimeout() {
    world(3);
    request();
    ticks(100);
    ranks.get(2).safePoint();
    ticks(10);
    // In the same pulse, ranks 0 and 1 have waited long enough.
    now += 150 * MILLI;
    ranks.get(2).ledgerFault = "early message: ...";
    assertAbandoned("early message: ...");
  }

  @Test
  void shouldNeverCommitWhenTheFingerprintsDisagree() {
    world(2);
    ranks.get(0).channelTerm = 0xabc;
    request();
    cutAll();
    assertAbandoned(
        "the counts of sent and received messages do not match at safe point 1 (fingerprint abc);"
            + " please report this");
  }

  // ---- straddling collectives

  private static Ledger.CollectiveCount count(long calls, String last) {
    return new Ledger.CollectiveCount(7, "MPI_COMM_WORLD", 0, 3, calls, last);
  }

  private void straddle() {
    world(3);
    for (Rank r : ranks) {
      r.collectiveTerm = r.number == 1 ? 5 : 1;
      r.counts = List.of(count(r.number == 1 ? 5 : 4, r.number == 1 ? "MPI_Bcast" : "MPI_Reduce"));
    }
    request();
  }

  @Test
  void shouldNameAStraddlingCollective() {
    straddle();
    cutAll();
    assertAbandoned(
        "a collective on MPI_COMM_WORLD straddles safe point 1: since the last committed epoch most"
            + " ranks made 4 calls (the last is MPI_Reduce), rank 1 made 5 calls (the last is"
            + " MPI_Bcast)");
  }

  @Test
  void shouldSayThatCollectivesStraddleEvenIfNobodyIsFound() {
    world(2);
    ranks.get(0).collectiveTerm = 5;
    request();
    cutAll();
    assertAbandoned(
        "a collective straddles safe point 1, but no communicator's members disagree; please report"
            + " this");
  }

  @Test
  void shouldNotWaitForEverForTheCounts() {
    straddle();
    ranks.get(0).holdFrames = true;
    cutAll();
    assertAbandoned(
        "a collective straddles safe point 1; the ranks' counts did not arrive within 0.5 s");
  }

  // ---- the vote

  @Test
  void shouldTryAgainFurtherOnAfterAVeto() {
    world(2);
    Rank fast = ranks.get(1);
    request();
    // Passes three safe points between any two pulses.
    int attempts = 0;
    while (fast.cuts.isEmpty() && fast.safePoint()) {
      if (attempts++ % 3 == 2) {
        tick();
      }
      assertTrue(attempts < 3000, "never agreed");
    }
    until("the vote", () -> !fast.cuts.isEmpty() || fast.goOn());
    while (ranks.get(0).gate.index() < fast.gate.index()) {
      if (!ranks.get(0).safePoint()) {
        until("the vote", ranks.get(0)::goOn);
      }
    }
    EpochReport report = settle(1);
    assertTrue(report.committed(), report::reason);
    assertEquals(1, report.epoch(), "a vetoed proposal uses up no number");
    assertEquals(ranks.get(0).cuts, fast.cuts);
  }

  @Test
  void shouldProposeFurtherAheadThanTheRanksRunBetweenPulses() {
    world(1);
    Rank r = ranks.get(0);
    for (int i = 0; i < 20; i++) {
      ticks(60);
      for (int n = 0; n < 100; n++) {
        r.safePoint();
      }
    }
    request();
    ticks(60);
    assertTrue(r.gate.view() != null, "nothing is proposed");
    long begin = r.gate.index();
    while (r.cuts.isEmpty()) {
      assertTrue(r.safePoint());
    }
    assertTrue(r.cuts.get(0) - begin >= 100, "only " + (r.cuts.get(0) - begin) + " ahead");
  }

  @Test
  void shouldOvertakeARankThatGetsFasterAndFaster() {
    world(1);
    Rank r = ranks.get(0);
    request();
    long burst = 1;
    while (r.cuts.isEmpty()) {
      assertTrue(burst < 1_000_000, "never agreed: each proposal came too late");
      for (long n = 0; n < burst && r.cuts.isEmpty(); n++) {
        if (!r.safePoint()) {
          until("the vote", r::goOn);
        }
      }
      tick();
      burst *= 3;
    }
    assertTrue(settle(1).committed());
  }

  // ---- wishes

  @Test
  void shouldCheckpointAtEachInterval() {
    world(2, SETTINGS.withInterval(Duration.ofMillis(50)), Origin.fresh(1));
    for (int i = 1; i <= 3; i++) {
      long begin = now;
      cutAll();
      assertTrue(now - begin >= 30 * MILLI, "after " + (now - begin) + " ns");
      assertTrue(settle(i).committed());
    }
  }

  @Test
  void shouldGoByTheIntervalThatRankZeroChooses() {
    world(3, SETTINGS.withInterval(Duration.ofMillis(1)), Origin.fresh(1));
    // By 3 ms of cost: sqrt(2 * 3 * 150) and some.
    long[] meanMillis = {150, 1, 2};
    AutomaticInterval.Bounds bounds = new AutomaticInterval.Bounds(80 * MILLI, 1, 1000 * MILLI);
    List<AutomaticInterval> chosen = new ArrayList<>();
    for (Rank r : ranks) {
      MeanTime mean = MeanTime.given(Duration.ofMillis(meanMillis[r.number]));
      AutomaticInterval interval = new AutomaticInterval(bounds, () -> mean, choice -> {});
      chosen.add(interval);
      r.coordinator.choose(interval);
      r.taken = r.number * MILLI;
      // Of the cost, the pause.
      r.whileCapturing = () -> now += (r.number == 1 ? MILLI : 0);
    }
    long begin = now;
    cutAll();
    assertTrue(now - begin >= 80 * MILLI, "the first after " + (now - begin) + " ns");
    EpochReport report = settle(1);
    for (Rank r : ranks) {
      assertEquals(3 * MILLI, r.settled().costNanos(), "the longest pause, the most taken");
    }
    assertTrue(report.committed());
    assertEquals(31.1, (double) chosen.get(0).nanos() / MILLI, 0.1);
    assertTrue(chosen.get(1).nanos() < 10 * MILLI);
    for (int i = 2; i <= 4; i++) {
      begin = now;
      cutAll();
      assertTrue(now - begin >= 20 * MILLI, "after " + (now - begin) + " ns");
      assertTrue(now - begin <= 60 * MILLI, "after " + (now - begin) + " ns");
      assertTrue(settle(i).committed());
    }
  }

  @Test
  void shouldCheckpointEveryFewSafePoints() {
    world(2, SETTINGS.withEverySafePoints(5), new Origin(2, 8, 40));
    for (int i = 1; i <= 3; i++) {
      cutAll();
      EpochReport report = settle(i);
      assertTrue(report.committed());
      assertEquals(8 + i, report.epoch(), "numbers go on after a restore");
    }
    List<Long> cuts = ranks.get(0).cuts;
    assertEquals(cuts, ranks.get(1).cuts);
    assertTrue(cuts.get(0) >= 45, cuts::toString);
    assertTrue(cuts.get(1) - cuts.get(0) >= 5 && cuts.get(2) - cuts.get(1) >= 5, cuts::toString);
    assertTrue(cuts.get(2) <= 40 + 3 * 8, cuts::toString);
  }

  @Test
  void shouldCheckpointWhenTheOperatorAsks() {
    world(2);
    ranks.get(1).operatorRequest = true;
    ticks(3000);
    step();
    assertTrue(settle(1).committed());
    ticks(3000);
    step();
    ticks(100);
    assertEquals(1, ranks.get(0).notes.settled.size(), "one request, one epoch");
  }

  @Test
  void shouldTakeARequestDuringAnEpochAsTheNextOne() {
    world(2);
    request();
    request();
    ranks.get(1).image = Capture.Progress.RUNNING;
    cutAll();
    ticks(20);
    ranks.get(1).gate.requestCheckpoint();
    ranks.get(1).image = Capture.Progress.DONE;
    assertTrue(settle(1).committed());
    cutAll();
    assertEquals(2, settle(2).epoch());
    ticks(200);
    step();
    step();
    ticks(200);
    assertEquals(
        2, ranks.get(0).notes.settled.size(), "two requests before the vote are one epoch");
  }

  // ---- bare cuts

  private void bareWorld(int size) {
    world(size, SETTINGS.withChannelsBeforeBareCut(1000), Origin.fresh(1));
  }

  private List<BareCutReport> bareCuts(Rank r) {
    return List.copyOf(r.notes.bareCuts);
  }

  private BareCutReport bareCut(int count) {
    until("a bare cut", () -> ranks.stream().allMatch(r -> bareCuts(r).size() >= count));
    BareCutReport first = bareCuts(ranks.get(0)).get(count - 1);
    for (Rank r : ranks) {
      BareCutReport report = bareCuts(r).get(count - 1);
      assertEquals(count, report.number());
      assertEquals(first.committed(), report.committed());
    }
    return first;
  }

  /** Nobody passes a safe point, nobody is told, and no number of an epoch is used up. */
  @Test
  void shouldMoveTheBaseWhenARankRemembersTooManyChannels() {
    bareWorld(3);
    ranks.get(0).peers = List.of(1, 2);
    ranks.get(2).peers = List.of(0, 2);
    ranks.get(1).channels = 1000;
    ticks(500);
    assertEquals(List.of(), bareCuts(ranks.get(0)), "not above the limit");
    ranks.get(1).channels = 1001;
    ranks.get(1).channelsLeft = 7;
    assertTrue(bareCut(1).committed());
    ticks(1000);
    assertEquals(1, bareCuts(ranks.get(0)).size(), "the wish has gone");
    assertEquals(List.of("2 bare"), ranks.get(0).accepted);
    assertEquals(List.of("0 bare"), ranks.get(1).accepted);
    BareCutReport report = bareCuts(ranks.get(1)).get(0);
    assertEquals(1001, report.channelsBefore());
    assertEquals(7, report.channelsAfter());
    for (Rank r : ranks) {
      assertEquals(1, r.moved);
      assertEquals(0, r.unmoved);
      assertEquals(List.of(), r.cuts);
      assertEquals(List.of(), r.images);
      assertEquals(0, r.gate.index());
      assertTrue(r.notes.settled.isEmpty() && r.told.isEmpty() && r.notes.warnings.isEmpty());
    }
    ranks.get(0).accepted.clear();
    request();
    cutAll();
    assertEquals(1, settle(1).epoch());
    assertEquals(List.of("2 in 1"), ranks.get(0).accepted);
  }

  @Test
  void shouldMoveTheBaseOnlyWhenAllMarkersAreIn() {
    bareWorld(3);
    ranks.get(0).peers = List.of(2);
    ranks.get(2).holdFrames = true;
    ranks.get(0).channels = 1001;
    ticks(200);
    ranks.get(1).gate.requestCheckpoint();
    ticks(200);
    for (Rank r : ranks) {
      assertEquals(0, r.moved);
      assertEquals(null, r.gate.view(), "an epoch was begun in a bare cut");
    }
    ranks.get(2).holdFrames = false;
    assertTrue(bareCut(1).committed());
    cutAll();
    assertTrue(settle(1).committed());
  }

  @Test
  void shouldNotMoveTheBaseWhenTheEndsOfTheChannelsDiffer() {
    bareWorld(2);
    ranks.get(1).channelTerm = 12;
    ranks.get(1).channels = 1001;
    BareCutReport report = bareCut(1);
    assertFalse(report.committed());
    assertTrue(report.reason().contains("fingerprint c"), report::reason);
    for (Rank r : ranks) {
      assertEquals(0, r.moved);
      assertEquals(1, r.unmoved);
      assertTrue(r.notes.settled.isEmpty() && r.told.isEmpty());
    }
    assertEquals(1, ranks.get(0).notes.warnings.size(), "a bug must be told");
    assertTrue(ranks.get(1).notes.warnings.isEmpty());
    assertGoesOn();
  }

  /** Each try costs the application a little: they become rare. */
  @Test
  void shouldTryAgainLaterAndLaterAfterAnAbandonedBareCut() {
    bareWorld(2);
    ranks.get(1).ledgerFault = "a marker from rank 0 is malformed: 3 bytes";
    ranks.get(0).channels = 1001;
    List<Long> ends = new ArrayList<>();
    for (int count = 1; count <= 5; count++) {
      assertFalse(bareCut(count).committed());
      ends.add(now);
    }
    for (int i = 0; i < 4; i++) {
      long between = ends.get(i + 1) - ends.get(i);
      assertTrue(between >= (100 << i) * MILLI && between < ((100 << i) + 20) * MILLI, "" + ends);
    }
    assertEquals("another rank could not go on", bareCuts(ranks.get(0)).get(4).reason());
    assertEquals(ranks.get(1).ledgerFault, bareCuts(ranks.get(1)).get(4).reason());
    assertTrue(ranks.stream().allMatch(r -> r.notes.warnings.isEmpty()));
    ranks.get(1).ledgerFault = null;
    assertTrue(bareCut(6).committed());
    assertGoesOn();
  }

  @Test
  void shouldGiveABareCutUpWhoseMarkersAreLost() {
    bareWorld(2);
    ranks.get(0).peers = List.of(1);
    ranks.get(1).holdFrames = true;
    ranks.get(0).channels = 1001;
    BareCutReport report = bareCut(1);
    assertFalse(report.committed());
    assertTrue(
        report.reason().contains("saw no end of it within 0.1 s (1 markers"), report::reason);
    ranks.get(0).channels = 0;
    ranks.get(1).holdFrames = false;
    ticks(100);
    assertEquals(List.of(), ranks.get(1).accepted, "a stray marker was taken");
    assertGoesOn();
  }

  /** Where many messages are always on their way, another bare cut would gain nothing. */
  @Test
  void shouldNotWishForABareCutAgainBeforeThereIsAsMuchToForget() {
    bareWorld(2);
    ranks.get(0).channels = 5000;
    ranks.get(0).channelsLeft = 3000;
    bareCut(1);
    long moved = now;
    ranks.get(0).channels = 6000;
    while (now < moved + 900 * MILLI) {
      tick();
    }
    assertEquals(1, bareCuts(ranks.get(0)).size());
    ranks.get(0).channels = 6001;
    ranks.get(0).channelsLeft = 0;
    bareCut(2);
    ranks.get(0).channels = 1001;
    bareCut(3);
  }

  /** What was on its way then may have been received since. */
  @Test
  void shouldWishForABareCutAgainAfterASecondWithTooManyChannels() {
    bareWorld(2);
    ranks.get(0).channels = 5000;
    ranks.get(0).channelsLeft = 3000;
    bareCut(1);
    long moved = now;
    ranks.get(0).channels = 1000;
    while (now < moved + 2000 * MILLI) {
      tick();
    }
    assertEquals(1, bareCuts(ranks.get(0)).size(), "a bare cut without need");
    ranks.get(0).channels = 1001;
    bareCut(2);
  }

  @Test
  void shouldPreferAnEpochToABareCut() {
    bareWorld(2);
    ranks.get(0).channels = 1001;
    ranks.get(0).channelsLeft = 3;
    ranks.get(1).gate.requestCheckpoint();
    cutAll();
    assertTrue(settle(1).committed());
    ticks(500);
    assertEquals(List.of(), bareCuts(ranks.get(0)), "the epoch has moved the base");
  }

  /** The last rank may have much to do yet. */
  @Test
  void shouldMoveTheBaseWhileSomeRanksAreClosing() {
    bareWorld(3);
    request();
    ranks.get(1).gate.beginClose();
    ranks.get(2).gate.beginClose();
    ticks(100);
    ranks.get(0).channels = 1001;
    assertTrue(bareCut(1).committed());
    assertEquals(0, ranks.get(0).notes.settled.size());
    ranks.get(0).channels = 1001;
    closeAll();
    assertTrue(ranks.stream().allMatch(r -> r.moved == r.notes.bareCuts.size()));
  }

  /** As with an epoch of free-running ranks: its pulse may still be under way elsewhere. */
  @Test
  void shouldKeepTheMarkerOfABareCutThatThisRankHasNotHeardOf() {
    bareWorld(2);
    ranks.get(0).peers = List.of(1);
    ticks(10);
    ranks.get(0).channels = 1001;
    ranks.get(1).holdPulses = true;
    until("the marker", () -> ranks.get(1).frames == 1);
    ticks(50);
    assertEquals(List.of(), ranks.get(1).accepted);
    ranks.get(1).holdPulses = false;
    assertTrue(bareCut(1).committed());
    assertEquals(List.of("0 bare"), ranks.get(1).accepted);
  }

  // ---- what is left of an abandoned epoch

  @Test
  void shouldCountTheMarkersOfAnAbandonedEpochAndDropThem() {
    world(3);
    ranks.get(0).peers = List.of(2);
    ranks.get(2).holdFrames = true;
    ranks.get(1).image = Capture.Progress.FAILED;
    request();
    cutAll();
    settle(1);
    ranks.get(1).image = Capture.Progress.DONE;
    request();
    cutAll();
    ticks(50);
    assertEquals(1, ranks.get(0).notes.settled.size(), "a marker was overlooked");
    ranks.get(2).holdFrames = false;
    EpochReport report = settle(2);
    assertTrue(report.committed(), report::reason);
    assertEquals(List.of("0 in 2"), ranks.get(2).accepted);
  }

  @Test
  void shouldNotCloseBeforeAllMarkersHaveArrived() {
    world(3);
    ranks.get(0).peers = List.of(2);
    ranks.get(2).holdFrames = true;
    ranks.get(1).image = Capture.Progress.FAILED;
    request();
    cutAll();
    settle(1);
    ranks.forEach(r -> r.gate.beginClose());
    ticks(500);
    assertTrue(ranks.stream().noneMatch(r -> r.ended), "a marker was left on the network");
    ranks.get(2).holdFrames = false;
    until("the end", () -> ranks.stream().allMatch(r -> r.ended));
  }

  // ---- the reason's way to the other ranks

  @Test
  void shouldCutOffALongReasonBetweenCharacters() {
    world(3);
    ranks.get(2).ledgerFault = "x" + "ü→".repeat(1000);
    request();
    String reason = settle(1).reason();
    assertTrue(ranks.get(2).ledgerFault.startsWith(reason), reason);
    int bytes = reason.getBytes(StandardCharsets.UTF_8).length;
    assertTrue(bytes <= 768 && bytes > 764, bytes + " bytes");
    assertGoesOn();
  }

  // ---- closing

  private void closeAll() {
    for (Rank r : ranks) {
      if (!r.gate.closing()) {
        r.gate.beginClose();
      }
    }
    until("the end", () -> ranks.stream().allMatch(r -> r.ended && r.gate.tryClose()));
    ranks.forEach(r -> assertEquals(-1, r.coordinator.advance()));
  }

  @Test
  void shouldEndTogetherWhenNothingIsPending() {
    world(3);
    ticks(100);
    ranks.get(1).gate.beginClose();
    ticks(1000);
    assertFalse(ranks.get(1).ended, "ended alone");
    request(); // Nobody will grant it.
    ticks(1000);
    closeAll();
    assertEquals(0, ranks.get(0).notes.settled.size());
  }

  @Test
  void shouldVetoASafePointThatItWillNotReach() {
    world(2);
    request();
    until("a proposal", () -> ranks.get(0).gate.view() != null || ranks.get(1).gate.view() != null);
    closeAll();
    assertTrue(ranks.stream().allMatch(r -> r.cuts.isEmpty()));
    assertNotEquals(1, ranks.get(0).coordinator.base());
  }

  @Test
  void shouldSayThatTheProgramEndedBeforeTheSafePoint() {
    world(2);
    request();
    ticks(100);
    closeAll();
    assertEquals(
        "the program ended after safe point 0, before safe point 1",
        ranks.get(1).settled().reason());
  }

  @Test
  void shouldNameTheRankThatFinishedEarly() {
    world(3);
    request();
    ticks(100);
    ranks.get(1).gate.beginClose();
    ticks(100);
    assertEquals(0, ranks.get(0).notes.settled.size(), "the others may still close too");
    ranks.get(0).safePoint();
    EpochReport report = settle(1);
    assertEquals(
        "rank 1 finished before safe point 1, after 0; all ranks must pass the same number of safe"
            + " points",
        report.reason());
    ranks.get(2).safePoint();
    closeAll();
    assertEquals(1, ranks.get(0).notes.warnings.size(), "misaligned ranks weren't reported");
  }

  @Test
  void shouldDrainAtOnceWhenTheApplicationIsDone() {
    world(2);
    ranks.get(1).missing = 1;
    request();
    cutAll();
    long begin = now;
    ranks.get(1).gate.beginClose();
    until("a drain", () -> ranks.get(1).drains > 0);
    assertTrue(now - begin < 20 * MILLI, "waited " + (now - begin) + " ns");
    ranks.get(1).missing = 0;
    ranks.get(0).gate.beginClose();
    closeAll();
    assertTrue(ranks.get(0).settled().committed());
    assertEquals(1, ranks.get(1).told.size(), "the listener wasn't told");
  }

  @Test
  void shouldSettleTheEpochBeforeItEnds() {
    world(2);
    ranks.get(1).record = Capture.Progress.RUNNING;
    request();
    cutAll();
    ranks.forEach(r -> r.gate.beginClose());
    ticks(500);
    assertTrue(ranks.stream().noneMatch(r -> r.ended), "ended over a pending record");
    ranks.get(1).record = Capture.Progress.DONE;
    closeAll();
    assertTrue(ranks.get(0).settled().committed());
  }

  // ---- ranks that run free

  private static final Duration HOLD_LIMIT = Duration.ofMillis(20);

  private void freeWorld(int size) {
    world(size, SETTINGS.withFreeRanks(HOLD_LIMIT), Origin.fresh(1));
  }

  /** Asks for an epoch and waits until the ranks are to be cut at their next safe points. */
  private void beginFree() {
    request();
    until("the epoch", () -> ranks.stream().allMatch(r -> r.gate.view() != null));
  }

  @Test
  void shouldCutFreeRanksEachAtItsNextSafePoint() {
    freeWorld(3);
    int[] passed = {2, 0, 7};
    for (Rank r : ranks) {
      for (int i = 0; i < passed[r.number]; i++) {
        assertTrue(r.safePoint());
      }
    }
    ticks(10);
    beginFree();
    for (Rank r : ranks) {
      assertTrue(r.safePoint(), "held at a safe point");
      assertTrue(r.safePoint(), "cut twice");
      ticks(5);
    }
    EpochReport report = settle(1);
    assertTrue(report.committed(), report::reason);
    for (Rank r : ranks) {
      assertEquals(List.of(passed[r.number] + 1L), r.cuts);
      assertEquals(passed[r.number] + 1L, r.settled().safePoint());
    }
    assertEquals(0, ranks.get(0).notes.warnings.size());
  }

  @Test
  void shouldCutAFreeRankThatStaysWhereItIs() {
    freeWorld(2);
    ranks.get(0).safePoint();
    ranks.get(1).safePoint();
    beginFree();
    ranks.forEach(r -> r.gate.stay());
    assertTrue(settle(1).committed());
    assertEquals(List.of(1L), ranks.get(0).cuts);
    assertEquals(1, ranks.get(0).gate.index());
  }

  @Test
  void shouldHoldTheCallsOfAFreeRankUntilAllAreCut() {
    freeWorld(3);
    beginFree();
    assertFalse(ranks.get(0).calls.held, "held before its cut");
    ranks.get(0).safePoint();
    ranks.get(2).safePoint();
    ticks(100);
    assertTrue(ranks.get(0).calls.held && ranks.get(2).calls.held);
    assertFalse(ranks.get(1).calls.held);
    ranks.get(1).image = Capture.Progress.RUNNING;
    ranks.get(1).safePoint();
    until("the end of the hold", () -> ranks.stream().noneMatch(r -> r.calls.held));
    assertEquals(0, ranks.get(0).notes.settled.size(), "held until the end of the epoch");
    ranks.get(1).image = Capture.Progress.DONE;
    assertTrue(settle(1).committed());
  }

  @Test
  void shouldNameTheCallThatWasHeldTooLongAndTryAgainLaterAndLater() {
    freeWorld(2);
    long[] pauses = new long[4];
    long ended = now;
    for (int i = 0; i < pauses.length; i++) {
      if (i == 0) {
        request(); // stands until an epoch is committed
      }
      until("the epoch", () -> ranks.stream().allMatch(r -> r.gate.view() != null));
      pauses[i] = now - ended;
      ranks.get(0).safePoint();
      ticks(20);
      ranks.get(0).calls.overdue = "a send to rank 1 (MPI_COMM_WORLD, tag 7)";
      assertFalse(settle(i + 1).committed());
      ended = now;
      assertFalse(ranks.get(0).calls.held);
      assertEquals(
          "rank 0 was held in a send to rank 1 (MPI_COMM_WORLD, tag 7) for 0.02 s"
              + " (cairn.hold.limit), because rank 1 came to no safe point meanwhile",
          ranks.get(0).settled().reason());
      assertEquals(i < 2 ? 0 : 1, ranks.get(0).notes.warnings.size());
    }
    for (int i = 1; i < pauses.length; i++) {
      long least = (HOLD_LIMIT.toNanos() * 4) << (i - 1);
      assertTrue(
          pauses[i] >= least && pauses[i] < least + 10 * MILLI,
          "pause %d was %d ns, expected %d".formatted(i, pauses[i], least));
    }
    String warning = ranks.get(0).notes.warnings.peek();
    assertTrue(
        warning.startsWith("3 epochs in a row")
            && warning.contains("a send to rank 1 (MPI_COMM_WORLD, tag 7)")
            && warning.contains("cairn.probe"),
        warning);
    assertEquals(0, ranks.get(1).notes.warnings.size());
    until("the next epoch", () -> ranks.stream().allMatch(r -> r.gate.view() != null));
    ranks.forEach(Rank::safePoint);
    assertTrue(settle(pauses.length + 1).committed());
  }

  @Test
  void shouldTellARankThatCopiesForLongFromOneThatCameToNoSafePoint() {
    freeWorld(2);
    beginFree();
    ranks.get(0).safePoint();
    ranks.get(1).whileCapturing =
        () -> {
          ticks(20);
          ranks.get(0).calls.overdue = "MPI_Barrier on MPI_COMM_WORLD";
          settle(1);
        };
    ranks.get(1).safePoint();
    assertEquals(
        "rank 0 was held in MPI_Barrier on MPI_COMM_WORLD for 0.02 s (cairn.hold.limit), because"
            + " another rank had not finished its cut; if copying its state takes that long, raise"
            + " the limit, or cairn.staging",
        ranks.get(0).settled().reason());
    assertFalse(ranks.get(1).calls.held, "held for an epoch that was given up");
  }

  @Test
  void shouldBlameTheCallThatWasHeldTooLongForAStraddlingCollective() {
    freeWorld(2);
    ranks.get(0).collectiveTerm = 5;
    ranks.get(0).counts = List.of(count(4, "MPI_Reduce"));
    ranks.get(1).counts = List.of(count(5, "MPI_Bcast"));
    beginFree();
    ranks.forEach(Rank::safePoint);
    until("the end of the hold", () -> ranks.stream().noneMatch(r -> r.calls.held));
    ranks.get(1).calls.overdue = "MPI_Bcast on MPI_COMM_WORLD";
    String reason = settle(1).reason();
    assertTrue(reason.startsWith("rank 1 was held in MPI_Bcast on MPI_COMM_WORLD"), reason);
  }

  @Test
  void shouldBlameTheCallThatWasHeldTooLongForAnEarlyMessage() {
    freeWorld(2);
    ranks.forEach(r -> r.missing = 1);
    beginFree();
    ranks.forEach(Rank::safePoint);
    until("the end of the hold", () -> ranks.stream().noneMatch(r -> r.calls.held));
    ranks.get(0).ledgerFault = "early message: rank 0 received";
    ranks.get(1).calls.overdue = "a send to rank 0 (MPI_COMM_WORLD, tag 7)";
    String reason = settle(1).reason();
    assertTrue(reason.startsWith("rank 1 was held in a send to rank 0"), reason);
  }

  @Test
  void shouldDrainForAFreeRankThatIsHeldUnlessSomebodySendsSynchronously() {
    freeWorld(2);
    beginFree();
    ranks.get(0).safePoint();
    ranks.get(0).calls.waiting = true;
    ranks.get(0).calls.waitedNanos = MILLI;
    ticks(20);
    assertEquals(0, ranks.get(0).calls.drained, "drained at once");
    ranks.get(0).calls.waitedNanos = 10 * MILLI;
    ticks(20);
    assertTrue(ranks.get(0).calls.drained > 0);
    ranks.get(1).calls.synchronous = true;
    until("the announcement", () -> ranks.get(1).calls.known);
    int drained = ranks.get(0).calls.drained;
    ticks(20);
    assertEquals(drained, ranks.get(0).calls.drained);
    ranks.get(1).safePoint();
    assertTrue(settle(1).committed());
    assertEquals(10 * MILLI, ranks.get(1).settled().heldNanos());
  }

  @Test
  void shouldTellASynchronousSenderOnlyWhenAllAgentsKnow() {
    freeWorld(2);
    ticks(10);
    ranks.get(0).holdPulses = true;
    ranks.get(1).calls.synchronous = true;
    ticks(500);
    assertFalse(ranks.get(1).calls.known, "rank 0 has not heard of it");
    ranks.get(0).holdPulses = false;
    until("the announcement", () -> ranks.get(1).calls.known);
  }

  @Test
  void shouldKeepTheMarkerOfAnEpochThatThisRankHasNotHeardOf() {
    freeWorld(2);
    ranks.get(0).peers = List.of(1);
    ticks(10);
    request();
    ranks.get(1).holdPulses = true;
    until("the epoch", () -> ranks.get(0).gate.view() != null);
    ranks.get(0).safePoint();
    ticks(50);
    assertEquals(List.of(), ranks.get(1).accepted);
    ranks.get(1).holdPulses = false;
    until("the epoch", () -> ranks.get(1).gate.view() != null);
    ranks.get(1).safePoint();
    assertTrue(settle(1).committed());
    assertEquals(List.of("0 in 1"), ranks.get(1).accepted);
  }

  @Test
  void shouldNameTheFreeRankThatFinishedBeforeItsCut() {
    freeWorld(3);
    beginFree();
    ranks.get(0).safePoint();
    ranks.get(1).gate.end();
    assertEquals(
        "rank 1 finished before it came to another safe point, after 0", settle(1).reason());
    assertFalse(ranks.get(0).calls.held);
    ranks.get(0).gate.end();
    ranks.get(2).gate.end();
    closeAll();
    assertEquals(0, ranks.get(0).notes.warnings.size(), "free ranks need not be aligned");
  }

  @Test
  void shouldNotHoldAfterARefusedCut() {
    freeWorld(2);
    ranks.get(1).refusal = "a window of MPI_Win_create is open";
    beginFree();
    ranks.forEach(Rank::safePoint);
    assertFalse(ranks.get(1).calls.held);
    assertFalse(settle(1).committed());
    assertFalse(ranks.get(0).calls.held);
    ranks.get(1).refusal = null;
    beginFree();
    ranks.forEach(Rank::safePoint);
    assertTrue(settle(2).committed());
  }

  @Test
  void shouldLetHeldCallsGoWhenTheAgentFails() {
    freeWorld(2);
    beginFree();
    ranks.get(0).safePoint();
    assertTrue(ranks.get(0).calls.held);
    ranks.get(0).gate.fail(new IllegalStateException("agent bug"));
    assertFalse(ranks.get(0).calls.held);
  }

  @Test
  void shouldCheckpointFreeRanksEveryFewSafePointsOfTheForemost() {
    world(2, SETTINGS.withFreeRanks(HOLD_LIMIT).withEverySafePoints(5), new Origin(2, 3, 100));
    ticks(200);
    for (int i = 0; i < 4; i++) {
      ranks.get(1).safePoint();
    }
    ticks(200);
    assertEquals(null, ranks.get(0).gate.view());
    ranks.get(1).safePoint();
    until("the epoch", () -> ranks.stream().allMatch(r -> r.gate.view() != null));
    ranks.forEach(Rank::safePoint);
    assertTrue(settle(1).committed());
    ticks(500);
    assertEquals(1, ranks.get(0).notes.settled.size(), "one more without a reason");
  }
}

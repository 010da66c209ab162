// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate.sim;

import io.cairn.coordinate.BareCutReport;
import io.cairn.coordinate.EpochReport;
import io.cairn.coordinate.EpochSettings;
import io.cairn.coordinate.MeanTime;
import io.cairn.coordinate.Origin;
import io.cairn.coordinate.SealedChannels;
import io.cairn.coordinate.sim.Program.Communicator;
import io.cairn.coordinate.sim.Program.Message;
import io.cairn.natives.NativePages;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.TreeMap;

/**
 * One launch of a program on a simulated machine: a virtual clock and a queue of events, on one
 * thread, so that a seed is a run.
 */
final class SimWorld implements AutoCloseable {

  private static final long HANG_NANOS = Duration.ofSeconds(4).toNanos();
  private static final Duration LIMIT = Duration.ofMillis(500);

  private record Event(long at, long number, Runnable action) implements Comparable<Event> {
    @Override
    public int compareTo(Event o) {
      return at != o.at ? Long.compare(at, o.at) : Long.compare(number, o.number);
    }
  }

  /** The machine is switched off. */
  private static final class Crash extends Error {
    private static final long serialVersionUID = 1L;

    Crash() {
      super("crash", null, false, false);
    }
  }

  /** What happened, over all worlds of a test. */
  static final class Counts {
    long worlds;
    long commits;
    long abandoned;
    long crashes;
    long restores;
    long late;
    long drained;
    long replayed;
    long peeked;
    long held;
    long early;
    long straddling;
    long finishedEarly;
    long misalignedWarnings;
    long heldCalls;
    long heldTooLong;
    long heldWarnings;
    long drainedWhileHeld;
    long injected;
    long bareCuts;
    long bareCutsWithLateMessages;
    long commitsAfterBareCuts;
    long restoresAfterBareCuts;
    long bareCutsWhileClosing;
    long automatic;
    long choices;
    long events;

    @Override
    public String toString() {
      return ("%d worlds, %d events, %d epochs committed, %d abandoned (%d by injected faults), %d"
              + " crashes, %d restores; messages: %d late, %d drained, %d peeked, %d replayed; held"
              + " %d times; detected: %d early, %d straddling, %d finished early; calls: %d held,"
              + " %d of them too long, %d messages drained meanwhile; %d bare cuts, %d of them over"
              + " messages on their way, %d while ranks were closing, %d epochs committed and %d"
              + " restored after some; %d worlds that choose their interval, %d choices")
          .formatted(
              worlds,
              events,
              commits,
              abandoned,
              injected,
              crashes,
              restores,
              late,
              drained,
              peeked,
              replayed,
              held,
              early,
              straddling,
              finishedEarly,
              heldCalls,
              heldTooLong,
              drainedWhileHeld,
              bareCuts,
              bareCutsWithLateMessages,
              bareCutsWhileClosing,
              commitsAfterBareCuts,
              restoresAfterBareCuts,
              automatic,
              choices);
    }
  }

  private static final NativePages PAGES = new NativePages();

  final String name;
  final Program program;
  final ProgramGenerator.Kind kind;
  final Dice dice;
  final SimFaults faults;
  final Counts counts;
  final SimNetwork network;
  final SimFabric fabric;
  final long shortCompute;
  final long longCompute;
  final long writeNanos;
  final double agentStalls;
  final double operatorRequests;
  final int ranksPerStore;

  /** Null where the interval is fixed. */
  final MeanTime meanTime;

  private final List<SimRank> ranks = new ArrayList<>();
  private final PriorityQueue<Event> events = new PriorityQueue<>();
  private final Map<Long, Truth> truths = new TreeMap<>();
  private final Map<Long, Map<Long, long[]>> collectives = new HashMap<>();
  private final Map<Long, EpochReport> reports = new HashMap<>();
  private final Map<Long, Long> chosen = new HashMap<>();
  private final long crashAfter;
  private Truth last;
  private long now;
  private long tick = 1;
  private long handled;
  private long bareCuts;

  /**
   * @param from the epoch to restore, or null
   * @param crashAfter how many events this launch lives
   */
  SimWorld(
      String name,
      Program program,
      ProgramGenerator.Kind kind,
      Dice dice,
      SimFaults faults,
      Counts counts,
      long generation,
      Truth from,
      long crashAfter) {
    this.name = name;
    this.program = program;
    this.kind = kind;
    this.dice = dice;
    this.faults = faults;
    this.counts = counts;
    this.crashAfter = crashAfter;
    last = from;
    long messageDelay = dice.chance(0.3) ? 3_000_000 : 60_000;
    network = new SimNetwork(this, program.size(), messageDelay);
    fabric = new SimFabric(this, program.size(), dice.chance(0.2) ? 500_000 : 30_000);
    shortCompute = dice.chance(0.5) ? 100_000 : 400_000;
    longCompute = dice.chance(0.5) ? 3_000_000 : 400_000;
    writeNanos = dice.chance(0.3) ? 5_000_000 : 300_000;
    agentStalls = dice.chance(0.3) ? 0.02 : 0;
    operatorRequests = dice.chance(0.2) ? 0.3 : 0;
    ranksPerStore = dice.between(1, 4);
    EpochSettings settings = settings();
    meanTime =
        dice.chance(0.3)
            ? MeanTime.given(Duration.ofNanos(dice.between(1, 50) * 1_000_000L))
            : null;
    counts.automatic += meanTime == null ? 0 : 1;
    if (from != null) {
      counts.restores++;
      counts.restoresAfterBareCuts += from.afterBareCuts ? 1 : 0;
      for (int rank = 0; rank < program.size(); rank++) {
        from.late(rank).forEach(network::remember);
      }
    }
    for (int rank = 0; rank < program.size(); rank++) {
      Origin origin =
          from == null
              ? Origin.fresh(generation)
              : new Origin(generation, from.epoch, from.safePoints[rank]);
      ranks.add(new SimRank(this, rank, origin, from, settings));
    }
    counts.worlds++;
  }

  private EpochSettings settings() {
    long[] drainDelays = {0, 100_000, 500_000, 20_000_000};
    long every = dice.chance(0.7) ? dice.between(1, 4) : 0;
    long interval = every == 0 || dice.chance(0.2) ? 500_000L * dice.between(1, 10) : 0;
    EpochSettings settings =
        EpochSettings.onRequest()
            .withInterval(Duration.ofNanos(interval))
            .withEverySafePoints(every)
            .withPaces(
                Duration.ofNanos(300_000),
                Duration.ofNanos(30_000),
                Duration.ofNanos(100_000),
                Duration.ofMillis(1))
            .withTimeouts(LIMIT, LIMIT, LIMIT, LIMIT, LIMIT)
            .withDrainDelay(Duration.ofNanos(drainDelays[dice.below(drainDelays.length)]));
    if (dice.chance(0.7)) {
      settings = settings.withChannelsBeforeBareCut(dice.below(8));
    }
    if (kind != ProgramGenerator.Kind.FREE) {
      return settings;
    }
    int[] holdMillis = {1, 8, 30};
    return settings.withFreeRanks(Duration.ofMillis(holdMillis[dice.below(holdMillis.length)]));
  }

  // ---- time

  long now() {
    return now;
  }

  /** A number that only grows: which of two things happened first. */
  long tick() {
    return ++tick;
  }

  void at(long time, Runnable action) {
    events.add(new Event(Math.max(time, now), tick(), action));
  }

  void after(long nanos, Runnable action) {
    at(now + nanos, action);
  }

  /** Runs to the end, or to the crash; returns the last committed epoch, null if none. */
  boolean run() {
    ranks.forEach(SimRank::start);
    try {
      while (!ended()) {
        next();
      }
    } catch (Crash e) {
      counts.crashes++;
      collectStatistics();
      return false;
    } catch (AssertionError e) {
      throw e.getMessage() != null && e.getMessage().startsWith(name) ? e : failure(e);
    } catch (RuntimeException e) {
      throw failure(e);
    }
    collectStatistics();
    assertEnd();
    return true;
  }

  private void collectStatistics() {
    counts.events += handled;
    for (SimRank r : ranks) {
      counts.late += r.ledger.statistics().late();
      counts.drained += r.ledger.statistics().drained();
      counts.replayed += r.ledger.statistics().replayed();
    }
  }

  private boolean ended() {
    for (SimRank r : ranks) {
      if (!r.ended()) {
        return false;
      }
    }
    return true;
  }

  private void next() {
    if (handled++ >= crashAfter) {
      throw new Crash();
    }
    Event event = events.poll();
    if (event == null) {
      throw failure("nothing happens any more: " + ranks);
    }
    now = event.at();
    if (now > HANG_NANOS) {
      throw failure("C8: a hang; epochs " + reports + "; " + ranks);
    }
    event.action().run();
  }

  /** Lets everybody else go on for a while. */
  void runFor(long nanos) {
    long until = now + nanos;
    while (!events.isEmpty() && events.peek().at() <= until) {
      next();
    }
    now = Math.max(now, until);
  }

  AssertionError failure(String text) {
    return new AssertionError(name + " at " + now + " ns: " + text);
  }

  private AssertionError failure(Throwable cause) {
    AssertionError error = failure(cause.toString());
    error.initCause(cause);
    return error;
  }

  // ---- the world

  SimRank rank(int rank) {
    return ranks.get(rank);
  }

  /** The last committed epoch; null if there is none. */
  Truth last() {
    return last;
  }

  Truth truth(long epoch) {
    return truths.computeIfAbsent(epoch, e -> new Truth(this, e, program.size()));
  }

  /** A rank enters its {@code count}-th collective on a communicator. */
  void enter(Communicator c, long count, long contribution) {
    long[] call =
        collectives
            .computeIfAbsent(c.id(), id -> new HashMap<>())
            .computeIfAbsent(count, n -> new long[2]);
    call[0] += contribution;
    if (++call[1] == c.members().length) {
      for (int member : c.members()) {
        after(dice.delay(50_000), rank(member)::wake);
      }
    }
  }

  /** Its result, null while somebody is missing. */
  Long result(Communicator c, long count) {
    long[] call = collectives.get(c.id()).get(count);
    return call[1] == c.members().length ? call[0] : null;
  }

  byte[] copyOf(SealedChannels channels) {
    byte[] bytes = new byte[(int) channels.stateBytes()];
    PAGES.view(channels.stateAddress(), bytes.length).get(bytes);
    return bytes;
  }

  void restore(SimLedger ledger, byte[] state) {
    long address = PAGES.allocate(state.length);
    PAGES.view(address, state.length).put(state);
    ledger.restore(address, state.length);
    PAGES.free(address, state.length);
  }

  // ---- epochs

  /** The first rank publishes it. */
  void committed(long epoch) {
    Truth truth = truth(epoch);
    if (truth.committed == null) {
      truth.committed = true;
      truth.assertConsistent();
      last = truth;
      counts.commits++;
      truth.afterBareCuts = bareCuts > 0;
      counts.commitsAfterBareCuts += bareCuts > 0 ? 1 : 0;
    } else if (!truth.committed) {
      throw failure("epoch " + epoch + " was abandoned and is committed");
    }
  }

  /** Whatever the program does, and whatever fails: nothing of that is needed for a bare cut. */
  void bareCut(BareCutReport report) {
    if (!report.committed()) {
      throw failure("bare cut " + report.number() + " was abandoned: " + report.reason());
    }
    if (report.number() > bareCuts) {
      bareCuts = report.number();
      counts.bareCuts++;
      counts.bareCutsWithLateMessages +=
          network.packets.values().stream().anyMatch(p -> p.receivedTick == Long.MAX_VALUE) ? 1 : 0;
      counts.bareCutsWhileClosing += ranks.stream().anyMatch(SimRank::closing) ? 1 : 0;
    }
  }

  /** What rank 0 chooses is what any rank would: it goes by what all know. */
  void chosen(int rank, long base, long nanos) {
    Long first = chosen.putIfAbsent(base, nanos);
    if (first == null) {
      counts.choices++;
    } else if (first != nanos) {
      throw failure(
          "after epoch %d rank %d chooses %d ns, another one chose %d ns"
              .formatted(base, rank, nanos, first));
    }
  }

  void settled(int rank, EpochReport report) {
    EpochReport first = reports.putIfAbsent(report.epoch(), report);
    Truth truth = truth(report.epoch());
    if (first != null) {
      if (first.committed() != report.committed()
          || !first.reason().equals(report.reason())
          || first.costNanos() != report.costNanos()
          || first.durableNanos() != report.durableNanos()) {
        throw failure("rank %d says %s, another one said %s".formatted(rank, report, first));
      }
    } else if (!report.committed()) {
      truth.committed = false;
      truth.reason = report.reason();
      counts.abandoned++;
      judge(truth);
    }
  }

  /** Whether an epoch was abandoned for a good reason, and the right one is named. */
  private void judge(Truth truth) {
    String reason = truth.reason;
    if (reason.startsWith("the program ended after safe point")) {
      return;
    }
    if (faults.explain(reason)) {
      counts.injected++;
      return;
    }
    boolean byName = false;
    if (kind == ProgramGenerator.Kind.FREE) {
      // Nothing can be early or straddle: what is sent after a cut waits for the others'.
      if (reason.contains(" was held in ")) {
        counts.heldTooLong++;
        byName = reason.contains("a send to rank ") || reason.contains("MPI_Allreduce on ");
      } else if (reason.contains("finished before it came to another safe point")) {
        counts.finishedEarly++;
        byName = true;
      }
    } else if (reason.contains("early message")) {
      counts.early++;
      byName =
          truth.early().stream()
              .anyMatch(
                  m ->
                      reason.contains("rank " + m.destination() + " received")
                          && reason.contains("rank " + m.source() + " sent")
                          && reason.contains(m.communicator().name()));
    } else if (reason.contains("straddles safe point")) {
      counts.straddling++;
      byName = truth.straddled() != null && reason.contains("MPI_Allreduce");
    } else if (reason.contains("finished before safe point")) {
      counts.finishedEarly++;
      byName = kind == ProgramGenerator.Kind.MISALIGNED;
    }
    if (!byName) {
      throw failure("epoch " + truth.epoch + " was abandoned without cause: " + reason);
    }
  }

  // ---- the end

  private void assertEnd() {
    if (fabric.inFlight() != 0) {
      throw failure("the agents ended with " + fabric.inFlight() + " frames under way");
    }
    for (SimNetwork.Packet p : network.packets.values()) {
      if (p.receivedTick == Long.MAX_VALUE) {
        throw failure("C7: " + p.message + " was lost");
      }
    }
    Map<Integer, Integer> got = new HashMap<>();
    for (SimRank r : ranks) {
      got.putAll(r.got());
      if (r.ledger.statistics().queued() != 0) {
        throw failure("messages are left in the queue of rank " + r.rank);
      }
    }
    for (Message m : program.messages()) {
      if (!got.containsValue(m.id())) {
        throw failure("C7: " + m + " never arrived");
      }
    }
    if (got.size() != program.messages().size()) {
      throw failure("%d receives for %d messages".formatted(got.size(), program.messages().size()));
    }
    for (Program.Group group : program.groups()) {
      Map<Integer, Integer> lastOfSource = new HashMap<>();
      for (int receive : group.receives()) {
        Message m = program.messages().get(got.get(receive));
        if (!group.messages().contains(m.id())) {
          throw failure(m + " went to another group's " + program.receives().get(receive));
        }
        Integer before = lastOfSource.put(m.source(), m.id());
        if (before != null && before > m.id()) {
          throw failure("C7: %s was overtaken by %s".formatted(m, program.messages().get(before)));
        }
      }
    }
  }

  /** Gives the ledgers back. */
  @Override
  public void close() {
    ranks.forEach(r -> r.ledger.close());
  }
}

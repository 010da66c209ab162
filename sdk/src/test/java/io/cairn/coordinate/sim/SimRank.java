// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate.sim;

import io.cairn.coordinate.AutomaticInterval;
import io.cairn.coordinate.BareCutReport;
import io.cairn.coordinate.Capture;
import io.cairn.coordinate.Clock;
import io.cairn.coordinate.EpochCoordinator;
import io.cairn.coordinate.EpochEvents;
import io.cairn.coordinate.EpochLog;
import io.cairn.coordinate.EpochReport;
import io.cairn.coordinate.EpochSettings;
import io.cairn.coordinate.GateSteps;
import io.cairn.coordinate.MeanTime;
import io.cairn.coordinate.Origin;
import io.cairn.coordinate.SafePointGate;
import io.cairn.coordinate.SealedChannels;
import io.cairn.coordinate.Store;
import io.cairn.coordinate.sim.Program.Communicator;
import io.cairn.coordinate.sim.Program.Message;
import io.cairn.coordinate.sim.Program.Op;
import io.cairn.coordinate.sim.SimNetwork.Packet;
import io.cairn.coordinate.sim.SimNetwork.Posted;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** One rank: its application as a machine that takes one step at a time, and its agent. */
final class SimRank implements Capture, EpochEvents, EpochLog, Store {

  /** The application's state as an image keeps it. */
  record Saved(
      int next,
      Map<Integer, Integer> got,
      List<Integer> pending,
      Set<Integer> openSends,
      long[] collectives) {}

  private enum Mode {
    RUNNING,
    AT_SAFE_POINT,
    CLOSING,
    ENDED
  }

  final int rank;
  final SimLedger ledger;
  final SimHold hold;
  private final SimWorld world;
  private final List<Op> ops;
  private final EpochCoordinator coordinator;
  private final SafePointGate gate;
  private final AutomaticInterval interval;

  // The application's state.
  private int next;
  private final Map<Integer, Integer> got;
  private final Map<Integer, Posted> posted = new LinkedHashMap<>();
  private final List<Integer> toRepost;
  private final Set<Integer> openSends;
  private final long[] collectives;

  private Mode mode = Mode.RUNNING;
  private boolean scheduled;
  private boolean capturing;
  private boolean inSafeWait;
  private boolean inCollective;
  private Posted awaited;
  private Message probed;
  private boolean agentEnded;

  // The record that is being written.
  private Capture.Progress recordProgress = Capture.Progress.DONE;

  private long recordEpoch;

  SimRank(SimWorld world, int rank, Origin origin, Truth from, EpochSettings settings) {
    this.world = world;
    this.rank = rank;
    ops = world.program.ops().get(rank);
    hold = new SimHold(world, this);
    ledger = new SimLedger(world, rank, world.faults.stateLimitBytes());
    for (Communicator c : world.program.communicators()) {
      if (c.has(rank)) {
        ledger.communicator(c.id(), c.name(), c.members().length, c.rankOf(rank), c.members()[0]);
      }
    }
    int communicators = world.program.communicators().size();
    if (from == null) {
      got = new TreeMap<>();
      openSends = new HashSet<>();
      collectives = new long[communicators];
      toRepost = new ArrayList<>();
    } else {
      Saved saved = from.states[rank];
      next = saved.next();
      got = new TreeMap<>(saved.got());
      // A pending send counts as sent, and as done: it is never sent again.
      openSends = new HashSet<>();
      collectives = saved.collectives().clone();
      toRepost = new ArrayList<>(saved.pending());
      world.restore(ledger, from.channelStates[rank]);
    }
    Clock clock = world::now;
    coordinator =
        new EpochCoordinator(
            world.fabric.of(rank), ledger, this, this, this, this, clock, settings, origin);
    gate = coordinator.gate();
    interval = world.meanTime == null ? null : interval(world.meanTime);
    if (interval != null) {
      coordinator.choose(interval);
    }
    if (settings.free()) {
      hold.announce();
    }
  }

  private static AutomaticInterval interval(MeanTime meanTime) {
    return new AutomaticInterval(
        new AutomaticInterval.Bounds(1_000_000, 200_000, 20_000_000), () -> meanTime, c -> {});
  }

  void start() {
    world.after(world.dice.delay(50_000), this::agentStep);
    wake();
  }

  boolean ended() {
    return mode == Mode.ENDED && agentEnded;
  }

  boolean closing() {
    return mode == Mode.CLOSING;
  }

  Map<Integer, Integer> got() {
    return got;
  }

  Collection<Posted> posted() {
    return posted.values();
  }

  Posted awaited() {
    return awaited;
  }

  long[] collectives() {
    return collectives.clone();
  }

  @Override
  public String toString() {
    return "rank %d %s at %d of %d: %s, passed %d, %s"
        .formatted(
            rank,
            mode,
            next,
            ops.size(),
            next < ops.size() ? ops.get(next) : "end",
            gate.index(),
            awaited == null ? "" : awaited.receive);
  }

  // ---- the agent

  private void agentStep() {
    long nanos = coordinator.advance();
    if (interval != null) {
      world.chosen(rank, coordinator.base(), interval.nanos());
    }
    if (nanos == EpochCoordinator.CLOSED) {
      agentEnded = true;
    } else {
      long pause = world.dice.chance(world.agentStalls) ? world.dice.delay(5_000_000) : 0;
      world.after((long) (nanos * (0.5 + world.dice.share())) + pause, this::agentStep);
    }
    if (inSafeWait
        || mode == Mode.AT_SAFE_POINT
        || (mode == Mode.CLOSING && nanos == EpochCoordinator.CLOSED)) {
      wake();
    }
  }

  // ---- the application

  /** Something happened that it may have waited for. */
  void wake() {
    if (!scheduled && !capturing && mode != Mode.ENDED) {
      scheduled = true;
      world.after(world.dice.delay(2_000), this::step);
    }
  }

  private void goOn() {
    scheduled = true;
    long compute = world.dice.chance(0.05) ? world.longCompute : world.shortCompute;
    world.after(world.dice.delay(compute), this::step);
  }

  private void step() {
    scheduled = false;
    if (capturing) {
      return;
    }
    switch (mode) {
      case RUNNING -> run();
      case AT_SAFE_POINT -> attend();
      case CLOSING -> {
        if (GateSteps.tryClose(gate)) {
          mode = Mode.ENDED;
        }
      }
      case ENDED -> {}
    }
  }

  private void attend() {
    if (GateSteps.tryAttend(gate)) {
      mode = Mode.RUNNING;
      next++;
      goOn();
    } else {
      world.counts.held++;
    }
  }

  private void run() {
    if (!toRepost.isEmpty()) {
      post(toRepost.remove(0));
      goOn();
      return;
    }
    if (next == ops.size()) {
      GateSteps.beginClose(gate);
      mode = Mode.CLOSING;
      wake();
      return;
    }
    Op op = ops.get(next);
    if (op instanceof Op.SafePoint) {
      if (GateSteps.pass(gate)) {
        next++;
        goOn();
      } else {
        mode = Mode.AT_SAFE_POINT;
        attend();
      }
    } else if (done(op)) {
      next++;
      goOn();
    }
  }

  /** Takes a step, or waits to be woken. */
  private boolean done(Op op) {
    if (op instanceof Op.Send send) {
      return send(world.program.messages().get(send.message()));
    } else if (op instanceof Op.AwaitSend await) {
      return !openSends.contains(await.message());
    } else if (op instanceof Op.Post post) {
      post(post.receive());
      return true;
    } else if (op instanceof Op.Await await) {
      return receive(await.receive());
    } else if (op instanceof Op.Probe probe) {
      return probe(world.program.receives().get(probe.receive()));
    } else if (op instanceof Op.SafeWait wait) {
      return safeWait(world.program.receives().get(wait.receive()));
    } else if (op instanceof Op.Cancel cancel) {
      Posted r = posted.remove(cancel.receive());
      world.network.cancel(r);
      ledger.cancelled(r.handle);
      return true;
    } else if (op instanceof Op.Collective collective) {
      return collective(world.program.communicators().get(collective.communicator()));
    } else if (op instanceof Op.Request) {
      gate.requestCheckpoint();
      return true;
    }
    throw new AssertionError(op);
  }

  private boolean send(Message m) {
    if (hold.waits("a send to rank " + m.destination())
        || (m.synchronous() && hold.waitsForAnnouncement())) {
      return false;
    }
    ledger.sent(m.communicator().id(), m.destination(), m.tag());
    if (m.synchronous()) {
      ledger.synchronous(m.communicator().id(), m.destination(), m.tag(), 1);
      openSends.add(m.id());
    }
    world.network.send(m);
    return true;
  }

  /** The gate's side of a waiting receive: counted once, captured any number of times. */
  private boolean safeWait(Program.Receive receive) {
    boolean due = inSafeWait ? GateSteps.due(gate) : !GateSteps.pass(gate);
    inSafeWait = true;
    if (due && !GateSteps.tryAttend(gate)) {
      throw world.failure("a free-running rank is held at a safe point");
    }
    Communicator c = receive.communicator();
    if (ledger.probe(c.id(), receive.source(), receive.tag()) == null
        && world.network.probe(rank, new Posted(receive)) == null) {
      return false;
    }
    inSafeWait = false;
    return true;
  }

  /** A synchronous send has been matched. */
  void sendDone(Message m) {
    ledger.synchronous(m.communicator().id(), m.destination(), m.tag(), -1);
    openSends.remove(m.id());
    wake();
  }

  private void post(int receive) {
    Posted r = new Posted(world.program.receives().get(receive));
    posted.put(receive, r);
    Communicator c = r.receive.communicator();
    r.handle = ledger.take(c.id(), r.receive.source(), r.receive.tag());
    if (r.handle != 0) {
      byte[] payload = ledger.payloadOf(r.handle);
      Packet p = world.network.packets.get(ByteBuffer.wrap(payload).getInt());
      int[] envelope = ledger.envelopeOf(r.handle);
      if (!r.matches(p.message)
          || envelope[0] != p.message.source()
          || envelope[1] != p.message.tag()) {
        throw world.failure("C7: %s got %s from the queue".formatted(r.receive, p.message));
      }
      r.match = p;
      r.filled = true;
      r.fromQueue = true;
    } else {
      r.handle = ledger.post(c.id(), r.receive.source(), r.receive.tag());
      world.network.post(r);
    }
  }

  private boolean receive(int receive) {
    Posted r = posted.get(receive);
    if (!r.filled) {
      awaited = r;
      return false;
    }
    awaited = null;
    Message m = r.match.message;
    posted.remove(receive);
    world.network.received(r.match);
    ledger.completed(r.handle, m.source(), m.tag(), m.payload());
    got.put(receive, m.id());
    if (r.receive.expected() >= 0 && r.receive.expected() != m.id()) {
      throw world.failure(
          "%s got %s instead of %s"
              .formatted(r.receive, m, world.program.messages().get(r.receive.expected())));
    }
    if (probed != null && probed.id() != m.id()) {
      throw world.failure("a probe told of %s, then came %s".formatted(probed, m));
    }
    probed = null;
    return true;
  }

  private boolean probe(Program.Receive receive) {
    int[] queued = ledger.probe(receive.communicator().id(), receive.source(), receive.tag());
    Message expected = world.program.messages().get(receive.expected());
    Message found;
    if (queued != null) {
      found = expected;
      if (queued[0] != found.source()
          || queued[1] != found.tag()
          || queued[2] != found.payload().length) {
        throw world.failure("a probe of the queue for %s told otherwise".formatted(expected));
      }
    } else {
      Packet p = world.network.probe(rank, new Posted(receive));
      if (p == null) {
        return false;
      }
      found = p.message;
    }
    if (found.id() != expected.id()) {
      throw world.failure("a probe told of %s instead of %s".formatted(found, expected));
    }
    probed = found;
    return true;
  }

  private boolean collective(Communicator c) {
    if (!inCollective) {
      if (hold.waits("MPI_Allreduce on " + c.name())) {
        return false;
      }
      inCollective = true;
      ledger.collective(c.id());
      long count = collectives[c.index()]++;
      world.enter(c, count, Program.contribution(c, rank, count));
    }
    long count = collectives[c.index()] - 1;
    Long result = world.result(c, count);
    if (result == null) {
      return false;
    }
    if (result != Program.collectiveResult(c, count)) {
      throw world.failure("collective %d on %s has a wrong result".formatted(count, c.name()));
    }
    inCollective = false;
    return true;
  }

  // ---- capture

  @Override
  public PendingImage capture(long epoch, long safePoint) throws Exception {
    if (world.dice.chance(world.faults.capture())) {
      throw new IllegalStateException("a callback threw");
    }
    Truth truth = world.truth(epoch);
    truth.safePoints[rank] = safePoint;
    truth.states[rank] =
        new Saved(
            inSafeWait ? next : next + 1,
            new TreeMap<>(got),
            List.copyOf(posted.keySet()),
            Set.copyOf(openSends),
            collectives.clone());
    if (world.dice.chance(0.2)) {
      // The other threads and ranks go on meanwhile.
      capturing = true;
      world.runFor(world.dice.delay(1_000_000));
      capturing = false;
    }
    return new SimImage(truth);
  }

  private final class SimImage implements PendingImage {
    private final Truth truth;
    private Progress progress = Progress.RUNNING;
    private boolean discarded;

    SimImage(Truth truth) {
      this.truth = truth;
      if (world.dice.chance(world.faults.write() / 2)) {
        world.after(world.dice.delay(world.writeNanos), () -> progress = Progress.FAILED);
      }
    }

    @Override
    public void seal(SealedChannels channels) {
      truth.channelStates[rank] = world.copyOf(channels);
      channels.release().run();
      if (world.dice.chance(world.faults.stuckWrite())) {
        return;
      }
      boolean fails = world.dice.chance(world.faults.write() / 2);
      world.after(
          world.dice.delay(world.writeNanos),
          () -> {
            if (progress == Progress.RUNNING && !discarded) {
              progress = fails ? Progress.FAILED : Progress.DONE;
              truth.durable[rank] = !fails;
            }
          });
    }

    @Override
    public Progress progress() {
      return progress;
    }

    @Override
    public Throwable failure() {
      return new IOException("No space left on device");
    }

    @Override
    public long digest() {
      return truth.epoch * 31 + rank;
    }

    @Override
    public long lengthBytes() {
      return 100;
    }

    @Override
    public long takenNanos() {
      return 10_000L * rank;
    }

    @Override
    public void discard() {
      if (Boolean.TRUE.equals(truth.committed)) {
        throw world.failure("an image of committed epoch " + truth.epoch + " was discarded");
      }
      discarded = true;
      truth.durable[rank] = false;
    }
  }

  // ---- listeners and log

  @Override
  public void beforeCut(long epoch, long safePoint) {
    if (world.dice.chance(world.faults.listener())) {
      throw new IllegalStateException("a listener threw");
    }
  }

  @Override
  public void settled(EpochReport report) {
    world.settled(rank, report);
  }

  @Override
  public void bareCut(BareCutReport report) {
    world.bareCut(report);
  }

  @Override
  public void warning(String text, Throwable cause) {
    if (cause == null && text.contains("different numbers of safe points")) {
      world.counts.misalignedWarnings++;
    } else if (cause == null && text.contains("because a call was held too long")) {
      world.counts.heldWarnings++;
    } else {
      throw world.failure("warning: " + text + " " + cause);
    }
  }

  // ---- store

  @Override
  public void record(long epoch, long jobDigest) {
    Truth truth = world.truth(epoch);
    recordEpoch = epoch;
    if (rank % world.ranksPerStore != 0) {
      truth.recorded[rank] = true;
      recordProgress = Progress.DONE;
      return;
    }
    boolean fails = world.dice.chance(world.faults.record());
    recordProgress = Progress.RUNNING;
    world.after(
        world.dice.delay(world.writeNanos),
        () -> {
          if (recordEpoch == epoch) {
            recordProgress = fails ? Progress.FAILED : Progress.DONE;
            truth.recorded[rank] = !fails;
          }
        });
  }

  @Override
  public Progress recordProgress() {
    return recordProgress;
  }

  @Override
  public Throwable recordFailure() {
    return new IOException("No space left on device");
  }

  @Override
  public long digestTerm(int rank, long imageDigest) {
    return imageDigest * (rank * 2L + 1);
  }

  @Override
  public void commit(long epoch) {
    world.committed(epoch);
  }

  @Override
  public void abandon(long epoch) {
    if (Boolean.TRUE.equals(world.truth(epoch).committed)) {
      throw world.failure("rank " + rank + " abandons committed epoch " + epoch);
    }
  }

  @Override
  public boolean takeRequest() {
    return world.dice.chance(world.operatorRequests);
  }
}

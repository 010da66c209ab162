// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

import io.cairn.coordinate.Capture.PendingImage;
import io.cairn.coordinate.RankCut.State;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * One rank's agent as a pure state machine: {@link #advance} looks at the world, does what can be
 * done now, and says when to call it again. It never blocks, sleeps, or reads a clock of its own.
 *
 * <p>All ranks take the same decisions, because each is a function of completed pulses only, and a
 * pulse's result is the same everywhere. A phase changes in {@code decide...} and nowhere else;
 * what a rank does on its own within a phase ({@code work...}) only changes what it contributes to
 * the next pulse.
 *
 * <pre>
 *            ┌────────────────────────── IDLE ──────────────► CLOSED
 *            │  [propose]                ▲ ▲ ▲   [close]
 *            ▼                           │ │ │
 *        PROPOSED ───────────────────────┘ │ │
 *            │  [agree]      [withdraw]    │ │
 *            ▼                             │ │
 *         CUTTING ──► REPORTING            │ │
 *   [closeMarkers]│ [report] │             │ │
 *            ▼    │          │             │ │
 *         SEALING │          │             │ │
 *     [record]│   │          │             │ │
 *            ▼    ▼          ▼             │ │
 *       RECORDING ───► ABANDONING ─────────┘ │
 *            │  [beginAbandoning] [abandon]  │
 *            └───────────────────────────────┘
 *               [commit]
 * </pre>
 *
 * Where ranks run free nothing is proposed: IDLE -> CUTTING [begin], and each rank cuts at its next
 * safe point.
 *
 * <p>A bare cut: IDLE -> MARKING [beginBareCut] -> PROVING [proveBareCut] -> IDLE [commitBareCut],
 * and from both to IDLE [abandonBareCut]. It needs agents only.
 *
 * <p>A fault in any phase from CUTTING to RECORDING leads to ABANDONING, whose one pulse carries
 * the culprit's text. The invariants are those of docs/protocol.md.
 *
 * <p>Not thread-safe: one thread calls {@link #advance}. The application's side is {@link #gate}.
 */
public final class EpochCoordinator {

  /** What {@link #advance} returns when all ranks have closed: don't call it again. */
  public static final long CLOSED = -1;

  /** A fault that may be the consequence of another one. */
  private static final int TIMEOUT = 1;

  /** A fault that explains itself. */
  private static final int CAUSE = 2;

  /**
   * A call was held too long: the program's shape, or bad luck. What it did when it went on may
   * cross the cut backwards, so this explains an early message or a straddling collective.
   */
  private static final int HELD = 3;

  /** A call that waits for longer may keep other ranks' long messages from being received. */
  private static final long HELD_DRAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

  /** After so many epochs in a row that were abandoned for a held call, that is told. */
  private static final int HELD_IN_A_ROW = 3;

  /** The first pause after such an epoch, as a multiple of the hold's limit; it doubles. */
  private static final int HELD_PAUSE = 4;

  private static final int HIGHEST_PAUSE_DOUBLINGS = 10;

  /** How long the agents stay at the fast pace for what usually takes no longer. */
  private static final long HURRY_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  private static final long HIGHEST_MARGIN = 1L << 40;

  /** After this long a tenth of the way to the agreed safe point should be behind the ranks. */
  private static final long REACH_NANOS = TimeUnit.SECONDS.toNanos(2);

  /** A safe point that is no further away is never too far, however slow the program is. */
  private static final long FAR = 4;

  enum Phase {
    /** Nothing is pending. */
    IDLE,
    /** A safe point is proposed; the next pulse is the vote. */
    PROPOSED,
    /** The ranks cut at the agreed safe point and send their markers. */
    CUTTING,
    /** All markers are known: late messages are recorded, images written and synced. */
    SEALING,
    /** A collective straddles the cut: the counts are compared to name the culprit. */
    REPORTING,
    /**
     * All images are durable and the cut is proved consistent: pending records are written and
     * synced.
     */
    RECORDING,
    /** A rank can't go on: the pulse under way carries its reason. */
    ABANDONING,
    /** The markers of a bare cut are on their way. */
    MARKING,
    /** Both ends of all channels are compared, before they move their base. */
    PROVING,
    /** All ranks have closed. */
    CLOSED
  }

  private final Fabric fabric;
  private final Ledger ledger;
  private final Store store;
  private final EpochLog log;
  private final Clock clock;
  private final EpochSettings settings;
  private final SafePointGate gate;
  private final BareCuts bare;
  private final int rank;
  private final int size;
  private final long generation;

  private Phase phase = Phase.IDLE;
  private long phaseSinceNanos;

  // Replicated: the same on all ranks after the same pulse.
  private long base;
  private long lastEpoch;
  private long lastSafePoint;
  private long previousIndex = -1;
  private long pace;
  private int vetoes;
  private int heldInARow;
  private final Set<String> heldReasons = new LinkedHashSet<>();
  private final long[] max = new long[Pulse.MAXIMA];
  private final long[] sum = new long[Pulse.SUMS_AND_TEXT];
  private final long[] shortSum = new long[Pulse.SUMS];

  // This rank's own.
  private final long[] mineMax = new long[Pulse.MAXIMA];
  private final long[] mineSum = new long[Pulse.SUMS_AND_TEXT];
  private boolean pulseUnderWay;
  private long pulseStartedNanos;
  private long framesSent;
  private long framesReceived;
  private long requestsGranted;
  private long operatorRequests;
  private long requestPolledNanos;
  private long lastStartNanos;

  /** Null where the interval is fixed. */
  private AutomaticInterval automatic;

  private long pulses;
  private PulseWatch watch = PulseWatch.NONE;

  /** The proposed or pending epoch as this rank knows it; null while idle. */
  private Pending pending;

  /** Frames of a cut that this rank hasn't begun yet, because its pulse isn't known here. */
  private final List<Fabric.Message> ahead = new ArrayList<>();

  // A free-running program is left alone for a while after calls were held too long.
  private long pausedSinceNanos;
  private long pauseNanos;

  /** In how many completed pulses this rank said that it sends synchronously. */
  private int announcements;

  private boolean announcing;

  /** Whether an abandoned epoch's cut still has the application's thread in it. */
  private boolean leaving;

  /**
   * @param settings the same on all ranks
   * @param origin the same on all ranks
   */
  public EpochCoordinator(
      Fabric fabric,
      Ledger ledger,
      Capture capture,
      Store store,
      EpochEvents events,
      EpochLog log,
      Clock clock,
      EpochSettings settings,
      Origin origin) {
    this.fabric = fabric;
    this.ledger = ledger;
    this.store = store;
    this.log = log;
    this.clock = clock;
    this.settings = settings;
    rank = fabric.rank();
    size = fabric.size();
    generation = origin.generation();
    base = origin.epoch();
    lastEpoch = origin.epoch();
    // Where ranks run free, theirs differ: the first pulse tells the foremost.
    lastSafePoint = settings.free() ? -1 : origin.safePoint();
    max[Pulse.INDEX] = origin.safePoint();
    gate =
        new SafePointGate(
            rank,
            capture,
            ledger,
            events,
            log,
            clock,
            settings.holdTimeoutNanos(),
            origin.safePoint());
    bare = new BareCuts(ledger, clock, settings.channelsBeforeBareCut());
    long now = clock.nanoTime();
    phaseSinceNanos = now;
    lastStartNanos = now;
    requestPolledNanos = now;
    pulseStartedNanos = now - settings.idlePaceNanos();
  }

  /**
   * The time between epochs is what {@code interval} chooses, not the settings'. Only rank 0 goes
   * by it, as by any interval: the other ranks hear its wish. Before the first {@link #advance}.
   */
  public void choose(AutomaticInterval interval) {
    automatic = interval;
  }

  /** The application's side of this rank. */
  public SafePointGate gate() {
    return gate;
  }

  /** Tells somebody of each pulse from now on. Before the agent starts. */
  public void watchedBy(PulseWatch watch) {
    this.watch = watch;
  }

  /** How many pulses have completed. Agent's thread. */
  public long pulses() {
    return pulses;
  }

  /** The last committed epoch, 0 if there is none. Agent's thread. */
  public long base() {
    return base;
  }

  /**
   * Does what can be done now.
   *
   * @return nanoseconds until the next call, or {@link #CLOSED}
   */
  public long advance() {
    if (phase == Phase.CLOSED) {
      return CLOSED;
    }
    receiveFrames();
    work();
    if (pulseUnderWay && fabric.testPulse(max, sumOfThisPhase())) {
      pulseUnderWay = false;
      pulses++;
      announceSynchronous();
      decide();
      watch.pulsed(pulses, -max[Pulse.MINUS_INDEX], max[Pulse.INDEX]);
      work();
    }
    if (!pulseUnderWay && phase != Phase.CLOSED && pulseDue()) {
      startPulse();
    }
    assertState();
    return phase == Phase.CLOSED ? CLOSED : pace();
  }

  // ---- pulses

  private boolean pulseDue() {
    return phase != Phase.IDLE
        || hasty()
        || clock.nanoTime() - pulseStartedNanos >= settings.idlePaceNanos();
  }

  private void startPulse() {
    Arrays.fill(mineMax, 0);
    Arrays.fill(mineSum, 0);
    long index = gate.index();
    mineMax[Pulse.INDEX] = index;
    mineMax[Pulse.MINUS_INDEX] = -index;
    mineMax[Pulse.WISH] = wish() ? 1 : 0;
    mineSum[Pulse.CLOSING] = gate.closing() ? 1 : 0;
    mineSum[Pulse.BALANCE] = framesSent - framesReceived;
    mineSum[Pulse.UNSETTLED] = leaving ? 1 : 0;
    announcing = settings.free() && ledger.hold().synchronousUsed();
    mineSum[Pulse.SYNCHRONOUS] = announcing ? 1 : 0;
    if (phase == Phase.IDLE) {
      mineMax[Pulse.BARE_WISH] = bare.wished() ? 1 : 0;
    } else if (phase == Phase.MARKING || phase == Phase.PROVING) {
      mineSum[Pulse.CHANNELS] = bare.term();
      mineSum[Pulse.FAULTS] = bare.fault() == null ? 0 : 1;
    }
    if (pending != null) {
      contribute(pending);
    }
    fabric.startPulse(
        mineMax, phase == Phase.ABANDONING ? mineSum : Arrays.copyOf(mineSum, Pulse.SUMS));
    pulseUnderWay = true;
    pulseStartedNanos = clock.nanoTime();
  }

  private void contribute(Pending p) {
    mineSum[Pulse.VETOES] = p.installed ? 0 : 1;
    mineSum[Pulse.TO_CUT] = p.left ? 0 : 1;
    mineMax[Pulse.FIRST_TO_CUT] = p.awaited ? size - rank : 0;
    mineMax[Pulse.HELD_NANOS] = p.heldNanos;
    mineSum[Pulse.COLLECTIVES] = p.collectiveTerm;
    mineSum[Pulse.NOT_DURABLE] = p.durable ? 0 : 1;
    mineSum[Pulse.NOT_RECORDED] = p.recorded ? 0 : 1;
    mineSum[Pulse.CHANNELS] = p.channelTerm;
    mineSum[Pulse.DIGEST] = p.digestTerm;
    mineSum[Pulse.LATE_MESSAGES] = p.lateMessages;
    mineSum[Pulse.DRAINED_MESSAGES] = p.drainedMessages;
    mineSum[Pulse.BYTES] = p.bytes;
    mineMax[Pulse.PAUSE_NANOS] = p.pauseNanos;
    mineMax[Pulse.DURABLE_NANOS] = p.durableNanos;
    mineMax[Pulse.TAKEN_NANOS] = p.takenNanos;
    mineMax[Pulse.CALLBACK_NANOS] = p.image == null ? 0 : p.image.callbackNanos();
    if (p.fault != null) {
      mineSum[Pulse.FAULTS] = 1;
      mineMax[Pulse.CULPRIT] = Pulse.culpritKey(p.severity, rank, size);
    }
    if (phase == Phase.ABANDONING && p.culprit == rank) {
      PulseText.put(p.fault, mineSum, Pulse.TEXT);
    }
  }

  private long[] sumOfThisPhase() {
    return phase == Phase.ABANDONING ? sum : shortSum;
  }

  private boolean wish() {
    if (pauseNanos > 0 && clock.nanoTime() - pausedSinceNanos < pauseNanos) {
      return false;
    }
    if (settings.free()
        && settings.everySafePoints() > 0
        && lastSafePoint >= 0
        && max[Pulse.INDEX] - lastSafePoint >= settings.everySafePoints()) {
      return true;
    }
    boolean intervalOver =
        rank == 0 && intervalNanos() > 0 && clock.nanoTime() - lastStartNanos >= intervalNanos();
    return intervalOver || gate.requests() + operatorRequests > requestsGranted;
  }

  private long intervalNanos() {
    return automatic == null ? settings.intervalNanos() : automatic.nanos();
  }

  /** Whether an idle agent should not take its time. */
  private boolean hasty() {
    return (max[Pulse.WISH] > 0 && sum[Pulse.CLOSING] == 0) || wish();
  }

  private long pace() {
    return switch (phase) {
      case IDLE -> {
        if (hasty()) {
          yield settings.fastPaceNanos();
        }
        yield gate.closing() ? settings.waitPaceNanos() : settings.idlePaceNanos();
      }
      case PROPOSED, REPORTING, ABANDONING -> settings.fastPaceNanos();
      case CUTTING, SEALING, RECORDING, MARKING, PROVING ->
          sincePhase() < HURRY_NANOS ? settings.fastPaceNanos() : settings.waitPaceNanos();
      case CLOSED -> CLOSED;
    };
  }

  // ---- frames

  private void send(Frame.Kind kind, int destination, byte[] payload) {
    framesSent++;
    long epoch = pending == null ? lastEpoch : pending.epoch;
    fabric.send(
        destination, new Frame(kind, generation, epoch, base, bare.number(), payload).toBytes());
  }

  private void receiveFrames() {
    for (Fabric.Message m = fabric.poll(); m != null; m = fabric.poll()) {
      framesReceived++;
      receive(m);
    }
  }

  private void receive(Fabric.Message m) {
    Frame frame = Frame.of(m.bytes());
    if (frame.generation() != generation) {
      return;
    }
    if (frame.kind() == Frame.Kind.BARE_MARKER) {
      receiveBare(m, frame);
      return;
    }
    if (frame.epoch() <= lastSettled()) {
      return; // A stray of an epoch that was abandoned: it counts, that is all.
    }
    if (settings.free() && phase == Phase.IDLE && frame.epoch() == lastEpoch + 1) {
      // The sender knows a pulse already that is still under way here: all ranks begin with it.
      ahead.add(m);
      return;
    }
    // C10: a frame is sent after the vote that all ranks took part in, so this rank knows its
    // epoch.
    if (pending == null
        || frame.epoch() != pending.epoch
        || frame.base() != base
        || frame.bareCut() != bare.number()) {
      throw misplaced(m, frame);
    }
    switch (frame.kind()) {
      case MARKER -> pending.markers.add(new Fabric.Message(m.source(), frame.payload()));
      case COUNTS -> pending.counts.add(m.source(), frame.payload());
      case BARE_MARKER -> throw new AssertionError(frame.kind());
    }
  }

  private void receiveBare(Fabric.Message m, Frame frame) {
    long number = bare.number();
    if (phase == Phase.IDLE && frame.bareCut() == number + 1) {
      ahead.add(m); // As above: its pulse is still under way here.
    } else if (phase == Phase.MARKING && frame.bareCut() == number) {
      if (frame.base() != base || frame.epoch() != lastEpoch) {
        throw misplaced(m, frame);
      }
      bare.accept(m.source(), frame.payload());
    } else if (frame.bareCut() > number || phase == Phase.PROVING) {
      throw misplaced(m, frame);
    }
    // Else a stray of a bare cut that was abandoned.
  }

  private IllegalStateException misplaced(Fabric.Message m, Frame frame) {
    return new IllegalStateException(
        "rank %d got a %s frame of epoch %d, base %d, bare cut %d from rank %d in phase %s, epoch %d, base %d, bare cut %d"
            .formatted(
                rank,
                frame.kind(),
                frame.epoch(),
                frame.base(),
                frame.bareCut(),
                m.source(),
                phase,
                lastEpoch,
                base,
                bare.number()));
  }

  private long lastSettled() {
    return pending == null || phase == Phase.PROPOSED ? lastEpoch : pending.epoch - 1;
  }

  // ---- what a rank does on its own

  private void work() {
    if (leaving) {
      workLeaving();
    }
    switch (phase) {
      case IDLE -> workIdle();
      case CUTTING -> workCutting(pending);
      case SEALING -> workSealing(pending);
      case REPORTING -> workReporting(pending);
      case RECORDING -> workRecording(pending);
      case MARKING, PROVING -> workBareCut();
      case PROPOSED, ABANDONING, CLOSED -> {}
    }
  }

  private void workLeaving() {
    SafePointGate.View view = gate.view();
    if (view.state() == State.LEFT) {
      if (view.image() != null) {
        view.image().discard();
      }
      gate.complete();
      leaving = false;
    }
  }

  private void workIdle() {
    long now = clock.nanoTime();
    if (now - requestPolledNanos >= settings.requestPollNanos()) {
      requestPolledNanos = now;
      if (store.takeRequest()) {
        operatorRequests++;
      }
    }
  }

  private void workBareCut() {
    String fault = ledger.fault();
    if (fault != null) {
      bare.fail(fault);
    }
    if (sincePhase() >= settings.cutTimeoutNanos()) {
      bare.fail(Reasons.bareCutSlow(rank, settings.cutTimeoutNanos(), sum[Pulse.BALANCE]));
    }
  }

  private void workCutting(Pending p) {
    SafePointGate.View view = gate.view();
    if (view.fault() != null) {
      fault(p, CAUSE, view.fault());
    }
    if (view.taken() && !p.cut) {
      takeCut(p, view);
    }
    p.left = p.cut && view.state() == State.LEFT;
    p.awaited = view.state() == State.AGREED;
    watchHold(p);
    // C10: before the vote is known here, a marker may be here already, but the ledger is told
    // afterwards.
    for (Fabric.Message marker : p.markers) {
      ledger.accept(marker.source(), p.epoch, marker.bytes());
    }
    p.markers.clear();
    if (view.closing() && view.state() == State.AGREED) {
      if (settings.free()) {
        fault(p, CAUSE, Reasons.finishedUncut(rank, gate.index()));
      } else {
        watchClosing(p);
      }
    }
    if (sincePhase() >= settings.cutTimeoutNanos()) {
      if (!p.left) {
        fault(
            p,
            TIMEOUT,
            settings.free()
                ? Reasons.noSafePoint(rank, settings.cutTimeoutNanos(), sum[Pulse.TO_CUT])
                : Reasons.notCut(
                    rank,
                    p.safePoint,
                    settings.cutTimeoutNanos(),
                    gate.index(),
                    sum[Pulse.TO_CUT]));
      } else if (sum[Pulse.TO_CUT] == 0) {
        fault(p, TIMEOUT, Reasons.markersLost(settings.cutTimeoutNanos(), sum[Pulse.BALANCE]));
      }
    }
    if (!settings.free() && outOfReach(p)) {
      fault(p, CAUSE, Reasons.outOfReach(p.safePoint, max[Pulse.INDEX], sincePhase()));
    }
    watchLedger(p);
    watchImage(p);
  }

  /**
   * Whether the program has slowed down so much since the vote that it would not get to the agreed
   * safe point for long, while another one is near.
   */
  private boolean outOfReach(Pending p) {
    long distance = p.safePoint - p.proposedAt;
    long passed = max[Pulse.INDEX] - p.proposedAt;
    return distance > FAR
        && passed < distance / 10
        && sum[Pulse.TO_CUT] == size
        && sincePhase() >= REACH_NANOS;
  }

  /** A free-running rank's calls that wait for the other ranks' cuts. */
  private void watchHold(Pending p) {
    if (!settings.free() || !p.cut) {
      return;
    }
    Hold hold = ledger.hold();
    p.heldNanos = Math.max(p.heldNanos, hold.waitedNanos());
    String call = hold.overdue();
    if (call != null) {
      int first = (int) max[Pulse.FIRST_TO_CUT];
      fault(
          p,
          HELD,
          first > 0
              ? Reasons.heldCall(rank, call, settings.holdLimitNanos(), size - first)
              : Reasons.heldByCapture(rank, call, settings.holdLimitNanos()));
    } else if (phase == Phase.CUTTING
        && sum[Pulse.SYNCHRONOUS] == 0
        && hold.isWaiting()
        && hold.waitedNanos() >= HELD_DRAIN_NANOS) {
      hold.drain();
    }
  }

  /** The second pulse is completed only when all ranks know the first. */
  private void announceSynchronous() {
    if (announcing && announcements < 2 && ++announcements == 2) {
      ledger.hold().synchronousKnown();
    }
  }

  private void takeCut(Pending p, SafePointGate.View view) {
    p.cut = true;
    p.safePoint = view.safePoint();
    p.image = view.image();
    p.takenAtNanos = view.takenAtNanos();
    p.pauseNanos = view.pauseNanos();
    p.collectiveTerm = ledger.collectiveFingerprint();
    for (Ledger.OutgoingMarker marker : view.markers()) {
      send(Frame.Kind.MARKER, marker.destination(), marker.bytes());
    }
  }

  /**
   * This rank has closed before the agreed safe point. Who is to blame shows when the others get
   * there, or close too.
   */
  private void watchClosing(Pending p) {
    long index = gate.index();
    boolean othersWentOn = max[Pulse.INDEX] >= p.safePoint;
    boolean allClosed = sum[Pulse.CLOSING] == size;
    if (allClosed && max[Pulse.INDEX] == -max[Pulse.MINUS_INDEX]) {
      fault(p, CAUSE, Reasons.ended(p.safePoint, index));
    } else if (othersWentOn || allClosed) {
      fault(p, CAUSE, Reasons.finishedEarly(rank, p.safePoint, index));
    }
  }

  private void workSealing(Pending p) {
    watchHold(p);
    watchLedger(p);
    watchImage(p);
    if (p.fault != null) {
      return;
    }
    if (!p.sealed) {
      long missing = ledger.missing();
      if (missing > 0 && (sincePhase() >= settings.drainDelayNanos() || gate.closing())) {
        ledger.drain();
        missing = ledger.missing();
      }
      if (missing == 0) {
        seal(p);
      } else if (sincePhase() >= settings.sealTimeoutNanos()) {
        fault(p, CAUSE, Reasons.lateMessages(rank, missing, settings.sealTimeoutNanos()));
      }
    }
    if (p.sealed && !p.durable && p.image.progress() == Capture.Progress.DONE) {
      long now = clock.nanoTime();
      p.durable = true;
      p.durableNanos = now - p.takenAtNanos;
      p.takenNanos = p.image.takenNanos();
      p.digestTerm = store.digestTerm(rank, p.image.digest());
      p.bytes = p.image.lengthBytes();
    }
  }

  private void seal(Pending p) {
    p.channelTerm = ledger.channelFingerprint();
    SealedChannels channels = ledger.seal();
    p.lateMessages = channels.messages();
    p.drainedMessages = ledger.statistics().drained() - p.drainedBefore;
    p.sealed = true;
    p.sealedAtNanos = clock.nanoTime();
    p.image.seal(channels);
  }

  private void workReporting(Pending p) {
    watchHold(p);
    if (sincePhase() >= settings.reportTimeoutNanos()) {
      fault(p, TIMEOUT, Reasons.countsSlow(p.safePoint, settings.reportTimeoutNanos()));
    }
  }

  private void workRecording(Pending p) {
    watchLedger(p);
    switch (store.recordProgress()) {
      case DONE -> p.recorded = true;
      case FAILED -> fault(p, CAUSE, Reasons.recordFailed(rank, p.epoch, store.recordFailure()));
      case RUNNING -> {
        if (sincePhase() >= settings.writeTimeoutNanos()) {
          fault(p, CAUSE, Reasons.recordSlow(rank, p.epoch, settings.writeTimeoutNanos()));
        }
      }
    }
  }

  private void watchLedger(Pending p) {
    String fault = ledger.fault();
    if (fault != null) {
      fault(p, CAUSE, fault);
    }
  }

  private void watchImage(Pending p) {
    if (p.image == null || p.durable) {
      return;
    }
    if (p.image.progress() == Capture.Progress.FAILED) {
      fault(p, CAUSE, Reasons.imageFailed(rank, p.epoch, p.image.failure()));
    } else if (p.sealed && clock.nanoTime() - p.sealedAtNanos >= settings.writeTimeoutNanos()) {
      fault(p, CAUSE, Reasons.imageSlow(rank, p.epoch, settings.writeTimeoutNanos()));
    }
  }

  /**
   * Notes why this rank can't go on with the epoch; the first reason stays, unless a more telling
   * one comes.
   */
  private static void fault(Pending p, int severity, String text) {
    if (severity > p.severity) {
      p.severity = severity;
      p.fault = text;
    }
  }

  // ---- what all ranks decide

  private void decide() {
    if (phase != Phase.ABANDONING) {
      System.arraycopy(shortSum, 0, sum, 0, Pulse.SUMS);
    }
    observePace();
    switch (phase) {
      case IDLE -> decideIdle();
      case PROPOSED -> decideVote();
      case CUTTING, SEALING, REPORTING, RECORDING -> {
        if (sum[Pulse.FAULTS] > 0) {
          beginAbandoning();
        } else {
          decidePending();
        }
      }
      case ABANDONING -> abandon(PulseText.get(sum, Pulse.TEXT));
      case MARKING, PROVING -> decideBareCut();
      case CLOSED -> throw new AssertionError("a pulse completed after the last one");
    }
  }

  /**
   * How many safe points pass between two pulses, at most; halves with each pulse that sees fewer,
   * so that a proposal is rarely too near, and soon not too far when the program slows down.
   */
  private void observePace() {
    long passed = previousIndex < 0 ? 0 : max[Pulse.INDEX] - previousIndex;
    previousIndex = max[Pulse.INDEX];
    pace = Math.max(passed, pace / 2);
  }

  private void decideIdle() {
    boolean settled = sum[Pulse.UNSETTLED] == 0;
    if (sum[Pulse.CLOSING] == size) {
      if (sum[Pulse.BALANCE] == 0 && settled) {
        close();
      }
      return;
    }
    // Nothing is begun while a thread is still in an abandoned cut. A rank that is closing keeps
    // epochs off, but not bare cuts: the others may go on for long.
    boolean begun = sum[Pulse.CLOSING] == 0 && beginEpoch(settled);
    if (!begun && settled && max[Pulse.BARE_WISH] > 0) {
      beginBareCut();
    }
  }

  private boolean beginEpoch(boolean settled) {
    if (lastSafePoint < 0) {
      lastSafePoint = max[Pulse.INDEX];
    }
    if (!settled) {
      return false;
    }
    boolean wish = max[Pulse.WISH] > 0;
    if (settings.free()) {
      if (wish) {
        begin();
      }
      return wish;
    }
    long nearest = max[Pulse.INDEX] + margin();
    boolean due =
        settings.everySafePoints() > 0 && nearest >= lastSafePoint + settings.everySafePoints();
    if (wish || due) {
      propose(nearest);
    }
    return wish || due;
  }

  // A bare cut. The difference of both ends' counts, sent minus received, doesn't change when the
  // same number is subtracted from both. So nobody stops for it, at a safe point or in a call, and
  // no message is early in it; only an epoch's cut must not have begun.

  private void beginBareCut() {
    List<Ledger.OutgoingMarker> markers = bare.begin();
    enter(Phase.MARKING);
    for (Ledger.OutgoingMarker marker : markers) {
      send(Frame.Kind.BARE_MARKER, marker.destination(), marker.bytes());
    }
    ahead.forEach(this::receive);
    ahead.clear();
  }

  private void decideBareCut() {
    if (sum[Pulse.FAULTS] > 0) {
      abandonBareCut(bare.fault() == null ? Reasons.bareCutElsewhere() : bare.fault());
    } else if (phase == Phase.MARKING) {
      if (sum[Pulse.BALANCE] == 0) {
        proveBareCut();
      }
    } else if (sum[Pulse.CHANNELS] == 0) {
      commitBareCut();
    } else {
      String reason = Reasons.bareCutInconsistent(sum[Pulse.CHANNELS]);
      if (rank == 0) {
        log.warning("bare cut " + bare.number() + " was abandoned: " + reason, null);
      }
      abandonBareCut(reason);
    }
  }

  private void proveBareCut() {
    bare.prove();
    enter(Phase.PROVING);
  }

  private void commitBareCut() {
    BareCutReport report = bare.commit();
    enter(Phase.IDLE);
    log.bareCut(report);
  }

  private void abandonBareCut(String reason) {
    BareCutReport report = bare.abandon(reason);
    enter(Phase.IDLE);
    log.bareCut(report);
  }

  /**
   * The distance of a proposal from the foremost rank. With safe points rarer than pulses it is
   * one: the very next safe point; a rank that happens to pass it meanwhile vetoes, and then the
   * next one is tried at once.
   */
  private long margin() {
    long likely = Math.max(1, 2 * Math.min(pace, HIGHEST_MARGIN));
    return Math.min(HIGHEST_MARGIN, likely << Math.min(20, Math.max(0, vetoes - 1)));
  }

  private void propose(long safePoint) {
    pending = new Pending(lastEpoch + 1, safePoint, max[Pulse.INDEX]);
    pending.installed = gate.propose(pending.epoch, safePoint);
    enter(Phase.PROPOSED);
  }

  /** Free-running ranks: all cut, each at its own next safe point. */
  private void begin() {
    pending = new Pending(lastEpoch + 1, 0, max[Pulse.INDEX]);
    pending.installed = true;
    settleWishes(max[Pulse.INDEX]);
    gate.begin(pending.epoch, settings.holdLimitNanos());
    enter(Phase.CUTTING);
    ahead.forEach(this::receive);
    ahead.clear();
  }

  private void decideVote() {
    if (sum[Pulse.VETOES] == 0) {
      agree();
    } else {
      withdraw();
    }
  }

  private void agree() {
    vetoes = 0;
    settleWishes(pending.safePoint);
    gate.agree();
    enter(Phase.CUTTING);
  }

  /** The epoch's number is used up, and the wishes for it are granted. */
  private void settleWishes(long safePoint) {
    lastEpoch = pending.epoch;
    pending.safePointBefore = lastSafePoint;
    lastSafePoint = safePoint;
    pending.startBeforeNanos = lastStartNanos;
    pending.grantedBefore = requestsGranted;
    lastStartNanos = clock.nanoTime();
    requestsGranted = gate.requests() + operatorRequests;
    pending.drainedBefore = ledger.statistics().drained();
  }

  private void withdraw() {
    vetoes++;
    gate.withdraw();
    pending = null;
    enter(Phase.IDLE);
  }

  private void decidePending() {
    switch (phase) {
      case CUTTING -> {
        if (sum[Pulse.TO_CUT] == 0) {
          endHold();
        }
        if (sum[Pulse.TO_CUT] == 0 && sum[Pulse.BALANCE] == 0) {
          if (sum[Pulse.COLLECTIVES] == 0) {
            closeMarkers();
          } else {
            report();
          }
        }
      }
      case SEALING -> {
        if (sum[Pulse.NOT_DURABLE] == 0) {
          decideConsistent();
        }
      }
      case REPORTING -> {
        if (sum[Pulse.BALANCE] == 0) {
          compareCounts();
        }
      }
      case RECORDING -> {
        // C6: decided only if every image is durable and every pending record synced.
        if (sum[Pulse.NOT_DURABLE] == 0 && sum[Pulse.NOT_RECORDED] == 0) {
          commit();
        }
      }
      case IDLE, PROPOSED, ABANDONING, MARKING, PROVING, CLOSED -> throw new AssertionError(phase);
    }
  }

  /** All ranks are cut, or the epoch is given up on all of them. */
  private void endHold() {
    if (settings.free()) {
      ledger.hold().end();
    }
  }

  private void closeMarkers() {
    ledger.markersClosed();
    enter(Phase.SEALING);
  }

  private void decideConsistent() {
    // C1: sent at cut == received at cut + channel state; C4: collective counts agree.
    if (sum[Pulse.CHANNELS] == 0 && sum[Pulse.COLLECTIVES] == 0) {
      record();
    } else {
      abandon(Reasons.inconsistent(pending.safePoint, sum[Pulse.CHANNELS]));
    }
  }

  private void report() {
    for (Map.Entry<Integer, byte[]> entry :
        CollectiveCounts.byRoot(ledger.collectiveCounts()).entrySet()) {
      send(Frame.Kind.COUNTS, entry.getKey(), entry.getValue());
    }
    enter(Phase.REPORTING);
  }

  private void compareCounts() {
    String culprit = pending.counts.culprit(pending.safePoint);
    if (culprit != null) {
      fault(pending, CAUSE, culprit);
    } else if (rank == 0) {
      // Whoever finds a culprit outranks this.
      fault(pending, TIMEOUT, Reasons.countsAgree(pending.safePoint));
    }
  }

  private void record() {
    store.record(pending.epoch, sum[Pulse.DIGEST]);
    enter(Phase.RECORDING);
  }

  private void commit() {
    Pending p = pending;
    ledger.commit();
    bare.baseMoved();
    store.commit(p.epoch);
    if (p.image != null) {
      p.image.committed();
    }
    base = p.epoch;
    heldInARow = 0;
    heldReasons.clear();
    gate.complete();
    watch.committed(p.epoch, p.safePoint);
    EpochReport report = settled(p, true, "");
    end(report);
    if (automatic != null) {
      automatic.committed(report);
    }
  }

  private void beginAbandoning() {
    pending.culprit = Pulse.culpritRank(max[Pulse.CULPRIT], size);
    pending.culpritSeverity = Pulse.culpritSeverity(max[Pulse.CULPRIT], size);
    endHold();
    enter(Phase.ABANDONING);
  }

  private void abandon(String reason) {
    Pending p = pending;
    boolean held = p.culpritSeverity == HELD;
    if (held || (!settings.free() && sum[Pulse.TO_CUT] == size && max[Pulse.INDEX] < p.safePoint)) {
      // Nobody got there, or it is to be tried again: the wish for it stands.
      lastStartNanos = p.startBeforeNanos;
      requestsGranted = p.grantedBefore;
      lastSafePoint = p.safePointBefore;
    }
    SafePointGate.View view = gate.retract();
    // From here on the application's thread begins no hold for this epoch.
    endHold();
    ledger.abandon();
    leaving = view.state() == State.UNDER_WAY;
    // Else the application's thread will hand it over when it leaves the cut: see workLeaving.
    if (!leaving && view.image() != null) {
      view.image().discard();
    }
    store.abandon(p.epoch);
    end(settled(p, false, reason));
    if (held) {
      pauseAfterHold(reason);
    }
  }

  /** A program whose shape forbids the cut is not to be slowed down for ever. */
  private void pauseAfterHold(String reason) {
    heldInARow++;
    heldReasons.add(reason);
    int doublings = Math.min(HIGHEST_PAUSE_DOUBLINGS, heldInARow - 1);
    pauseNanos = (long) ((double) HELD_PAUSE * (1L << doublings) * settings.holdLimitNanos());
    pausedSinceNanos = clock.nanoTime();
    boolean telling =
        heldInARow % HELD_IN_A_ROW == 0 && Integer.bitCount(heldInARow / HELD_IN_A_ROW) == 1;
    if (telling) {
      if (rank == 0) {
        log.warning(
            Reasons.heldRepeatedly(heldInARow, String.join("; ", heldReasons), pauseNanos), null);
      }
      heldReasons.clear();
    }
  }

  private void end(EpochReport report) {
    gate.tell(report);
    pending = null;
    enter(Phase.IDLE);
    log.settled(report);
  }

  private EpochReport settled(Pending p, boolean committed, String reason) {
    return new EpochReport(
        p.epoch,
        p.safePoint,
        committed,
        reason,
        max[Pulse.PAUSE_NANOS],
        max[Pulse.CALLBACK_NANOS],
        sum[Pulse.LATE_MESSAGES],
        sum[Pulse.DRAINED_MESSAGES],
        sum[Pulse.BYTES],
        max[Pulse.DURABLE_NANOS],
        max[Pulse.HELD_NANOS],
        max[Pulse.TAKEN_NANOS],
        p.cut ? clock.nanoTime() - p.takenAtNanos : 0);
  }

  private void close() {
    if (!settings.free() && max[Pulse.INDEX] != -max[Pulse.MINUS_INDEX] && rank == 0) {
      log.warning(Reasons.misaligned(-max[Pulse.MINUS_INDEX], max[Pulse.INDEX]), null);
    }
    enter(Phase.CLOSED);
    gate.closed();
  }

  private void enter(Phase next) {
    phase = next;
    phaseSinceNanos = clock.nanoTime();
  }

  private long sincePhase() {
    return clock.nanoTime() - phaseSinceNanos;
  }

  /** Programmer errors; the numbers are those of docs/protocol.md. */
  private void assertState() {
    // S1: an epoch is pending in exactly the phases that need one.
    boolean withoutEpoch =
        switch (phase) {
          case IDLE, MARKING, PROVING, CLOSED -> true;
          default -> false;
        };
    assert (pending == null) == withoutEpoch : phase;
    // S2: epoch numbers only grow, and the base is never ahead of them.
    assert base <= lastEpoch : "base " + base + ", last epoch " + lastEpoch;
    // S3: the application's thread is in no abandoned cut while another safe point is proposed.
    assert !leaving || phase == Phase.IDLE || phase == Phase.CLOSED : phase;
    // S4: nothing is under way after the last pulse.
    assert phase != Phase.CLOSED || (!pulseUnderWay && !leaving);
    if (pending != null) {
      Pending p = pending;
      // S5: the number is consumed by the vote.
      assert p.epoch == (phase == Phase.PROPOSED ? lastEpoch + 1 : lastEpoch)
          : p.epoch + " " + phase;
      // S6: cut before markers, channel state before the image's end, image before the record.
      assert !p.sealed || (p.cut && p.left);
      assert !p.durable || p.sealed;
      assert phase != Phase.RECORDING || p.durable;
      assert p.cut || p.takenAtNanos == 0;
      // S7: a culprit has a reason.
      assert p.culprit != rank || p.fault != null;
    }
  }

  /** An epoch from its proposal to its end, as this rank knows it. */
  private static final class Pending {
    final long epoch;

    /** Where ranks run free this rank's own, zero until it is cut. */
    long safePoint;

    /** Index of the foremost rank when it was proposed. */
    final long proposedAt;

    final List<Fabric.Message> markers = new ArrayList<>();
    final CollectiveCounts counts = new CollectiveCounts();

    boolean installed;
    boolean cut;
    boolean left;

    /** Whether the application's thread hasn't come to its safe point. */
    boolean awaited = true;

    boolean sealed;
    boolean durable;
    boolean recorded;

    /** Null until this rank is cut. */
    PendingImage image;

    // What the wishes were before it was agreed.
    long safePointBefore;
    long startBeforeNanos;
    long grantedBefore;

    long takenAtNanos;
    long pauseNanos;
    long heldNanos;
    long sealedAtNanos;
    long durableNanos;
    long takenNanos;
    long collectiveTerm;
    long channelTerm;
    long digestTerm;
    long lateMessages;
    long drainedBefore;
    long drainedMessages;
    long bytes;

    String fault;
    int severity;

    /** Who gives the reason, once it is known that there is one. */
    int culprit = -1;

    int culpritSeverity;

    Pending(long epoch, long safePoint, long proposedAt) {
      this.epoch = epoch;
      this.safePoint = safePoint;
      this.proposedAt = proposedAt;
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

import io.cairn.coordinate.RankCut.State;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Where the application's thread and the agent meet. {@link #safePoint} with nothing due is a
 * volatile store of the own index and a volatile read of the index that wants attention. The agent
 * writes the latter first and then reads the former: whichever comes second in the single order of
 * volatile accesses sees the other, so that a rank never runs past an agreed safe point. With a
 * plain or release store both could miss each other.
 *
 * <p>One thread of the application calls {@link #safePoint} and {@link #close}; the methods without
 * an access modifier belong to the agent, unless they say otherwise.
 */
public final class SafePointGate {

  private static final long NOTHING_DUE = Long.MAX_VALUE;
  private static final long AT_ONCE = Long.MIN_VALUE;

  private static final VarHandle INDEX;
  private static final VarHandle ATTENTION;

  static {
    try {
      MethodHandles.Lookup lookup = MethodHandles.lookup();
      INDEX = lookup.findVarHandle(SafePointGate.class, "index", long.class);
      ATTENTION = lookup.findVarHandle(SafePointGate.class, "attention", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final int rank;
  private final Capture capture;
  private final Ledger ledger;
  private final EpochEvents events;
  private final EpochLog log;
  private final Clock clock;
  private final long holdTimeoutNanos;
  private final AtomicLong requests = new AtomicLong();
  private final Object lock = new Object();

  /** How many safe points the application has passed or entered. Written by its thread only. */
  private long index;

  /** The first index at which {@link #safePoint} has something to do. Written under the lock. */
  @SuppressWarnings("UnusedVariable") // read through ATTENTION
  private long attention = NOTHING_DUE;

  // Guarded by lock.
  private final Deque<EpochReport> reports = new ArrayDeque<>();
  private RankCut cut;
  private boolean inCallback;
  private boolean closing;
  private boolean closed;
  private Throwable broken;

  SafePointGate(
      int rank,
      Capture capture,
      Ledger ledger,
      EpochEvents events,
      EpochLog log,
      Clock clock,
      long holdTimeoutNanos,
      long index) {
    this.rank = rank;
    this.capture = capture;
    this.ledger = ledger;
    this.events = events;
    this.log = log;
    this.clock = clock;
    this.holdTimeoutNanos = holdTimeoutNanos;
    this.index = index;
  }

  // ---- the application's side

  /**
   * The rank may be captured here. Returns at once unless an epoch is due at this very safe point,
   * or listeners have something to be told.
   *
   * @throws IllegalStateException if the agent has failed (with its exception as the cause), after
   *     {@link #close}, and from within a listener or a capture callback
   */
  public void safePoint() {
    if (!pass()) {
      attend();
    }
  }

  /**
   * The application waits at the safe point that it has passed last, for a message say, and may be
   * captured here as well. Doesn't count. Returns as {@link #safePoint} does.
   */
  public void stay() {
    if (due()) {
      attend();
    }
  }

  /** As {@link #pass}, the other way round and without counting. Application's thread. */
  boolean due() {
    return (long) ATTENTION.getVolatile(this) <= index;
  }

  /**
   * Asks for a checkpoint. One that is being agreed on counts; a pending one doesn't. Any thread,
   * returns at once.
   */
  public void requestCheckpoint() {
    requests.incrementAndGet();
  }

  /** How many safe points the application has passed. Any thread. */
  public long index() {
    return (long) INDEX.getVolatile(this);
  }

  /**
   * The application passes no safe point any more; first half of {@link #close}, which may come
   * much later. Returns at once.
   */
  public void end() {
    beginClose();
  }

  /**
   * The application passes no safe point any more. Waits until all ranks say so and the pending
   * epoch, if there is one, is settled; listeners are told what happened until then. There is no
   * limit of its own: a rank that dies takes the job with it, one that never closes keeps the
   * others as it would in MPI_Finalize. Closing twice does nothing.
   *
   * @throws IllegalStateException if the agent has failed, or from within a listener
   */
  public void close() {
    beginClose();
    boolean interrupted = false;
    while (!tryClose()) {
      interrupted |= await(0);
    }
    restoreInterrupt(interrupted);
  }

  /**
   * The fast path: false if {@link #tryAttend} must be called until it is true. Application's
   * thread.
   */
  boolean pass() {
    long next = index + 1;
    INDEX.setVolatile(this, next);
    return (long) ATTENTION.getVolatile(this) > next;
  }

  private void attend() {
    boolean interrupted = false;
    while (!tryAttend()) {
      interrupted |= await(holdTimeoutNanos);
    }
    restoreInterrupt(interrupted);
  }

  /**
   * Does what is due at this safe point; false if the application must be held because the vote
   * isn't known yet, and this be called again. Application's thread.
   */
  boolean tryAttend() {
    refuseMisuse();
    deliver();
    RankCut due;
    synchronized (lock) {
      throwIfBroken();
      due = cut;
      if (due == null || !due.awaited() || index < due.safePoint) {
        return true;
      }
      if (due.free) {
        due.safePoint = index;
      }
      // C9: no rank runs past an agreed safe point.
      assert index == due.safePoint
          : "at safe point " + index + ", past the agreed " + due.safePoint;
      if (due.state == State.PROPOSED) {
        return !hold(due);
      }
      due.state = State.UNDER_WAY;
      inCallback = true;
      refresh();
    }
    take(due);
    return true;
  }

  /** Whether the application has to wait for the vote; false when it has waited long enough. */
  private boolean hold(RankCut due) {
    long now = clock.nanoTime();
    if (!due.held) {
      due.held = true;
      due.heldSinceNanos = now;
    }
    if (now - due.heldSinceNanos < holdTimeoutNanos) {
      return true;
    }
    due.fault = Reasons.held(rank, due.safePoint, now - due.heldSinceNanos);
    due.state = State.LEFT;
    refresh();
    return false;
  }

  private void take(RankCut due) {
    long begin = clock.nanoTime();
    String fault = null;
    try {
      events.beforeCut(due.epoch, due.safePoint);
      Capture.PendingImage image = capture.capture(due.epoch, due.safePoint);
      boolean taken = false;
      synchronized (lock) {
        due.image = image;
        // Under the lock, so that an epoch given up meanwhile is never cut in the ledger
        // afterwards.
        if (!due.abandoned && broken == null) {
          if (due.free) {
            // First: what is sent after the cut must wait.
            ledger.hold().begin(due.holdLimitNanos);
          }
          due.markers = ledger.cut(due.epoch, due.safePoint);
          due.takenAtNanos = clock.nanoTime();
          due.pauseNanos = due.takenAtNanos - begin;
          due.taken = true;
          taken = true;
        }
      }
      if (taken) {
        events.captured(due.epoch, due.safePoint, due.pauseNanos);
      }
    } catch (CutRefusedException e) {
      fault = Reasons.refused(rank, due.safePoint, e);
    } catch (Exception | OutOfMemoryError e) {
      if (e instanceof InterruptedException) {
        Thread.currentThread().interrupt();
      }
      fault = Reasons.captureFailed(rank, due.safePoint, e);
    } catch (Error e) {
      // Not ours to survive: the application gets it, the other ranks hear why the epoch ended.
      fault = Reasons.captureFailed(rank, due.safePoint, e);
      throw e;
    } finally {
      synchronized (lock) {
        if (due.free && !due.taken) {
          ledger.hold().end();
        }
        due.fault = fault;
        due.state = State.LEFT;
        inCallback = false;
        refresh();
      }
    }
  }

  /** Tells the listeners what happened since the last call. */
  private void deliver() {
    while (true) {
      EpochReport report;
      synchronized (lock) {
        throwIfBroken();
        report = reports.poll();
        inCallback = report != null;
        refresh();
      }
      if (report == null) {
        return;
      }
      try {
        if (report.committed()) {
          events.committed(report);
        } else {
          events.abandoned(report);
        }
      } catch (Exception e) {
        log.warning(
            "a listener failed after epoch " + report.epoch() + " ended; nothing changes", e);
      } finally {
        synchronized (lock) {
          inCallback = false;
          refresh();
        }
      }
    }
  }

  /** First step of {@link #close}. Application's thread. */
  void beginClose() {
    synchronized (lock) {
      if (inCallback) {
        throw new IllegalStateException(
            "close() was called from within a listener or a capture callback");
      }
      closing = true;
      refresh();
    }
  }

  /**
   * Second step of {@link #close}: whether all is settled, else this must be called again.
   * Application's thread.
   */
  boolean tryClose() {
    boolean done;
    synchronized (lock) {
      done = closed;
    }
    deliver();
    return done;
  }

  /** Waits for a change made by the agent; returns whether the thread was interrupted meanwhile. */
  @SuppressWarnings("WaitNotInLoop") // the callers loop
  private boolean await(long limitNanos) {
    synchronized (lock) {
      boolean held = cut != null && cut.held && cut.state == State.PROPOSED;
      boolean waiting = broken == null && reports.isEmpty() && (closing ? !closed : held);
      if (waiting) {
        try {
          lock.wait(limitNanos == 0 ? 0 : TimeUnit.NANOSECONDS.toMillis(limitNanos) + 1);
        } catch (InterruptedException e) {
          return true;
        }
      }
      return false;
    }
  }

  private static void restoreInterrupt(boolean interrupted) {
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void refuseMisuse() {
    synchronized (lock) {
      if (inCallback || closing) {
        INDEX.setVolatile(this, index - 1);
        throw new IllegalStateException(
            inCallback
                ? "safePoint() was called from within a listener or a capture callback"
                : "safePoint() was called after close(), having passed " + index + " safe points");
      }
    }
  }

  private void throwIfBroken() {
    if (broken != null) {
      throw new IllegalStateException(
          "cairn's agent on rank " + rank + " has failed: " + broken, broken);
    }
  }

  /** Recomputes what the fast path compares with. Under the lock. */
  private void refresh() {
    long due = NOTHING_DUE;
    if (broken != null || inCallback || closing || !reports.isEmpty()) {
      due = AT_ONCE;
    } else if (cut != null && cut.awaited()) {
      due = cut.safePoint;
    }
    ATTENTION.setVolatile(this, due);
  }

  // ---- the agent's side

  /**
   * Installs a proposed safe point; false if the application has reached it already, or will not
   * any more.
   */
  boolean propose(long epoch, long safePoint) {
    synchronized (lock) {
      assert cut == null : "epoch " + cut.epoch + " is proposed or pending";
      cut = new RankCut(epoch, safePoint);
      refresh();
      // Written first, read now: see the class comment.
      if (closing || index() >= safePoint) {
        cut = null;
        refresh();
        return false;
      }
      return true;
    }
  }

  /** Each rank cuts at its next safe point, without a proposal. */
  void begin(long epoch, long holdLimitNanos) {
    synchronized (lock) {
      assert cut == null : "epoch " + cut.epoch + " is proposed or pending";
      cut = RankCut.atNext(epoch, holdLimitNanos);
      refresh();
    }
  }

  /**
   * The vote failed: a rank that is held goes on without a cut. Does nothing if this rank had not
   * installed it.
   */
  void withdraw() {
    synchronized (lock) {
      cut = null;
      refresh();
      lock.notifyAll();
    }
  }

  /** The vote passed: the application cuts at the proposed safe point. */
  void agree() {
    synchronized (lock) {
      if (cut.state == State.PROPOSED) {
        cut.state = State.AGREED;
      }
      lock.notifyAll();
    }
  }

  /** What the application's thread has done for the pending epoch so far. */
  View view() {
    synchronized (lock) {
      RankCut c = cut;
      return c == null
          ? null
          : new View(
              c.state,
              c.safePoint,
              c.taken,
              c.markers,
              c.image,
              c.fault,
              c.takenAtNanos,
              c.pauseNanos,
              closing);
    }
  }

  /** The epoch is committed: its cut, which the application's thread has left, is forgotten. */
  void complete() {
    synchronized (lock) {
      assert cut.state == State.LEFT : "epoch " + cut.epoch + " is " + cut.state;
      cut = null;
    }
  }

  /**
   * The epoch is abandoned. In one step, so that the application's thread either has been in the
   * cut before, or never will: from here on the ledger isn't cut for this epoch.
   *
   * @return what the application's thread had done; if it is still {@link State#UNDER_WAY}, {@link
   *     #complete} must be called when it has left
   */
  View retract() {
    synchronized (lock) {
      View last = view();
      if (cut.state == State.UNDER_WAY) {
        cut.abandoned = true;
      } else {
        cut = null;
        refresh();
      }
      return last;
    }
  }

  /** Has the listeners told on the application's thread. */
  void tell(EpochReport report) {
    synchronized (lock) {
      reports.add(report);
      refresh();
      lock.notifyAll();
    }
  }

  boolean closing() {
    synchronized (lock) {
      return closing;
    }
  }

  /** All ranks are closing and nothing is pending: {@link #close} returns. */
  void closed() {
    synchronized (lock) {
      closed = true;
      lock.notifyAll();
    }
  }

  /** The agent has failed, which is a bug: every further call of the application throws. */
  void fail(Throwable cause) {
    synchronized (lock) {
      if (broken == null) {
        broken = cause;
      }
      ledger.hold().stop();
      refresh();
      lock.notifyAll();
    }
  }

  /** How often {@link #requestCheckpoint} was called. */
  long requests() {
    return requests.get();
  }

  /** The rank's cut as the agent sees it at one moment. */
  record View(
      State state,
      long safePoint,
      boolean taken,
      List<Ledger.OutgoingMarker> markers,
      Capture.PendingImage image,
      String fault,
      long takenAtNanos,
      long pauseNanos,
      boolean closing) {}
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.coordinate.RankCut.State;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(300)
class SafePointGateTest {

  private static final long HOLD_NANOS = 1_000;

  private final AtomicLong now = new AtomicLong();
  private final List<String> told = new ArrayList<>();
  private final Stubs.QuietLedger ledger = new Stubs.QuietLedger();
  private final Stubs.Notes notes = new Stubs.Notes();
  private final Stubs.InstantImage image = new Stubs.InstantImage();
  private Capture capture = (epoch, safePoint) -> image;
  private EpochEvents events =
      new EpochEvents() {
        @Override
        public void beforeCut(long epoch, long safePoint) {
          told.add("before " + epoch + "@" + safePoint);
        }

        @Override
        public void captured(long epoch, long safePoint, long pauseNanos) {
          told.add("captured " + epoch + "@" + safePoint);
        }

        @Override
        public void committed(EpochReport report) {
          told.add("committed " + report.epoch());
        }

        @Override
        public void abandoned(EpochReport report) {
          told.add("abandoned " + report.epoch() + ": " + report.reason());
        }
      };

  private SafePointGate gate() {
    return new SafePointGate(3, capture, ledger, events, notes, now::get, HOLD_NANOS, 0);
  }

  private static EpochReport report(long epoch, boolean committed, String reason) {
    return new EpochReport(epoch, 1, committed, reason, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  }

  @Test
  void shouldNeverRunPastAnAgreedSafePoint() throws Exception {
    SafePointGate gate =
        new SafePointGate(
            0,
            capture,
            new Stubs.QuietLedger(),
            new EpochEvents() {},
            notes,
            now::get,
            HOLD_NANOS,
            0);
    AtomicReference<Throwable> failure = new AtomicReference<>();
    Thread application =
        new Thread(
            () -> {
              try {
                while (!Thread.currentThread().isInterrupted()) {
                  gate.safePoint();
                }
              } catch (Throwable e) {
                failure.set(e);
              }
            });
    application.start();
    int installed = 0;
    long begin = System.nanoTime();
    // Where the two threads share a core each proposal may take as long as a turn of the scheduler.
    for (int i = 0; i < 400_000 && failure.get() == null; i++) {
      if (installed > 1_000 && System.nanoTime() - begin > 10_000_000_000L) {
        break;
      }
      // Near enough that store and load often meet on the two sides.
      if (gate.propose(i + 1, gate.index() + 1 + i % 64)) {
        installed++;
        gate.agree();
        while (gate.view().state() != State.LEFT && failure.get() == null) {
          Thread.onSpinWait();
        }
        if (failure.get() == null) {
          assertTrue(gate.view().taken());
          gate.complete();
        }
      }
    }
    application.interrupt();
    application.join();
    assertNull(failure.get(), () -> "" + failure.get());
    assertTrue(installed > 1_000, "only " + installed + " proposals were in time");
  }

  @Test
  void shouldCutAtTheAgreedSafePointAndNotBefore() {
    SafePointGate gate = gate();
    gate.safePoint();
    assertTrue(gate.propose(1, 3));
    gate.agree();
    gate.safePoint();
    assertEquals(List.of(), told);
    gate.safePoint();
    assertEquals(List.of("before 1@3", "captured 1@3"), told);
    assertEquals(List.of(3L), ledger.cutAt);
    assertEquals(State.LEFT, gate.view().state());
    assertEquals(image, gate.view().image());
  }

  @Test
  void shouldRefuseASafePointThatIsPassedOrWillNotBeReached() {
    SafePointGate gate = gate();
    gate.safePoint();
    gate.safePoint();
    assertFalse(gate.propose(1, 2));
    gate.beginClose();
    assertFalse(gate.propose(1, 5));
  }

  @Test
  void shouldHoldUntilTheVoteIsKnown() {
    SafePointGate gate = gate();
    assertTrue(gate.propose(1, 1));
    assertFalse(gate.pass());
    assertFalse(gate.tryAttend());
    now.set(HOLD_NANOS - 1);
    assertFalse(gate.tryAttend());
    gate.agree();
    assertTrue(gate.tryAttend());
    assertEquals(List.of(1L), ledger.cutAt);
  }

  @Test
  void shouldGoOnWithoutACutWhenTheVoteFails() {
    SafePointGate gate = gate();
    assertTrue(gate.propose(1, 1));
    assertFalse(gate.pass());
    assertFalse(gate.tryAttend());
    gate.withdraw();
    assertTrue(gate.tryAttend());
    assertEquals(List.of(), ledger.cutAt);
  }

  @Test
  void shouldReleaseAHeldRankWhenTheWatchdogBitesAndKeepTheReason() {
    SafePointGate gate = gate();
    assertTrue(gate.propose(1, 1));
    assertFalse(gate.pass());
    assertFalse(gate.tryAttend());
    now.set(HOLD_NANOS);
    assertTrue(gate.tryAttend());
    gate.agree();
    assertEquals(List.of(), ledger.cutAt);
    assertTrue(
        gate.view().fault().startsWith("rank 3 was held at safe point 1 for"), gate.view().fault());
    assertTrue(gate.pass(), "the next safe point should be free");
  }

  @Test
  void shouldTurnWhatListenersAndCapturesThrowIntoAFaultOfTheEpoch() {
    capture =
        (epoch, safePoint) -> {
          throw new IllegalArgumentException("no such region");
        };
    SafePointGate gate = gate();
    gate.propose(1, 1);
    gate.agree();
    gate.safePoint();
    assertEquals(
        "rank 3 could not be captured at safe point 1: java.lang.IllegalArgumentException: no such"
            + " region",
        gate.view().fault());
    assertFalse(gate.view().taken());
    gate.safePoint();
  }

  @Test
  void shouldNameTheCallThatStandsInTheWay() {
    ledger.refusal = "MPI_Win_create: a window is open";
    SafePointGate gate = gate();
    gate.propose(1, 1);
    gate.agree();
    gate.safePoint();
    assertEquals(
        "rank 3 can't be captured at safe point 1: MPI_Win_create: a window is open",
        gate.view().fault());
    // Its memory must be given back by whoever abandons the epoch.
    assertNotNull(gate.view().image());
  }

  @Test
  void shouldPassAnErrorToTheApplicationAndStillTellTheOtherRanks() {
    capture =
        (epoch, safePoint) -> {
          throw new StackOverflowError("deep");
        };
    SafePointGate gate = gate();
    gate.propose(1, 1);
    gate.agree();
    assertThrows(StackOverflowError.class, gate::safePoint);
    assertNotNull(gate.view().fault());
    assertEquals(State.LEFT, gate.view().state());
  }

  @Test
  void shouldNotCutTheLedgerForAnEpochThatWasAbandonedDuringItsCapture() {
    AtomicReference<SafePointGate> self = new AtomicReference<>();
    capture =
        (epoch, safePoint) -> {
          assertEquals(State.UNDER_WAY, self.get().retract().state());
          return image;
        };
    SafePointGate gate = gate();
    self.set(gate);
    gate.propose(1, 1);
    gate.agree();
    gate.safePoint();
    assertEquals(List.of(), ledger.cutAt);
    assertEquals(List.of("before 1@1"), told);
    assertEquals(image, gate.view().image());
    gate.complete();
    assertTrue(gate.propose(2, 2));
  }

  @Test
  void shouldTellListenersOnceAtTheNextSafePointAndInClose() {
    SafePointGate gate = gate();
    gate.tell(report(1, true, ""));
    assertEquals(List.of(), told);
    gate.safePoint();
    gate.safePoint();
    assertEquals(List.of("committed 1"), told);
    gate.tell(report(2, false, "disk full"));
    gate.closed();
    gate.close();
    assertEquals(List.of("committed 1", "abandoned 2: disk full"), told);
  }

  @Test
  void shouldTellBeforeItCutsAgain() {
    SafePointGate gate = gate();
    gate.propose(2, 1);
    gate.agree();
    gate.tell(report(1, true, ""));
    gate.safePoint();
    assertEquals(List.of("committed 1", "before 2@1", "captured 2@1"), told);
  }

  @Test
  void shouldLogAndDropWhatAListenerThrowsAfterTheEnd() {
    events =
        new EpochEvents() {
          @Override
          public void committed(EpochReport report) {
            throw new IllegalStateException("listener bug");
          }
        };
    SafePointGate gate = gate();
    gate.tell(report(1, true, ""));
    gate.safePoint();
    assertEquals(1, notes.warnings.size());
    assertTrue(gate.pass());
  }

  @Test
  void shouldRefuseSafePointsFromCallbacksAndAfterCloseWithoutCountingThem() {
    AtomicReference<SafePointGate> self = new AtomicReference<>();
    capture =
        (epoch, safePoint) -> {
          self.get().safePoint();
          return image;
        };
    SafePointGate gate = gate();
    self.set(gate);
    gate.propose(1, 1);
    gate.agree();
    gate.safePoint();
    assertTrue(gate.view().fault().contains("from within a listener or a capture callback"));
    assertEquals(1, gate.index());
    gate.retract();
    gate.closed();
    gate.close();
    assertThrows(IllegalStateException.class, gate::safePoint);
    assertEquals(1, gate.index());
  }

  @Test
  void shouldFailTheApplicationWhenTheAgentFailsEvenWhileItIsHeld() throws Exception {
    SafePointGate gate =
        new SafePointGate(
            3, capture, ledger, events, notes, System::nanoTime, Long.MAX_VALUE / 2, 0);
    gate.propose(1, 1);
    AtomicReference<Throwable> thrown = new AtomicReference<>();
    Thread application =
        new Thread(
            () -> {
              try {
                gate.safePoint();
              } catch (IllegalStateException e) {
                thrown.set(e);
              }
            });
    application.start();
    while (application.getState() != Thread.State.TIMED_WAITING) {
      Thread.onSpinWait();
    }
    gate.fail(new IllegalStateException("agent bug"));
    application.join();
    assertEquals("agent bug", thrown.get().getCause().getMessage());
  }

  @Test
  void shouldKeepTheInterruptOfAHeldThread() throws Exception {
    SafePointGate gate =
        new SafePointGate(
            3, capture, ledger, events, notes, System::nanoTime, Long.MAX_VALUE / 2, 0);
    gate.propose(1, 1);
    AtomicReference<Boolean> interrupted = new AtomicReference<>();
    Thread application =
        new Thread(
            () -> {
              gate.safePoint();
              interrupted.set(Thread.currentThread().isInterrupted());
            });
    application.start();
    application.interrupt();
    while (application.getState() != Thread.State.TIMED_WAITING) {
      Thread.onSpinWait();
    }
    gate.agree();
    application.join();
    assertEquals(true, interrupted.get());
    assertEquals(List.of(1L), ledger.cutAt);
  }
}

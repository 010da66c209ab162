// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate.sim;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.coordinate.sim.ProgramGenerator.Kind;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Whole worlds from one seed each: random programs on 2 to 64 ranks, cut, killed and restored,
 * judged by what a simulator knows and no rank can. {@code -Dsim.seeds=N} runs N seeds of each
 * kind, {@code -Dsim.first=S} begins at seed S.
 */
@Timeout(3600)
@Tag("one-jdk") // takes long, and asks nothing of the JDK
class SimulationTest {

  private static final long FIRST = Long.getLong("sim.first", 1);

  private static SimWorld.Counts run(Kind kind, int seeds, boolean faults) {
    SimWorld.Counts counts = new SimWorld.Counts();
    long begin = System.nanoTime();
    long count = Long.getLong("sim.seeds", seeds);
    for (long seed = FIRST; seed < FIRST + count; seed++) {
      job(kind, seed, faults, counts);
    }
    double seconds = (System.nanoTime() - begin) / 1e9;
    System.out.printf(
        "%s%s: %d seeds, %.0f per second; %s%n",
        kind, faults ? " with faults" : "", count, count / seconds, counts);
    return counts;
  }

  /** A job from its first launch to its end, with crashes on the way. */
  static void job(Kind kind, long seed, boolean withFaults, SimWorld.Counts counts) {
    Dice dice = new Dice(seed * 4 + kind.salt);
    int size =
        dice.chance(0.05)
            ? dice.between(17, 64)
            : dice.chance(0.3) ? dice.between(5, 16) : dice.between(2, 4);
    Program program = ProgramGenerator.generate(dice, kind, size);
    SimFaults faults = withFaults ? SimFaults.some(dice, size) : SimFaults.NONE;
    // A free-running program of one round may have nothing to do at all.
    int length = Math.max(1, program.ops().stream().mapToInt(o -> o.size()).sum());
    int crashes = dice.below(4);
    Truth from = null;
    for (int launch = 1; ; launch++) {
      String name =
          "seed %d (%s%s), %d ranks, launch %d%s"
              .formatted(
                  seed,
                  kind,
                  withFaults ? ", faults" : "",
                  size,
                  launch,
                  from == null ? "" : " from epoch " + from.epoch);
      long crashAfter = launch <= crashes ? 1 + dice.below(length * 8) : Long.MAX_VALUE;
      try (SimWorld world =
          new SimWorld(name, program, kind, dice, faults, counts, launch, from, crashAfter)) {
        if (world.run()) {
          return;
        }
        from = world.last();
      }
    }
  }

  private static void above(String what, long count) {
    assertTrue(count > 0, "no " + what + ": the simulation proves nothing about it");
  }

  private static void aboveWithBareCuts(SimWorld.Counts counts) {
    above("bare cut", counts.bareCuts);
    above("bare cut over a message on its way", counts.bareCutsWithLateMessages);
    above("bare cut while a rank was closing", counts.bareCutsWhileClosing);
    above("epoch committed after a bare cut", counts.commitsAfterBareCuts);
    above("restore of an epoch after a bare cut", counts.restoresAfterBareCuts);
  }

  @Test
  void shouldCommitOnlyConsistentCutsAndResumeFromEachOfThem() {
    SimWorld.Counts counts = run(Kind.VALID, 400, false);
    assertAll(
        () -> above("committed epoch", counts.commits),
        () -> above("late message", counts.late),
        () -> above("drained message", counts.drained),
        () -> above("peeked message", counts.peeked),
        () -> above("replayed message", counts.replayed),
        () -> above("crash", counts.crashes),
        () -> above("restore", counts.restores),
        () -> above("held rank", counts.held),
        () -> above("choice of an interval", counts.choices - counts.automatic),
        () -> aboveWithBareCuts(counts));
  }

  @Test
  void shouldGoOnAfterFailuresOfCaptureAndDisk() {
    SimWorld.Counts counts = run(Kind.VALID, 150, true);
    above("committed epoch", counts.commits);
    above("restore", counts.restores);
    above("abandoned epoch", counts.injected);
  }

  @Test
  void shouldCutFreeRunningRanksWithoutEarlyMessagesOrHangs() {
    SimWorld.Counts counts = run(Kind.FREE, 400, false);
    assertAll(
        () -> above("committed epoch", counts.commits),
        () -> above("late message", counts.late),
        () -> above("replayed message", counts.replayed),
        () -> above("restore", counts.restores),
        () -> above("call that was held", counts.heldCalls),
        () -> above("call that was held too long", counts.heldTooLong),
        () -> above("warning of repeated holds", counts.heldWarnings),
        () -> above("message drained for a rank that was held", counts.drainedWhileHeld),
        () -> above("choice of an interval", counts.choices - counts.automatic),
        () -> aboveWithBareCuts(counts));
  }

  @Test
  void shouldCutFreeRunningRanksInSpiteOfFailuresOfCaptureAndDisk() {
    SimWorld.Counts counts = run(Kind.FREE, 100, true);
    above("committed epoch", counts.commits);
    above("abandoned epoch", counts.injected);
  }

  @Test
  void shouldNameEarlyMessagesAndNeverCommitThem() {
    SimWorld.Counts counts = run(Kind.EARLY, 300, false);
    above("early message", counts.early);
  }

  @Test
  void shouldNameStraddlingCollectivesAndNeverCommitThem() {
    SimWorld.Counts counts = run(Kind.STRADDLING, 150, false);
    above("straddling collective", counts.straddling);
  }

  @Test
  void shouldNameMisalignedSafePointsAndNeverCommitAnInconsistentCut() {
    SimWorld.Counts counts = run(Kind.MISALIGNED, 150, false);
    above("rank that finished early", counts.finishedEarly);
    above("warning", counts.misalignedWarnings);
  }
}

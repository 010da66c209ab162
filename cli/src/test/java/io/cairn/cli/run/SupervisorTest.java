// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.cli.run.Action.Outcome;
import io.cairn.cli.run.Report.Phase;
import io.cairn.cli.run.Supervisor.State;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class SupervisorTest {
  private static final List<Host> NODES =
      List.of(new Host("a", 2, 1), new Host("b", 2, 1), new Host("c", 2, 1));
  private static final int GRACE_SECONDS = 5;
  private static final int SUSPECT_SECONDS = 5;
  private static final int SILENCE_SECONDS = 60;
  private static final int DUMP_SECONDS = 2;
  private static final int STALL_SECONDS = 600;
  private static final int HOST_WAIT_SECONDS = 32;
  private static final int START_SECONDS = 300;

  /** A supervisor, a clock, and hosts that answer at once or not; the test plays the launches. */
  private static final class World {
    final Supervisor supervisor;
    final Set<Host> gone = new HashSet<>();
    final Set<Host> slow = new HashSet<>();
    final Set<Host> unusable = new HashSet<>();
    final List<Action.Look> lookedAt = new ArrayList<>();
    final List<Action> all = new ArrayList<>();
    Map<String, Report.Choice> choices = Map.of();
    long nanos = 1_000_000;
    int launch;
    Set<String> avoid = Set.of();
    List<Placement.Share> shares = List.of();
    int looks;
    int terminated;
    int killed;
    int dumped;
    int disowned;
    List<Action.AskOlder> asked = new ArrayList<>();
    Action.Finish finish;

    World(List<Host> hosts, int ranks, int maxRestarts) {
      supervisor =
          new Supervisor(
              new RunSettings(
                  ranks,
                  hosts,
                  false,
                  maxRestarts,
                  seconds(START_SECONDS),
                  seconds(STALL_SECONDS),
                  seconds(SUSPECT_SECONDS),
                  seconds(SILENCE_SECONDS),
                  seconds(DUMP_SECONDS),
                  seconds(GRACE_SECONDS),
                  seconds(1),
                  seconds(HOST_WAIT_SECONDS)));
    }

    static World local() {
      return new World(List.of(Host.local(4)), 4, 10);
    }

    static World nodes() {
      return new World(NODES, 4, 10);
    }

    static long seconds(long seconds) {
      return Duration.ofSeconds(seconds).toNanos();
    }

    World begin() {
      return on(new Event.Begun());
    }

    World on(Event event) {
      for (Action action : supervisor.on(event, nanos)) {
        all.add(action);
        if (action instanceof Action.Look look) {
          looks++;
          lookedAt.add(look);
          // Each host by itself.
          look.hosts().stream()
              .filter(h -> !slow.contains(h))
              .forEach(h -> on(new Event.Looked(look.look(), List.of(answer(look, h)))));
        } else if (action instanceof Action.Launch started) {
          launch = started.launch();
          avoid = started.avoid();
          shares = started.placement().shares();
        } else if (action instanceof Action.Terminate) {
          terminated++;
        } else if (action instanceof Action.Kill) {
          killed++;
        } else if (action instanceof Action.Dump) {
          dumped++;
        } else if (action instanceof Action.Disown disown) {
          disowned = disown.launch();
        } else if (action instanceof Action.AskOlder ask) {
          asked.add(ask);
        } else if (action instanceof Action.Finish finished) {
          finish = finished;
        }
      }
      return this;
    }

    private HostState answer(Action.Look look, Host host) {
      if (gone.contains(host)) {
        return HostState.gone(host, "255");
      }
      return look.trials().contains(host) && unusable.contains(host)
          ? HostState.unusable(host, "no orted")
          : HostState.there(host);
    }

    Action.Look lastLook() {
      return lookedAt.get(lookedAt.size() - 1);
    }

    /** Time passes, with a tick in each fifth of a second. */
    World pass(double seconds) {
      long end = nanos + Math.round(seconds * 1e9);
      while (nanos < end) {
        nanos = Math.min(end, nanos + 200_000_000);
        on(new Event.Tick());
      }
      return this;
    }

    /** The same, with a pulse in each of them. */
    World passWithPulses(double seconds, Phase phase, long highest) {
      long end = nanos + Math.round(seconds * 1e9);
      while (nanos < end && state() == State.RUNNING) {
        nanos = Math.min(end, nanos + 200_000_000);
        report(phase, "", 0, nanos, highest, "", 0);
        on(new Event.Tick());
      }
      return this;
    }

    World report(
        Phase phase, String restored, long from, long pulses, long highest, String epoch, long at) {
      return on(
          new Event.Reported(
              launch,
              new Report(
                  phase, launch, "/jobs/J", restored, from, pulses, highest, highest, epoch, at,
                  choices)));
    }

    /** It restores, and comes to a safe point, a step at each report. */
    World run(String restored, long from, long to) {
      for (long at = from; at <= to; at++) {
        report(Phase.RUNNING, restored, from, 1 + at - from, at, "", 0);
      }
      return this;
    }

    World commit(String restored, long from, String epoch, long at) {
      return report(Phase.RUNNING, restored, from, 1_000_000 + at, at, epoch, at);
    }

    World dies(int exitCode) {
      return on(new Event.Exited(launch, exitCode));
    }

    State state() {
      return supervisor.state();
    }

    World expect(State state) {
      assertEquals(state, supervisor.state(), this::toString);
      return this;
    }

    World expectLaunch(int number) {
      expect(State.RUNNING);
      assertEquals(number, launch, this::toString);
      return this;
    }

    World expectEnd(Outcome outcome, String... parts) {
      expect(State.FINISHED);
      assertEquals(outcome, finish.outcome(), this::toString);
      for (String part : parts) {
        assertTrue(finish.verdict().contains(part), () -> "no '" + part + "' in " + finish);
      }
      return this;
    }

    @Override
    public String toString() {
      return String.join("\n", all.stream().map(Object::toString).toList());
    }
  }

  @Test
  void shouldBeDoneWhenTheProgramIs() {
    World world = World.local().begin().expectLaunch(1).run("", 0, 20);
    world.dies(0).expectEnd(Outcome.DONE);
    // Before, to know the hosts; after, so that no process is left.
    assertEquals(2, world.looks);
  }

  @Test
  void shouldLaunchAgainAtOnceAfterALaunchThatCommittedAnEpoch() {
    World world = World.local().begin().run("", 0, 20).commit("", 0, "1-1", 20);
    assertEquals(0, world.disowned);
    world.dies(137).expectLaunch(2);
    // Whoever is left of it may know.
    assertEquals(1, world.disowned);
    world.run("1-1", 20, 30).commit("1-1", 20, "2-2", 30).dies(137).expectLaunch(3);
  }

  @Test
  void shouldWaitLongerAndLongerAfterLaunchesThatCommitNothing() {
    World world = World.local().begin();
    for (int i = 1; i <= 4; i++) {
      // Each dies somewhere else.
      world.expectLaunch(i).run("", 0, 10L * i).dies(137).expect(State.WAITING);
      double wait = 1 << (i - 1);
      world.pass(wait - 0.1).expect(State.WAITING);
      world.pass(0.2).expectLaunch(i + 1);
    }
    // A commit makes it hopeful again.
    world.run("", 0, 90).commit("", 0, "5-1", 90).dies(137).expectLaunch(6);
  }

  @Test
  void shouldGiveUpAfterTheRestartsThatAreAllowed() {
    World world = new World(List.of(Host.local(4)), 4, 2).begin();
    for (int i = 1; i <= 3; i++) {
      world.expectLaunch(i).run("", 0, 20L * i).commit("", 0, i + "-1", 20L * i).dies(137);
    }
    world.expectEnd(Outcome.GAVE_UP, "after 2 restarts", "--max-restarts", "exit code 137");
  }

  @Test
  void shouldGiveUpWhenItDiesTwiceBeforeAnyReport() {
    World world = World.local().begin().dies(1).pass(1.1).expectLaunch(2).dies(1);
    world.expectEnd(Outcome.GAVE_UP, "before any report", "exit code 1");
    assertEquals(List.of(), world.asked);
  }

  @Test
  void shouldTryThePreviousEpochOnceWhenItDiesTwiceAtTheSameSafePoint() {
    World world = World.local().begin().run("", 0, 20).commit("", 0, "1-1", 10);
    world.commit("", 0, "1-2", 20).run("", 20, 25).dies(1).expectLaunch(2);
    world.run("1-2", 20, 25).dies(1).expect(State.ASKING);
    assertEquals(List.of(new Action.AskOlder("/jobs/J", 2, "1-2")), world.asked);
    world.on(new Event.Older(false, "1-2")).expect(State.WAITING).pass(1.1).expectLaunch(3);
    assertEquals(Set.of("1-2"), world.avoid);
    world.run("1-1", 10, 25).dies(1).on(new Event.Older(false, "1-1"));
    world.expectEnd(Outcome.GAVE_UP, "at safe point 25", "so did one from the epoch before");
  }

  @Test
  void shouldGoOnWhenThePreviousEpochHelps() {
    World world = World.local().begin().run("", 0, 20).commit("", 0, "1-2", 20).dies(1);
    world.run("1-2", 20, 25).dies(1).pass(1.1).expectLaunch(3);
    world.run("1-2", 20, 25).dies(1).on(new Event.Older(false, "1-2")).pass(2.1).expectLaunch(4);
    world.run("1-1", 10, 40).commit("1-1", 10, "4-3", 40).dies(1).expectLaunch(5);
    assertEquals(Set.of(), world.avoid);
    // Past the old place: a new one has its own try.
    world.run("4-3", 40, 50).dies(1).pass(1.1).run("4-3", 40, 50).dies(1).expect(State.ASKING);
  }

  @Test
  void shouldNotTryThePreviousEpochTwiceForTheSamePlace() {
    World world = World.local().begin().run("", 0, 20).commit("", 0, "1-2", 20).dies(1);
    world.run("1-2", 20, 25).dies(1).pass(1.1).run("1-2", 20, 25).dies(1);
    world.on(new Event.Older(false, "1-2")).pass(2.1).expectLaunch(4);
    // It commits before the place, and dies there all the same, twice.
    world.run("1-1", 10, 22).commit("1-1", 10, "4-3", 22).run("1-1", 22, 25).dies(1);
    world.expectLaunch(5).run("4-3", 22, 25).dies(1).on(new Event.Older(false, "4-3"));
    world.expectEnd(Outcome.GAVE_UP, "at safe point 25");
  }

  @Test
  void shouldNotGiveUpOnALaunchThatCommittedJustBeforeItsEnd() {
    World world = World.local().begin().run("", 0, 20).commit("", 0, "1-2", 20).dies(1);
    world.run("1-2", 20, 25).dies(1).pass(1.1).run("1-2", 20, 25).dies(1).expect(State.ASKING);
    // It had no time to report that.
    world.on(new Event.Older(true, "")).expectLaunch(4);
    assertEquals(Set.of(), world.avoid);
  }

  @Test
  void shouldGiveUpWhenThereIsNoPreviousEpoch() {
    World world = World.local().begin().run("", 0, 5).dies(1).pass(1.1).run("", 0, 5).dies(1);
    world.on(new Event.Older(false, "")).expectEnd(Outcome.GAVE_UP, "at safe point 5");
  }

  @Test
  void shouldNotTakeDeathsInDifferentPlacesForOne() {
    World world = World.local().begin().run("", 0, 50).dies(137).pass(1.1);
    world.run("", 0, 30).dies(137).pass(2.1).run("", 0, 70).dies(137).pass(4.1).expectLaunch(4);
    assertEquals(List.of(), world.asked);
  }

  @Test
  void shouldEndAProgramThatPassesNoSafePointThoughThereArePulses() {
    World world = World.local().begin().run("", 0, 7);
    world.passWithPulses(STALL_SECONDS - 1, Phase.RUNNING, 7).expectLaunch(1);
    world.passWithPulses(2, Phase.RUNNING, 7).expect(State.ENDING);
    assertEquals(1, world.disowned);
    // First it says where it hangs.
    assertEquals(1, world.dumped);
    assertEquals(0, world.terminated);
    world.pass(DUMP_SECONDS + 0.2);
    assertEquals(1, world.terminated);
    assertEquals(0, world.killed);
    world.dies(143).pass(1.1).expectLaunch(2);
    assertTrue(world.toString().contains("--stall): the program hangs, at safe point 7"));
  }

  @Test
  void shouldLeaveAloneAProgramThatPassesOneNowAndThen() {
    World world = World.local().begin();
    for (int i = 1; i < 5; i++) {
      world.passWithPulses(STALL_SECONDS - 1, Phase.RUNNING, i).expectLaunch(1);
    }
    assertEquals(0, world.terminated);
  }

  @Test
  void shouldEndALaunchWithoutPulses() {
    World world = World.local().begin().run("", 0, 7).pass(SILENCE_SECONDS - 1).expectLaunch(1);
    world.pass(2).expect(State.ENDING);
    // It hangs so thoroughly that it must be killed.
    world.pass(DUMP_SECONDS + GRACE_SECONDS - 1.6);
    assertEquals(0, world.killed);
    world.pass(1.2);
    assertEquals(1, world.killed);
    world.dies(137).pass(1.1).expectLaunch(2);
  }

  @Test
  void shouldGoOnThoughMpirunCannotEvenBeKilled() {
    World world = World.local().begin().run("", 0, 7).pass(SILENCE_SECONDS + 1);
    world.expect(State.ENDING).pass(DUMP_SECONDS + 2 * GRACE_SECONDS + 2).expectLaunch(2);
    assertEquals(1, world.killed);
    // Its late end is nobody's.
    world.on(new Event.Exited(1, 0)).expectLaunch(2);
  }

  @Test
  void shouldNotCountTheTimeInWhichNobodyLooked() {
    World world = World.local().begin().run("", 0, 7);
    for (int i = 0; i < 10; i++) {
      world.nanos += World.seconds(3_600);
      world.pass(1);
    }
    world.expectLaunch(1);
    assertEquals(0, world.terminated);
  }

  @Test
  void shouldEndALaunchThatNeverReports() {
    World world = World.local().begin().pass(START_SECONDS - 1).expectLaunch(1);
    world.pass(2).expect(State.ENDING);
    assertTrue(world.toString().contains("--start"));
  }

  @Test
  void shouldNotWantPulsesWhereThereAreNone() {
    World world = World.local().begin();
    world.passWithPulses(2 * SILENCE_SECONDS, Phase.STARTING, -1).expectLaunch(1);
    world.run("", 0, 7).report(Phase.CLOSED, "", 0, 8, 7, "", 0);
    // Not even reports: rank 0 may have ended, and the others not yet.
    world.pass(2 * SILENCE_SECONDS).expectLaunch(1);
    world.pass(STALL_SECONDS - 2 * SILENCE_SECONDS + 1).expect(State.ENDING);
  }

  @Test
  void shouldEndALaunchSoonWhenAHostIsLostSilentlyAndTakeASpare() {
    World world = World.nodes().begin().run("", 0, 7).commit("", 0, "1-1", 7);
    assertEquals(
        List.of(new Placement.Share(NODES.get(0), 2), new Placement.Share(NODES.get(1), 2)),
        world.shares);
    world.gone.add(NODES.get(1));
    world.pass(SUSPECT_SECONDS + 0.4).expect(State.ENDING);
    assertTrue(world.toString().contains("b doesn't answer (255)"), world::toString);
    // Asked to end, mpirun would wait for the lost host.
    assertEquals(1, world.killed);
    assertEquals(0, world.terminated);
    world.dies(137).expectLaunch(2);
    assertEquals(
        List.of(new Placement.Share(NODES.get(0), 2), new Placement.Share(NODES.get(2), 2)),
        world.shares);
  }

  @Test
  void shouldNotAskALostHostAgainBeforeTheNextLaunch() {
    World world = World.nodes().begin().run("", 0, 7).commit("", 0, "1-1", 7);
    world.gone.add(NODES.get(1));
    world.pass(SUSPECT_SECONDS + 0.4).dies(137).expectLaunch(2);
    assertEquals(List.of(NODES.get(0), NODES.get(2)), world.lastLook().hosts());
    assertEquals(1, world.lastLook().clearUpTo());
    assertEquals(List.of("b"), world.supervisor.status().gone());
    // With what it said when it was asked.
    assertTrue(world.toString().contains("b is gone: 255"), world::toString);
  }

  @Test
  void shouldBelieveAPulseMoreThanAHostThatDoesNotAnswer() {
    World world = World.nodes().begin().run("", 0, 7);
    world.slow.add(NODES.get(1));
    world.pass(SUSPECT_SECONDS + 0.4);
    Action.Look look = world.lastLook();
    assertEquals(List.of(NODES.get(0), NODES.get(1)), look.hosts());
    // Its answer comes late; meanwhile all ranks were heard of.
    world.passWithPulses(1, Phase.RUNNING, 8);
    world.on(new Event.Looked(look.look(), List.of(HostState.gone(NODES.get(1), "255"))));
    world.expectLaunch(1).expect(State.RUNNING);
    assertEquals(0, world.killed);
  }

  /** mpirun's own keepalive is about as fast as the pulses that don't come. */
  @Test
  void shouldNotAskAHostTwiceWhenTheLaunchEndsWhileItIsAsked() {
    World world = World.nodes().begin().run("", 0, 7).commit("", 0, "1-1", 7);
    world.slow.add(NODES.get(0));
    world.pass(SUSPECT_SECONDS + 0.4);
    Action.Look suspicion = world.lastLook();
    world.dies(205).expect(State.CLEARING).pass(0.4).expect(State.CLEARING);
    world.on(new Event.Looked(suspicion.look(), List.of(HostState.gone(NODES.get(0), "255"))));
    world.expectLaunch(2);
    assertTrue(world.toString().contains("a is gone: 255"), world::toString);
  }

  @Test
  void shouldRememberWhoWasGoneJustBeforeTheLaunchEnded() {
    World world = World.nodes().begin().run("", 0, 7).commit("", 0, "1-1", 7);
    world.slow.addAll(NODES.subList(0, 2));
    world.pass(SUSPECT_SECONDS - 0.2);
    world.report(Phase.RUNNING, "", 0, 2_000_000, 7, "1-1", 7).pass(SUSPECT_SECONDS + 0.4);
    Action.Look suspicion = world.lastLook();
    // A pulse comes through before the host's answer, and then mpirun ends.
    world.report(Phase.RUNNING, "", 0, 2_000_001, 7, "1-1", 7);
    world.on(new Event.Looked(suspicion.look(), List.of(HostState.gone(NODES.get(0), "255"))));
    world.slow.remove(NODES.get(1));
    world.expect(State.RUNNING).dies(205).expectLaunch(2);
    assertTrue(world.toString().contains("a is gone: 255"), world::toString);
  }

  @Test
  void shouldEndWhatIsLeftOnALostHostWhenItIsBack() {
    World world = World.nodes().begin().run("", 0, 7).commit("", 0, "1-1", 7);
    world.gone.add(NODES.get(1));
    world.pass(SUSPECT_SECONDS + 0.4).dies(137).expectLaunch(2);
    world.passWithPulses(25, Phase.RUNNING, 8);
    Action.Look look = world.lastLook();
    assertEquals(List.of(NODES.get(1)), look.hosts());
    // Of the launch that was given up, not of the one that runs.
    assertEquals(1, look.clearUpTo());
    world.gone.clear();
    world.passWithPulses(25, Phase.RUNNING, 9).expectLaunch(2);
    assertTrue(world.toString().contains("b is back"), world::toString);
    assertEquals(List.of(), world.supervisor.status().gone());
    // A host that is there isn't asked any more, and counts as a spare.
    int looks = world.looks;
    world.passWithPulses(50, Phase.RUNNING, 10);
    assertEquals(looks, world.looks);
    world.commit("1-1", 7, "2-2", 10).dies(137).expectLaunch(3);
  }

  @Test
  void shouldNotWaitForASlowHostThatItCanDoWithout() {
    World world = World.nodes().begin().run("", 0, 7).commit("", 0, "1-1", 7);
    world.slow.add(NODES.get(0));
    world.dies(205).pass(1.8).expect(State.CLEARING).pass(0.4).expectLaunch(2);
    assertEquals(
        List.of(new Placement.Share(NODES.get(1), 2), new Placement.Share(NODES.get(2), 2)),
        world.shares);
  }

  @Test
  void shouldWaitForASlowHostThatItNeeds() {
    World world = World.nodes().begin().run("", 0, 7).commit("", 0, "1-1", 7);
    world.slow.add(NODES.get(0));
    world.gone.add(NODES.get(1));
    world.dies(205).pass(6).expect(State.CLEARING);
    world.on(new Event.Looked(world.lastLook().look(), List.of(HostState.there(NODES.get(0)))));
    world.expectLaunch(2);
  }

  @Test
  void shouldWaitForAllHostsWhenTheJobIsDone() {
    World world = World.nodes().begin().run("", 0, 7);
    world.slow.add(NODES.get(0));
    // No process is to be left anywhere.
    world.dies(0).pass(6).expect(State.CLEARING);
    world.on(new Event.Looked(world.lastLook().look(), List.of(HostState.there(NODES.get(0)))));
    world.expectEnd(Outcome.DONE);
  }

  @Test
  void shouldFindTheHostOnWhichNothingCanBeStarted() {
    World world = World.nodes().begin();
    assertEquals(Set.of(), world.lastLook().trials());
    world.unusable.add(NODES.get(0));
    world.dies(1).pass(1.2).expectLaunch(2);
    assertEquals(
        List.of(new Placement.Share(NODES.get(1), 2), new Placement.Share(NODES.get(2), 2)),
        world.shares);
    assertTrue(world.toString().contains("a is gone: no orted"), world::toString);
    // It isn't taken before a trial succeeds.
    world.run("", 0, 7).commit("", 0, "1-1", 7).dies(1).expectLaunch(3);
    assertEquals(Set.of(NODES.get(0)), world.lastLook().trials());
    world.unusable.clear();
    world.passWithPulses(25, Phase.RUNNING, 9).expectLaunch(3);
    assertTrue(world.toString().contains("a is back"), world::toString);
  }

  @Test
  void shouldNotBlameHostsForAProgramThatStartsNowhere() {
    World world = World.nodes().begin();
    world.unusable.addAll(NODES);
    world.dies(1).pass(1.2).expectLaunch(2).dies(1).expectEnd(Outcome.GAVE_UP, "before any report");
  }

  @Test
  void shouldTellOfRanksThatHaveEndedThemselves() {
    World world = World.nodes().begin().on(new Event.Stranded(1, "rank 2 on b"));
    assertTrue(
        world.toString().contains("rank 2 on b of launch 1, which was given up"), world::toString);
  }

  @Test
  void shouldLeaveALaunchAloneThatIsQuietForAWhileOnHostsThatAnswer() {
    World world = World.nodes().begin().run("", 0, 7).pass(SILENCE_SECONDS - 2).expectLaunch(1);
    assertTrue(world.looks > 2, world::toString);
    // The spare is no part of it.
    world.gone.add(NODES.get(2));
    world.pass(1).expectLaunch(1).pass(2).expect(State.ENDING);
  }

  @Test
  void shouldNotBlameTheProgramForLostHosts() {
    World world = World.nodes().begin().run("", 0, 7);
    world.gone.add(NODES.get(0));
    world.dies(205).pass(1.1).expectLaunch(2).run("", 0, 7);
    world.gone.clear();
    world.gone.add(NODES.get(1));
    world.dies(205).pass(2.1).expectLaunch(3);
    assertEquals(List.of(), world.asked);
  }

  @Test
  void shouldWaitForHostsAndGiveUpWhenTheyDoNotComeBack() {
    World world = World.nodes().begin().run("", 0, 7).commit("", 0, "1-1", 7);
    world.gone.addAll(NODES.subList(0, 2));
    world.dies(205).expect(State.WAITING).pass(10).expect(State.WAITING);
    world.gone.remove(NODES.get(0));
    world.pass(6).expectLaunch(2);
    world.run("1-1", 7, 9).commit("1-1", 7, "2-2", 9);
    world.gone.add(NODES.get(0));
    // Not in whole looks at the hosts.
    world.dies(205).pass(HOST_WAIT_SECONDS - 0.2).expect(State.WAITING);
    world.pass(0.4).expectEnd(Outcome.GAVE_UP, "4 ranks need as many slots", "have 2");
  }

  @Test
  void shouldRefuseToStartOnTooFewSlots() {
    World world = new World(NODES, 7, 10).begin();
    world.expectEnd(Outcome.REFUSED, "7 ranks need as many slots", "--oversubscribe");
  }

  @Test
  void shouldEndTheLaunchWhenInterrupted() {
    World world = World.local().begin().run("", 0, 7).on(new Event.Interrupted());
    world.expect(State.ENDING).dies(143).expectEnd(Outcome.INTERRUPTED);
    assertEquals(2, world.looks);
    World.local()
        .begin()
        .run("", 0, 7)
        .dies(1)
        .on(new Event.Interrupted())
        .expectEnd(Outcome.INTERRUPTED);
  }

  @Test
  void shouldTellHowThingsStand() {
    World world = World.nodes().begin().pass(2);
    assertEquals(
        new Supervisor.Status("starting", "", -1, -1, 2, List.of(), 0, Map.of()),
        world.supervisor.status());
    world.run("", 0, 7).commit("", 0, "1-1", 7);
    world.passWithPulses(3, Phase.RUNNING, 9);
    Supervisor.Status status = world.supervisor.status();
    assertEquals(
        new Supervisor.Status("running", "1-1", World.seconds(3), 9, 2, List.of(), 0, Map.of()),
        status);
  }

  @Test
  void shouldTellWhatWasChosenOnceAndAgainWhenItChanges() {
    World world = World.local().begin().run("", 0, 3);
    world.choices = Map.of("interval", new Report.Choice(30, "why"));
    world.run("", 0, 5);
    assertEquals(world.choices, world.supervisor.status().choices());
    world.choices =
        Map.of("interval", new Report.Choice(40, "why"), "set", new Report.Choice(300, "that"));
    world.run("", 0, 7).dies(1);
    List<String> told =
        world.all.stream()
            .filter(action -> action instanceof Action.Tell tell && tell.event().equals("chosen"))
            .map(action -> ((Action.Tell) action).fields())
            .map(f -> f.get("what") + " " + f.get("seconds") + " " + f.get("why"))
            .toList();
    assertEquals(List.of("interval 30.0 why", "interval 40.0 why", "set 300.0 that"), told);
  }

  @Test
  void shouldIgnoreReportsOfOlderLaunches() {
    World world = World.local().begin().run("", 0, 20).commit("", 0, "1-1", 20).dies(137);
    world.expectLaunch(2);
    world.on(
        new Event.Reported(
            1, new Report(Phase.RUNNING, 1, "/jobs/J", "", 0, 9, 99, 99, "1-9", 99, Map.of())));
    assertEquals("1-1", world.supervisor.status().epoch());
    assertEquals(-1, world.supervisor.status().safePoint());
  }
}

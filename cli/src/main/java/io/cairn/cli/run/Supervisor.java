// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import io.cairn.cli.run.Action.Outcome;
import io.cairn.cli.run.Action.Tell;
import io.cairn.cli.run.Placement.ImpossibleException;
import io.cairn.cli.run.Report.Phase;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * Decides what becomes of a job, as a pure state machine: {@link #on} takes an event and says what
 * is to be done. It never blocks, waits, or reads a clock of its own.
 *
 * <pre>
 *            ┌────────────────────────────────────────────┐
 *            ▼                                            │ [launch again]
 *        CLEARING ──► RUNNING ──► ENDING ──► CLEARING ──► decided
 *            ▲  [launch]  │ [end]              ▲          │ │ │
 *            │            └────────────────────┘          │ │ │
 *            │              mpirun ended by itself        │ │ │
 *            ├────────── WAITING ◄────────────────────────┘ │ │
 *            └────────── ASKING  ◄──────────────────────────┘ │
 *                        FINISHED ◄───────────────────────────┘
 * </pre>
 *
 * Each launch is preceded by a look at all hosts that ends what is left of earlier ones there, and
 * followed by one: the same look where nothing is waited for. A host that was just found gone isn't
 * asked again, and one that takes its time isn't waited for where the others have slots enough:
 * what may be left there is fenced (docs/protocol.md), and ended when the host is back.
 *
 * <p>Time that the machine isn't called in (the tool was stopped, the machine slept) is not counted
 * against the job.
 */
public final class Supervisor {

  enum State {
    NEW,
    /** Waits for the hosts' answers; what is left there is ended. */
    CLEARING,
    /** mpirun lives. */
    RUNNING,
    /** mpirun was asked to end. */
    ENDING,
    /** Asks whether there is an older epoch. */
    ASKING,
    /** Before the next launch. */
    WAITING,
    FINISHED
  }

  /** Ticks come much more often. */
  private static final long LONGEST_STEP_NANOS = TimeUnit.SECONDS.toNanos(2);

  private final RunSettings settings;
  private final List<Action> actions = new ArrayList<>();
  private final Map<Host, HostState> gone = new LinkedHashMap<>();

  /** Hosts that answer, but mpirun can't start anything there. */
  private final Set<Host> unusable = new HashSet<>();

  private State state = State.NEW;

  /** Time that this machine has seen pass. */
  private long now;

  private long lastCallNanos;
  private boolean called;

  private int looks;

  // Looks under way, and null.
  private Looking clearing;
  private Looking suspicion;
  private Looking returning;

  private long returningAt;

  /** Hosts that were found gone when the launch was ended. */
  private final Map<Host, HostState> lost = new HashMap<>();

  private int launches;
  private List<HostState> hosts = List.of();
  private Attempt attempt;
  private Attempt previous;
  private boolean decided = true;
  private boolean interrupted;
  private Set<String> avoid = Set.of();

  /** Since when launches have committed nothing. */
  private int fruitless;

  /** Where the previous epoch was tried; -2 if it wasn't. */
  private long triedAt = UNTRIED;

  private static final long UNTRIED = -2;
  private static final long BEFORE_REPORTS = -1;

  private long waitUntil;
  private long hostsMissingSince = -1;
  private String missing = "";
  private long endingSince;
  private boolean killed;

  /** When mpirun is to be asked to end; -1 if it was. */
  private long terminateAt = -1;

  private long suspectedAt;
  private String newestEpoch = "";
  private long newestEpochAt = -1;

  /** A look at hosts, and their answers so far. */
  private static final class Looking {
    final int number;
    final Set<Host> asked;
    final boolean trial;
    final long since;
    final Map<Host, HostState> answers = new HashMap<>();

    Looking(int number, List<Host> asked, boolean trial, long since) {
      this.number = number;
      this.asked = new LinkedHashSet<>(asked);
      this.trial = trial;
      this.since = since;
    }

    boolean isDone() {
      return answers.keySet().containsAll(asked);
    }
  }

  /** A launch. */
  private static final class Attempt {
    final int number;
    final Placement placement;
    final long begunAt;
    Report last;
    long reportedAt;
    long pulsedAt;
    long progressedAt;

    /** Safe points from one report to the next, at most. */
    long pace;

    String committed = "";

    /** Why it was ended; empty if it ended by itself. */
    String cause = "";

    int exitCode;
    boolean lostHosts;

    Attempt(int number, Placement placement, long begunAt) {
      this.number = number;
      this.placement = placement;
      this.begunAt = begunAt;
    }

    long place() {
      return last == null ? BEFORE_REPORTS : Math.max(last.highest(), last.from());
    }

    boolean inTheSamePlaceAs(Attempt other) {
      if (last == null || other.last == null) {
        return last == null && other.last == null && exitCode == other.exitCode;
      }
      return near(other.place(), Math.max(pace, other.pace));
    }

    boolean isRemote() {
      return placement.hosts().stream().anyMatch(host -> !host.isLocal());
    }

    boolean near(long place, long distance) {
      return Math.abs(place() - place) <= distance;
    }
  }

  /**
   * What there is to see.
   *
   * @param epoch the last committed one, empty if none is known
   * @param epochAgeNanos since it was seen to be committed, -1 if that isn't known
   * @param safePoint the foremost rank's, -1 if unknown
   * @param gone hosts that can't be used
   * @param choices the time between two epochs, and between two that a tier protects
   */
  public record Status(
      String state,
      String epoch,
      long epochAgeNanos,
      long safePoint,
      int hosts,
      List<String> gone,
      int restarts,
      Map<String, Report.Choice> choices) {}

  public Supervisor(RunSettings settings) {
    this.settings = settings;
  }

  /**
   * Something has happened.
   *
   * @param nanos any clock that doesn't go back
   * @return what to do, in this order
   */
  public List<Action> on(Event event, long nanos) {
    now += called ? Math.min(Math.max(0, nanos - lastCallNanos), LONGEST_STEP_NANOS) : 0;
    called = true;
    lastCallNanos = nanos;
    actions.clear();
    if (state != State.FINISHED) {
      handle(event);
    }
    return List.copyOf(actions);
  }

  private void handle(Event event) {
    if (event instanceof Event.Begun) {
      clear();
    } else if (event instanceof Event.Tick) {
      tick();
    } else if (event instanceof Event.Looked looked) {
      looked(looked);
    } else if (event instanceof Event.Reported reported) {
      reported(reported);
    } else if (event instanceof Event.Stranded stranded) {
      tell(
          "stranded",
          "%s of launch %d, which was given up, has ended itself"
              .formatted(stranded.who(), stranded.launch()),
          "launch",
          stranded.launch(),
          "who",
          stranded.who());
    } else if (event instanceof Event.Exited exited) {
      exited(exited.launch(), exited.exitCode());
    } else if (event instanceof Event.NotStarted not) {
      notStarted(not);
    } else if (event instanceof Event.Older older) {
      older(older);
    } else {
      interrupted();
    }
  }

  State state() {
    return state;
  }

  /** For the status line. */
  public Status status() {
    String word =
        switch (state) {
          case NEW, CLEARING, ASKING -> "looking at hosts";
          case RUNNING ->
              attempt.last == null
                  ? "starting"
                  : switch (attempt.last.phase()) {
                    case STARTING -> "starting";
                    case RUNNING -> "running";
                    case DONE, CLOSED -> "finishing";
                  };
          case ENDING -> "ending";
          case WAITING -> missing.isEmpty() ? "waiting to restart" : "waiting for hosts";
          case FINISHED -> "finished";
        };
    return new Status(
        word,
        newestEpoch,
        newestEpochAt < 0 ? -1 : now - newestEpochAt,
        attempt == null || attempt.last == null ? -1 : attempt.last.highest(),
        attempt == null ? 0 : attempt.placement.shares().size(),
        gone.keySet().stream().map(Host::shown).toList(),
        restarts(),
        attempt == null || attempt.last == null ? Map.of() : attempt.last.choices());
  }

  private int restarts() {
    return Math.max(0, launches - 1);
  }

  // ---- before a launch

  private void clear() {
    state = State.CLEARING;
    // Nothing of it was seen: mpirun may be unable to start anything on some host.
    boolean untried =
        attempt != null && attempt.last == null && attempt.cause.isEmpty() && attempt.isRemote();
    List<Host> asked = settings.hosts().stream().filter(h -> !lost.containsKey(h)).toList();
    Set<Host> trials = new HashSet<>(asked);
    if (!untried) {
      trials.retainAll(unusable);
    }
    clearing = look(asked, launches, trials);
    clearing.answers.putAll(lost);
    lost.clear();
    if (suspicion != null) {
      suspicion.answers.values().stream()
          .filter(s -> !s.isThere())
          .forEach(s -> clearing.answers.put(s.host(), s));
    }
    returning = null;
    if (clearing.isDone()) {
      cleared();
    }
  }

  private Looking look(List<Host> asked, int clearUpTo, Set<Host> trials) {
    looks++;
    actions.add(new Action.Look(looks, asked, clearUpTo, trials));
    return new Looking(looks, asked, !trials.isEmpty(), now);
  }

  private void looked(Event.Looked looked) {
    for (Looking looking : new Looking[] {clearing, suspicion, returning}) {
      if (looking != null && looking.number == looked.look()) {
        looked.states().forEach(s -> looking.answers.put(s.host(), s));
      }
    }
    if (state == State.CLEARING && suspicion != null && suspicion.number == looked.look()) {
      // The launch has ended meanwhile: who is gone is gone, and needn't be asked again.
      looked.states().stream()
          .filter(s -> !s.isThere())
          .forEach(s -> clearing.answers.putIfAbsent(s.host(), s));
    }
    if (state == State.CLEARING && clearing.isDone()) {
      cleared();
    }
    if (state == State.RUNNING && suspicion != null) {
      endIfLost(suspicion.answers.values());
    }
    if (suspicion != null && suspicion.isDone()) {
      suspicion = null;
    }
    if (state == State.RUNNING && returning != null && returning.isDone()) {
      returned();
    }
  }

  /** The others may be slow, or gone: a launch isn't to wait for hosts that it can do without. */
  private boolean isClearEnough() {
    boolean over = !decided && (attempt.exitCode == 0 || interrupted);
    int slots =
        clearing.answers.values().stream()
            .filter(HostState::isThere)
            .mapToInt(s -> s.host().slots())
            .sum();
    return !over
        && !clearing.trial
        && now - clearing.since >= RunSettings.SPARE_NANOS
        && slots >= settings.ranks();
  }

  private void cleared() {
    Looking looking = clearing;
    clearing = null;
    String late = "no answer for " + Times.show(now - looking.since);
    hosts =
        settings.hosts().stream()
            .map(h -> looking.answers.getOrDefault(h, HostState.gone(h, late)))
            .toList();
    if (looking.trial) {
      judgeTrials();
    }
    hosts.forEach(this::tellHost);
    returningAt = now;
    if (!decided) {
      decide();
    } else if (interrupted) {
      finish(Outcome.INTERRUPTED, "interrupted");
    } else {
      launch();
    }
  }

  /** A program that starts nowhere is not the hosts' fault. */
  private void judgeTrials() {
    boolean some = hosts.stream().anyMatch(HostState::isThere);
    boolean failed = hosts.stream().anyMatch(HostState::hasFailedTrial);
    if (!some && failed) {
      hosts = hosts.stream().map(h -> h.hasFailedTrial() ? HostState.there(h.host()) : h).toList();
    }
    for (HostState host : hosts) {
      if (host.hasFailedTrial()) {
        unusable.add(host.host());
      } else {
        unusable.remove(host.host());
      }
    }
  }

  private void returned() {
    Looking looking = returning;
    returning = null;
    returningAt = now;
    hosts = hosts.stream().map(h -> looking.answers.getOrDefault(h.host(), h)).toList();
    for (HostState host : looking.answers.values()) {
      if (!host.hasFailedTrial()) {
        unusable.remove(host.host());
      }
      tellHost(host);
    }
  }

  private void tellHost(HostState host) {
    String name = host.host().shown();
    if (!host.isThere() && gone.put(host.host(), host) == null) {
      tell("host-gone", name + " is gone: " + host.problem(), "host", name, "why", host.problem());
    } else if (host.isThere() && gone.remove(host.host()) != null) {
      tell("host-back", name + " is back", "host", name);
    }
    if (host.leftovers() > 0) {
      tell(
          "leftovers",
          "%d processes of an earlier launch can't be ended on %s"
              .formatted(host.leftovers(), name),
          "host",
          name,
          "processes",
          host.leftovers());
    }
  }

  private void launch() {
    Placement placement;
    try {
      Set<Host> stay = attempt == null ? Set.of() : new HashSet<>(attempt.placement.hosts());
      placement = Placement.of(settings.ranks(), hosts, stay, settings.oversubscribe());
    } catch (ImpossibleException e) {
      waitForHosts(e.getMessage());
      return;
    }
    hostsMissingSince = -1;
    missing = "";
    launches++;
    previous = attempt;
    attempt = new Attempt(launches, placement, now);
    decided = false;
    suspicion = null;
    suspectedAt = now;
    state = State.RUNNING;
    tell(
        "launch",
        launches == 1 ? "" : "launch %d: ranks %s".formatted(launches, placement.shown()),
        "launch",
        launches,
        "hosts",
        placement.shares().stream().map(s -> s.host().shown() + ":" + s.ranks()).toList(),
        "avoid",
        List.copyOf(avoid));
    actions.add(new Action.Launch(launches, placement, avoid));
  }

  private void waitForHosts(String why) {
    if (launches == 0) {
      finish(Outcome.REFUSED, why);
      return;
    }
    if (hostsMissingSince < 0) {
      hostsMissingSince = now;
    }
    long left = settings.hostWaitNanos() - (now - hostsMissingSince);
    if (left <= 0) {
      finish(Outcome.GAVE_UP, "gave up: " + why);
      return;
    }
    if (!missing.equals(why)) {
      missing = why;
      tell("waiting", why + "; waiting for hosts", "why", why);
    }
    waitFor(Math.min(left, RunSettings.HOST_PACE_NANOS));
  }

  private void waitFor(long nanos) {
    state = State.WAITING;
    waitUntil = now + nanos;
  }

  // ---- while it runs

  private void tick() {
    switch (state) {
      case RUNNING -> {
        watch();
        lookForReturned();
      }
      case ENDING -> {
        if (terminateAt >= 0) {
          if (now >= terminateAt) {
            terminate();
          }
        } else if (!killed && now - endingSince >= settings.graceNanos()) {
          killed = true;
          actions.add(new Action.Kill(attempt.number));
        } else if (now - endingSince >= 2 * settings.graceNanos()) {
          // It can't even be killed; its ranks can, perhaps.
          exited(attempt.number, -1);
        }
      }
      case WAITING -> {
        if (now >= waitUntil) {
          clear();
        }
      }
      case CLEARING -> {
        if (isClearEnough()) {
          cleared();
        }
      }
      case NEW, ASKING, FINISHED -> {}
    }
  }

  /** Hosts that were gone: what is left there of earlier launches has nothing to do any more. */
  private void lookForReturned() {
    List<Host> asked =
        gone.keySet().stream().filter(h -> !attempt.placement.hosts().contains(h)).toList();
    if (state == State.RUNNING
        && returning == null
        && !asked.isEmpty()
        && now - returningAt >= RunSettings.RETURN_PACE_NANOS) {
      Set<Host> trials = new HashSet<>(asked);
      trials.retainAll(unusable);
      returning = look(asked, attempt.number - 1, trials);
    }
  }

  private void reported(Event.Reported event) {
    if (attempt == null || event.launch() != attempt.number || state != State.RUNNING) {
      return;
    }
    Report report = event.report();
    Report before = attempt.last;
    attempt.last = report;
    attempt.reportedAt = now;
    if (before == null || before.pulses() != report.pulses()) {
      attempt.pulsedAt = now;
    }
    boolean newPhase = before == null || before.phase() != report.phase();
    if (newPhase
        || before.lowest() != report.lowest()
        || before.highest() != report.highest()
        || !before.epoch().equals(report.epoch())) {
      attempt.progressedAt = now;
    }
    if (newPhase) {
      attempt.pulsedAt = now;
    }
    if (report.highest() >= 0) {
      long from = before == null ? report.from() : Math.max(before.highest(), report.from());
      attempt.pace = Math.max(attempt.pace, report.highest() - from);
    }
    if (newPhase && report.phase() == Phase.RUNNING) {
      tellRestored(report);
    }
    report
        .choices()
        .forEach(
            (what, choice) -> {
              if (before == null || !choice.equals(before.choices().get(what))) {
                tell("chosen", "", "what", what, "seconds", choice.seconds(), "why", choice.why());
              }
            });
    if (!report.epoch().isEmpty() && !report.epoch().equals(attempt.committed)) {
      attempt.committed = report.epoch();
      newestEpoch = report.epoch();
      newestEpochAt = now;
      fruitless = 0;
      avoid = Set.of();
      if (report.at() > triedAt + attempt.pace) {
        triedAt = UNTRIED;
      }
      tell("committed", "", "epoch", report.epoch(), "safePoint", report.at());
    }
  }

  private void tellRestored(Report report) {
    boolean fresh = report.restored().isEmpty();
    if (!fresh) {
      newestEpoch = report.restored();
      newestEpochAt = -1;
    }
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("launch", attempt.number);
    fields.put("generation", report.generation());
    fields.put("directory", report.directory());
    if (!fresh) {
      fields.put("epoch", report.restored());
      fields.put("safePoint", report.from());
    }
    actions.add(
        new Tell(
            "running",
            attempt.number == 1
                ? ""
                : "generation %d %s"
                    .formatted(
                        report.generation(),
                        fresh
                            ? "begins anew"
                            : "goes on from epoch %s, safe point %d"
                                .formatted(report.restored(), report.from())),
            fields));
  }

  private void watch() {
    Attempt a = attempt;
    if (a.last == null) {
      if (now - a.begunAt >= settings.startNanos()) {
        end(
            "no rank has reported within %s (--start)"
                .formatted(Times.show(settings.startNanos())));
      } else {
        suspectAfter(now - a.begunAt);
      }
      return;
    }
    Phase phase = a.last.phase();
    long quiet = now - (phase.hasPulse() ? a.pulsedAt : a.reportedAt);
    boolean watched = phase != Phase.CLOSED;
    if (watched && quiet >= settings.silenceNanos()) {
      endHanging(
          "%s for %s, and all hosts answer"
              .formatted(phase.hasPulse() ? "no pulse" : "no report", Times.show(quiet)));
    } else if (now - a.progressedAt >= settings.stallNanos()) {
      endHanging(
          phase == Phase.RUNNING
              ? "no safe point for %s while all agents are alive (--stall): the program hangs, at safe point %d"
                  .formatted(Times.show(now - a.progressedAt), a.place())
              : "%s for %s (--stall): the program hangs"
                  .formatted(
                      phase == Phase.STARTING ? "it has been starting" : "it has been at its end",
                      Times.show(now - a.progressedAt)));
    } else if (watched) {
      suspectAfter(quiet);
    }
  }

  private void suspectAfter(long quiet) {
    if (attempt.isRemote()
        && suspicion == null
        && quiet >= settings.suspectNanos()
        && now - suspectedAt >= settings.suspectNanos()) {
      suspectedAt = now;
      suspicion = look(attempt.placement.hosts(), 0, Set.of());
    }
  }

  private void endIfLost(Collection<HostState> states) {
    Attempt a = attempt;
    long last = a.last == null ? a.begunAt : a.last.phase().hasPulse() ? a.pulsedAt : a.reportedAt;
    Optional<HostState> found =
        states.stream()
            .filter(s -> !s.isThere())
            .min(Comparator.comparingInt(s -> a.placement.hosts().indexOf(s.host())));
    // A pulse that has come meanwhile has seen all ranks.
    if (found.isPresent() && now - last >= settings.suspectNanos()) {
      a.lostHosts = true;
      states.stream().filter(s -> !s.isThere()).forEach(s -> lost.put(s.host(), s));
      ending(
          "%s doesn't answer (%s), and there was no pulse for %s"
              .formatted(
                  found.get().host().shown(), found.get().problem(), Times.show(now - last)));
      // Asked to end, it would wait for its daemons, and for the lost one for ever.
      killed = true;
      actions.add(new Action.Kill(a.number));
    }
  }

  // ---- the end of a launch

  private void end(String cause) {
    ending(cause);
    terminate();
  }

  /** Somebody will want to know where. */
  private void endHanging(String cause) {
    ending(cause);
    if (settings.dumpNanos() > 0) {
      actions.add(new Action.Dump(attempt.number, attempt.placement));
      terminateAt = now + settings.dumpNanos();
    } else {
      terminate();
    }
  }

  private void ending(String cause) {
    attempt.cause = cause;
    state = State.ENDING;
    endingSince = now;
    killed = false;
    terminateAt = -1;
    tell("ending", cause + "; ending the launch", "launch", attempt.number, "why", cause);
    actions.add(new Action.Disown(attempt.number));
  }

  private void terminate() {
    terminateAt = -1;
    endingSince = now;
    actions.add(new Action.Terminate(attempt.number));
  }

  private void exited(int launch, int exitCode) {
    if (attempt == null
        || launch != attempt.number
        || (state != State.RUNNING && state != State.ENDING)) {
      return;
    }
    attempt.exitCode = exitCode;
    actions.add(new Action.Disown(launch));
    clear();
  }

  private void notStarted(Event.NotStarted not) {
    finish(Outcome.REFUSED, not.why());
  }

  private void interrupted() {
    interrupted = true;
    switch (state) {
      case RUNNING -> end("interrupted");
      case ENDING, CLEARING -> {}
      case NEW, ASKING, WAITING, FINISHED -> finish(Outcome.INTERRUPTED, "interrupted");
    }
  }

  /** What to do after a launch, with all hosts just looked at. */
  private void decide() {
    decided = true;
    Attempt a = attempt;
    List<Host> there = hosts.stream().filter(HostState::isThere).map(HostState::host).toList();
    a.lostHosts |= !there.containsAll(a.placement.hosts());
    if (a.exitCode == 0) {
      finish(Outcome.DONE, "done");
      return;
    }
    if (interrupted) {
      finish(Outcome.INTERRUPTED, "interrupted");
      return;
    }
    String cause = a.cause.isEmpty() ? "mpirun ended with exit code " + a.exitCode : a.cause;
    if (a.committed.isEmpty()) {
      fruitless++;
    }
    tell(
        "ended",
        "launch %d has ended%s: %s".formatted(a.number, where(a), cause),
        "launch",
        a.number,
        "exitCode",
        a.exitCode,
        "why",
        cause,
        "safePoint",
        a.place(),
        "epoch",
        newestEpoch);
    if (restarts() >= settings.maxRestarts()) {
      finish(
          Outcome.GAVE_UP,
          "gave up after %d restarts (--max-restarts); the last launch ended%s: %s"
              .formatted(restarts(), where(a), cause));
      return;
    }
    boolean stuck =
        previous != null
            && a.committed.isEmpty()
            && !a.lostHosts
            && !previous.lostHosts
            && a.inTheSamePlaceAs(previous);
    boolean stuckAgain =
        !avoid.isEmpty()
            && a.committed.isEmpty()
            && !a.lostHosts
            && triedAt != UNTRIED
            && a.near(triedAt, a.pace);
    if (!stuck && !stuckAgain) {
      restart();
    } else if (a.last != null && !a.last.directory().isEmpty()) {
      state = State.ASKING;
      actions.add(new Action.AskOlder(a.last.directory(), a.last.generation(), a.last.restored()));
    } else {
      giveUpStuck();
    }
  }

  private static String where(Attempt a) {
    return a.last == null
        ? " before any report"
        : a.last.phase() == Phase.STARTING
            ? " before the main loop"
            : " at safe point " + a.place();
  }

  private void older(Event.Older older) {
    if (state != State.ASKING) {
      return;
    }
    if (older.newer()) {
      // It has committed, and there was no time to report it.
      fruitless = 0;
      avoid = Set.of();
      restart();
      return;
    }
    if (older.avoid().isEmpty() || triedAt != UNTRIED) {
      giveUpStuck();
      return;
    }
    triedAt = attempt.place();
    avoid = Set.of(older.avoid());
    tell(
        "previous-epoch",
        "ended twice%s without a new epoch; trying the epoch before %s"
            .formatted(where(attempt), older.avoid()),
        "avoid",
        List.copyOf(avoid));
    restart();
  }

  private void giveUpStuck() {
    String why =
        attempt.cause.isEmpty() ? "mpirun ended with exit code " + attempt.exitCode : attempt.cause;
    finish(
        Outcome.GAVE_UP,
        "gave up: two launches in a row have ended%s, without a new epoch%s; the last one: %s"
            .formatted(
                where(attempt),
                triedAt == UNTRIED ? "" : ", and so did one from the epoch before",
                why));
  }

  private void restart() {
    long delay = 0;
    if (fruitless > 0) {
      long doubled = settings.backoffNanos() << Math.min(10, fruitless - 1);
      delay = Math.min(RunSettings.MOST_BACKOFF_NANOS, doubled);
    }
    if (delay > 0) {
      tell("backoff", "", "seconds", TimeUnit.NANOSECONDS.toMillis(delay) / 1e3);
      waitFor(delay);
    } else {
      launch();
    }
  }

  private void finish(Outcome outcome, String verdict) {
    state = State.FINISHED;
    tell("finished", "", "outcome", outcome.name(), "verdict", verdict, "restarts", restarts());
    actions.add(new Action.Finish(outcome, verdict));
  }

  private void tell(String event, String text, Object... namesAndValues) {
    Map<String, Object> fields = new LinkedHashMap<>();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      fields.put((String) namesAndValues[i], namesAndValues[i + 1]);
    }
    actions.add(new Tell(event, text, fields));
  }
}

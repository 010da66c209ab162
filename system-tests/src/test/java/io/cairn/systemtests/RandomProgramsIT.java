// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.systemtests.programs.RandomPrograms;
import io.cairn.systemtests.programs.Script;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Programs from one seed each, on 2 to 8 ranks: what they receive and compute is the same without
 * Cairn, with it, with one epoch after the other, with everything drained always, and killed and
 * restored. They check each message and status themselves, too. A program that fails is made
 * smaller for as long as it fails, and printed.
 */
class RandomProgramsIT {

  /** Of each test; {@code ./cairn test --long} asks for more. */
  private static final int PROGRAMS = Integer.getInteger("systemtests.programs", 20);

  /** Those of one launch: it takes longer to start than they take to run. */
  private static final int AT_ONCE = Integer.getInteger("systemtests.programs.launch", 20);

  /** How long a program that fails may be made smaller. */
  private static final int SHRINK_SECONDS = Integer.getInteger("systemtests.shrink", 120);

  /** Runs only this program, as a failure prints it. */
  private static final String PROGRAM = System.getProperty("systemtests.program");

  /** Runs only in this mode. */
  private static final Optional<Mode> MODE =
      Optional.ofNullable(System.getProperty("systemtests.mode")).map(Mode::valueOf);

  /** A small program fails more rarely. */
  private static final int REPEATS = 30;

  private static final int REPEATS_TIMEOUT_SECONDS = 15;

  private static final Pattern CULPRIT = Pattern.compile("program (\\S+): rank .*");
  private static final Pattern BEGINS = Pattern.compile("(?:begins|goes on with) (\\S+)");

  /** What Cairn does meanwhile. */
  private enum Mode {
    ABSENT,
    PRESENT,
    CUTTING,
    DRAINING,
    KILLED
  }

  /** What went wrong, and in which program, if that is known. */
  private static final class Failure extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final String program;

    Failure(String program, String message) {
      super(message);
      this.program = program;
    }
  }

  @RegisterExtension final Workbench bench = new Workbench();

  private long late;
  private long drained;
  private long alwaysDrained;
  private long restored;
  private int kills;
  private int epochs;
  private long tries;

  @ParameterizedTest(name = "on {0} ranks, {1}")
  @CsvSource({"3, 'tcp,self'", "8, 'vader,self'"})
  void shouldDoTheSameWhateverCairnDoes(int ranks, String transport) {
    SplittableRandom random = Seed.random("random programs " + ranks);
    int count = 0;
    do {
      List<String> programs = new ArrayList<>();
      while (PROGRAM == null && programs.size() < AT_ONCE && count < PROGRAMS) {
        programs.add(random.nextInt(1_000_000) + "/" + random.nextInt(2, ranks + 1));
        count++;
      }
      if (PROGRAM != null) {
        programs.addAll(Collections.nCopies(REPEATS, PROGRAM));
        count = PROGRAMS;
      }
      compare(ranks, transport, programs, random);
    } while (count < PROGRAMS);
    System.out.printf(
        "%d ranks, %s: %d programs, %d epochs, %d late messages, %d drained, %d in the debug mode,"
            + " %d kills, %d messages restored%n",
        ranks, transport, count, epochs, late, drained, alwaysDrained, kills, restored);
    if (PROGRAM == null && MODE.isEmpty()) {
      assertTrue(late > 0, "no late message was captured");
      assertTrue(alwaysDrained > 0, "no message was drained in the debug mode");
      assertTrue(kills > 0, "nothing was killed");
      assertTrue(restored > 0, "no message was restored");
    }
  }

  private void compare(
      int ranks, String transport, List<String> programs, SplittableRandom random) {
    List<String> alone = List.of();
    for (Mode mode : MODE.map(List::of).orElse(List.of(Mode.values()))) {
      try {
        List<String> results =
            run(mode, ranks, transport, programs, random, MpiJob.DEFAULT_TIMEOUT_SECONDS, 64);
        if (mode == Mode.ABSENT) {
          alone = results;
        }
        requireSame(programs, alone, results);
      } catch (Failure failure) {
        throw new AssertionError(
            "seed %d, mode %s: %s%n%s"
                .formatted(
                    Seed.value(), mode, failure.getMessage(), shrunk(mode, transport, failure)),
            failure);
      }
    }
  }

  private static void requireSame(List<String> programs, List<String> alone, List<String> results) {
    for (int rank = 0; rank < alone.size(); rank++) {
      String[] wanted = alone.get(rank).split(" ", -1);
      String[] found = results.get(rank).split(" ", -1);
      for (int i = 0; i < wanted.length; i++) {
        if (!wanted[i].equals(found[i])) {
          String program = programs.get(i - (wanted.length - programs.size()));
          throw new Failure(
              program, "program %s has another result on rank %d".formatted(program, rank));
        }
      }
    }
  }

  // ---- one mode

  /**
   * Each rank's results.
   *
   * @param slowest how long a safe point may last at most, in milliseconds
   */
  private List<String> run(
      Mode mode,
      int ranks,
      String transport,
      List<String> programs,
      SplittableRandom random,
      int timeoutSeconds,
      int slowest) {
    bench.emptyFolder();
    boolean killed = false;
    int millis = 1;
    for (int launches = 1; ; launches++) {
      MpiJob.Builder launch =
          bench
              .job(ranks, RandomPrograms.class)
              .environment("OMPI_MCA_btl", transport)
              .property("cairn.log", "quiet")
              .timeoutSeconds(timeoutSeconds);
      programs.forEach(p -> launch.arguments("program=" + p));
      boolean last = true;
      switch (mode) {
        case ABSENT -> launch.property("cairn.enabled", false);
        case PRESENT -> launch.arguments("requests=0");
        case CUTTING -> cutting(launch, millis, "1ms");
        case DRAINING -> cutting(launch, millis, "30s").environment("CAIRN_DRAIN", "always");
        case KILLED -> {
          // The second kill comes to a job that was restored; left to itself, a late message is
          // recorded when the program receives it.
          cutting(launch, millis, launches % 2 == 1 ? "1ms" : "30s");
          last = launches > (ranks > 4 ? 1 : 2);
          if (!last) {
            launch.property(
                "systemtests.halt", random.nextInt(ranks) + ":" + random.nextInt(1, 6) + ":late");
          }
        }
      }
      MpiJob.Outcome outcome;
      try {
        outcome = launch.run();
      } catch (AssertionError hangs) {
        throw new Failure(culprit(hangs.getMessage().lines().toList()), hangs.getMessage());
      }
      requireHarmless(outcome, mode == Mode.KILLED && !last);
      EventLog events = outcome.events();
      late += events.sum("committed", "late");
      restored += events.sum("restored", "queued");
      epochs += events.of("committed").size() / ranks;
      if (mode == Mode.DRAINING) {
        alwaysDrained += events.sum("committed", "drained");
      } else {
        drained += events.sum("committed", "drained");
      }
      if (!outcome.succeeded()) {
        killed = true;
        kills++;
        continue;
      }
      boolean happened =
          switch (mode) {
            case ABSENT, PRESENT -> true;
            case CUTTING -> !events.of("committed").isEmpty();
            case DRAINING -> events.sum("committed", "drained") > 0;
            case KILLED -> killed;
          };
      if (happened || millis >= slowest) {
        return outcome.all().stream().filter(l -> l.startsWith("result ")).sorted().toList();
      }
      // A disk that is slower than the programs: they take longer, then.
      millis *= 4;
      launches = 0;
      bench.emptyFolder();
    }
  }

  private static MpiJob.Builder cutting(MpiJob.Builder launch, int millis, String drainDeadline) {
    return launch
        .property("cairn.every", 1)
        .property("cairn.drain.deadline", drainDeadline)
        .arguments("millis=" + millis);
  }

  private static void requireHarmless(MpiJob.Outcome outcome, boolean mayBeKilled) {
    List<String> lines = outcome.all();
    Optional<String> problem =
        lines.stream()
            .filter(
                l ->
                    l.contains("Exception")
                        || (l.startsWith("event abandoned ") && !EventLog.isHarmless(l)))
            .findFirst();
    if (problem.isPresent() || (!outcome.succeeded() && !mayBeKilled)) {
      int until = problem.isPresent() ? lines.indexOf(problem.get()) + 1 : lines.size();
      throw new Failure(
          culprit(lines.subList(0, until)),
          problem.orElse("exit code " + outcome.exitCode()) + "; it printed:\n" + outcome.text());
    }
  }

  /** The program that says so itself, or that was begun last. */
  private static String culprit(List<String> lines) {
    String found = null;
    for (String line : lines) {
      Matcher says = CULPRIT.matcher(line);
      if (says.find() && line.contains("Exception")) {
        return says.group(1);
      }
      Matcher begins = BEGINS.matcher(line);
      if (begins.find()) {
        found = begins.group(1);
      }
    }
    return found;
  }

  // ---- what fails, made smaller

  private String shrunk(Mode mode, String transport, Failure failure) {
    if (failure.program == null) {
      return "no program had begun";
    }
    String whole = failure.program.split("=", -1)[0];
    List<String> all = Script.parts(failure.program);
    boolean again = false;
    for (int i = 0; i < 3 && !again; i++) {
      again = fails(mode, transport, named(whole, all));
    }
    if (!again) {
      return "alone it does not fail:\n" + Script.of(failure.program).text();
    }
    Shrinker shrinker =
        new Shrinker(parts -> fails(mode, transport, named(whole, parts)), SHRINK_SECONDS);
    List<String> left = shrinker.shrink(all);
    String name = named(whole, left);
    return "%d of %d parts are left after %d tries; without Cairn it %s. Again: -Dsystemtests.program=%s%n%s"
        .formatted(
            left.size(),
            all.size(),
            shrinker.tries(),
            fails(Mode.ABSENT, transport, name) ? "fails, too" : "does not fail",
            name,
            Script.of(name).text());
  }

  private static String named(String whole, List<String> parts) {
    return whole + "=" + String.join("+", parts);
  }

  private boolean fails(Mode mode, String transport, String program) {
    int ranks = Script.of(program).size();
    if (ranks == 0) {
      return false;
    }
    try {
      run(
          mode,
          ranks,
          transport,
          Collections.nCopies(REPEATS, program),
          new SplittableRandom(tries++), // killed elsewhere each time
          REPEATS_TIMEOUT_SECONDS,
          1);
      return false;
    } catch (Failure failure) {
      return true;
    }
  }

  @Test
  void shouldFindTheSmallestThatFails() {
    List<String> all = Stream.iterate(0, i -> i < 40, i -> i + 1).map(i -> "m" + i).toList();
    Shrinker shrinker = new Shrinker(l -> l.contains("m7") && l.contains("m33"), 60);
    assertTrue(shrinker.shrink(all).equals(List.of("m7", "m33")));
  }
}

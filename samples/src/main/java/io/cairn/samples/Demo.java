// SPDX-License-Identifier: Apache-2.0
package io.cairn.samples;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The story that Cairn is about, on this machine: a solver is checkpointed while it computes, one
 * of its ranks is killed, it is started again, and its answer is the same to the last bit.
 *
 * <p>Exit code 0 only if the answers are identical and every restart went on from the last
 * committed epoch; 2 for wrong arguments.
 */
public final class Demo {

  private static final String USAGE =
      """
      usage: ./cairn demo [options]
        --sample NAME   heat2d, cg, pipeline or taskfarm (heat2d)
        --ranks N       processes of the job (4)
        --size N        edge of the grid; for pipeline and taskfarm, doubles in a message (512)
        --steps N       steps of the computation, for taskfarm tasks (1500)
        --kills N       how often a random rank is killed at a random moment (1)
        --interval MS   time between two epochs, in milliseconds (1000)
        --seed N        of rank and moment (random; it is printed)
        --help          this text""";

  private static final int STEP_MILLIS = 5;
  private static final long SILENCE_SECONDS = 120;
  private static final Pattern VALUE = Pattern.compile("(\\w+)=(\\S+)");
  private static final Pattern EPOCH = Pattern.compile("epoch-(\\d+)-(\\d+)");

  /** An epoch of a launch. */
  private record Epoch(long generation, long number) {
    @Override
    public String toString() {
      return "epoch " + number + " of launch " + generation;
    }
  }

  /** Something that isn't as the story promises. */
  private static final class BrokenPromiseException extends Exception {
    private static final long serialVersionUID = 1L;

    BrokenPromiseException(String message, List<String> printed) {
      super(
          message + (printed.isEmpty() ? "" : "; the job printed:\n" + String.join("\n", printed)));
    }
  }

  private final Class<?> program;
  private final List<String> problem;
  private final int ranks;
  private final int steps;
  private final int kills;
  private final int intervalMillis;
  private final SplittableRandom random;
  private final Path folder;

  private Demo(Arguments arguments, long seed, Path folder) {
    String sample = arguments.text("sample") == null ? "heat2d" : arguments.text("sample");
    String size = Integer.toString(arguments.integer("size", 512, 16));
    this.ranks = arguments.integer("ranks", 4, 1);
    this.steps = arguments.integer("steps", 1_500, 10);
    this.kills = arguments.integer("kills", 1, 1);
    this.intervalMillis = arguments.integer("interval", 1_000, 1);
    this.random = new SplittableRandom(seed);
    this.folder = folder;
    String count = Integer.toString(steps);
    switch (sample) {
      case "heat2d" -> {
        program = Heat2d.class;
        problem = List.of("--nx", size, "--ny", size, "--steps", count);
      }
      case "cg" -> {
        program = ConjugateGradient.class;
        problem = List.of("--poisson", size, "--iterations", count, "--tolerance", "1e-30");
      }
      case "pipeline" -> {
        program = Pipeline.class;
        problem = List.of("--doubles", size, "--steps", count);
      }
      case "taskfarm" -> {
        program = TaskFarm.class;
        problem = List.of("--doubles", size, "--tasks", count);
      }
      default ->
          throw arguments.wrong(
              "--sample " + sample + ": expected heat2d, cg, pipeline or taskfarm");
    }
  }

  /** See the class. */
  public static void main(String[] args) throws IOException, InterruptedException {
    if (List.of(args).contains("--help")) {
      System.out.println(USAGE);
      return;
    }
    Path folder = Files.createTempDirectory("cairn-demo");
    int status = 1;
    try {
      Arguments arguments =
          new Arguments(
              USAGE,
              List.of("sample", "ranks", "size", "steps", "kills", "interval", "seed"),
              args);
      long seed =
          arguments.text("seed") == null
              ? System.nanoTime() % 1_000_000
              : arguments.integer("seed", 0, 0);
      new Demo(arguments, seed, folder).tell(seed);
      status = 0;
    } catch (IllegalArgumentException e) {
      System.err.println(e.getMessage());
      status = 2;
    } catch (BrokenPromiseException e) {
      System.out.println();
      System.out.println("FAILED: " + e.getMessage());
    } finally {
      delete(folder);
    }
    System.exit(status);
  }

  private void tell(long seed) throws IOException, InterruptedException, BrokenPromiseException {
    long start = System.nanoTime();
    say(
        "Cairn demo: %s %s on %d ranks (seed %d)",
        program.getSimpleName(), String.join(" ", problem), ranks, seed);
    say("");
    say("1. What the answer should be: the program without Cairn, and nobody disturbs it.");
    String expected = reference();
    say("   %s", expected);
    say("");
    say(
        "2. Now with Cairn, a checkpoint (\"epoch\") every %d ms while it computes on. All ranks",
        intervalMillis);
    say(
        "   are saved at %s safe point, with the messages in flight between them.",
        program == TaskFarm.class ? "their next" : "the same");
    String answer = null;
    for (int launch = 1; answer == null; launch++) {
      Optional<Epoch> before = newestOnDisk();
      if (launch > 1) {
        say("");
        say(
            "%d. The same command again. On disk the last committed one is %s.",
            launch + 1, before.map(Epoch::toString).orElse("none"));
      }
      answer = launch(launch <= kills, before);
    }
    say("");
    say("%d. Compared:", kills + 3);
    say("   uninterrupted  %s", expected);
    say("   killed %-7s %s", kills == 1 ? "once" : kills + " x", answer);
    if (!expected.equals(answer)) {
      throw new BrokenPromiseException("the answers differ", List.of());
    }
    say("   Identical to the last bit. (%.0f s in all)", seconds(start));
  }

  private String reference() throws IOException, InterruptedException, BrokenPromiseException {
    try (Launch launch =
        new Launch(folder, ranks, List.of("-Dcairn.enabled=false"), program, problem)) {
      String answer = null;
      while (!launch.ended()) {
        String line = nextLine(launch);
        answer = line.startsWith("result ") ? line : answer;
      }
      if (launch.exitCode() != 0 || answer == null) {
        throw new BrokenPromiseException("it ended without a result", launch.printed());
      }
      return answer;
    }
  }

  /** One launch of the checkpointed job; its answer, or null if it was killed as planned. */
  private String launch(boolean toBeKilled, Optional<Epoch> expected)
      throws IOException, InterruptedException, BrokenPromiseException {
    List<String> arguments = new ArrayList<>(problem);
    arguments.addAll(List.of("--step-millis", Integer.toString(STEP_MILLIS), "--events", "1"));
    int victim = random.nextInt(ranks);
    int afterCommits = 1 + random.nextInt(3);
    long delayNanos = TimeUnit.MILLISECONDS.toNanos(random.nextInt(intervalMillis));
    List<String> jvm = List.of("-Dcairn.interval=" + intervalMillis + "ms", "-Dcairn.log=quiet");
    String answer = null;
    Set<Integer> restored = new HashSet<>();
    boolean killed = false;
    int commits = 0;
    long killAt = Long.MAX_VALUE;
    long start = System.nanoTime();
    try (Launch launch = new Launch(folder, ranks, jvm, program, arguments)) {
      long heard = System.nanoTime();
      while (!launch.ended()) {
        Optional<String> line = launch.next(5);
        if (line.isPresent()) {
          heard = System.nanoTime();
        } else if (seconds(heard) > SILENCE_SECONDS) {
          throw new BrokenPromiseException("nothing happens any more", launch.printed());
        }
        String text = line.orElse("");
        if (text.startsWith("event restored ")) {
          restored(values(text), expected, restored, launch);
        } else if (text.startsWith("event committed rank=0 ")) {
          if (commits == 0) {
            header();
          }
          row(values(text));
          if (++commits == afterCommits) {
            killAt = System.nanoTime() + delayNanos;
          }
        } else if (text.startsWith("event abandoned rank=0 ")) {
          say("   %s", text.substring("event abandoned rank=0 ".length()));
        } else if (text.startsWith("result ")) {
          answer = text;
        }
        if (toBeKilled && !killed && System.nanoTime() > killAt) {
          Optional<Long> process = launch.kill(victim);
          killed = process.isPresent();
          process.ifPresent(
              pid ->
                  say(
                      "   kill -9 for rank %d (process %d) after %.1f s; mpirun ends the others.",
                      victim, pid, seconds(start)));
        }
      }
      if (killed && launch.exitCode() != 0) {
        return null;
      }
      if (launch.exitCode() != 0 || answer == null) {
        throw new BrokenPromiseException("the job failed by itself", launch.printed());
      }
      if (toBeKilled) {
        throw new BrokenPromiseException(
            "the job was done before it could be killed; give it more --steps", List.of());
      }
      if (restored.size() != ranks) {
        throw new BrokenPromiseException(
            "%d of %d ranks were restored".formatted(restored.size(), ranks), launch.printed());
      }
      return answer;
    }
  }

  private void restored(
      Map<String, String> values, Optional<Epoch> expected, Set<Integer> restored, Launch launch)
      throws BrokenPromiseException {
    Epoch epoch = new Epoch(number(values, "generation"), number(values, "epoch"));
    if (!expected.equals(Optional.of(epoch))) {
      throw new BrokenPromiseException(
          "restored %s, but the last committed one is %s".formatted(epoch, expected),
          launch.printed());
    }
    restored.add((int) number(values, "rank"));
    if (restored.size() == ranks) {
      String where =
          program == TaskFarm.class
              ? "each at its own safe point"
              : "at safe point " + number(values, "safepoint");
      say("   All %d ranks go on from it, %s.", ranks, where);
    }
  }

  private static void header() {
    say("");
    say("   epoch  safe point  done     pause        size  durable after  late messages captured");
  }

  private void row(Map<String, String> values) {
    say(
        "   %5d  %10d  %3d%%  %5.1f ms  %7.2f MB  %10.0f ms  %22d",
        number(values, "epoch"),
        number(values, "safepoint"),
        100 * number(values, "safepoint") / steps,
        number(values, "pauseMicros") / 1e3,
        number(values, "bytes") / 1e6,
        number(values, "durableMicros") / 1e3,
        number(values, "late"));
  }

  /** The last epoch whose record is there: as an operator would look for it. */
  private Optional<Epoch> newestOnDisk() throws IOException {
    Path job = folder.resolve("cairn-jobs").resolve(program.getSimpleName());
    if (!Files.isDirectory(job)) {
      return Optional.empty();
    }
    List<Epoch> epochs = new ArrayList<>();
    try (Stream<Path> entries = Files.list(job)) {
      for (Path entry : entries.toList()) {
        Matcher name = EPOCH.matcher(entry.getFileName().toString());
        // A pending record is one that a rank didn't live to rename.
        if (name.matches()
            && (Files.exists(entry.resolve("record"))
                || Files.exists(entry.resolve("pending-record")))) {
          epochs.add(new Epoch(Long.parseLong(name.group(1)), Long.parseLong(name.group(2))));
        }
      }
    }
    return epochs.stream()
        .max(Comparator.comparingLong(Epoch::generation).thenComparingLong(Epoch::number));
  }

  private static String nextLine(Launch launch)
      throws InterruptedException, BrokenPromiseException {
    Optional<String> line = launch.next(TimeUnit.SECONDS.toMillis(SILENCE_SECONDS));
    if (line.isEmpty() && !launch.ended()) {
      throw new BrokenPromiseException("nothing happens any more", launch.printed());
    }
    return line.orElse("");
  }

  private static Map<String, String> values(String line) {
    Map<String, String> values = new HashMap<>();
    Matcher matcher = VALUE.matcher(line);
    while (matcher.find()) {
      values.put(matcher.group(1), matcher.group(2));
    }
    return values;
  }

  private static long number(Map<String, String> values, String name) {
    return Long.parseLong(values.get(name));
  }

  private static double seconds(long sinceNanos) {
    return (System.nanoTime() - sinceNanos) / 1e9;
  }

  private static void say(String format, Object... values) {
    System.out.println(String.format(Locale.ROOT, format, values));
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}

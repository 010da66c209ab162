// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What the shim and an idle agent add to a message between two ranks: to a C program, and to one
 * that uses the Java bindings. The sides take turns, because the machine's own figures change from
 * moment to moment (the C program's within one process; the Java program's from run to run), and
 * the best of each counts.
 */
final class MessagingBenchmark {

  static final String USAGE =
      """
      usage: ./cairn bench messaging [options]
        --runs N         interleaved runs of each side (5)
        --effort F       messages in a run, as a multiple of the usual number (1)
        --parts          also the C program with the least bookkeeping that any shim needs, with the
                         shim only, and without the library
        --tcp            over TCP (loopback), not shared memory
        --no-java        only the C program""";

  private static final String PLAIN = "plain";
  private static final String BOTH = "both";
  private static final String LEAST = "least";
  private static final String SHIM = "shim";
  private static final String EPOCH = "epoch";
  private static final String NO_LIBRARY = "not loaded";

  private MessagingBenchmark() {}

  /** The sides of one comparison, each with its best figures so far. */
  private static final class Sides {
    final Map<String, Map<String, Double>> best = new LinkedHashMap<>();

    void add(String side, Map<String, Double> figures) {
      figures.forEach(
          (name, value) ->
              best.computeIfAbsent(side, s -> new LinkedHashMap<>())
                  .merge(name, value, name.equals("pulses") ? Math::max : Math::min));
    }

    double get(String side, String name) {
      Double value = best.get(side).get(name);
      if (value == null) {
        throw new IllegalStateException("no figure for " + name + " " + side);
      }
      return value;
    }
  }

  static void run(List<String> arguments) throws Exception {
    Options options = new Options(USAGE, arguments);
    int runs = options.integer("--runs", 5);
    double effort = options.number("--effort", 1);
    boolean parts = options.flag("--parts");
    boolean java = !options.flag("--no-java");
    List<String> network =
        List.of(
            "--mca",
            "pml",
            "ob1",
            "--mca",
            "btl",
            options.flag("--tcp") ? "tcp,self" : "vader,self");
    options.end();
    Path directory = Files.createTempDirectory("cairn-messaging-");
    try {
      Table table =
          new Table("messages between 2 ranks", "with", "without", "added", "ratio", "goal");
      Sides c = runC(directory, network, runs, effort, parts);
      addRows(table, c, "C", true);
      for (Figure figure : FIGURES) {
        row(
            table,
            c,
            EPOCH,
            BOTH,
            figure,
            "C in an epoch",
            goalOfRatio(1.1, ratio(c, EPOCH, BOTH, figure)));
      }
      if (parts) {
        printPart(c, LEAST, "least");
        printPart(c, SHIM, "shim only");
        printPart(c, NO_LIBRARY, "not loaded");
      }
      if (java) {
        addRows(table, runJava(directory, network, runs, effort), "Java", false);
      }
      System.out.println();
      table.print(System.out);
      System.out.println(
          "\n  nanoseconds; with: shim and idle agent, without: MPI alone at MPI_THREAD_MULTIPLE;"
              + " in an epoch: after a cut that no message crosses, against no epoch;"
              + " best of "
              + runs
              + " runs, the sides in turns");
    } finally {
      Directories.delete(directory);
    }
  }

  private static void printPart(Sides c, String side, String title) {
    Table table = new Table("messages between 2 ranks", title, "without", "added", "ratio");
    for (Figure figure : FIGURES) {
      row(table, c, side, PLAIN, figure, "C", null);
    }
    System.out.println();
    table.print(System.out);
  }

  private record Figure(String key, String title, double goalAdded, double goalRatio) {}

  private static final List<Figure> FIGURES =
      List.of(
          new Figure("half-round-trip-8", "half round trip, 8 bytes", 20, 0),
          new Figure("half-round-trip-65536", "half round trip, 64 KiB", 0, 1.01),
          new Figure("half-round-trip-1048576", "half round trip, 1 MiB", 0, 1.01),
          new Figure("per-message-8", "each of 64 in a window, 8 bytes", 0, 1.08));

  private static void addRows(Table table, Sides sides, String language, boolean goals) {
    if (sides.get(BOTH, "pulses") <= 0) {
      throw new IllegalStateException("the agent has not sent a single pulse");
    }
    for (Figure figure : FIGURES) {
      double added = sides.get(BOTH, figure.key) - sides.get(PLAIN, figure.key);
      String goal = "";
      if (goals && figure.goalAdded > 0) {
        goal =
            String.format(
                Locale.ROOT,
                "+%.0f: %s",
                figure.goalAdded,
                added <= figure.goalAdded ? "met" : "missed");
      } else if (goals) {
        goal = goalOfRatio(figure.goalRatio, ratio(sides, BOTH, PLAIN, figure));
      }
      row(table, sides, BOTH, PLAIN, figure, language, goal);
    }
  }

  private static double ratio(Sides sides, String side, String reference, Figure figure) {
    return sides.get(side, figure.key) / sides.get(reference, figure.key);
  }

  private static String goalOfRatio(double goal, double ratio) {
    return String.format(Locale.ROOT, "%.2fx: %s", goal, ratio <= goal ? "met" : "missed");
  }

  private static void row(
      Table table,
      Sides sides,
      String side,
      String reference,
      Figure figure,
      String language,
      String goal) {
    double with = sides.get(side, figure.key);
    double without = sides.get(reference, figure.key);
    List<String> cells = new ArrayList<>();
    cells.add(language + ": " + figure.title);
    cells.add(Table.number(with));
    cells.add(Table.number(without));
    cells.add(String.format(Locale.ROOT, "%+.1f", with - without));
    cells.add(String.format(Locale.ROOT, "%.3fx", with / without));
    if (goal != null) {
      cells.add(goal);
    }
    table.row(cells.toArray(String[]::new));
  }

  private static Sides runC(
      Path directory, List<String> network, int runs, double effort, boolean parts)
      throws IOException, InterruptedException {
    String program = compileProgram(directory).toString();
    List<String> preload = new ArrayList<>(network);
    preload.addAll(List.of("-x", "LD_PRELOAD=" + shim(directory)));
    String epochs = compileEpochs(directory).toString();
    String factor = Double.toString(effort);
    Sides sides = new Sides();
    for (int i = 1; i <= runs; i++) {
      System.out.println("C program, run " + i + " of " + runs);
      Map<String, Double> figures =
          Mpirun.run(preload, List.of(program, "--sides", epochs, "--effort", factor));
      for (String side : List.of(PLAIN, LEAST, SHIM, BOTH, EPOCH)) {
        sides.add(side, only(figures, side.equals(PLAIN) ? "" : "." + side));
      }
      sides.add(BOTH, Map.of("pulses", figures.getOrDefault("pulses", 0.0)));
      if (parts) {
        sides.add(NO_LIBRARY, Mpirun.run(network, List.of(program, "--effort", factor)));
      }
    }
    return sides;
  }

  /** The figures of one side, which their names end with, by their names without it. */
  private static Map<String, Double> only(Map<String, Double> figures, String suffix) {
    Map<String, Double> side = new LinkedHashMap<>();
    for (Figure figure : FIGURES) {
      Double value = figures.get(figure.key + suffix);
      if (value != null) {
        side.put(figure.key, value);
      }
    }
    return side;
  }

  private static Sides runJava(Path directory, List<String> network, int runs, double effort)
      throws IOException, InterruptedException {
    Sides sides = new Sides();
    for (int i = 1; i <= runs; i++) {
      System.out.println("Java program, run " + i + " of " + runs);
      for (boolean enabled : new boolean[] {false, true}) {
        List<String> jvm =
            List.of(
                "-Dcairn.enabled=" + enabled,
                "-Dcairn.dir=" + directory.resolve("jobs"),
                "-Dcairn.interval=off",
                "-Dcairn.restore=fresh",
                "-Dcairn.log=quiet");
        sides.add(
            enabled ? BOTH : PLAIN,
            Mpirun.java(network, jvm, MessagingProgram.class, List.of(Double.toString(effort))));
      }
    }
    return sides;
  }

  /** The sources travel in this module's jar: what runs needs this machine's MPI. */
  private static Path compileProgram(Path directory) throws IOException, InterruptedException {
    Path source = NativeSources.unpack("messaging.c", directory);
    Path program = directory.resolve("messaging");
    NativeSources.compile("mpicc", "-O2", "-std=c11", "-o", program, source, "-pthread", "-ldl");
    return program;
  }

  private static Path compileEpochs(Path directory) throws IOException, InterruptedException {
    for (String header : List.of("ledger", "channel_table", "hash", "lock", "export")) {
      NativeSources.unpack("ledger/" + header + ".hpp", directory);
    }
    Path source = NativeSources.unpack("epoch.cpp", directory);
    Path library = directory.resolve("libepoch.so");
    NativeSources.compile(
        "mpicxx",
        "-O2",
        "-std=c++17",
        "-DOMPI_SKIP_MPICXX",
        "-shared",
        "-fPIC",
        "-o",
        library,
        source,
        "-ldl");
    return library;
  }

  /** The libraries of the SDK's jar, side by side; returns the shim. */
  private static Path shim(Path directory) throws IOException {
    String arch =
        System.getProperty("os.arch").equals("amd64") ? "x86_64" : System.getProperty("os.arch");
    String folder = "META-INF/native/linux-" + arch + "/";
    NativeSources.unpack(folder + "libisal.so.2", directory);
    NativeSources.unpack(folder + "libcairn-core.so", directory);
    return NativeSources.unpack(folder + "libcairn.so", directory);
  }
}

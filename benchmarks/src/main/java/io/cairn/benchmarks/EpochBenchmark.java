// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Whole epochs of two ranks under mpirun: how long the application stops, how long until it is
 * durable, and what memory it takes, beside a copy, a plain write with sync, and the same program
 * with Cairn disabled.
 */
final class EpochBenchmark {

  static final String USAGE =
      """
      usage: ./cairn bench epoch [options]
        --mib N          size of each rank's region in MiB (512)
        --epochs N       epochs that are counted, after one that isn't (7)
        --content WHAT   zero, half (LZ4 halves it) or random (random)
        --slow N         megabytes a second of the slow storage (200); with half compressible bytes
        --restores N     launches that restore (5)""";

  private static final double MEBI = 1 << 20;
  private static final double MILLI = 1e6;

  private EpochBenchmark() {}

  static void run(List<String> arguments, Figures figures) throws Exception {
    Options options = new Options(USAGE, arguments);
    int mebibytes = options.integer("--mib", 512);
    int epochs = options.integer("--epochs", 7);
    Content content = options.content("--content", Content.RANDOM);
    int slow = options.integer("--slow", 200);
    int restores = options.integer("--restores", 5);
    options.end();
    Path directory = Directories.create();
    try {
      System.out.println(
          "2 ranks x "
              + mebibytes
              + " MiB ("
              + content
              + "), "
              + epochs
              + " epochs, in "
              + directory);
      Map<String, Double> with = launch(true, directory, mebibytes, epochs, content, 0);
      System.out.println("the same program with cairn.enabled=false");
      Map<String, Double> without = launch(false, directory, mebibytes, epochs, content, 0);
      System.out.println("half compressible, " + slow + " MB/s");
      Map<String, Double> limited =
          launch(true, directory, mebibytes, Math.max(5, epochs / 2), Content.HALF, slow);
      System.out.println("restored " + restores + " times");
      List<Map<String, Double>> restored = restore(directory, mebibytes, restores);
      System.out.println();
      compare(mebibytes, with, without, limited, restored, figures).print(System.out);
      System.out.println(
          "\n  medians of "
              + epochs
              + " epochs, each the longest of both ranks; durable and committed from the"
              + " beginning of the cut");
    } finally {
      Directories.delete(directory);
    }
  }

  /** The figures that rank 0 printed, by name. */
  static Map<String, Double> launch(
      boolean enabled, Path directory, int mebibytes, int epochs, Content content, int slow)
      throws IOException, InterruptedException {
    List<String> jvm = new ArrayList<>(jvm(directory));
    jvm.add("-Dcairn.enabled=" + enabled);
    jvm.add("-Dcairn.restore=fresh");
    if (slow > 0) {
      jvm.add("-Dcairn.store.bandwidth=" + slow * 1_000_000L + "B");
    }
    // Bound to one core each, writer and application would have to share it.
    return Mpirun.java(
        List.of("--bind-to", "none"),
        jvm,
        EpochProgram.class,
        List.of(
            Long.toString((long) mebibytes << 20),
            Integer.toString(epochs),
            content.name(),
            directory.toString(),
            Long.toString(slow * 1_000_000L)));
  }

  private static List<String> jvm(Path directory) {
    return List.of(
        "-Dcairn.dir=" + directory.resolve("jobs"), "-Dcairn.interval=off", "-Dcairn.log=quiet");
  }

  /** What each launch that restored printed. */
  static List<Map<String, Double>> restore(Path directory, int mebibytes, int restores)
      throws IOException, InterruptedException {
    List<Map<String, Double>> all = new ArrayList<>();
    Path jobs = directory.resolve("restored");
    List<String> jvm = new ArrayList<>(jvm(jobs));
    for (int launch = 0; launch <= restores; launch++) {
      Map<String, Double> printed =
          Mpirun.java(
              List.of("--bind-to", "none"),
              jvm,
              RestoreProgram.class,
              List.of(
                  Long.toString((long) mebibytes << 20),
                  Content.RANDOM.name(),
                  jobs.toString(),
                  Boolean.toString(launch % 2 == 1)));
      if (launch > 0) {
        all.add(printed);
      }
    }
    return all;
  }

  static Table compare(
      int mebibytes,
      Map<String, Double> with,
      Map<String, Double> without,
      Map<String, Double> limited,
      List<Map<String, Double>> restored,
      Figures figures) {
    Table table = new Table("2 ranks", "Cairn", "reference", "ratio", "goal");
    ratio(table, figures, "pause (ms), copy into warm memory", with, "pause", "copy", 1.3);
    ratio(table, figures, "durable (ms), write and fsync", with, "durable", "raw", 0.9);
    ratio(
        table,
        figures,
        "durable (ms), direct write and fsync",
        with,
        "durable",
        "raw-direct",
        1.25);
    ratio(table, figures, "committed (ms), write and fsync", with, "committed", "raw", 0);
    Map<String, Double> slow = new HashMap<>();
    limited.forEach((name, value) -> slow.put("slow-" + name, value));
    ratio(
        table,
        figures,
        "durable (ms), half compressible, slow storage: raw at its speed",
        slow,
        "slow-durable",
        "slow-raw",
        0.6);
    ratio(
        table,
        figures,
        "until restored (ms), direct read of the images",
        medians(restored),
        "restore",
        "raw-read",
        1.25);
    ratio(
        table,
        figures,
        "until restored (ms), the same and a first touch of as much memory",
        medians(restored),
        "restore",
        "raw-read-and-touch",
        0);
    ratio(
        table,
        figures,
        "a solver on all cores loses (ms), the writer has a core",
        with,
        "solver-loss",
        "writer-core",
        0);
    double safePoint = with.get("safe-point");
    double reference = with.get("volatile-store-and-load");
    table.row(
        "safePoint() (ns), volatile store and load",
        Table.number(safePoint),
        Table.number(reference),
        Table.ratio(safePoint, reference),
        goal(10, " ns", safePoint));
    memory(table, "resident at the end (MiB)", with, without, "resident", mebibytes);
    memory(table, "resident at most (MiB)", with, without, "resident-peak", mebibytes);
    return table;
  }

  /** Of what each launch printed: the median, and half the middle half as a part of it. */
  private static Map<String, Double> medians(List<Map<String, Double>> launches) {
    Map<String, Double> result = new HashMap<>();
    for (String name : launches.get(0).keySet()) {
      List<Double> values = launches.stream().map(launch -> launch.get(name)).sorted().toList();
      int count = values.size();
      double median = values.get(count / 2);
      result.put(name, median);
      result.put(
          name + "-spread",
          (values.get(count - 1 - count / 4) - values.get(count / 4)) / 2 / median);
    }
    return result;
  }

  private static void ratio(
      Table table,
      Figures all,
      String title,
      Map<String, Double> figures,
      String mine,
      String reference,
      double goal) {
    double ratio = figures.get(mine) / figures.get(reference);
    all.add(
        "epoch." + mine + "/" + reference,
        figures.get(mine) / MILLI,
        figures.get(reference) / MILLI,
        "ms",
        figures.get(mine + "-spread") + figures.get(reference + "-spread"));
    table.row(
        title,
        Table.number(figures.get(mine) / MILLI),
        Table.number(figures.get(reference) / MILLI),
        Table.ratio(figures.get(mine), figures.get(reference)),
        goal == 0 ? "" : goal(goal, "x", ratio));
  }

  private static void memory(
      Table table,
      String title,
      Map<String, Double> with,
      Map<String, Double> without,
      String name,
      int mebibytes) {
    double mine = with.get(name) / MEBI;
    double reference = without.get(name) / MEBI;
    double allowed = mebibytes + 100e6 / MEBI;
    table.row(
        title,
        Table.number(mine),
        Table.number(reference),
        String.format(Locale.ROOT, "%+.0f", mine - reference),
        goal(allowed, " more", mine - reference));
  }

  private static String goal(double limit, String unit, double value) {
    return String.format(
        Locale.ROOT,
        "%s%s: %s",
        limit < 10 && limit % 1 != 0 ? Table.number(limit) : Long.toString((long) limit),
        unit,
        value <= limit ? "met" : "missed");
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import java.io.IOException;
import java.nio.file.Path;
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
        --content WHAT   zero, half (LZ4 halves it) or random (random)""";

  private static final double MEBI = 1 << 20;
  private static final double MILLI = 1e6;

  private EpochBenchmark() {}

  static void run(List<String> arguments) throws Exception {
    Options options = new Options(USAGE, arguments);
    int mebibytes = options.integer("--mib", 512);
    int epochs = options.integer("--epochs", 7);
    Content content = options.content("--content", Content.RANDOM);
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
      Map<String, Double> with = launch(true, directory, mebibytes, epochs, content);
      System.out.println("the same program with cairn.enabled=false");
      Map<String, Double> without = launch(false, directory, mebibytes, epochs, content);
      System.out.println();
      compare(mebibytes, with, without).print(System.out);
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
      boolean enabled, Path directory, int mebibytes, int epochs, Content content)
      throws IOException, InterruptedException {
    List<String> jvm =
        List.of(
            "-Dcairn.enabled=" + enabled,
            "-Dcairn.dir=" + directory.resolve("jobs"),
            "-Dcairn.interval=off",
            "-Dcairn.log=quiet");
    // Bound to one core each, writer and application would have to share it.
    return Mpirun.java(
        List.of("--bind-to", "none"),
        jvm,
        EpochProgram.class,
        List.of(
            Long.toString((long) mebibytes << 20),
            Integer.toString(epochs),
            content.name(),
            directory.toString()));
  }

  static Table compare(int mebibytes, Map<String, Double> with, Map<String, Double> without) {
    Table table = new Table("2 ranks", "Cairn", "reference", "ratio", "goal");
    ratio(table, "pause (ms), copy into warm memory", with, "pause", "copy", 3);
    ratio(table, "durable (ms), write and fsync", with, "durable", "raw", 2);
    ratio(table, "committed (ms), write and fsync", with, "committed", "raw", 0);
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

  private static void ratio(
      Table table,
      String title,
      Map<String, Double> figures,
      String mine,
      String reference,
      double goal) {
    double ratio = figures.get(mine) / figures.get(reference);
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
    return String.format(Locale.ROOT, "%.0f%s: %s", limit, unit, value <= limit ? "met" : "missed");
  }
}

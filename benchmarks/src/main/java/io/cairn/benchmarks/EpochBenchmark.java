// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
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
        --restores N     launches that restore (5)
        --seed N         chooses the pages that are written between epochs (1)""";

  // In each epoch but the full ones and those without.
  private static final double WRITTEN_PART = 0.01;
  private static final double MEMORY_BESIDE_POOL = 100e6;

  private EpochBenchmark() {}

  static void run(List<String> arguments, Figures figures) throws Exception {
    Options options = new Options(USAGE, arguments);
    int mebibytes = options.integer("--mib", 512);
    int epochs = options.integer("--epochs", 7);
    Content content = options.content("--content", Content.RANDOM);
    int slow = options.integer("--slow", 200);
    int restores = options.integer("--restores", 5);
    int seed = options.integer("--seed", 1);
    options.end();
    Path directory = Directories.create();
    try {
      System.out.printf(
          "2 ranks x %d MiB (%s), %d epochs, in %s%n", mebibytes, content, epochs, directory);
      Map<String, Double> printed =
          new HashMap<>(launch(true, directory, mebibytes, epochs, content, 0));
      System.out.println("the same program with cairn.enabled=false");
      addMemory(printed, launch(false, directory, mebibytes, epochs, content, 0), mebibytes);
      System.out.println("half compressible, " + slow + " MB/s");
      launch(true, directory, mebibytes, Math.max(5, epochs / 2), Content.HALF, slow)
          .forEach((name, value) -> printed.put("slow-" + name, value));
      System.out.printf("1%% of pages written, or nothing, or all is stored; seed %d%n", seed);
      printed.putAll(launchWritten(directory, mebibytes, epochs, seed, "auto"));
      System.out.println("restored " + restores + " times");
      printed.putAll(medians(restore(directory, mebibytes, restores)));
      System.out.println();
      compare(printed, size(mebibytes, content), figures).print(System.out);
      System.out.println(
          "\n  each beside what is behind the semicolon; medians of "
              + epochs
              + " epochs, each the longest of both ranks; durable and committed from the"
              + " beginning of the cut");
    } finally {
      Directories.delete(directory);
    }
  }

  static String size(int mebibytes, Content content) {
    return " mebibytes=" + mebibytes + (content == Content.RANDOM ? "" : " content=" + content);
  }

  /** How much more memory the program has with Cairn, and how much more it may have. */
  static void addMemory(Map<String, Double> with, Map<String, Double> without, int mebibytes) {
    with.put("resident-more", with.get("resident-peak") - without.get("resident-peak"));
    with.put("resident-allowed", mebibytes * (double) (1 << 20) + MEMORY_BESIDE_POOL);
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
    return launch(
        jvm,
        EpochProgram.class,
        List.of(
            Long.toString((long) mebibytes << 20),
            Integer.toString(epochs),
            content.name(),
            directory.toString(),
            Long.toString(slow * 1_000_000L)));
  }

  /** The same of {@link WrittenProgram}; {@code pages} is that option of Cairn's. */
  static Map<String, Double> launchWritten(
      Path directory, int mebibytes, int epochs, int seed, String pages)
      throws IOException, InterruptedException {
    List<String> jvm = new ArrayList<>(jvm(directory.resolve("written")));
    jvm.add("-Dcairn.restore=fresh");
    jvm.add("-Dcairn.full.every=" + WrittenProgram.FULL_EVERY);
    jvm.add("-Dcairn.pages=" + pages);
    return launch(
        jvm,
        WrittenProgram.class,
        List.of(
            Long.toString((long) mebibytes << 20),
            Integer.toString(epochs),
            Double.toString(WRITTEN_PART),
            Integer.toString(seed)));
  }

  /** Bound to one core each, writer and application would have to share it. */
  private static Map<String, Double> launch(
      List<String> jvm, Class<?> program, List<String> arguments)
      throws IOException, InterruptedException {
    return Mpirun.java(List.of("--bind-to", "none"), jvm, program, arguments);
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
          launch(
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

  /** One row for each figure. */
  static Table compare(Map<String, Double> printed, String size, Figures figures) {
    Table table = new Table("2 ranks", "Cairn", "reference", "unit", "ratio", "goal");
    for (EpochFigure figure : EpochFigure.values()) {
      figure.add(figures, printed, size);
    }
    EpochFigure.each(
        figures,
        (figure, measured) ->
            table.row(
                figure.title,
                Table.number(measured.value()),
                Table.number(measured.reference()),
                measured.unit(),
                Table.ratio(measured.value(), measured.reference()),
                figure.judge(measured)));
    return table;
  }

  /** Of what each launch printed: the median, and half the middle half as a part of it. */
  static Map<String, Double> medians(List<Map<String, Double>> launches) {
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
}

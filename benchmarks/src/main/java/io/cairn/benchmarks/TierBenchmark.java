// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * What a solver loses to epochs, and to the tiers that protect them in the background: two ranks,
 * each a failure group with a store of its own, on one machine. Beside each, the same program
 * without epochs, in turns.
 */
final class TierBenchmark {

  static final String USAGE =
      """
      usage: ./cairn bench tiers [options]
        --mib N        size of each rank's region in MiB (64)
        --steps N      steps that are timed (300)
        --interval S   seconds from one epoch to the next (1)
        --runs N       launches of each kind (3)""";

  private static final double WARM_UP_SECONDS = 2;

  private static final Map<String, List<String>> SIDES = new LinkedHashMap<>();

  static {
    SIDES.put("epochs", List.of());
    SIDES.put("and partner copies", List.of("-Dcairn.partner=1"));
    SIDES.put("and redundancy sets 1+1", List.of("-Dcairn.set=1+1"));
    SIDES.put("and flushes", List.of("-Dcairn.shared=../shared"));
  }

  private TierBenchmark() {}

  static void run(List<String> arguments) throws Exception {
    Options options = new Options(USAGE, arguments);
    int mebibytes = options.integer("--mib", 64);
    int steps = options.integer("--steps", 300);
    int seconds = options.integer("--interval", 1);
    int runs = options.integer("--runs", 3);
    options.end();
    System.out.printf(
        "2 ranks x %d MiB, %d steps, an epoch every %d s, %d launches each%n",
        mebibytes, steps, seconds, runs);
    measure(mebibytes, WARM_UP_SECONDS, steps, seconds, runs).print(System.out);
    System.out.println(
        "\n  medians; a step without epochs beside one with them; protected epochs of all launches");
  }

  static Table measure(int mebibytes, double warmUp, int steps, int seconds, int runs)
      throws Exception {
    Map<String, List<Double>> with = new LinkedHashMap<>();
    Map<String, Integer> protectedEpochs = new LinkedHashMap<>();
    List<Double> without = new ArrayList<>();
    for (int run = 0; run < runs; run++) {
      without.add(launch(mebibytes, warmUp, steps, List.of("-Dcairn.interval=off"), new int[1]));
      for (Map.Entry<String, List<String>> side : SIDES.entrySet()) {
        List<String> jvm = new ArrayList<>(side.getValue());
        jvm.add("-Dcairn.interval=" + seconds + "s");
        jvm.add("-Dcairn.keep=1");
        int[] found = new int[1];
        with.computeIfAbsent(side.getKey(), s -> new ArrayList<>())
            .add(launch(mebibytes, warmUp, steps, jvm, found));
        protectedEpochs.merge(side.getKey(), found[0], Integer::sum);
      }
    }
    Table table = new Table("a step (ms)", "Cairn", "no epochs", "ratio", "records");
    with.forEach(
        (side, nanos) ->
            table.row(
                side,
                Table.number(median(nanos) / 1e6),
                Table.number(median(without) / 1e6),
                Table.ratio(median(nanos), median(without)),
                protectedEpochs.get(side).toString()));
    return table;
  }

  private static double median(List<Double> values) {
    List<Double> sorted = new ArrayList<>(values);
    Collections.sort(sorted);
    return sorted.get(sorted.size() / 2);
  }

  /** Returns how long a step took; counts the slower tiers' records that are there in the end. */
  private static double launch(
      int mebibytes, double warmUp, int steps, List<String> jvm, int[] records)
      throws IOException, InterruptedException {
    Path directory = Directories.create();
    try {
      List<List<String>> options = new ArrayList<>();
      for (int rank = 0; rank < 2; rank++) {
        Path own = Files.createDirectory(directory.resolve("node" + rank));
        // Relative paths are of the working folder: each rank has a store of its own.
        options.add(List.of("-wdir", own.toString(), "-x", "CAIRN_FAILURE_GROUP=" + rank));
      }
      List<String> all = new ArrayList<>(jvm);
      all.add("-Dcairn.log=quiet");
      Map<String, Double> figures =
          Mpirun.javaEach(
              List.of("--bind-to", "none"),
              options,
              all,
              TierProgram.class,
              List.of(
                  Long.toString((long) mebibytes << 20),
                  Double.toString(warmUp),
                  Integer.toString(steps)));
      try (Stream<Path> files = Files.walk(directory)) {
        records[0] +=
            (int)
                files
                    .map(path -> directory.relativize(path).toString())
                    .filter(
                        path ->
                            (path.endsWith("-record") && !path.contains("pending"))
                                || (path.startsWith("shared") && path.endsWith("/record")))
                    .count();
      }
      return figures.get("step");
    } finally {
      Directories.delete(directory);
    }
  }
}

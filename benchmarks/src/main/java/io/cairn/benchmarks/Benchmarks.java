// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** {@code ./cairn bench}. */
public final class Benchmarks {

  private static final String USAGE =
      """
      usage: ./cairn bench [WHAT] [options]
             ./cairn bench --check [FILE] | --renew | chart [FILE]

        jmh        each stage of a checkpoint by itself; the options are JMH's (-h lists them)
        encode     how images are stored: as they are, with LZ4, or as is measured to be better
        parity     parity shards and rebuilt ones
        messaging  what shim and idle agent add to a message between two ranks
        epoch      pause, time to durable and memory of whole epochs of two ranks
        tiers      what a solver loses to epochs and to the tiers that protect them
        (none)     all of them, as they are

        --check    a short run of jmh and epoch whose ratios are compared with a baseline (FILE, else the
                   one that belongs to these sources); ends with 1 if one got worse by a quarter beyond
                   its error, or is missing
        --renew    the same run becomes the baseline of these sources, and the tables and charts of
                   docs/performance.md are made from it
        chart      makes them from a file of figures, else from the baseline
        --measured FILE
                   with --check or --renew: figures that were measured before, instead of a run

      Each figure stands beside a reference that was measured in the same run. Files are written
      below the current directory, or where BENCHMARK_DIR says; with --json FILE (after WHAT's options)
      figures that have a reference are written there, else to benchmark.json. WHAT --help lists the
      options.""";

  private static final String BASELINE = "benchmarks/src/main/resources/baseline.json";

  // What is quick enough to be run often, and steady enough to be compared.
  private static final List<String> CHECKED_JMH =
      List.of(
          "jmh",
          "-v",
          "silent",
          "-foe",
          "true",
          "-f",
          "1",
          "-p",
          "mebibytes=256",
          "-p",
          "content=RANDOM,HALF",
          "-p",
          "encode=AUTO");

  private static final List<String> CHECKED_EPOCHS =
      List.of("epoch", "--mib", "512", "--epochs", "5", "--restores", "5");

  private Benchmarks() {}

  /** See {@code --help}. */
  public static void main(String[] args) throws Exception {
    List<String> arguments = List.of(args);
    try {
      run(arguments);
    } catch (UsageException e) {
      System.err.println("cairn: " + e.getMessage());
      System.exit(2);
    }
  }

  private static void run(List<String> arguments) throws Exception {
    List<String> words = new ArrayList<>(arguments);
    Path json = file(words, "--json");
    Path measured = file(words, "--measured");
    String what = words.isEmpty() ? "" : words.get(0);
    switch (what) {
      case "--check" -> check(baseline(words), measured(measured, json));
      case "--renew" -> renew(words, measured(measured, json));
      case "chart" -> PerformancePage.write(sources(), baseline(words));
      default -> {
        Figures figures = new Figures();
        measure(words, figures);
        if (!figures.all().isEmpty()) {
          write(figures, json);
        }
      }
    }
  }

  /** Takes an option with a file; null if it isn't there. */
  private static Path file(List<String> words, String option) throws UsageException {
    int at = words.indexOf(option);
    if (at < 0) {
      return null;
    }
    if (at + 1 == words.size()) {
      throw new UsageException(option + " needs a file\n" + USAGE);
    }
    words.remove(at);
    return Path.of(words.remove(at));
  }

  private static void write(Figures figures, Path json) throws IOException {
    Path file = json == null ? Path.of("benchmark.json") : json;
    figures.write(file);
    System.out.println("\n" + figures.all().size() + " figures are in " + file.toAbsolutePath());
  }

  private static Figures baseline(List<String> words) throws IOException, UsageException {
    if (words.size() > 2) {
      throw new UsageException("one file of figures, found " + words.subList(1, words.size()));
    }
    return words.size() == 1
        ? Figures.fromJson(NativeSources.text("baseline.json"))
        : Figures.read(Path.of(words.get(1)));
  }

  /** Of that file, or of a run now. */
  private static Figures measured(Path before, Path json) throws Exception {
    if (before != null) {
      return Figures.read(before);
    }
    Figures figures = new Figures();
    System.out.println("stages by themselves, then whole epochs: some five minutes");
    measure(CHECKED_JMH, figures);
    measure(CHECKED_EPOCHS, figures);
    write(figures, json);
    return figures;
  }

  private static void check(Figures baseline, Figures figures) {
    Table table = new Table("figure", "before", "now", "at most", "");
    List<String> worse = figures.worseThan(baseline, table);
    System.out.println();
    table.print(System.out);
    if (!worse.isEmpty()) {
      System.err.println("cairn: worse than the baseline:");
      worse.forEach(line -> System.err.println("  " + line));
      System.exit(1);
    }
  }

  private static void renew(List<String> words, Figures figures)
      throws IOException, UsageException {
    if (words.size() > 1) {
      throw new UsageException("unknown option " + words.get(1) + "\n" + USAGE);
    }
    PerformancePage.write(sources(), figures);
    figures.write(sources().resolve(BASELINE));
    System.out.println("written: " + sources().resolve(BASELINE));
  }

  /** Where Cairn's own sources are: the script says so. */
  private static Path sources() {
    return Path.of(System.getenv().getOrDefault("BENCHMARK_SOURCES", ""));
  }

  private static void measure(List<String> arguments, Figures figures) throws Exception {
    if (arguments.isEmpty()) {
      heading("Stages of a checkpoint");
      JmhBenchmarks.run(List.of("-v", "silent", "-foe", "true"), figures);
      heading("Encoding");
      EncodeBenchmark.run(List.of());
      heading("Parity");
      ParityBenchmark.run(List.of());
      heading("Messages");
      MessagingBenchmark.run(List.of());
      heading("Epochs");
      EpochBenchmark.run(List.of(), figures);
      heading("Tiers");
      TierBenchmark.run(List.of());
      return;
    }
    List<String> rest = arguments.subList(1, arguments.size());
    boolean help = rest.contains("--help");
    switch (arguments.get(0)) {
      case "jmh" -> JmhBenchmarks.run(help ? List.of("-h") : rest, figures);
      case "encode" -> {
        if (help) {
          System.out.println(EncodeBenchmark.USAGE);
        } else {
          EncodeBenchmark.run(rest);
        }
      }
      case "parity" -> {
        if (help) {
          System.out.println(ParityBenchmark.USAGE);
        } else {
          ParityBenchmark.run(rest);
        }
      }
      case "messaging" -> {
        if (help) {
          System.out.println(MessagingBenchmark.USAGE);
        } else {
          MessagingBenchmark.run(rest);
        }
      }
      case "tiers" -> {
        if (help) {
          System.out.println(TierBenchmark.USAGE);
        } else {
          TierBenchmark.run(rest);
        }
      }
      case "epoch" -> {
        if (help) {
          System.out.println(EpochBenchmark.USAGE);
        } else {
          EpochBenchmark.run(rest, figures);
        }
      }
      case "-h", "--help", "help" -> System.out.println(USAGE);
      default -> throw new UsageException("unknown benchmark " + arguments.get(0) + "\n" + USAGE);
    }
  }

  private static void heading(String text) {
    System.out.println("\n" + text + "\n");
  }
}

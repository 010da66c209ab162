// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import java.util.List;

/** {@code ./cairn bench}. */
public final class Benchmarks {

  private static final String USAGE =
      """
      usage: ./cairn bench [WHAT] [options]

        jmh        each stage of a checkpoint by itself; the options are JMH's (-h lists them)
        encode     how images are stored: as they are, with LZ4, or as is measured to be better
        parity     parity shards and rebuilt ones
        messaging  what shim and idle agent add to a message between two ranks
        epoch      pause, time to durable and memory of whole epochs of two ranks
        tiers      what a solver loses to epochs and to the tiers that protect them
        (none)     all of them, as they are

      Each figure stands beside a reference that was measured in the same run. Files are written
      below the current directory, or where BENCHMARK_DIR says. WHAT --help lists the options.""";

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
    if (arguments.isEmpty()) {
      heading("Stages of a checkpoint");
      JmhBenchmarks.run(List.of("-v", "silent", "-foe", "true"));
      heading("Encoding");
      EncodeBenchmark.run(List.of());
      heading("Parity");
      ParityBenchmark.run(List.of());
      heading("Messages");
      MessagingBenchmark.run(List.of());
      heading("Epochs");
      EpochBenchmark.run(List.of());
      heading("Tiers");
      TierBenchmark.run(List.of());
      return;
    }
    List<String> rest = arguments.subList(1, arguments.size());
    boolean help = rest.contains("--help");
    switch (arguments.get(0)) {
      case "jmh" -> JmhBenchmarks.run(help ? List.of("-h") : rest);
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
          EpochBenchmark.run(rest);
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

// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.benchmarks.Figures.Figure;
import java.math.BigDecimal;
import java.util.Map;
import java.util.function.BiConsumer;

/** What {@link EpochBenchmark} measures, each beside its reference, with what is wanted of it. */
enum EpochFigure {
  PAUSE("pause", "copy", Unit.MS, "pause; copy into warm memory", 1.3),
  DURABLE("durable", "raw", Unit.MS, "durable; write and fsync", 0.9),
  DURABLE_DIRECT("durable", "raw-direct", Unit.MS, "durable; direct write and fsync", 1.25),
  COMMITTED("committed", "raw", Unit.MS, "committed; write and fsync", 0),
  SLOW(
      "slow-durable",
      "slow-raw",
      Unit.MS,
      "durable, half compressible, slow storage; write at its speed",
      0.6),
  WRITTEN_PAUSE("written-pause", "full-pause", Unit.MS, "pause, 1% of pages written; full", 0.1),
  WRITTEN_DURABLE(
      "written-durable", "full-durable", Unit.MS, "durable, 1% of pages written; full", 0.15),
  WRITTEN_BYTES(
      "written-bytes", "full-bytes", Unit.MIB, "images, 1% of pages written; full", 0.015),
  UNWRITTEN_PAUSE("unwritten-pause", "full-pause", Unit.MS, "pause, nothing written; full", 0),
  UNWRITTEN_DURABLE(
      "unwritten-durable", "full-durable", Unit.MS, "durable, nothing written; full", 0),
  UNWRITTEN_BYTES("unwritten-bytes", "full-bytes", Unit.MIB, "images, nothing written; full", 0.01),
  RESTORE("restore", "raw-read", Unit.MS, "restored; direct read of the images", 1.25),
  RESTORE_AND_TOUCH(
      "restore",
      "raw-read-and-touch",
      Unit.MS,
      "restored; the same and a first touch of as much memory",
      0),
  SOLVER(
      "solver-loss",
      "writer-core",
      Unit.MS,
      "a solver on all cores loses; the writer has a core",
      0),
  SAFE_POINT(
      "safe-point", "volatile-store-and-load", Unit.NS, "safePoint(); volatile store and load", 10),
  MEMORY(
      "resident-more", "resident-allowed", Unit.MIB, "resident memory; staging pool and 100 MB", 1);

  /** Of both sides. */
  enum Unit {
    NS("ns", 1),
    MS("ms", 1e6),
    MIB("MiB", 1 << 20);

    final String text;
    final double scale;

    Unit(String text, double scale) {
      this.text = text;
      this.scale = scale;
    }
  }

  final String title;
  private final String mine;
  private final String reference;
  private final Unit unit;
  private final double goal;

  /**
   * @param mine what was measured, as the programs print it
   * @param reference what it stands beside
   * @param title both, for people
   * @param goal most that it may be: of the reference, or in nanoseconds; 0 if nothing is wanted
   */
  EpochFigure(String mine, String reference, Unit unit, String title, double goal) {
    this.mine = mine;
    this.reference = reference;
    this.unit = unit;
    this.title = title;
    this.goal = goal;
  }

  /** What it is called among all figures, but for the size that it was measured with. */
  String figure() {
    return "epoch." + mine + "/" + reference;
  }

  /**
   * Takes it from what programs printed.
   *
   * @param size of what: a part of its name, as ratios of different sizes aren't compared
   */
  void add(Figures figures, Map<String, Double> printed, String size) {
    figures.add(
        figure() + size,
        value(printed, mine) / unit.scale,
        value(printed, reference) / unit.scale,
        unit.text,
        printed.getOrDefault(mine + "-spread", 0.0)
            + printed.getOrDefault(reference + "-spread", 0.0));
  }

  private static double value(Map<String, Double> printed, String name) {
    Double value = printed.get(name);
    if (value == null) {
      throw new IllegalStateException("no program printed " + name + ", but " + printed.keySet());
    }
    return value;
  }

  /** Goes through those that were measured, of the first size that there is. */
  static void each(Figures figures, BiConsumer<EpochFigure, Figure> consumer) {
    for (EpochFigure figure : values()) {
      for (Figure measured : figures.all().values()) {
        if (measured.name().startsWith(figure.figure() + " ")) {
          consumer.accept(figure, measured);
          break;
        }
      }
    }
  }

  /** Most that its ratio may be; NaN if nothing is wanted of it. */
  double goalRatio(Figure measured) {
    if (goal == 0) {
      return Double.NaN;
    }
    return unit == Unit.NS ? goal / measured.reference() : goal;
  }

  /** What is wanted, and whether it is so; empty if nothing is. */
  String judge(Figure measured) {
    if (goal == 0) {
      return "";
    }
    return BigDecimal.valueOf(goal).stripTrailingZeros().toPlainString()
        + (unit == Unit.NS ? " ns" : "x")
        + (measured.ratio() <= goalRatio(measured) ? ": met" : ": missed");
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.benchmarks.Chart.Bar;
import io.cairn.benchmarks.Figures.Figure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The tables and charts of {@code docs/performance.md} that are made from figures. Each table
 * stands between two comments, which stay.
 */
final class PerformancePage {

  private static final String PAGE = "docs/performance.md";
  private static final String BEGIN = "<!-- %s: written by ./cairn bench chart -->\n";
  private static final String END = "<!-- end -->\n";

  private PerformancePage() {}

  /** What is to be in which file, by its path below the sources. */
  static Map<String, String> files(Path sources, Figures figures)
      throws IOException, UsageException {
    Path page = sources.resolve(PAGE);
    if (!Files.isRegularFile(page)) {
      throw new UsageException(
          "no " + page.toAbsolutePath() + ": to be run where Cairn's sources are");
    }
    String text = Files.readString(page);
    text = replaced(text, "epochs", epochTable(figures));
    text = replaced(text, "stages", stageTable(figures));
    Map<String, String> files = new LinkedHashMap<>();
    files.put(PAGE, text);
    files.put("docs/charts/epochs.svg", epochChart(figures));
    files.put("docs/charts/stages.svg", stageChart(figures));
    return files;
  }

  private static String replaced(String text, String what, String table) throws IOException {
    String begin = BEGIN.formatted(what);
    int from = text.indexOf(begin) + begin.length();
    int to = text.indexOf(END, from);
    if (from < begin.length() || to < 0) {
      throw new IOException(
          PAGE + " has no place for the table of " + what + ", expected " + begin + "..." + END);
    }
    return text.substring(0, from) + table + text.substring(to);
  }

  static String epochTable(Figures figures) {
    StringBuilder table = new StringBuilder("Taken on " + figures.taken() + ".\n\n");
    table.append("| what; beside | Cairn | reference | ratio | goal |\n|---|---:|---:|---:|---|\n");
    EpochFigure.each(
        figures,
        (figure, measured) ->
            table.append(
                row(
                    figure.title,
                    value(measured.value(), measured.unit()),
                    value(measured.reference(), measured.unit()),
                    ratio(measured),
                    figure.judge(measured))));
    return table.toString();
  }

  private static String stageTable(Figures figures) {
    StringBuilder table = new StringBuilder("Taken on " + figures.taken() + ".\n\n");
    table.append("| stage | with | Cairn | reference | ratio |\n|---|---|---:|---:|---:|\n");
    for (Figure measured : stages(figures)) {
      table.append(
          row(
              stage(measured),
              parameters(measured),
              value(measured.value(), measured.unit()),
              value(measured.reference(), measured.unit()),
              ratio(measured)));
    }
    return table.toString();
  }

  private static String epochChart(Figures figures) {
    List<Bar> bars = new ArrayList<>();
    EpochFigure.each(
        figures,
        (figure, measured) -> {
          // In nanoseconds, not of the reference.
          if (figure != EpochFigure.SAFE_POINT) {
            bars.add(bar(figure.title, measured, figure.goalRatio(measured)));
          }
        });
    return Chart.linear(
        "Whole epochs, two ranks: Cairn as a part of its reference (less is better, marks: goals)",
        figures.taken(),
        bars);
  }

  private static String stageChart(Figures figures) {
    List<Bar> bars = new ArrayList<>();
    for (Figure measured : stages(figures)) {
      String label = (stage(measured) + " " + parameters(measured)).strip();
      bars.add(bar(label, measured, Double.NaN));
    }
    return Chart.logarithmic(
        "Stages by themselves: Cairn's time beside its reference (to the left: less; logarithmic)",
        figures.taken(),
        bars);
  }

  private static Bar bar(String label, Figure measured, double goal) {
    return new Bar(
        label,
        measured.ratio(),
        goal,
        value(measured.value(), measured.unit())
            + " beside "
            + value(measured.reference(), measured.unit()));
  }

  private static List<Figure> stages(Figures figures) {
    return figures.all().values().stream()
        .filter(figure -> figure.name().startsWith(JmhBenchmarks.PREFIX))
        .toList();
  }

  /** What the class is called after. */
  private static String stage(Figure figure) {
    String name = figure.name().split(" ", -1)[0].substring(JmhBenchmarks.PREFIX.length());
    return name.substring(0, name.indexOf('.')).replace("Benchmark", "");
  }

  private static String parameters(Figure figure) {
    String[] words = figure.name().split(" ", 2);
    return words.length == 1
        ? ""
        : words[1].replace("mebibytes=", "MiB=").replace("bandwidth=0 ", "");
  }

  private static String value(double value, String unit) {
    return Table.number(value) + " " + unit;
  }

  private static String ratio(Figure measured) {
    return Table.ratio(measured.value(), measured.reference());
  }

  private static String row(String... cells) {
    return "| " + String.join(" | ", cells) + " |\n";
  }

  /** Writes what {@link #files} says. */
  static void write(Path sources, Figures figures) throws IOException, UsageException {
    for (Map.Entry<String, String> file : files(sources, figures).entrySet()) {
      Path path = sources.resolve(file.getKey());
      Files.createDirectories(path.getParent());
      Files.writeString(path, file.getValue());
      System.out.println("written: " + path);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Figures with their references, as JSON, and compared with those of another time: ratios only, as
 * absolute numbers are the machine's.
 *
 * <pre>
 * { "taken": "2026-11-22, 2 cores, Linux 6.18.1, JDK 17", "figures": [
 *   {"name": "epoch.pause", "value": 139.0, "reference": 71.4, "unit": "ms", "ratio": 1.947, "error": 0.05}
 * ] }
 * </pre>
 */
final class Figures {

  private static final Pattern TAKEN = Pattern.compile("\\{ \"taken\": \"([^\"]*)\",");

  /** A ratio may be worse by this factor before anyone is told, besides what the errors allow. */
  static final double TOLERANCE = 1.25;

  private static final double UNSTEADY = 0.5;

  private static final Pattern LINE =
      Pattern.compile(
          "\\{\"name\": \"([^\"]*)\", \"value\": ([^,]*), \"reference\": ([^,]*), \"unit\": \"([^\"]*)\","
              + " \"ratio\": ([^,]*), \"error\": ([^}]*)\\}");

  /**
   * One of them; the smaller its ratio, the better.
   *
   * @param error of the ratio, relative to it
   */
  record Figure(String name, double value, double reference, String unit, double error) {
    Figure {
      if (name.contains("\"") || unit.contains("\"")) {
        throw new IllegalArgumentException(name + " in " + unit);
      }
    }

    double ratio() {
      return value / reference;
    }
  }

  private final Map<String, Figure> figures = new LinkedHashMap<>();
  private final String taken;

  /** None yet, taken now, on this machine. */
  Figures() {
    this(
        String.format(
            Locale.ROOT,
            "%s, %d cores, Linux %s, JDK %s",
            LocalDate.now(ZoneOffset.UTC),
            Runtime.getRuntime().availableProcessors(),
            System.getProperty("os.version").replaceFirst("-.*", ""),
            Runtime.version().feature()));
  }

  /**
   * @param taken when, and on what machine
   */
  Figures(String taken) {
    this.taken = taken;
  }

  String taken() {
    return taken;
  }

  void add(String name, double value, double reference, String unit, double error) {
    // What can't be told apart from noise at all mustn't stop a comparison either.
    double bounded = Double.isFinite(error) ? Math.max(0, error) : 1;
    figures.put(name, new Figure(name, value, reference, unit, bounded));
  }

  Map<String, Figure> all() {
    return figures;
  }

  String toJson() {
    List<String> lines = new ArrayList<>();
    for (Figure figure : figures.values()) {
      lines.add(
          String.format(
              Locale.ROOT,
              "  {\"name\": \"%s\", \"value\": %.6g, \"reference\": %.6g, \"unit\": \"%s\","
                  + " \"ratio\": %.4g, \"error\": %.3f}",
              figure.name(),
              figure.value(),
              figure.reference(),
              figure.unit(),
              figure.ratio(),
              figure.error()));
    }
    return "{ \"taken\": \""
        + taken
        + "\", \"figures\": [\n"
        + String.join(",\n", lines)
        + "\n] }\n";
  }

  static Figures fromJson(String json) throws IOException {
    Matcher head = TAKEN.matcher(json);
    Figures result = new Figures(head.lookingAt() ? head.group(1) : "");
    Matcher matcher = LINE.matcher(json);
    while (matcher.find()) {
      result.add(
          matcher.group(1),
          Double.parseDouble(matcher.group(2)),
          Double.parseDouble(matcher.group(3)),
          matcher.group(4),
          Double.parseDouble(matcher.group(6)));
    }
    int named = json.split("\"name\"", -1).length - 1;
    if (named == 0 || named != result.figures.size()) {
      throw new IOException(
          "found " + result.figures.size() + " figures, expected " + named + ", 1 or more");
    }
    return result;
  }

  void write(Path file) throws IOException {
    Files.writeString(file, toJson());
  }

  static Figures read(Path file) throws IOException {
    try {
      return fromJson(Files.readString(file));
    } catch (IOException e) {
      throw new IOException(file + ": no file of figures: " + e.getMessage(), e);
    }
  }

  /**
   * Compares with earlier ones and returns a line for each that is worse: by more than a quarter,
   * though each is given its error. A figure that is missing here is one, too.
   */
  List<String> worseThan(Figures baseline, Table table) {
    List<String> worse = new ArrayList<>();
    for (Figure before : baseline.figures.values()) {
      Figure now = figures.get(before.name());
      if (now == null) {
        worse.add(before.name() + ": not measured any more");
        continue;
      }
      double allowed = before.ratio() * (1 + before.error()) * TOLERANCE;
      double least = now.ratio() * (1 - Math.min(now.error(), 1));
      boolean bad = !(least <= allowed);
      table.row(
          before.name(),
          Table.number(before.ratio()) + "x",
          Table.number(now.ratio()) + "x ± " + Math.round(100 * now.error()) + "%",
          Table.number(allowed) + "x",
          bad ? "WORSE" : now.error() > UNSTEADY ? "ok, or too unsteady to tell" : "ok");
      if (bad) {
        worse.add(
            String.format(
                Locale.ROOT,
                "%s: %.2fx of its reference (at least %.2fx with its error), was %.2fx, at most"
                    + " %.2fx is allowed",
                before.name(),
                now.ratio(),
                least,
                before.ratio(),
                allowed));
      }
    }
    return worse;
  }
}

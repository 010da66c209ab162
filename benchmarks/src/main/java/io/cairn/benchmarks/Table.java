// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import java.io.PrintStream;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A table for people: the first column is a name, the others are as wide as they must be. */
final class Table {

  private final List<String[]> rows = new ArrayList<>();
  private final int columns;

  Table(String... titles) {
    columns = titles.length;
    rows.add(titles);
  }

  void row(String... cells) {
    if (cells.length != columns) {
      throw new IllegalArgumentException(cells.length + " cells, expected " + columns);
    }
    rows.add(cells);
  }

  int rowCount() {
    return rows.size() - 1;
  }

  /** Rows whose last cell is empty. */
  int rowsWithoutRatio() {
    int empty = 0;
    for (String[] row : rows.subList(1, rows.size())) {
      empty += row[columns - 1].isEmpty() ? 1 : 0;
    }
    return empty;
  }

  void print(PrintStream out) {
    int[] widths = new int[columns];
    for (String[] row : rows) {
      for (int i = 0; i < columns; i++) {
        widths[i] = Math.max(widths[i], row[i].length());
      }
    }
    for (String[] row : rows) {
      StringBuilder line = new StringBuilder("  ");
      for (int i = 0; i < columns; i++) {
        String padding = " ".repeat(widths[i] - row[i].length());
        // Names to the left, figures to the right.
        line.append(i == 0 ? row[i] + padding : padding + row[i]).append("  ");
      }
      out.println(line.toString().stripTrailing());
    }
    out.flush();
  }

  /** With three or four significant digits. */
  static String number(double value) {
    double size = Math.abs(value);
    if (size < 0.1) {
      return small(value);
    }
    String format = size >= 100 ? "%.0f" : size >= 10 ? "%.1f" : "%.2f";
    return String.format(Locale.ROOT, format, value);
  }

  static String ratio(double mine, double reference) {
    double ratio = mine / reference;
    return (ratio < 0.1 ? small(ratio) : String.format(Locale.ROOT, "%.2f", ratio)) + "x";
  }

  /** With two significant digits. */
  private static String small(double value) {
    return value == 0 ? "0" : new BigDecimal(value).round(new MathContext(2)).toPlainString();
  }
}

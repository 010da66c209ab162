// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Columns for people: as wide as their content, numbers to the right. */
final class Table {
  private final List<List<String>> rows = new ArrayList<>();
  private final Set<Integer> rightAligned;

  Table(Set<Integer> rightAligned, String... head) {
    this.rightAligned = rightAligned;
    rows.add(List.of(head));
  }

  void row(String... cells) {
    rows.add(List.of(cells));
  }

  void print(PrintStream out, String indent) {
    int columns = rows.get(0).size();
    int[] widths = new int[columns];
    for (List<String> row : rows) {
      for (int i = 0; i < columns; i++) {
        widths[i] = Math.max(widths[i], row.get(i).length());
      }
    }
    for (List<String> row : rows) {
      StringBuilder line = new StringBuilder(indent);
      for (int i = 0; i < columns; i++) {
        String pad = " ".repeat(widths[i] - row.get(i).length());
        line.append(rightAligned.contains(i) ? pad + row.get(i) : row.get(i) + pad);
        line.append(i + 1 < columns ? "  " : "");
      }
      out.println(line.toString().stripTrailing());
    }
  }
}

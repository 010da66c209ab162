// SPDX-License-Identifier: Apache-2.0
package io.cairn.samples;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;

/**
 * Matrix Market files (Boisvert, Pozo, Remington 1996): {@code coordinate real}, {@code general} or
 * {@code symmetric}, square, numbered from 1. Errors are {@link IOException}s that name file and
 * line.
 */
final class MatrixMarket {

  private static final int MAX_ORDER = 1 << 30;

  private final Path file;
  private final BufferedReader in;
  private long lineNumber;
  private boolean symmetric;
  private int order;
  private long entries;

  private MatrixMarket(Path file, BufferedReader in) {
    this.file = file;
    this.in = in;
  }

  /** Which rows a rank owns: {@code firstRow} and {@code rows} of a matrix of this order. */
  interface Partition {
    int firstRow(int order);

    int rows(int order);
  }

  /** Reads the rows that {@code partition} asks for. */
  static SparseRows read(Path file, Partition partition) throws IOException {
    try (BufferedReader in = Files.newBufferedReader(file, StandardCharsets.ISO_8859_1)) {
      MatrixMarket reader = new MatrixMarket(file, in);
      reader.readHeader();
      return reader.readEntries(partition.firstRow(reader.order), partition.rows(reader.order));
    }
  }

  private void readHeader() throws IOException {
    String line = nextLine();
    String[] words =
        line == null ? new String[0] : line.strip().toLowerCase(Locale.ROOT).split("\\s+", -1);
    if (words.length != 5 || !words[0].equals("%%matrixmarket") || !words[1].equals("matrix")) {
      throw error(line, "\"%%MatrixMarket matrix coordinate real general\" or \"... symmetric\"");
    }
    if (!words[2].equals("coordinate")
        || !(words[3].equals("real") || words[3].equals("integer"))) {
      throw error(line, "a matrix that is coordinate and real");
    }
    if (!words[4].equals("general") && !words[4].equals("symmetric")) {
      throw error(line, "a matrix that is general or symmetric");
    }
    symmetric = words[4].equals("symmetric");

    line = nextContent();
    String[] sizes = line == null ? new String[0] : line.split("\\s+", -1);
    if (sizes.length != 3) {
      throw error(line, "three numbers: rows, columns, entries");
    }
    order = (int) whole(sizes[0], line, 1, MAX_ORDER, "rows");
    long columns = whole(sizes[1], line, 1, MAX_ORDER, "columns");
    entries = whole(sizes[2], line, 0, Long.MAX_VALUE, "entries");
    if (columns != order) {
      throw error(line, "a square matrix");
    }
  }

  private SparseRows readEntries(int firstRow, int rows) throws IOException {
    Triplets triplets = new Triplets();
    for (long entry = 0; entry < entries; entry++) {
      String line = nextContent();
      if (line == null) {
        throw error(null, "%,d entries, of which %,d were found".formatted(entries, entry));
      }
      String[] words = line.split("\\s+", -1);
      if (words.length != 3) {
        throw error(line, "row, column and value");
      }
      int row = (int) whole(words[0], line, 1, order, "a row") - 1;
      int column = (int) whole(words[1], line, 1, order, "a column") - 1;
      double value = real(words[2], line);
      if (symmetric && column > row) {
        throw error(line, "an entry on or below the diagonal, because the matrix is symmetric");
      }
      if (row >= firstRow && row < firstRow + rows) {
        triplets.add(row, column, value);
      }
      if (symmetric && row != column && column >= firstRow && column < firstRow + rows) {
        triplets.add(column, row, value);
      }
    }
    String rest = nextContent();
    if (rest != null) {
      throw error(rest, "the end of the file after %,d entries".formatted(entries));
    }
    return triplets.toRows(order, firstRow, rows);
  }

  private String nextLine() throws IOException {
    lineNumber++;
    return in.readLine();
  }

  /** The next line that isn't empty or a comment, stripped; null at the end. */
  private String nextContent() throws IOException {
    String line = nextLine();
    while (line != null && (line.isBlank() || line.startsWith("%"))) {
      line = nextLine();
    }
    return line == null ? null : line.strip();
  }

  private long whole(String word, String line, long min, long max, String what) throws IOException {
    try {
      long value = Long.parseLong(word);
      if (value >= min && value <= max) {
        return value;
      }
    } catch (NumberFormatException e) {
      // said below
    }
    throw error(line, "%s from %,d to %,d".formatted(what, min, max));
  }

  private double real(String word, String line) throws IOException {
    try {
      double value = Double.parseDouble(word);
      if (Double.isFinite(value)) {
        return value;
      }
    } catch (NumberFormatException e) {
      // said below
    }
    throw error(line, "a finite value");
  }

  private IOException error(String line, String expected) {
    String found = line == null ? "the end of the file" : "\"" + line + "\"";
    return new IOException(
        "%s line %d: found %s, expected %s".formatted(file, lineNumber, found, expected));
  }

  /** Writes an n x n grid's five-point Laplacian as a symmetric matrix. */
  static void writePoisson(int n, Writer to) {
    long cells = (long) n * n;
    PrintWriter out = new PrintWriter(to);
    out.println("%%MatrixMarket matrix coordinate real symmetric");
    out.println("% five-point Laplacian on a " + n + " x " + n + " grid");
    out.println(cells + " " + cells + " " + (cells + 2L * n * (n - 1)));
    for (long i = 1; i <= cells; i++) {
      out.println(i + " " + i + " 4");
      if (i % n != 0) {
        out.println((i + 1) + " " + i + " -1");
      }
      if (i + n <= cells) {
        out.println((i + n) + " " + i + " -1");
      }
    }
    out.flush();
  }

  /**
   * Entries in the order of the file, sorted into rows at the end; entries with the same place are
   * added up.
   */
  private static final class Triplets {
    private int[] rows = new int[1024];
    private int[] columns = new int[1024];
    private double[] values = new double[1024];
    private int count;

    void add(int row, int column, double value) {
      if (count == rows.length) {
        rows = Arrays.copyOf(rows, count * 2);
        columns = Arrays.copyOf(columns, count * 2);
        values = Arrays.copyOf(values, count * 2);
      }
      rows[count] = row;
      columns[count] = column;
      values[count++] = value;
    }

    SparseRows toRows(int order, int firstRow, int rowCount) {
      // By row (counting sort, keeps the file's order), then by column within the row.
      int[] starts = new int[rowCount + 1];
      for (int i = 0; i < count; i++) {
        starts[rows[i] - firstRow + 1]++;
      }
      for (int row = 0; row < rowCount; row++) {
        starts[row + 1] += starts[row];
      }
      int[] next = starts.clone();
      int[] sorted = new int[count];
      for (int i = 0; i < count; i++) {
        sorted[next[rows[i] - firstRow]++] = i;
      }
      SparseRows result = new SparseRows(order, firstRow, rowCount);
      for (int row = 0; row < rowCount; row++) {
        Integer[] entries = new Integer[starts[row + 1] - starts[row]];
        for (int i = 0; i < entries.length; i++) {
          entries[i] = sorted[starts[row] + i];
        }
        Arrays.sort(entries, (a, b) -> Integer.compare(columns[a], columns[b]));
        for (int i = 0; i < entries.length; ) {
          int column = columns[entries[i]];
          double sum = 0;
          while (i < entries.length && columns[entries[i]] == column) {
            sum += values[entries[i++]];
          }
          result.add(firstRow + row, column, sum);
        }
      }
      return result.complete();
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.samples;

import java.util.Arrays;

/**
 * Some consecutive rows of a square sparse matrix (compressed rows); columns are numbered over the
 * whole matrix.
 */
final class SparseRows {

  private final int order;
  private final int firstRow;
  private final int[] starts;
  private int[] columns;
  private double[] values;
  private int row;
  private int count;

  /** To be filled by {@link #add} in row order. */
  SparseRows(int order, int firstRow, int rows) {
    this.order = order;
    this.firstRow = firstRow;
    this.starts = new int[rows + 1];
    this.columns = new int[Math.max(16, 5 * rows)];
    this.values = new double[columns.length];
  }

  /** Adds an entry; rows come in order, columns within a row too. */
  void add(int globalRow, int column, double value) {
    while (row < globalRow - firstRow) {
      starts[++row] = count;
    }
    if (count == columns.length) {
      columns = Arrays.copyOf(columns, count + count / 2);
      values = Arrays.copyOf(values, columns.length);
    }
    columns[count] = column;
    values[count++] = value;
  }

  /** All entries are in. */
  SparseRows complete() {
    while (row < starts.length - 1) {
      starts[++row] = count;
    }
    return this;
  }

  /** Rows and columns of the whole matrix. */
  int order() {
    return order;
  }

  int firstRow() {
    return firstRow;
  }

  int rows() {
    return starts.length - 1;
  }

  /**
   * Number of the first entry of a local row; that of row {@code rows()} is the number of entries.
   */
  int start(int localRow) {
    return starts[localRow];
  }

  int column(int entry) {
    return columns[entry];
  }

  double value(int entry) {
    return values[entry];
  }

  /** The five-point Laplacian on an n x n grid: symmetric, positive definite. */
  static SparseRows poisson(int n, int firstRow, int rows) {
    SparseRows matrix = new SparseRows(n * n, firstRow, rows);
    for (int i = firstRow; i < firstRow + rows; i++) {
      int x = i % n;
      int y = i / n;
      if (y > 0) {
        matrix.add(i, i - n, -1);
      }
      if (x > 0) {
        matrix.add(i, i - 1, -1);
      }
      matrix.add(i, i, 4);
      if (x < n - 1) {
        matrix.add(i, i + 1, -1);
      }
      if (y < n - 1) {
        matrix.add(i, i + n, -1);
      }
    }
    return matrix.complete();
  }
}

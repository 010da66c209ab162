// SPDX-License-Identifier: Apache-2.0
package io.cairn.samples;

import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;

/** Writes a matrix to try {@link ConjugateGradient} with. No MPI. */
public final class PoissonMatrix {

  private PoissonMatrix() {}

  /** Arguments: points in one direction of the grid, file to write. */
  public static void main(String[] args) throws IOException {
    if (args.length != 2 || !args[0].matches("[1-9][0-9]{0,3}")) {
      System.err.println(
          "usage: PoissonMatrix N FILE   (N from 1 to 9999: points in one direction)");
      System.exit(2);
    }
    try (Writer out = Files.newBufferedWriter(Path.of(args[1]))) {
      MatrixMarket.writePoisson(Integer.parseInt(args[0]), out);
    }
  }
}

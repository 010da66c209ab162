// SPDX-License-Identifier: Apache-2.0
package io.cairn.samples;

import io.cairn.Cairn;
import io.cairn.api.Region;
import java.nio.DoubleBuffer;
import java.util.List;
import mpi.MPI;
import mpi.MPIException;
import mpi.Request;

/**
 * Heat spreading over a plate: Jacobi's method on a 2-D grid, cut into strips of rows, with
 * non-blocking halos.
 *
 * <p>Each step sends its new border rows and only the next step receives them, so that
 * communication overlaps with what lies between. That is where the safe point is: halos are in
 * flight across every one of them.
 */
public final class Heat2d {

  private static final String USAGE =
      """
      usage: Heat2d [--nx N] [--ny N] [--steps N] [--step-millis N] [--progress N] [--events 1]
        --nx, --ny      columns and rows of the plate (256, 256)
        --steps         steps (200)"""
          + Steps.USAGE;

  private static final int UP = 1;
  private static final int DOWN = 2;
  private static final double HOT = 100;

  private final int nx;
  private final int ny;
  private final int steps;
  private final int rank = MPI.COMM_WORLD.getRank();
  private final int size = MPI.COMM_WORLD.getSize();
  private final int above = rank == 0 ? MPI.PROC_NULL : rank - 1;
  private final int below = rank == size - 1 ? MPI.PROC_NULL : rank + 1;
  private final int firstRow;
  private final int rows;
  private final Steps pace;

  private Heat2d(int nx, int ny, int steps, Steps pace) throws MPIException {
    this.nx = nx;
    this.ny = ny;
    this.steps = steps;
    this.firstRow = (int) ((long) ny * rank / size);
    this.rows = (int) ((long) ny * (rank + 1) / size) - firstRow;
    this.pace = pace;
    if (ny < size) {
      throw new IllegalArgumentException(
          "--ny %d is fewer rows than the %d ranks".formatted(ny, size));
    }
  }

  /** See the class, or run it with {@code --help x}. */
  public static void main(String[] args) {
    try {
      List<String> names = List.of("nx", "ny", "steps", "step-millis", "progress", "events");
      Arguments arguments = new Arguments(USAGE, names, args);
      int nx = arguments.integer("nx", 256, 3);
      int ny = arguments.integer("ny", 256, 3);
      int steps = arguments.integer("steps", 200, 1);
      Steps pace = new Steps("heat2d", arguments);
      Cairn.run(args, cairn -> new Heat2d(nx, ny, steps, pace).solve(cairn)); // cairn
    } catch (IllegalArgumentException e) {
      Arguments.refuse(e);
    }
  }

  private void solve(Cairn cairn) throws MPIException, InterruptedException {
    pace.begin(cairn);
    // This rank's rows, and a halo row above and below; twice, because a step reads one and writes
    // the other.
    long gridBytes = (rows + 2L) * nx * Double.BYTES;
    Region even = cairn.region("even", gridBytes); // cairn
    Region odd = cairn.region("odd", gridBytes); // cairn
    long[] step = cairn.array("step", new long[1]); // cairn
    DoubleBuffer[] grids = {even.asDoubleBuffer(), odd.asDoubleBuffer()};

    Request[] sends = {};
    if (!cairn.restore()) { // cairn
      heat(grids[0]);
      heat(grids[1]);
      sends = sendHalos(grids[0]);
    } // after a restore nothing is sent again: what was in flight is received from the checkpoint

    while (step[0] < steps) {
      DoubleBuffer now = grids[(int) (step[0] % 2)];
      DoubleBuffer next = grids[(int) ((step[0] + 1) % 2)];
      receiveHalos(now);
      Request.waitAll(sends);
      double change = relax(now, next);
      pace.linger();
      step[0]++;
      if (step[0] % 10 == 0) {
        double[] largest = {change};
        MPI.COMM_WORLD.allReduce(largest, 1, MPI.DOUBLE, MPI.MAX);
        pace.report(step[0], "largest change %.6e", largest[0]);
      }
      sends = sendHalos(next);
      cairn.safePoint(); // cairn
    }

    DoubleBuffer last = grids[(int) (step[0] % 2)];
    receiveHalos(last);
    Request.waitAll(sends);
    long[] digest = {digest(last)};
    MPI.COMM_WORLD.allReduce(digest, 1, MPI.LONG, MPI.SUM);
    pace.result(digest[0], "heat2d %d x %d cells, %d steps, %d ranks", nx, ny, steps, size);
  }

  /** The plate is cold, but for its hot upper edge and a hot spot. */
  private void heat(DoubleBuffer grid) {
    for (int row = 0; row < rows + 2; row++) {
      int globalRow = firstRow + row - 1;
      for (int column = 0; column < nx; column++) {
        boolean spot =
            Math.abs(globalRow - ny / 2) <= ny / 16 && Math.abs(column - nx / 3) <= nx / 16;
        grid.put(row * nx + column, globalRow == 0 || spot ? HOT : 0);
      }
    }
  }

  private Request[] sendHalos(DoubleBuffer grid) throws MPIException {
    return new Request[] {
      MPI.COMM_WORLD.iSend(row(grid, 1), nx, MPI.DOUBLE, above, UP),
      MPI.COMM_WORLD.iSend(row(grid, rows), nx, MPI.DOUBLE, below, DOWN)
    };
  }

  private void receiveHalos(DoubleBuffer grid) throws MPIException {
    Request.waitAll(
        new Request[] {
          MPI.COMM_WORLD.iRecv(row(grid, 0), nx, MPI.DOUBLE, above, DOWN),
          MPI.COMM_WORLD.iRecv(row(grid, rows + 1), nx, MPI.DOUBLE, below, UP)
        });
  }

  private DoubleBuffer row(DoubleBuffer grid, int row) {
    return grid.slice(row * nx, nx);
  }

  /**
   * One step of Jacobi's method; the plate's edges keep their temperature. Returns the largest
   * change.
   */
  private double relax(DoubleBuffer now, DoubleBuffer next) {
    double largest = 0;
    for (int row = 1; row <= rows; row++) {
      int globalRow = firstRow + row - 1;
      if (globalRow == 0 || globalRow == ny - 1) {
        continue;
      }
      for (int column = 1; column < nx - 1; column++) {
        int cell = row * nx + column;
        double value =
            0.25
                * (now.get(cell - nx) + now.get(cell + nx) + now.get(cell - 1) + now.get(cell + 1));
        largest = Math.max(largest, Math.abs(value - now.get(cell)));
        next.put(cell, value);
      }
    }
    return largest;
  }

  private long digest(DoubleBuffer grid) {
    Digest digest = new Digest();
    for (int cell = 0; cell < rows * nx; cell++) {
      digest.add((long) firstRow * nx + cell, grid.get(nx + cell));
    }
    return digest.value();
  }
}

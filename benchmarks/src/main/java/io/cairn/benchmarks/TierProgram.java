// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.Cairn;
import java.nio.DoubleBuffer;
import java.nio.LongBuffer;
import mpi.MPI;
import mpi.MPIException;

/**
 * A solver: each step writes all of a region, and the ranks exchange a row. Prints how long a
 * number of steps took, the longest of all ranks.
 */
public final class TierProgram {
  private static final int ROW = 1024;
  private static final int TAG = 7;

  private TierProgram() {}

  /** Arguments: bytes per rank, seconds of steps that aren't counted, steps. */
  public static void main(String[] args) {
    Cairn.run(args, cairn -> run(cairn, Long.parseLong(args[0]), args[1], args[2]));
  }

  private static void run(Cairn cairn, long bytes, String warmUpSeconds, String steps)
      throws MPIException {
    DoubleBuffer grid = cairn.region("grid", bytes).asDoubleBuffer();
    cairn.restore();
    DoubleBuffer halo = MPI.newDoubleBuffer(ROW);
    for (int i = 0; i < grid.capacity(); i++) {
      grid.put(i, Math.sin(i));
    }
    long warm = (long) (Double.parseDouble(warmUpSeconds) * 1e9);
    long begin = System.nanoTime();
    while (longest(System.nanoTime() - begin) < warm) {
      step(cairn, grid, halo);
    }
    int counted = Integer.parseInt(steps);
    begin = System.nanoTime();
    for (int i = 0; i < counted; i++) {
      step(cairn, grid, halo);
    }
    long nanos = longest(System.nanoTime() - begin);
    if (MPI.COMM_WORLD.getRank() == 0) {
      System.out.println("step " + nanos / counted);
    }
  }

  private static void step(Cairn cairn, DoubleBuffer grid, DoubleBuffer halo) throws MPIException {
    int last = grid.capacity() - 1;
    double left = grid.get(0);
    for (int i = 1; i < last; i++) {
      left = 0.25 * left + 0.5 * grid.get(i) + 0.25 * grid.get(i + 1);
      grid.put(i, left);
    }
    int other = 1 - MPI.COMM_WORLD.getRank();
    MPI.COMM_WORLD.sendRecv(grid, ROW, MPI.DOUBLE, other, TAG, halo, ROW, MPI.DOUBLE, other, TAG);
    grid.put(last, halo.get(0));
    cairn.safePoint();
  }

  private static long longest(long mine) throws MPIException {
    LongBuffer value = MPI.newLongBuffer(1).put(0, mine);
    MPI.COMM_WORLD.allReduce(value, 1, MPI.LONG, MPI.MAX);
    return value.get(0);
  }
}

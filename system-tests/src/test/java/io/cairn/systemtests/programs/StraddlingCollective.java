// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import mpi.MPI;
import mpi.MPIException;

/**
 * Breaks the contract: the last rank takes part in a collective before its safe point, the others
 * after theirs.
 */
public final class StraddlingCollective {

  private static final int STEPS = 1_500;

  private StraddlingCollective() {}

  public static void main(String[] args) {
    Cairn.run(args, StraddlingCollective::run);
  }

  private static void run(Cairn cairn) throws MPIException, InterruptedException {
    Scene.watch(cairn);
    int rank = MPI.COMM_WORLD.getRank();
    boolean first = rank == MPI.COMM_WORLD.getSize() - 1;
    long[] sum = cairn.array("sum", new long[1]);
    cairn.restore();
    for (int step = 1; step <= STEPS; step++) {
      long[] value = {(long) step * (rank + 1)};
      if (first) {
        MPI.COMM_WORLD.allReduce(value, 1, MPI.LONG, MPI.SUM);
        cairn.safePoint();
      } else {
        Thread.sleep(1);
        cairn.safePoint();
        MPI.COMM_WORLD.allReduce(value, 1, MPI.LONG, MPI.SUM);
      }
      sum[0] += value[0];
    }
    Scene.result(sum[0]);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import mpi.MPI;
import mpi.MPIException;

/** Initialises and ends MPI itself. Argument: steps. */
public final class Attached {

  private Attached() {}

  public static void main(String[] args) throws MPIException, InterruptedException {
    Cairn.load();
    MPI.Init(args);
    long steps = Scene.numbers(args, "steps=60").get("steps");
    try (Cairn cairn = Cairn.attach()) {
      Scene.watch(cairn);
      long[] state = cairn.array("state", new long[2]);
      cairn.restore();
      while (state[0] < steps) {
        long[] sum = {state[0]};
        MPI.COMM_WORLD.allReduce(sum, 1, MPI.LONG, MPI.SUM);
        state[1] = Scene.mix(state[1], sum[0]);
        state[0]++;
        Thread.sleep(2);
        cairn.safePoint();
      }
      Scene.result(state[1]);
      cairn.done();
    }
    MPI.Finalize();
  }
}

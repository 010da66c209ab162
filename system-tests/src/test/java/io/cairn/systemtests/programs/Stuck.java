// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.util.Map;
import mpi.MPI;
import mpi.MPIException;

/** Computes, until a rank computes for ever: but only in a launch that restored nothing. */
public final class Stuck {

  private Stuck() {}

  /** Arguments: steps, millis (of a step), at (which step), rank. */
  public static void main(String[] args) {
    Map<String, Long> numbers = Scene.numbers(args, "steps=100", "millis=2", "at=-1", "rank=1");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    int rank = MPI.COMM_WORLD.getRank();
    Scene.watch(cairn);
    Scene.Told told = new Scene.Told();
    cairn.addListener(told);
    long[] state = cairn.array("state", new long[2]); // step, digest
    boolean restored = cairn.restore();
    while (state[0] < numbers.get("steps")) {
      long[] sum = {Scene.mix(state[1], rank)};
      MPI.COMM_WORLD.allReduce(sum, 1, MPI.LONG, MPI.SUM);
      state[1] = Scene.mix(state[1], sum[0]);
      state[0]++;
      Thread.sleep(numbers.get("millis"));
      cairn.safePoint();
      if (!restored && state[0] == numbers.get("at")) {
        // So that there is something to come back to.
        Scene.safePointsUntil(cairn, 1, told::commits);
        Scene.say(rank, "rank " + rank + " has come to the step");
        if (rank == numbers.get("rank")) {
          long spun = 0;
          while (spun >= 0) {
            spun = (spun + 1) & Long.MAX_VALUE;
          }
        }
      }
    }
    Scene.result(state[1]);
  }
}

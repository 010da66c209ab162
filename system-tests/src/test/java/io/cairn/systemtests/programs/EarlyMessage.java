// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import mpi.Intracomm;
import mpi.MPI;
import mpi.MPIException;

/**
 * Breaks the contract: rank 0 sends after its safe point what rank 1 receives before the same one.
 */
public final class EarlyMessage {

  private static final int TAG = 4711;
  private static final int STEPS = 1_500;

  private EarlyMessage() {}

  public static void main(String[] args) {
    Cairn.run(args, EarlyMessage::run);
  }

  private static void run(Cairn cairn) throws MPIException, InterruptedException {
    Scene.watch(cairn);
    Intracomm orders = MPI.COMM_WORLD.dup();
    int rank = orders.getRank();
    long[] sum = cairn.array("sum", new long[1]);
    cairn.restore();
    long[] message = new long[1];
    for (int step = 1; step <= STEPS; step++) {
      if (rank == 0) {
        Thread.sleep(1);
        cairn.safePoint();
        message[0] = step;
        orders.send(message, 1, MPI.LONG, 1, TAG);
      } else {
        orders.recv(message, 1, MPI.LONG, 0, TAG);
        sum[0] += message[0];
        cairn.safePoint();
      }
    }
    orders.free();
    Scene.result(sum[0]);
  }
}

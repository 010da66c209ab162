// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import mpi.MPI;
import mpi.MPIException;

/** Breaks the contract: rank 1 comes to fewer safe points than rank 0. */
public final class Misaligned {

  private static final int FEW = 20;
  private static final int MANY = 4_000;

  private Misaligned() {}

  public static void main(String[] args) {
    Cairn.run(args, Misaligned::run);
  }

  private static void run(Cairn cairn) throws MPIException, InterruptedException {
    Scene.watch(cairn);
    cairn.restore();
    byte[] word = new byte[1];
    if (MPI.COMM_WORLD.getRank() == 1) {
      for (int i = 0; i < FEW; i++) {
        cairn.safePoint();
      }
      // The vote takes place while this rank looks as if it would go on.
      MPI.COMM_WORLD.send(word, 1, MPI.BYTE, 0, 1);
      Thread.sleep(1_500);
      return;
    }
    MPI.COMM_WORLD.recv(word, 1, MPI.BYTE, 1, 1);
    cairn.requestCheckpoint();
    for (int i = 0; i < MANY; i++) {
      Thread.sleep(1);
      cairn.safePoint();
    }
    Scene.say(0, "result " + MANY);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.util.Map;
import mpi.Intracomm;
import mpi.MPI;
import mpi.MPIException;

/**
 * Messages across safe points in communicators that the program made itself, with the same tag in
 * each; made again, in the same order, after a restore.
 */
public final class Communicators {

  private static final int TAG = 1;

  private Communicators() {}

  /** Arguments: steps, millis (of a step). */
  public static void main(String[] args) {
    Map<String, Long> numbers = Scene.numbers(args, "steps=400", "millis=3");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    int rank = MPI.COMM_WORLD.getRank();
    Intracomm copy = MPI.COMM_WORLD.dup();
    Intracomm parity = MPI.COMM_WORLD.split(rank % 2, -rank);
    Intracomm parityCopy = parity.dup();
    Intracomm reversed = MPI.COMM_WORLD.split(0, -rank);
    Intracomm[] all = {MPI.COMM_WORLD, copy, parity, parityCopy, reversed};
    Scene.watch(cairn);
    long[] state = cairn.array("state", new long[2]); // step, digest
    cairn.restore();
    long[] message = new long[1];
    while (state[0] < numbers.get("steps")) {
      // First what was sent in the last step, then the messages of this one.
      if (state[0] > 0) {
        takeAll(all, state);
      }
      state[0]++;
      for (int i = 0; i < all.length; i++) {
        message[0] = Scene.mix(state[0] * all.length + i, rank);
        int next = (all[i].getRank() + 1) % all[i].getSize();
        all[i].send(message, 1, MPI.LONG, next, TAG);
      }
      Thread.sleep(numbers.get("millis"));
      cairn.safePoint();
    }
    takeAll(all, state);
    long[] checked = {state[1]};
    parity.allReduce(checked, 1, MPI.LONG, MPI.SUM);
    for (int i = all.length - 1; i > 0; i--) {
      all[i].free();
    }
    Scene.result(checked[0]);
  }

  /** In another order than they were sent in. */
  private static void takeAll(Intracomm[] all, long[] state) throws MPIException {
    long[] message = new long[1];
    for (int i = all.length - 1; i >= 0; i--) {
      int size = all[i].getSize();
      all[i].recv(message, 1, MPI.LONG, (all[i].getRank() + size - 1) % size, TAG);
      state[1] = Scene.mix(state[1], message[0]);
    }
  }
}

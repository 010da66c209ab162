// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import io.cairn.api.CairnOptions;
import io.cairn.api.CairnOptions.SafePoints;
import java.nio.LongBuffer;
import mpi.Intracomm;
import mpi.MPI;
import mpi.MPIException;

/**
 * Runs free: rank 1's long message to rank 0 isn't away until it is received, and only then rank 1
 * comes to its safe point. When rank 0 is cut first it doesn't receive: it is held in its own send.
 * (When rank 1 is, and held in its answer, rank 0 is cut where it waits for that.)
 */
public final class LongAnswers {

  private static final int LONGS = 1 << 15;
  private static final int ORDER = 1;
  private static final int ANSWER = 2;
  private static final int STEPS = 150;

  private LongAnswers() {}

  public static void main(String[] args) {
    CairnOptions options = CairnOptions.builder().safePoints(SafePoints.FREE).build();
    Cairn.run(args, options, LongAnswers::run);
  }

  private static void run(Cairn cairn) throws MPIException, InterruptedException {
    Intracomm world = MPI.COMM_WORLD;
    Scene.watch(cairn);
    LongBuffer answer = cairn.region("answer", (long) LONGS * Long.BYTES).asLongBuffer();
    long[] state =
        cairn.array("state", new long[3]); // step, digest, whether there is an order to answer
    cairn.restore();
    long[] order = new long[1];
    while (state[0] < STEPS) {
      if (world.getRank() == 0) {
        if (state[2] == 0) {
          Thread.sleep(2);
          cairn.safePoint();
          order[0] = state[0];
          world.send(order, 1, MPI.LONG, 1, ORDER);
          state[2] = 1;
        }
        cairn.receive(world, answer, LONGS, MPI.LONG, 1, ANSWER);
        state[1] = Scene.mix(state[1], answer.get((int) (state[0] * 31 % LONGS)));
        state[0]++;
        state[2] = 0;
      } else {
        takeOrder(world, state, order);
        for (int i = 0; i < LONGS; i++) {
          answer.put(i, state[0] * i + state[1]);
        }
        world.send(answer, LONGS, MPI.LONG, 0, ANSWER);
        state[0]++;
        state[2] = 1;
        cairn.safePoint();
      }
    }
    takeOrder(world, state, order);
    cairn.done();
    Scene.result(state[1]);
  }

  private static void takeOrder(Intracomm world, long[] state, long[] order) throws MPIException {
    if (state[2] != 0) {
      world.recv(order, 1, MPI.LONG, 0, ORDER);
      state[1] += order[0];
      state[2] = 0;
    }
  }
}

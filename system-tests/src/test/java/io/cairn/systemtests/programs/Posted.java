// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.nio.LongBuffer;
import java.util.Map;
import mpi.MPI;
import mpi.MPIException;
import mpi.Request;
import mpi.Status;

/**
 * Receives that are posted long before they are waited for: at each cut some are matched by a
 * message that has come, some are not. They are into a region, whose pages are captured as they
 * are, and posted again after a restore.
 */
public final class Posted {

  private static final int ROUND = 20;
  private static final int RECEIVES = 4;

  /** The tag of what is received by a call that blocks. */
  private static final int BLOCKING = RECEIVES;

  private Posted() {}

  /** Arguments: rounds, millis (of a step). */
  public static void main(String[] args) {
    Map<String, Long> numbers = Scene.numbers(args, "rounds=20", "millis=3");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    LongBuffer memory = cairn.region("memory", (long) RECEIVES * Long.BYTES).asLongBuffer();
    Stage stage = Stage.set(cairn, numbers, 2);
    long[] state = stage.state(); // step, digest
    Request[] requests = new Request[RECEIVES];
    boolean posted = false;
    long[] message = new long[1];
    while (state[0] < numbers.get("rounds") * ROUND) {
      long within = state[0] % ROUND;
      if (!posted) {
        // At the beginning of a round, and after a restore.
        for (int i = 0; i < RECEIVES; i++) {
          requests[i] = MPI.COMM_WORLD.iRecv(memory.slice(i, 1), 1, MPI.LONG, stage.from(), i);
        }
        posted = true;
      }
      // The messages of a round leave in its first, second, ... quarter.
      if (within % (ROUND / RECEIVES) == 0) {
        int tag = (int) within / (ROUND / RECEIVES);
        message[0] = Scene.mix(state[0], stage.rank());
        MPI.COMM_WORLD.send(message, 1, MPI.LONG, stage.to(), tag);
        if (tag == 0) {
          MPI.COMM_WORLD.send(message, 1, MPI.LONG, stage.to(), BLOCKING);
        }
      }
      if (within == ROUND - 1) {
        MPI.COMM_WORLD.recv(message, 1, MPI.LONG, stage.from(), BLOCKING);
        Status[] statuses = Request.waitAllStatus(requests);
        for (int i = 0; i < RECEIVES; i++) {
          state[1] = Scene.mix(state[1] + message[0], memory.get(i));
          state[1] = Scene.mix(state[1], statuses[i].getSource());
          state[1] = Scene.mix(state[1], statuses[i].getTag());
          state[1] = Scene.mix(state[1], statuses[i].getCount(MPI.LONG));
          memory.put(i, state[1]);
        }
        posted = false;
      }
      state[0]++;
      stage.pace().safePoint(state[0]);
    }
    stage.pace().result(state[1]);
  }
}

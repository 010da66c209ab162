// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.Map;
import mpi.MPI;
import mpi.MPIException;
import mpi.Request;

/**
 * Receives that are posted long before they are waited for: at each cut some are matched by a
 * message that has come, some are not. After a restore they are posted again.
 */
public final class Posted {

  private static final int ROUND = 20;
  private static final int RECEIVES = 4;

  private Posted() {}

  /** Arguments: rounds, millis (of a step). */
  public static void main(String[] args) {
    Map<String, Long> numbers = Scene.numbers(args, "rounds=20", "millis=3");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    int rank = MPI.COMM_WORLD.getRank();
    int size = MPI.COMM_WORLD.getSize();
    int from = (rank + size - 1) % size;
    int to = (rank + 1) % size;
    Scene.watch(cairn);
    long[] state = cairn.array("state", new long[2]); // step, digest
    cairn.restore();
    Request[] requests = new Request[RECEIVES];
    LongBuffer[] buffers = new LongBuffer[RECEIVES];
    boolean posted = false;
    long[] message = new long[1];
    while (state[0] < numbers.get("rounds") * ROUND) {
      long within = state[0] % ROUND;
      if (!posted) {
        // At the beginning of a round, and after a restore.
        for (int i = 0; i < RECEIVES; i++) {
          buffers[i] =
              ByteBuffer.allocateDirect(Long.BYTES).order(ByteOrder.nativeOrder()).asLongBuffer();
          requests[i] = MPI.COMM_WORLD.iRecv(buffers[i], 1, MPI.LONG, from, i);
        }
        posted = true;
      }
      // The messages of a round leave in its first, second, ... quarter.
      if (within % (ROUND / RECEIVES) == 0) {
        int tag = (int) within / (ROUND / RECEIVES);
        message[0] = Scene.mix(state[0], rank);
        MPI.COMM_WORLD.send(message, 1, MPI.LONG, to, tag);
      }
      if (within == ROUND - 1) {
        Request.waitAll(requests);
        for (LongBuffer buffer : buffers) {
          state[1] = Scene.mix(state[1], buffer.get(0));
        }
        posted = false;
      }
      state[0]++;
      Thread.sleep(numbers.get("millis"));
      cairn.safePoint();
    }
    Scene.result(state[1]);
  }
}

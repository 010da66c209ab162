// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.util.Map;
import mpi.MPI;
import mpi.MPIException;
import mpi.Status;

/**
 * Rank 0 takes what the others sent long ago from any source with any tag; of one source in the
 * order of sending.
 */
public final class Wildcards {

  private static final int TAGS = 4;

  private Wildcards() {}

  /** Arguments: steps, millis (of a step), hold (steps without receiving). */
  public static void main(String[] args) {
    Map<String, Long> numbers = Scene.numbers(args, "steps=390", "millis=3", "hold=30");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    int rank = MPI.COMM_WORLD.getRank();
    int size = MPI.COMM_WORLD.getSize();
    long hold = numbers.get("hold");
    Scene.watch(cairn);
    long[] state = cairn.array("state", new long[2]); // step, sum
    long[] last = cairn.array("last", new long[size]); // number of each rank's last message
    cairn.restore();
    long[] message = new long[1];
    while (state[0] < numbers.get("steps")) {
      state[0]++;
      if (rank != 0) {
        message[0] = state[0];
        MPI.COMM_WORLD.send(message, 1, MPI.LONG, 0, (int) (state[0] % TAGS));
        if (state[0] % hold == 0) {
          // None runs ahead: a receive from any source would take what it sends after its next safe
          // point, early.
          MPI.COMM_WORLD.recv(message, 1, MPI.LONG, 0, TAGS);
        }
      } else if (state[0] % hold == 0) {
        for (long i = 0; i < hold * (size - 1); i++) {
          Status status = MPI.COMM_WORLD.recv(message, 1, MPI.LONG, MPI.ANY_SOURCE, MPI.ANY_TAG);
          int source = status.getSource();
          last[source]++;
          if (message[0] != last[source] || status.getTag() != message[0] % TAGS) {
            throw new IllegalStateException(
                "message %d (tag %d) of rank %d, expected %d"
                    .formatted(message[0], status.getTag(), source, last[source]));
          }
          state[1] += message[0] * source;
        }
        for (int other = 1; other < size; other++) {
          MPI.COMM_WORLD.send(state, 1, MPI.LONG, other, TAGS);
        }
      }
      Thread.sleep(numbers.get("millis"));
      cairn.safePoint();
    }
    Scene.result(state[1]);
  }
}

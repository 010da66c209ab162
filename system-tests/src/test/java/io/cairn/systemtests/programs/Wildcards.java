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
 * Receives from any source that are pending together over safe points, completed in another order
 * than they were posted in: a long message is begun before a short one and there after it. Which
 * source comes first is chance; of one source they come as they were sent.
 */
public final class Wildcards {

  private static final int ROUND = 6;
  private static final int TAGS = 4;

  /** Messages of each tag and source in a round. */
  private static final int EACH = 2;

  private static final int LONG = 100;
  private static final int SHORT = 101;

  /** Too long to be sent along with its envelope, on any network. */
  private static final int LENGTH = 20_000;

  private Wildcards() {}

  /** Arguments: rounds. */
  public static void main(String[] args) {
    Map<String, Long> numbers = Scene.numbers(args, "rounds=6");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    Stage stage = Stage.set(cairn, numbers, 1);
    long[] state = stage.state(); // steps
    Trace trace = stage.trace();
    int expected = TAGS * EACH * (stage.size() - 1);
    Request[] pending = null;
    LongBuffer[] buffers = new LongBuffer[expected];
    Request longer = null;
    LongBuffer longIn = null;
    Request sent = null;
    while (state[0] < numbers.get("rounds") * ROUND) {
      long round = state[0] / ROUND;
      int within = (int) (state[0] % ROUND);
      // Posted in the first step, completed in the last but one; after a restore, posted again.
      if (within < ROUND - 1 && pending == null) {
        pending = new Request[expected];
        for (int i = 0; i < expected; i++) {
          buffers[i] = Trace.empty(2);
          pending[i] = MPI.COMM_WORLD.iRecv(buffers[i], 2, MPI.LONG, MPI.ANY_SOURCE, i % TAGS);
        }
      }
      if (within >= 1 && within <= 3 && longer == null) {
        longIn = Trace.empty(LENGTH);
        longer = MPI.COMM_WORLD.iRecv(longIn, LENGTH, MPI.LONG, MPI.ANY_SOURCE, LONG);
      }
      switch (within) {
        // A round's messages are for this round's receives.
        case 0 -> MPI.COMM_WORLD.barrier();
        case 1 -> {
          sent =
              MPI.COMM_WORLD.iSend(
                  Trace.filled(LENGTH, state[0], stage.rank()), LENGTH, MPI.LONG, stage.to(), LONG);
          sendAll(0, round);
          sendAll(2, round);
          MPI.COMM_WORLD.send(
              Trace.filled(1, state[0], stage.rank()), 1, MPI.LONG, stage.to(), SHORT);
        }
        case 2 -> {
          LongBuffer in = Trace.empty(2);
          trace.see(in, MPI.COMM_WORLD.recv(in, 2, MPI.LONG, MPI.ANY_SOURCE, MPI.ANY_TAG));
        }
        case 3 -> {
          trace.see(longIn, longer.waitStatus());
          longer = null;
          sendAll(1, round);
          sendAll(3, round);
        }
        case 4 -> {
          Status[] statuses = new Status[expected];
          for (int i = expected - 1; i >= 0; i--) {
            statuses[i] = pending[i].waitStatus();
          }
          see(trace, buffers, statuses);
          pending = null;
          if (sent != null) { // else restored: it counts as sent
            sent.waitFor();
            sent = null;
          }
        }
        default -> {}
      }
      state[0]++;
      stage.pace().safePoint(state[0]);
    }
    stage.pace().result(trace.digest());
  }

  /** Of each source and tag, in the order in which the receives were posted. */
  private static void see(Trace trace, LongBuffer[] buffers, Status[] statuses)
      throws MPIException {
    for (int source = 0; source < MPI.COMM_WORLD.getSize(); source++) {
      for (int tag = 0; tag < TAGS; tag++) {
        for (int i = 0; i < buffers.length; i++) {
          if (statuses[i].getSource() == source && statuses[i].getTag() == tag) {
            trace.see(buffers[i], statuses[i]);
          }
        }
      }
    }
  }

  private static void sendAll(int tag, long round) throws MPIException {
    int rank = MPI.COMM_WORLD.getRank();
    for (int i = 0; i < MPI.COMM_WORLD.getSize(); i++) {
      if (i != rank) {
        for (int number = 0; number < EACH; number++) {
          LongBuffer message = Trace.filled(1 + number, (round * TAGS + tag) * EACH + number, rank);
          MPI.COMM_WORLD.send(message, 1 + number, MPI.LONG, i, tag);
        }
      }
    }
  }
}

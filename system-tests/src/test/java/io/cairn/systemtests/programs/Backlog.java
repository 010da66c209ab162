// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.Map;
import mpi.Datatype;
import mpi.MPI;
import mpi.MPIException;
import mpi.Message;
import mpi.Status;

/**
 * All ranks send to rank 0 in every step; it leaves its messages alone for many steps, over several
 * cuts, and then takes them all, in every way there is to receive.
 */
public final class Backlog {

  private static final int LENGTH = 6;
  private static final int FORMS = 8;
  private static final int TAGS = 3;

  private Backlog() {}

  /**
   * Arguments: steps, millis (of a step), hold (steps without receiving), truncate (whether some
   * receives are too short).
   */
  public static void main(String[] args) {
    Map<String, Long> numbers =
        Scene.numbers(args, "steps=400", "millis=3", "hold=40", "truncate=1");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    int rank = MPI.COMM_WORLD.getRank();
    int size = MPI.COMM_WORLD.getSize();
    long hold = numbers.get("hold");
    Scene.watch(cairn);
    MPI.COMM_WORLD.setErrhandler(MPI.ERRORS_RETURN); // one receive is to be truncated
    long[] state = cairn.array("state", new long[2]); // step, digest
    Scene.Pace pace = new Scene.Pace(cairn, numbers);
    boolean restored = cairn.restore();
    Scene.say(0, (restored ? "goes on after step " : "begins with ") + state[0]);
    long[] message = new long[LENGTH];
    int forms = numbers.get("truncate") != 0 ? FORMS : FORMS - 1;
    while (state[0] < numbers.get("steps")) {
      state[0]++;
      if (rank == 0) {
        if (state[0] % hold == 0) {
          // Two full rounds of messages of each other rank: some were sent long before.
          for (long sent = state[0] - hold + 1; sent <= state[0]; sent++) {
            for (int i = 1; i < size; i++) {
              state[1] = Scene.mix(state[1], receive(state[0], sent, i, forms));
            }
          }
        }
      } else {
        for (int i = 0; i < LENGTH; i++) {
          message[i] = Scene.mix(state[0] * LENGTH + i, rank);
        }
        MPI.COMM_WORLD.send(message, LENGTH, MPI.LONG, 0, tag(state[0]));
      }
      pace.safePoint(state[0]);
    }
    pace.result(state[1]);
  }

  private static int tag(long step) {
    return (int) (step % TAGS);
  }

  /** The message that rank {@code source} sent in step {@code sent}, checked. */
  private static long receive(long step, long sent, int source, int forms) throws MPIException {
    LongBuffer buffer =
        ByteBuffer.allocateDirect(2 * LENGTH * Long.BYTES)
            .order(ByteOrder.nativeOrder())
            .asLongBuffer();
    long form = (sent + source) % forms;
    int stride = 1;
    Status status;
    if (form == 0) {
      status = MPI.COMM_WORLD.recv(buffer, LENGTH, MPI.LONG, source, tag(sent));
    } else if (form == 1) {
      status = MPI.COMM_WORLD.recv(buffer, LENGTH, MPI.LONG, source, MPI.ANY_TAG);
    } else if (form == 2) {
      status = MPI.COMM_WORLD.probe(source, MPI.ANY_TAG);
      require(
          status.getCount(MPI.LONG) == LENGTH, step, "probe counts " + status.getCount(MPI.LONG));
      MPI.COMM_WORLD.recv(buffer, LENGTH, MPI.LONG, status.getSource(), status.getTag());
    } else if (form == 3) {
      do {
        status = MPI.COMM_WORLD.iProbe(source, tag(sent));
      } while (status == null);
      MPI.COMM_WORLD.recv(buffer, LENGTH, MPI.LONG, source, status.getTag());
    } else if (form == 4) {
      Message matched = new Message();
      matched.mProbe(source, tag(sent), MPI.COMM_WORLD);
      status = matched.mRecv(buffer, LENGTH, MPI.LONG);
    } else if (form == 5) {
      // Every other place of the buffer.
      Datatype sparse = Datatype.createVector(LENGTH, 1, 2, MPI.LONG);
      sparse.commit();
      status = MPI.COMM_WORLD.recv(buffer, 1, sparse, source, tag(sent));
      sparse.free();
      stride = 2;
    } else if (form == 6) {
      status = MPI.COMM_WORLD.iRecv(buffer, 2 * LENGTH, MPI.LONG, source, tag(sent)).waitStatus();
      require(status.getCount(MPI.LONG) == LENGTH, step, "receives " + status.getCount(MPI.LONG));
    } else {
      return truncated(buffer, sent, source);
    }
    require(status.getSource() == source, step, "comes from " + status.getSource());
    require(status.getTag() == tag(sent), step, "has tag " + status.getTag());
    for (int i = 0; i < LENGTH; i++) {
      require(
          buffer.get(i * stride) == Scene.mix(sent * LENGTH + i, source), step, "differs at " + i);
    }
    return Scene.mix(form, buffer.get(0));
  }

  /** A receive with too small a buffer gets MPI's own error, and the message is gone. */
  private static long truncated(LongBuffer buffer, long sent, int source) throws MPIException {
    try {
      MPI.COMM_WORLD.recv(buffer, LENGTH - 1, MPI.LONG, source, tag(sent));
    } catch (MPIException e) {
      require(e.getErrorClass() == MPI.ERR_TRUNCATE, sent, "error " + e.getMessage());
      return sent;
    }
    throw new IllegalStateException("a message of %d longs fits %d".formatted(LENGTH, LENGTH - 1));
  }

  private static void require(boolean condition, long step, String what) {
    if (!condition) {
      throw new IllegalStateException("in step " + step + " the message " + what);
    }
  }
}

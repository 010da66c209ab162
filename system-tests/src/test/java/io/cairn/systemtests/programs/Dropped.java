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
import mpi.Status;

/**
 * A ring whose receives are cancelled (and waited for much later), and whose receives and
 * synchronous sends are freed while they are active. Messages wait behind them over safe points.
 */
public final class Dropped {

  private static final int ROUND = 40;
  private static final int TAG = 1;
  private static final int NEVER = 2;
  private static final int FREED = 3;
  private static final int AFTER_FREED = 4;
  private static final int SYNCHRONOUS = 5;

  private Dropped() {}

  /** Arguments: rounds, millis (of a step). */
  public static void main(String[] args) {
    Map<String, Long> numbers = Scene.numbers(args, "rounds=10", "millis=3");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    Stage stage = Stage.set(cairn, numbers, 2);
    long[] state = stage.state(); // step, digest
    LongBuffer in = longs();
    LongBuffer out = longs();
    LongBuffer unused = longs();
    LongBuffer synchronous = longs();
    long[] message = new long[1];
    Request cancelled = null;
    while (state[0] < numbers.get("rounds") * ROUND) {
      int within = (int) (state[0] % ROUND);
      if (within == 0) {
        // One that would take this round's message, if it weren't cancelled before that was sent.
        cancelled = MPI.COMM_WORLD.iRecv(unused, 1, MPI.LONG, stage.from(), MPI.ANY_TAG);
        cancelled.cancel();
        Request atOnce = MPI.COMM_WORLD.iRecv(longs(), 1, MPI.LONG, stage.from(), NEVER);
        atOnce.cancel();
        requireCancelled(atOnce.waitStatus());
        MPI.COMM_WORLD.iRecv(in, 1, MPI.LONG, stage.from(), FREED).free();
        MPI.COMM_WORLD.barrier();
        // What comes after the message of the freed receive tells that it is there.
        message[0] = Scene.mix(state[0], stage.rank());
        MPI.COMM_WORLD.send(message, 1, MPI.LONG, stage.to(), FREED);
        MPI.COMM_WORLD.send(message, 1, MPI.LONG, stage.to(), AFTER_FREED);
        MPI.COMM_WORLD.recv(message, 1, MPI.LONG, stage.from(), AFTER_FREED);
        require(in.get(0) == message[0], "the freed receive got " + in.get(0));
        state[1] = Scene.mix(state[1], in.get(0));
        synchronous.put(0, Scene.mix(state[0], -stage.rank()));
        MPI.COMM_WORLD.isSend(synchronous, 1, MPI.LONG, stage.to(), SYNCHRONOUS).free();
        out.put(0, Scene.mix(state[0], stage.rank() * 3L));
        MPI.COMM_WORLD.send(out, 1, MPI.LONG, stage.to(), TAG);
      }
      if (within == 1) {
        state[1] = Scene.mix(state[1], receive(stage.from(), SYNCHRONOUS));
      }
      if (within == ROUND - 1) {
        state[1] = Scene.mix(state[1], receive(stage.from(), TAG));
        if (cancelled != null) { // else restored: MPI forgot it
          requireCancelled(cancelled.waitStatus());
          cancelled = null;
        }
      }
      state[0]++;
      stage.pace().safePoint(state[0]);
    }
    stage.pace().result(state[1]);
  }

  private static long receive(int from, int tag) throws MPIException {
    long[] message = new long[1];
    Status status = MPI.COMM_WORLD.recv(message, 1, MPI.LONG, from, tag);
    require(!status.isCancelled(), "a receive that nobody cancelled was");
    return message[0];
  }

  private static void requireCancelled(Status status) throws MPIException {
    require(status.isCancelled(), "a receive was not cancelled; source " + status.getSource());
  }

  private static void require(boolean condition, String otherwise) {
    if (!condition) {
      throw new IllegalStateException(otherwise);
    }
  }

  private static LongBuffer longs() {
    return ByteBuffer.allocateDirect(Long.BYTES).order(ByteOrder.nativeOrder()).asLongBuffer();
  }
}

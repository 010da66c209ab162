// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.nio.LongBuffer;
import java.util.Map;
import mpi.MPI;
import mpi.MPIException;

/**
 * A ring in which each step sends messages with several tags, one after the other, and takes those
 * of some steps ago: one by its tag, the others by any, by calls that block and by ones that don't.
 */
public final class Tags {

  /** In the order of sending; the last one is the first to be taken. */
  private static final int[] SENT = {2, 0, 1, 2, 0, 3};

  private static final int BEHIND = 3;

  private Tags() {}

  /** Arguments: steps. */
  public static void main(String[] args) {
    Map<String, Long> numbers = Scene.numbers(args, "steps=40");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    Stage stage = Stage.set(cairn, numbers, 1);
    long[] state = stage.state(); // steps
    Trace trace = stage.trace();
    long last = numbers.get("steps");
    while (state[0] < last + BEHIND) {
      if (state[0] < last) {
        for (int i = 0; i < SENT.length; i++) {
          LongBuffer message = Trace.filled(1 + i, state[0] * SENT.length + i, stage.rank());
          MPI.COMM_WORLD.send(message, 1 + i, MPI.LONG, stage.to(), SENT[i]);
        }
      }
      if (state[0] >= BEHIND) {
        // Only one rank sends to this one.
        int source = state[0] % 2 == 0 ? stage.from() : MPI.ANY_SOURCE;
        take(trace, source, 3, state[0]);
        take(trace, stage.from(), 1, state[0]);
        for (int i = 2; i < SENT.length; i++) {
          take(trace, source, MPI.ANY_TAG, state[0] + i);
        }
      }
      state[0]++;
      stage.pace().safePoint(state[0]);
    }
    stage.pace().result(trace.digest());
  }

  private static void take(Trace trace, int source, int tag, long form) throws MPIException {
    LongBuffer in = Trace.empty(SENT.length);
    if (form % 3 == 0) {
      trace.see(in, MPI.COMM_WORLD.recv(in, in.capacity(), MPI.LONG, source, tag));
    } else if (form % 3 == 1) {
      trace.see(MPI.COMM_WORLD.probe(source, tag));
      trace.see(in, MPI.COMM_WORLD.recv(in, in.capacity(), MPI.LONG, source, tag));
    } else {
      trace.see(in, MPI.COMM_WORLD.iRecv(in, in.capacity(), MPI.LONG, source, tag).waitStatus());
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.nio.LongBuffer;
import java.util.Map;
import mpi.MPI;
import mpi.MPIException;
import mpi.Message;
import mpi.Status;

/**
 * Each form of probe, in loops and alone, for a source or any, a tag or any, for messages of other
 * lengths each time; the message itself, and what is still there after it, is as the probe said.
 */
public final class Probes {

  private static final int BEHIND = 4;
  private static final int MESSAGES = 4;
  private static final int FORMS = 5;
  private static final int NEVER = 99;

  private Probes() {}

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
        for (int tag = 0; tag < MESSAGES; tag++) {
          int length = length(state[0], tag);
          LongBuffer message = Trace.filled(length, state[0] * MESSAGES + tag, stage.rank());
          MPI.COMM_WORLD.send(message, length, MPI.LONG, stage.to(), tag);
        }
      }
      if (state[0] >= BEHIND) {
        for (int tag = 0; tag < MESSAGES; tag++) {
          // Only one rank sends to this one, and its messages are taken in order.
          int source = (state[0] + tag) % 2 == 0 ? stage.from() : MPI.ANY_SOURCE;
          take(trace, (int) (state[0] + tag) % FORMS, source, tag % 2 == 0 ? tag : MPI.ANY_TAG);
        }
        absent(trace, stage.from());
      }
      state[0]++;
      stage.pace().safePoint(state[0]);
    }
    // All have been taken.
    trace.see(MPI.COMM_WORLD.iProbe(MPI.ANY_SOURCE, MPI.ANY_TAG) == null ? 0 : 1);
    stage.pace().result(trace.digest());
  }

  private static int length(long step, int tag) {
    return (int) ((step + tag) % 5);
  }

  private static void take(Trace trace, int form, int source, int tag) throws MPIException {
    Message matched = new Message();
    Status status;
    switch (form) {
      case 0 -> status = MPI.COMM_WORLD.probe(source, tag);
      case 1 -> {
        do {
          status = MPI.COMM_WORLD.iProbe(source, tag);
        } while (status == null);
      }
      case 2 -> status = matched.mProbe(source, tag, MPI.COMM_WORLD);
      case 3 -> {
        do {
          status = matched.imProbe(source, tag, MPI.COMM_WORLD);
        } while (status == null);
      }
      default -> {
        // What was probed stays what it is, asked in whatever way.
        status = MPI.COMM_WORLD.probe(source, tag);
        trace.see(MPI.COMM_WORLD.iProbe(source, tag));
        trace.see(MPI.COMM_WORLD.probe(MPI.ANY_SOURCE, status.getTag()));
        matched.imProbe(status.getSource(), status.getTag(), MPI.COMM_WORLD);
      }
    }
    trace.see(status);
    LongBuffer in = Trace.empty(status.getCount(MPI.LONG) + 1);
    if (matched.isNull()) {
      int length = status.getCount(MPI.LONG);
      trace.see(in, MPI.COMM_WORLD.recv(in, length, MPI.LONG, status.getSource(), status.getTag()));
    } else if (form % 2 == 0) {
      trace.see(in, matched.mRecv(in, in.capacity(), MPI.LONG));
    } else {
      trace.see(in, matched.imRecv(in, in.capacity(), MPI.LONG).waitStatus());
    }
    trace.see(matched.isNull() ? 1 : 0);
  }

  /** What isn't there, and nobody. */
  private static void absent(Trace trace, int from) throws MPIException {
    Message matched = new Message();
    trace.see(MPI.COMM_WORLD.iProbe(from, NEVER) == null ? 0 : 1);
    trace.see(matched.imProbe(MPI.ANY_SOURCE, NEVER, MPI.COMM_WORLD) == null ? 0 : 1);
    trace.see(MPI.COMM_WORLD.iProbe(MPI.PROC_NULL, 0));
    trace.see(matched.imProbe(MPI.PROC_NULL, 0, MPI.COMM_WORLD));
    trace.see(matched.isNoProc() ? 1 : 0);
    trace.see(matched.imRecv(Trace.empty(1), 1, MPI.LONG).waitStatus());
  }
}

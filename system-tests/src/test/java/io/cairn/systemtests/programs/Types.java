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
import mpi.Request;
import mpi.Status;

/**
 * Messages whose sender and receiver lay them out differently: with gaps, in pieces, of several
 * types, of types within types; with elements that end in the middle, of no elements, and too long,
 * by every call that can say so. They lie for some steps.
 */
public final class Types {

  private static final int BEHIND = 3;
  private static final int LONGS = 6;
  private static final int MIXED = LONGS;

  /** Those that are too long are taken in each so many-th step. */
  private static final int TRUNCATE = 10;

  private static final int TOO_LONG = 100;

  /** A layout of {@link #LONGS} longs. */
  private record Layout(Datatype type, int count) {}

  private Types() {}

  /** Arguments: steps; divisible by 10. */
  public static void main(String[] args) {
    Map<String, Long> numbers = Scene.numbers(args, "steps=40");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    MPI.COMM_WORLD.setErrhandler(MPI.ERRORS_RETURN);
    Datatype vector = Datatype.createVector(3, 1, 2, MPI.LONG);
    Datatype triple = Datatype.createContiguous(3, MPI.LONG);
    Datatype nested = Datatype.createVector(2, 1, 2, triple);
    Layout[] layouts = {
      new Layout(MPI.LONG, LONGS),
      new Layout(Datatype.createResized(vector, 0, 7 * Long.BYTES), 2),
      new Layout(Datatype.createIndexed(new int[] {2, 3, 1}, new int[] {9, 0, 5}, MPI.LONG), 1),
      new Layout(nested, 1),
      new Layout(triple, 2),
      new Layout(
          Datatype.createStruct(
              new int[] {1, 1}, new int[] {0, 5 * Long.BYTES}, new Datatype[] {triple, vector}),
          1),
    };
    for (Layout each : layouts) {
      if (each.type != MPI.LONG) {
        each.type.commit();
      }
    }
    Datatype mixed =
        Datatype.createStruct(
            new int[] {2, 3, 1},
            new int[] {0, 24, 40},
            new Datatype[] {MPI.LONG, MPI.INT, MPI.DOUBLE});
    mixed.commit();
    Datatype quad = Datatype.createContiguous(4, MPI.LONG);
    quad.commit();
    Stage stage = Stage.set(cairn, numbers, 1);
    long[] state = stage.state(); // steps
    Trace trace = stage.trace();
    long last = numbers.get("steps");
    while (state[0] < last + BEHIND) {
      int step = (int) state[0];
      if (step < last) {
        for (int tag = 0; tag < layouts.length; tag++) {
          Layout out = layouts[(step + tag) % layouts.length];
          LongBuffer message = Trace.filled(4 * LONGS, step * 10L + tag, stage.rank());
          MPI.COMM_WORLD.send(message, out.count, out.type, stage.to(), tag);
        }
        MPI.COMM_WORLD.send(mixed(step, stage.rank()), 1, mixed, stage.to(), MIXED);
        // Longer than their receives, and none at all.
        LongBuffer message = Trace.filled(LONGS, step, stage.rank());
        MPI.COMM_WORLD.send(message, step % 2 * LONGS, MPI.LONG, stage.to(), TOO_LONG);
      }
      if (step >= BEHIND) {
        for (int tag = 0; tag < layouts.length; tag++) {
          // A whole number of quads doesn't fit: one and a half.
          Layout in = tag == 0 ? new Layout(quad, 2) : layouts[(step * 5 + tag) % layouts.length];
          LongBuffer buffer = Trace.empty(4 * LONGS);
          Status status = MPI.COMM_WORLD.recv(buffer, in.count, in.type, stage.from(), tag);
          trace.see(buffer, status);
          trace.see(status, in.type);
        }
        ByteBuffer buffer = bytes();
        Status status = MPI.COMM_WORLD.recv(buffer, 1, mixed, stage.from(), MIXED);
        trace.see(buffer.asLongBuffer());
        trace.see(status, mixed);
      }
      // Many at once: an epoch in which a late message is truncated is abandoned.
      if (step % TRUNCATE == TRUNCATE - 1) {
        for (int i = 0; i < TRUNCATE; i++) {
          truncated(trace, stage.from(), i % 5, layouts[1].type);
        }
      }
      state[0]++;
      stage.pace().safePoint(state[0]);
    }
    stage.pace().result(trace.digest());
  }

  private static ByteBuffer bytes() {
    return ByteBuffer.allocateDirect(64).order(ByteOrder.nativeOrder());
  }

  private static ByteBuffer mixed(long step, int rank) {
    ByteBuffer buffer = bytes();
    buffer.asLongBuffer().put(Trace.filled(8, step, rank));
    return buffer;
  }

  /** In each way that can report it; {@code gaps} is of 3 longs. */
  private static void truncated(Trace trace, int from, int form, Datatype gaps)
      throws MPIException {
    LongBuffer in = Trace.empty(3 * LONGS);
    try {
      switch (form) {
        case 0 -> trace.see(MPI.COMM_WORLD.recv(in, 1, gaps, from, TOO_LONG));
        case 1 -> trace.see(MPI.COMM_WORLD.recv(in, LONGS - 1, MPI.LONG, from, TOO_LONG));
        case 2 -> {
          Request request = MPI.COMM_WORLD.iRecv(in, 1, gaps, from, TOO_LONG);
          trace.see(request.waitStatus());
        }
        case 3 -> {
          Request request = MPI.COMM_WORLD.iRecv(in, 1, MPI.LONG, from, TOO_LONG);
          Request other = MPI.COMM_WORLD.iRecv(in, 1, MPI.LONG, MPI.PROC_NULL, 0);
          Request.waitAll(new Request[] {other, request});
        }
        default -> {
          Status status = MPI.COMM_WORLD.probe(from, TOO_LONG);
          trace.see(status);
          trace.see(
              MPI.COMM_WORLD.sendRecv(
                  in, 0, MPI.LONG, MPI.PROC_NULL, 0, in, 2, MPI.LONG, from, TOO_LONG));
        }
      }
    } catch (MPIException e) {
      trace.see(e);
    }
    // What of a truncated message arrives isn't said; nothing beyond its receive is.
    for (int i = LONGS - 1; i < in.capacity(); i++) {
      trace.see(in.get(i));
    }
  }
}

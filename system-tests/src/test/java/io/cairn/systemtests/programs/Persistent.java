// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.Arrays;
import java.util.Map;
import mpi.Datatype;
import mpi.MPI;
import mpi.MPIException;
import mpi.Prequest;
import mpi.Request;
import mpi.Status;

/**
 * A ring with persistent requests only: receives started before their messages leave, or a round
 * later, and sends that are active at safe points; completed in each of MPI's ways.
 */
public final class Persistent {

  private static final int ROUND = 20;
  private static final int RECEIVES = 8;
  private static final int LENGTH = 3;

  /** Messages with this tag and higher ones are received a round later. */
  private static final int LATER = 4;

  /** The receive with a derived datatype. */
  private static final int SPARSE = 5;

  /** The receive from any source. */
  private static final int ANYONE = 6;

  /** The send that completes when its receive has begun. */
  private static final int SYNCHRONOUS = 7;

  private static final int TO_SELF = 100;

  private Persistent() {}

  /** Arguments: rounds, millis (of a step). */
  public static void main(String[] args) {
    Map<String, Long> numbers = Scene.numbers(args, "rounds=20", "millis=3");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    MPI.attachBuffer(new byte[1 << 16]);
    int rank = MPI.COMM_WORLD.getRank();
    int size = MPI.COMM_WORLD.getSize();
    int from = (rank + size - 1) % size;
    LongBuffer[] in = new LongBuffer[RECEIVES];
    LongBuffer[] out = new LongBuffer[RECEIVES];
    Prequest[] receives = new Prequest[RECEIVES];
    Prequest[] sends = new Prequest[RECEIVES];
    for (int tag = 0; tag < RECEIVES; tag++) {
      in[tag] = longs(2 * LENGTH);
      out[tag] = longs(LENGTH);
      receives[tag] = receive(in[tag], from, tag);
      sends[tag] = send(out[tag], (rank + 1) % size, tag);
    }
    // Ready sends only where the receive is known to be there.
    LongBuffer selfIn = longs(1);
    LongBuffer selfOut = longs(1);
    Prequest selfReceive = MPI.COMM_WORLD.recvInit(selfIn, 1, MPI.LONG, rank, TO_SELF);
    Prequest selfSend = MPI.COMM_WORLD.rSendInit(selfOut, 1, MPI.LONG, rank, TO_SELF);
    Prequest nobody = MPI.COMM_WORLD.recvInit(longs(1), 1, MPI.LONG, MPI.PROC_NULL, 0);
    Scene.watch(cairn);
    long[] state = cairn.array("state", new long[2]); // step, digest
    Scene.Pace pace = new Scene.Pace(cairn, numbers);
    cairn.restore();
    boolean started = false;
    Prequest active = null; // the last step's send
    while (state[0] < numbers.get("rounds") * ROUND) {
      int round = (int) (state[0] / ROUND);
      int within = (int) (state[0] % ROUND);
      if (active != null) {
        active.waitFor();
        active = null;
      }
      if (!started) { // at the beginning of a round, and after a restore
        Prequest.startAll(Arrays.copyOf(receives, LATER));
        started = true;
      }
      if (within % 2 == 0 && within / 2 < SYNCHRONOUS) {
        int tag = (within / 2 + LATER) % SYNCHRONOUS; // those that wait longest first
        fill(out[tag], state[0], rank);
        active = sends[tag];
        active.start();
      }
      if (within == ROUND - 2) {
        selfReceive.start();
        selfOut.put(0, state[0]);
        selfSend.start();
        Request.waitAll(new Request[] {selfReceive, selfSend, nobody});
        state[1] = Scene.mix(state[1], selfIn.get(0));
      }
      if (within == ROUND - 1) {
        fill(out[SYNCHRONOUS], state[0], rank);
        sends[SYNCHRONOUS].start();
        receives[SYNCHRONOUS].start();
        // In the first round only those whose messages are of this round.
        if (round > 0) {
          Prequest.startAll(Arrays.copyOfRange(receives, LATER, SYNCHRONOUS));
        }
        int completed = complete(receives, round % 8, from);
        require(completed == (round > 0 ? RECEIVES : LATER + 1), completed + " completed");
        sends[SYNCHRONOUS].waitFor();
        for (int tag = 0; tag < RECEIVES; tag++) {
          state[1] = digest(state[1], in[tag], tag);
        }
        started = false;
      }
      state[0]++;
      pace.safePoint(state[0]);
    }
    for (int tag = LATER; tag < SYNCHRONOUS; tag++) {
      receives[tag].start();
      receives[tag].waitFor();
      state[1] = digest(state[1], in[tag], tag);
    }
    for (int tag = 0; tag < RECEIVES; tag++) {
      receives[tag].free();
      sends[tag].free();
    }
    pace.result(state[1]);
    MPI.detachBuffer();
  }

  private static LongBuffer longs(int count) {
    return ByteBuffer.allocateDirect(count * Long.BYTES)
        .order(ByteOrder.nativeOrder())
        .asLongBuffer();
  }

  private static void fill(LongBuffer message, long step, int rank) {
    for (int i = 0; i < LENGTH; i++) {
      message.put(i, Scene.mix(step * LENGTH + i, rank));
    }
  }

  private static Prequest receive(LongBuffer buffer, int from, int tag) throws MPIException {
    if (tag == SPARSE) {
      Datatype sparse = Datatype.createVector(LENGTH, 1, 2, MPI.LONG);
      sparse.commit();
      Prequest request = MPI.COMM_WORLD.recvInit(buffer, 1, sparse, from, tag);
      sparse.free();
      return request;
    }
    int source = tag == ANYONE ? MPI.ANY_SOURCE : from;
    return MPI.COMM_WORLD.recvInit(buffer, 2 * LENGTH, MPI.LONG, source, tag);
  }

  private static Prequest send(LongBuffer buffer, int to, int tag) throws MPIException {
    if (tag == SYNCHRONOUS) {
      return MPI.COMM_WORLD.sSendInit(buffer, LENGTH, MPI.LONG, to, tag);
    }
    return tag % 2 == 0
        ? MPI.COMM_WORLD.sendInit(buffer, LENGTH, MPI.LONG, to, tag)
        : MPI.COMM_WORLD.bSendInit(buffer, LENGTH, MPI.LONG, to, tag);
  }

  private static long digest(long digest, LongBuffer message, int tag) {
    long mixed = digest;
    for (int i = 0; i < LENGTH; i++) {
      mixed = Scene.mix(mixed, message.get(tag == SPARSE ? 2 * i : i));
    }
    return mixed;
  }

  /** Completes all that are active; the others complete at once, and with an empty status. */
  private static int complete(Prequest[] receives, int form, int from) throws MPIException {
    boolean[] done = new boolean[RECEIVES];
    switch (form) {
      case 0 -> {
        for (int tag = 0; tag < RECEIVES; tag++) {
          check(done, receives[tag].waitStatus(), tag, from);
        }
      }
      case 1 -> {
        for (int tag = 0; tag < RECEIVES; tag++) {
          Status status;
          do {
            status = receives[tag].testStatus();
          } while (status == null);
          check(done, status, tag, from);
        }
      }
      case 2 -> {
        Status[] statuses = Request.waitAllStatus(receives);
        for (int tag = 0; tag < RECEIVES; tag++) {
          check(done, statuses[tag], tag, from);
        }
      }
      case 3 -> {
        Status[] statuses;
        do {
          statuses = Request.testAllStatus(receives);
        } while (statuses == null);
        for (int tag = 0; tag < RECEIVES; tag++) {
          check(done, statuses[tag], tag, from);
        }
      }
      case 4 -> {
        for (; ; ) {
          Status status = Request.waitAnyStatus(receives);
          if (status.getIndex() == MPI.UNDEFINED) {
            break;
          }
          check(done, status, status.getIndex(), from);
        }
      }
      case 5 -> {
        for (int left = RECEIVES; left > 0; ) {
          Status status = Request.testAnyStatus(receives);
          if (status != null) {
            check(done, status, status.getIndex(), from);
            left--;
          }
        }
      }
      case 6 -> {
        for (int left = RECEIVES; left > 0; ) {
          for (Status status : Request.waitSomeStatus(receives)) {
            check(done, status, status.getIndex(), from);
            left--;
          }
        }
      }
      default -> {
        for (int tag = 0; tag < RECEIVES; tag++) {
          Status status;
          do {
            status = receives[tag].getStatus();
          } while (status == null);
          check(done, status, tag, from);
        }
        for (int left = RECEIVES; left > 0; ) {
          left -= Request.testSome(receives).length;
        }
      }
    }
    int completed = 0;
    for (boolean each : done) {
      completed += each ? 1 : 0;
    }
    return completed;
  }

  private static void check(boolean[] done, Status status, int tag, int from) throws MPIException {
    if (status.getTag() == MPI.ANY_TAG) {
      return; // it was inactive
    }
    require(!done[tag], "receive " + tag + " completed twice");
    done[tag] = true;
    require(status.getSource() == from, "receive " + tag + " is from " + status.getSource());
    require(status.getTag() == tag, "receive " + tag + " has tag " + status.getTag());
    int elements = status.getElements(MPI.LONG);
    require(elements == LENGTH, "receive " + tag + " has " + elements + " elements");
    require(!status.isCancelled(), "receive " + tag + " was cancelled");
  }

  private static void require(boolean condition, String otherwise) {
    if (!condition) {
      throw new IllegalStateException(otherwise);
    }
  }
}

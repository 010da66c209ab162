// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.Map;
import mpi.Datatype;
import mpi.Intracomm;
import mpi.MPI;
import mpi.MPIException;
import mpi.Message;
import mpi.Request;
import mpi.Status;

/**
 * What is rare: calls that send and receive, ready and buffered sends and their buffer, messages of
 * no bytes and of types without any, to self, to and from nobody, too long for their receives, with
 * elements that end in the middle. They lie for a while, so that many are late.
 */
public final class Corners {

  /** A message is taken so many steps after it was sent. */
  private static final int BEHIND = 12;

  /** Those that are too long are taken in each so many-th step; divides the number of steps. */
  private static final int TRUNCATE = 30;

  private static final int LENGTH = 4;

  /**
   * Of what is too long for its receive. Open MPI itself writes on behind the end of the receive's
   * buffer from about 4,000 bytes on, and for a message to self from 1,024.
   */
  private static final int LONG = 400;

  /** Of its receive. */
  private static final int SHORT = 100;

  /** Ways to receive it. */
  private static final int FORMS = 4;

  private static final int BUFFERED = 1;
  private static final int EMPTY = 2;
  private static final int TYPELESS = 3;
  private static final int TO_SELF = 4;
  private static final int TOO_LONG = 5;
  private static final int PARTIAL = 6;
  private static final int SPLIT = 7;
  private static final int REPLACED = 8;
  private static final int READY = 9;

  private Corners() {}

  /** Arguments: steps, millis (of a step). */
  public static void main(String[] args) {
    Map<String, Long> numbers = Scene.numbers(args, "steps=300", "millis=3");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    Intracomm comm = MPI.COMM_WORLD.dup();
    comm.setErrhandler(MPI.ERRORS_RETURN);
    Datatype nothing = Datatype.createContiguous(0, MPI.LONG);
    nothing.commit();
    Datatype triple = Datatype.createContiguous(3, MPI.LONG);
    triple.commit();
    Scene.watch(cairn);
    long[] state = cairn.array("state", new long[2]); // step, digest
    Scene.Pace pace = new Scene.Pace(cairn, numbers);
    cairn.restore();
    int rank = comm.getRank();
    int size = comm.getSize();
    int from = (rank + size - 1) % size;
    int to = (rank + 1) % size;
    byte[] space = new byte[1 << 16];
    long last = numbers.get("steps");
    while (state[0] < last + BEHIND) {
      long step = state[0];
      if (step < last) {
        LongBuffer message = filled(step, rank);
        // Detaching waits until all has been sent, which must not need a receiver.
        MPI.attachBuffer(space);
        comm.bSend(message, LENGTH, MPI.LONG, to, BUFFERED);
        Request buffered = comm.ibSend(filled(step + 1, rank), LENGTH, MPI.LONG, to, BUFFERED);
        buffered.waitFor();
        MPI.detachBuffer();
        comm.send(message, 0, MPI.LONG, to, EMPTY);
        comm.send(message, 5, nothing, to, TYPELESS);
        comm.send(message, LENGTH, MPI.LONG, rank, TO_SELF);
        comm.send(longs(LONG), LONG, MPI.LONG, to, TOO_LONG);
        comm.send(message, LENGTH, MPI.LONG, to, PARTIAL);
      }
      state[1] = Scene.mix(state[1], both(comm, step, last));
      if (step >= BEHIND) {
        state[1] = Scene.mix(state[1], take(comm, step - BEHIND, from, nothing, triple));
      }
      // Many at once: an epoch in which a late message is truncated is abandoned.
      if (step % TRUNCATE == TRUNCATE - 1) {
        for (int i = 0; i < TRUNCATE; i++) {
          truncate(comm, i % FORMS, from);
        }
      }
      nobody(comm);
      state[0]++;
      pace.safePoint(state[0]);
    }
    pace.result(state[1]);
    comm.free();
  }

  private static LongBuffer filled(long step, int rank) {
    LongBuffer message = longs(LENGTH);
    for (int i = 0; i < LENGTH; i++) {
      message.put(i, Scene.mix(step * LENGTH + i, rank));
    }
    return message;
  }

  private static LongBuffer longs(int count) {
    return ByteBuffer.allocateDirect(count * Long.BYTES)
        .order(ByteOrder.nativeOrder())
        .asLongBuffer();
  }

  private static long take(Intracomm comm, long step, int from, Datatype nothing, Datatype triple)
      throws MPIException {
    LongBuffer in = longs(2 * LENGTH);
    int rank = comm.getRank();
    Status status = comm.recv(in, 2 * LENGTH, MPI.LONG, from, BUFFERED);
    check(status, from, BUFFERED, LENGTH);
    equal(in, filled(step, from), LENGTH);
    status = comm.iRecv(in, 2 * LENGTH, MPI.LONG, from, BUFFERED).waitStatus();
    check(status, from, BUFFERED, LENGTH);
    equal(in, filled(step + 1, from), LENGTH);
    long digest = in.get(0);

    in.put(0, -1);
    check(comm.probe(from, EMPTY), from, EMPTY, 0);
    check(comm.recv(in, LENGTH, MPI.LONG, from, EMPTY), from, EMPTY, 0);
    check(comm.recv(in, 5, nothing, from, TYPELESS), from, TYPELESS, 0);
    require(in.get(0) == -1, "a message of no bytes has changed the buffer");

    Request self = comm.iRecv(in, LENGTH, MPI.LONG, rank, TO_SELF);
    check(self.waitStatus(), rank, TO_SELF, LENGTH);
    equal(in, filled(step, rank), LENGTH);

    // One triple and a third of one.
    status = comm.recv(in, 2, triple, from, PARTIAL);
    require(status.getElements(triple) == LENGTH, "elements " + status.getElements(triple));
    require(status.getCount(triple) == MPI.UNDEFINED, "triples " + status.getCount(triple));
    equal(in, filled(step, from), LENGTH);
    return Scene.mix(digest, in.get(1));
  }

  /** Calls that send one message and receive another one, of many steps ago. */
  private static long both(Intracomm comm, long step, long last) throws MPIException {
    int rank = comm.getRank();
    int size = comm.getSize();
    int to = step < last ? (rank + 1) % size : MPI.PROC_NULL;
    int from = step >= BEHIND ? (rank + size - 1) % size : MPI.PROC_NULL;
    LongBuffer in = longs(LENGTH);
    Status status =
        comm.sendRecv(
            filled(step, rank), LENGTH, MPI.LONG, to, SPLIT, in, LENGTH, MPI.LONG, from, SPLIT);
    LongBuffer replaced = filled(step, rank);
    Status other = comm.sendRecvReplace(replaced, LENGTH, MPI.LONG, to, REPLACED, from, REPLACED);
    if (from == MPI.PROC_NULL) {
      check(status, from, MPI.ANY_TAG, 0);
      check(other, from, MPI.ANY_TAG, 0);
      equal(replaced, filled(step, rank), LENGTH);
    } else {
      check(status, from, SPLIT, LENGTH);
      check(other, from, REPLACED, LENGTH);
      equal(in, filled(step - BEHIND, from), LENGTH);
      equal(replaced, filled(step - BEHIND, from), LENGTH);
    }
    // Ready sends only where the receive is known to be there.
    Request first = comm.iRecv(longs(1), 1, MPI.LONG, rank, READY);
    Request second = comm.iRecv(in, LENGTH, MPI.LONG, rank, READY);
    comm.rSend(filled(step, rank), 1, MPI.LONG, rank, READY);
    Request ready = comm.irSend(replaced, LENGTH, MPI.LONG, rank, READY);
    Request.waitAll(new Request[] {first, second, ready});
    equal(in, replaced, LENGTH);
    return Scene.mix(in.get(0), replaced.get(1));
  }

  /** A receive that is too short gets MPI's own error through the communicator's handler. */
  private static void truncate(Intracomm comm, int form, int from) throws MPIException {
    LongBuffer in = longs(LONG);
    for (int i = SHORT; i < LONG; i++) {
      in.put(i, -1);
    }
    try {
      if (form == 0) {
        comm.recv(in, SHORT, MPI.LONG, from, TOO_LONG);
      } else if (form == 1) {
        comm.iRecv(in, SHORT, MPI.LONG, from, TOO_LONG).waitFor();
      } else if (form == 2) {
        Message matched = new Message();
        matched.mProbe(from, TOO_LONG, comm);
        matched.imRecv(in, SHORT, MPI.LONG).waitFor();
      } else {
        Message matched = new Message();
        matched.mProbe(from, TOO_LONG, comm);
        matched.mRecv(in, SHORT, MPI.LONG);
      }
      throw new IllegalStateException("form %d: %d longs fit %d".formatted(form, LONG, SHORT));
    } catch (MPIException e) {
      require(e.getErrorClass() == MPI.ERR_TRUNCATE, "form " + form + ": " + e.getMessage());
    }
    for (int i = SHORT; i < LONG; i++) {
      require(in.get(i) == -1, "a truncated message went beyond its receive");
    }
  }

  /** MPI_PROC_NULL: all returns at once, and nothing happens. */
  private static void nobody(Intracomm comm) throws MPIException {
    LongBuffer in = longs(1);
    in.put(0, -1);
    comm.send(in, 1, MPI.LONG, MPI.PROC_NULL, BUFFERED);
    comm.sSend(in, 1, MPI.LONG, MPI.PROC_NULL, BUFFERED);
    Request send = comm.isSend(in, 1, MPI.LONG, MPI.PROC_NULL, BUFFERED);
    Request receive = comm.iRecv(in, 1, MPI.LONG, MPI.PROC_NULL, MPI.ANY_TAG);
    Status[] both = Request.waitAllStatus(new Request[] {send, receive});
    check(both[1], MPI.PROC_NULL, MPI.ANY_TAG, 0);
    check(comm.recv(in, 1, MPI.LONG, MPI.PROC_NULL, BUFFERED), MPI.PROC_NULL, MPI.ANY_TAG, 0);
    check(comm.probe(MPI.PROC_NULL, BUFFERED), MPI.PROC_NULL, MPI.ANY_TAG, 0);
    check(
        comm.sendRecv(
            in, 1, MPI.LONG, MPI.PROC_NULL, BUFFERED, in, 1, MPI.LONG, MPI.PROC_NULL, BUFFERED),
        MPI.PROC_NULL,
        MPI.ANY_TAG,
        0);
    Message matched = new Message();
    check(matched.mProbe(MPI.PROC_NULL, BUFFERED, comm), MPI.PROC_NULL, MPI.ANY_TAG, 0);
    check(matched.mRecv(in, 1, MPI.LONG), MPI.PROC_NULL, MPI.ANY_TAG, 0);
    require(in.get(0) == -1, "nobody has sent something");
  }

  private static void check(Status status, int source, int tag, int longs) throws MPIException {
    require(status.getSource() == source, "source " + status.getSource() + ", not " + source);
    require(status.getTag() == tag, "tag " + status.getTag() + ", not " + tag);
    require(
        status.getCount(MPI.LONG) == longs,
        "tag " + tag + " has " + status.getCount(MPI.LONG) + " longs, not " + longs);
  }

  private static void equal(LongBuffer found, LongBuffer expected, int count) {
    for (int i = 0; i < count; i++) {
      require(found.get(i) == expected.get(i), "long " + i + " is wrong");
    }
  }

  private static void require(boolean condition, String otherwise) {
    if (!condition) {
      throw new IllegalStateException(otherwise);
    }
  }
}

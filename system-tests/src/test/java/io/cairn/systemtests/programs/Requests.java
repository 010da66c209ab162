// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.nio.LongBuffer;
import java.util.Map;
import mpi.Datatype;
import mpi.MPI;
import mpi.MPIException;
import mpi.Request;
import mpi.Status;

/**
 * Requests of each kind, completed in each of MPI's ways: sends that are too short to have a
 * request of their own, over safe points; receives whose type is freed at once; statuses that are
 * asked for again and again before their request is completed, which may be some steps later.
 */
public final class Requests {

  private static final int RECEIVES = 5;
  private static final int LENGTH = 4;
  private static final int BEHIND = 2;
  private static final int FORMS = 9;
  private static final int ASKED = 50;

  /**
   * Tags of a receive that is pending at each safe point, and of one that is only not completed.
   */
  private static final int HELD = RECEIVES;

  private static final int TOLD = RECEIVES + 1;

  private Requests() {}

  /** Arguments: steps. */
  public static void main(String[] args) {
    Map<String, Long> numbers = Scene.numbers(args, "steps=45");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    Stage stage = Stage.set(cairn, numbers, 1);
    long[] state = stage.state(); // steps
    Trace trace = stage.trace();
    // Of the last step; null after a restore, when sends count as sent and what was told as
    // received.
    Request[] sends = null;
    Request told = null;
    Request held = null;
    LongBuffer heldIn = null;
    long last = numbers.get("steps");
    while (state[0] < last + BEHIND) {
      if (sends != null) {
        Request.waitAll(sends);
        sends = null;
      }
      if (told != null) {
        told.waitFor();
        told = null;
      }
      if (held == null && state[0] > 0 && state[0] <= last) { // restored: it is posted again
        heldIn = Trace.empty(3 * LENGTH);
        held = sparse(heldIn, stage.from(), HELD);
      }
      if (held != null) {
        trace.see(heldIn, held.waitStatus());
        held = null;
      }
      if (state[0] < last) {
        heldIn = Trace.empty(3 * LENGTH);
        held = sparse(heldIn, stage.from(), HELD);
        sends = new Request[RECEIVES + 2];
        for (int tag = 0; tag < sends.length; tag++) {
          LongBuffer message = Trace.filled(LENGTH, state[0] * sends.length + tag, stage.rank());
          sends[tag] = MPI.COMM_WORLD.iSend(message, LENGTH, MPI.LONG, stage.to(), tag);
        }
      }
      if (state[0] >= BEHIND) {
        receive(trace, (int) (state[0] % FORMS), stage.from());
        LongBuffer in = Trace.empty(LENGTH);
        told = MPI.COMM_WORLD.iRecv(in, LENGTH, MPI.LONG, stage.from(), TOLD);
        Status status;
        do {
          status = told.getStatus();
        } while (status == null);
        trace.see(in, status);
      }
      state[0]++;
      stage.pace().safePoint(state[0]);
    }
    if (told != null) {
      told.waitFor();
    }
    stage.pace().result(trace.digest());
  }

  /** MPI keeps what the receive needs of its type. */
  private static Request sparse(LongBuffer in, int from, int tag) throws MPIException {
    Datatype sparse = Datatype.createVector(LENGTH, 1, 1 + tag % 3, MPI.LONG);
    sparse.commit();
    Request request = MPI.COMM_WORLD.iRecv(in, 1, sparse, from, tag);
    sparse.free();
    return request;
  }

  private static void receive(Trace trace, int form, int from) throws MPIException {
    Request[] requests = new Request[RECEIVES + 1];
    LongBuffer[] in = new LongBuffer[RECEIVES];
    for (int tag = 0; tag < RECEIVES; tag++) {
      in[tag] = Trace.empty(3 * LENGTH);
      requests[tag] = sparse(in[tag], from, tag);
    }
    // One that has completed already: these calls pass over it.
    requests[RECEIVES] = MPI.COMM_WORLD.iRecv(Trace.empty(1), 1, MPI.LONG, MPI.PROC_NULL, 0);
    requests[RECEIVES].waitFor();
    Status[] statuses = complete(trace, requests, form);
    for (int tag = 0; tag < RECEIVES; tag++) {
      if (statuses != null) {
        trace.see(statuses[tag]);
      }
      trace.see(in[tag]);
      trace.see(requests[tag].isNull() ? 1 : 0);
    }
  }

  /** Returns each request's status, or null if this way tells none. */
  private static Status[] complete(Trace trace, Request[] requests, int form) throws MPIException {
    Status[] statuses = new Status[RECEIVES];
    switch (form) {
      case 0 -> {
        Request.waitAll(requests);
        return null;
      }
      case 1 -> {
        return Request.waitAllStatus(requests);
      }
      case 2 -> {
        Status[] all;
        do {
          all = Request.testAllStatus(requests);
        } while (all == null);
        return all;
      }
      case 3 -> {
        for (int i = 0; i < RECEIVES; i++) {
          put(statuses, Request.waitAnyStatus(requests));
        }
        trace.see(Request.waitAny(requests));
      }
      case 4 -> {
        for (int left = RECEIVES; left > 0; ) {
          Status status = Request.testAnyStatus(requests);
          if (status != null) {
            put(statuses, status);
            left--;
          }
        }
      }
      case 5 -> {
        for (int left = RECEIVES; left > 0; ) {
          for (Status status : Request.waitSomeStatus(requests)) {
            put(statuses, status);
            left--;
          }
        }
      }
      case 6 -> {
        for (int left = RECEIVES; left > 0; ) {
          left -= Request.testSome(requests).length;
        }
        return null;
      }
      case 7 -> {
        for (int i = RECEIVES - 1; i >= 0; i--) {
          do {
            statuses[i] = requests[i].testStatus();
          } while (statuses[i] == null);
        }
      }
      default -> {
        for (int i = RECEIVES - 1; i >= 0; i--) {
          do {
            statuses[i] = requests[i].getStatus();
          } while (statuses[i] == null);
          for (int again = 0; again < ASKED; again++) {
            require(requests[i].getStatus().getTag() == i, "it has another status than before");
          }
        }
        Request.waitAll(requests);
      }
    }
    return statuses;
  }

  private static void put(Status[] statuses, Status status) {
    int index = status.getIndex();
    require(index >= 0 && index < RECEIVES, "request " + index + " completes");
    require(statuses[index] == null, "request " + index + " completes twice");
    statuses[index] = status;
  }

  private static void require(boolean condition, String otherwise) {
    if (!condition) {
      throw new IllegalStateException(otherwise);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.util.Map;
import mpi.Comm;
import mpi.Group;
import mpi.Intercomm;
import mpi.Intracomm;
import mpi.MPI;
import mpi.MPIException;
import mpi.Status;

/**
 * Messages across safe points between two groups, in communicators made from those, in one that
 * only some ranks make, in one made without blocking, and in one that is made anew in each step.
 */
public final class Intercommunicators {

  private static final int TAG = 1;

  /** Messages in one of them are taken only in each so many-th step. */
  private static final int HOLD = 20;

  private Intercommunicators() {}

  /** Arguments: steps, millis (of a step). */
  public static void main(String[] args) {
    Map<String, Long> numbers = Scene.numbers(args, "steps=200", "millis=3");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    int rank = MPI.COMM_WORLD.getRank();
    Intracomm parity = MPI.COMM_WORLD.split(rank % 2, -rank);
    Intercomm between = MPI.COMM_WORLD.createIntercomm(parity, 0, leader(1 - rank % 2), TAG);
    Intercomm slow = between.dup();
    Intercomm later = between.iDup();
    Intracomm whole = MPI.COMM_WORLD.iDup();
    later.getRequest().waitFor();
    whole.getRequest().waitFor();
    Intracomm merged = between.merge(rank % 2 == 1);
    Intracomm some = some(rank);
    Scene.watch(cairn);
    long[] state = cairn.array("state", new long[3]); // step, digest, sum
    Scene.Pace pace = new Scene.Pace(cairn, numbers);
    boolean restored = cairn.restore();
    // Of the last step, if there was one.
    Intracomm moving = restored ? MPI.COMM_WORLD.dup() : null;
    Intracomm[] rings = {whole, merged, some};
    while (state[0] < numbers.get("steps")) {
      if (state[0] > 0) {
        takeRings(rings, state);
        takeRing(moving, state);
        moving.free();
        takeAcross(between, state);
        takeAcross(later, state);
      }
      if (state[0] % HOLD == 0) {
        for (int i = 0; i < Math.min(state[0], HOLD); i++) {
          takeFromAnyone(slow, state);
        }
      }
      long[] mine = {state[0] + rank};
      long[] theirs = new long[1];
      between.allReduce(mine, theirs, 1, MPI.LONG, MPI.SUM);
      state[1] = Scene.mix(state[1], theirs[0]);
      state[0]++;
      moving = MPI.COMM_WORLD.dup();
      for (int i = 0; i < rings.length; i++) {
        sendRing(rings[i], Scene.mix(state[0] * rings.length + i, rank));
      }
      sendRing(moving, Scene.mix(state[0], -rank));
      for (Intercomm each : new Intercomm[] {later, slow, between}) {
        for (int i = 0; i < each.getRemoteSize(); i++) {
          long[] message = {Scene.mix(state[0] * 31 + i, rank)};
          each.send(message, 1, MPI.LONG, i, TAG);
        }
      }
      pace.safePoint(state[0]);
    }
    takeRings(rings, state);
    takeRing(moving, state);
    takeAcross(between, state);
    takeAcross(later, state);
    for (int i = 0; i < HOLD; i++) {
      takeFromAnyone(slow, state);
    }
    moving.free();
    later.free();
    slow.free();
    between.disconnect();
    pace.result(state[1] + state[2]);
  }

  private static int leader(int parity) throws MPIException {
    // Split in descending order.
    int last = MPI.COMM_WORLD.getSize() - 1;
    return last % 2 == parity ? last : last - 1;
  }

  /** All ranks but 1; null there. */
  private static Intracomm some(int rank) throws MPIException {
    if (rank == 1) {
      return null;
    }
    Group world = MPI.COMM_WORLD.getGroup();
    Group group = world.excl(new int[] {1});
    return MPI.COMM_WORLD.createGroup(group, TAG);
  }

  private static void sendRing(Intracomm comm, long value) throws MPIException {
    if (comm != null) {
      long[] message = {value};
      comm.send(message, 1, MPI.LONG, (comm.getRank() + 1) % comm.getSize(), TAG);
    }
  }

  private static void takeRings(Intracomm[] rings, long[] state) throws MPIException {
    for (Intracomm comm : rings) {
      takeRing(comm, state);
    }
  }

  private static void takeRing(Intracomm comm, long[] state) throws MPIException {
    if (comm != null) {
      int size = comm.getSize();
      take(comm, (comm.getRank() + size - 1) % size, state);
    }
  }

  private static void takeAcross(Intercomm comm, long[] state) throws MPIException {
    for (int i = comm.getRemoteSize() - 1; i >= 0; i--) {
      take(comm, i, state);
    }
  }

  private static void take(Comm comm, int source, long[] state) throws MPIException {
    long[] message = new long[1];
    Status status = comm.recv(message, 1, MPI.LONG, source, TAG);
    if (status.getSource() != source) {
      throw new IllegalStateException("asked for " + source + ", got " + status.getSource());
    }
    state[1] = Scene.mix(state[1], message[0]);
  }

  /** One message of each remote rank in any order: the sum doesn't tell. */
  private static void takeFromAnyone(Intercomm comm, long[] state) throws MPIException {
    long[] message = new long[1];
    for (int i = 0; i < comm.getRemoteSize(); i++) {
      Status status = comm.recv(message, 1, MPI.LONG, MPI.ANY_SOURCE, TAG);
      if (status.getSource() < 0 || status.getSource() >= comm.getRemoteSize()) {
        throw new IllegalStateException("a message from " + status.getSource());
      }
      state[2] += message[0] * (status.getSource() + 1);
    }
  }
}

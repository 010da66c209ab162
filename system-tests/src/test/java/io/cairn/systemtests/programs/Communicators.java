// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import mpi.CartComm;
import mpi.Comm;
import mpi.Group;
import mpi.Intracomm;
import mpi.MPI;
import mpi.MPIException;

/**
 * Messages across safe points in communicators that the program made itself in each way there is,
 * with the same tag in each; made again, in the same order, after a restore.
 */
public final class Communicators {

  private static final int TAG = 1;

  private Communicators() {}

  /**
   * Arguments: steps, millis (of a step), surplus (one more before the restore, and never used).
   */
  public static void main(String[] args) {
    Map<String, Long> numbers = Scene.numbers(args, "steps=300", "millis=3", "surplus=0");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    int rank = MPI.COMM_WORLD.getRank();
    Intracomm copy = MPI.COMM_WORLD.dup();
    Intracomm parity = MPI.COMM_WORLD.split(rank % 2, -rank);
    Intracomm parityCopy = parity.dup();
    Intracomm reversed = MPI.COMM_WORLD.split(0, -rank);
    Intracomm sharing = MPI.COMM_WORLD.splitType(Comm.TYPE_SHARED, -rank, MPI.INFO_NULL);
    Intracomm informed = MPI.COMM_WORLD.dupWithInfo(MPI.INFO_NULL);
    Group world = MPI.COMM_WORLD.getGroup();
    Intracomm created = MPI.COMM_WORLD.create(world);
    Intracomm[] topologies = topologies();
    List<Intracomm> all = new ArrayList<>();
    Collections.addAll(all, MPI.COMM_WORLD, copy, parity, parityCopy, reversed);
    Collections.addAll(all, sharing, informed, created);
    Collections.addAll(all, topologies);
    if (numbers.get("surplus") != 0) {
      MPI.COMM_WORLD.dup();
    }
    Scene.watch(cairn);
    long[] state = cairn.array("state", new long[2]); // step, digest
    Scene.Pace pace = new Scene.Pace(cairn, numbers);
    cairn.restore();
    long[] message = new long[1];
    while (state[0] < numbers.get("steps")) {
      // First what was sent in the last step, then the messages of this one.
      if (state[0] > 0) {
        takeAll(all, state);
      }
      state[0]++;
      for (int i = 0; i < all.size(); i++) {
        message[0] = Scene.mix(state[0] * all.size() + i, rank);
        int next = (all.get(i).getRank() + 1) % all.get(i).getSize();
        all.get(i).send(message, 1, MPI.LONG, next, TAG);
      }
      state[1] = Scene.mix(state[1], neighbours((CartComm) topologies[0], state[0]));
      pace.safePoint(state[0]);
    }
    takeAll(all, state);
    long[] checked = {state[1]};
    parity.allReduce(checked, 1, MPI.LONG, MPI.SUM);
    for (int i = all.size() - 1; i > 0; i--) {
      all.get(i).free();
    }
    pace.result(checked[0]);
  }

  /** The first is a periodic ring. */
  private static Intracomm[] topologies() throws MPIException {
    int rank = MPI.COMM_WORLD.getRank();
    int size = MPI.COMM_WORLD.getSize();
    int[] after = {(rank + 1) % size};
    int[] before = {(rank + size - 1) % size};
    int[] ends = new int[size];
    int[] edges = new int[2 * size]; // both neighbours of each
    for (int i = 0; i < size; i++) {
      ends[i] = 2 * (i + 1);
      edges[2 * i] = (i + size - 1) % size;
      edges[2 * i + 1] = (i + 1) % size;
    }
    CartComm ring =
        MPI.COMM_WORLD.createCart(new int[] {size, 1}, new boolean[] {true, true}, false);
    return new Intracomm[] {
      ring,
      ring.sub(new boolean[] {true, false}),
      MPI.COMM_WORLD.createGraph(ends, edges, false),
      MPI.COMM_WORLD.createDistGraphAdjacent(before, after, MPI.INFO_NULL, false),
      MPI.COMM_WORLD.createDistGraph(new int[] {rank}, new int[] {1}, after, MPI.INFO_NULL, false)
    };
  }

  private static long neighbours(CartComm ring, long step) throws MPIException {
    long[] mine = {step * (ring.getRank() + 1)};
    long[] theirs = new long[4];
    ring.neighborAllGather(mine, 1, MPI.LONG, theirs, 1, MPI.LONG);
    return theirs[0] + 3 * theirs[1];
  }

  /** In another order than they were sent in. */
  private static void takeAll(List<Intracomm> all, long[] state) throws MPIException {
    long[] message = new long[1];
    for (int i = all.size() - 1; i >= 0; i--) {
      Intracomm comm = all.get(i);
      int size = comm.getSize();
      comm.recv(message, 1, MPI.LONG, (comm.getRank() + size - 1) % size, TAG);
      state[1] = Scene.mix(state[1], message[0]);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.util.Map;
import mpi.MPI;
import mpi.MPIException;

/**
 * A program in which each rank has a neighbour on either side: its state, restored, and the pace at
 * which it goes on.
 *
 * @param from the rank before this one
 * @param to the rank behind this one
 * @param state registered as "state"
 * @param trace of which the digest is registered, too; not used by all programs
 */
record Stage(int rank, int size, int from, int to, long[] state, Trace trace, Scene.Pace pace) {

  /** Registers the state and restores it; what else there is, is registered before. Collective. */
  static Stage set(Cairn cairn, Map<String, Long> numbers, int longs) throws MPIException {
    int rank = MPI.COMM_WORLD.getRank();
    int size = MPI.COMM_WORLD.getSize();
    Scene.watch(cairn);
    long[] state = cairn.array("state", new long[longs]);
    Trace trace = new Trace(cairn.array("trace", new long[1]));
    cairn.restore();
    Scene.Pace pace = new Scene.Pace(cairn, numbers);
    return new Stage(rank, size, (rank + size - 1) % size, (rank + 1) % size, state, trace, pace);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.util.Arrays;
import java.util.Map;
import mpi.CartComm;
import mpi.Datatype;
import mpi.Intercomm;
import mpi.Intracomm;
import mpi.MPI;
import mpi.MPIException;
import mpi.Request;

/**
 * Each collective there is, between safe points: those that block, those that don't (complete when
 * the safe point comes), those of neighbours, those between two groups; while a message lies.
 */
public final class Collectives {

  private static final int TAG = 1;
  private static final int PLACES = 16;

  private final int rank = MPI.COMM_WORLD.getRank();
  private final int size = MPI.COMM_WORLD.getSize();
  private final Trace trace;
  private long step;

  private Collectives(Trace trace) throws MPIException {
    this.trace = trace;
  }

  /** Arguments: steps. */
  public static void main(String[] args) {
    Map<String, Long> numbers = Scene.numbers(args, "steps=30");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    Scene.watch(cairn);
    long[] state = cairn.array("state", new long[1]); // steps
    Trace trace = new Trace(cairn.array("trace", new long[1]));
    cairn.restore();
    Scene.Pace pace = new Scene.Pace(cairn, numbers);
    Collectives collectives = new Collectives(trace);
    int rank = collectives.rank;
    int size = collectives.size;
    CartComm ring = MPI.COMM_WORLD.createCart(new int[] {size}, new boolean[] {true}, false);
    Intracomm parity = MPI.COMM_WORLD.split(rank % 2, rank);
    Intercomm between = MPI.COMM_WORLD.createIntercomm(parity, 0, 1 - rank % 2, TAG);
    int[] message = new int[1];
    while (state[0] < numbers.get("steps")) {
      collectives.step = state[0];
      if (state[0] > 0) {
        trace.see(MPI.COMM_WORLD.recv(message, 1, MPI.INT, (rank + size - 1) % size, TAG), MPI.INT);
        trace.see(message[0]);
      }
      message[0] = (int) state[0] * 10 + rank;
      MPI.COMM_WORLD.send(message, 1, MPI.INT, (rank + 1) % size, TAG);
      switch ((int) state[0] % 5) {
        case 0 -> collectives.blocking(MPI.COMM_WORLD);
        case 1 -> collectives.reductions(MPI.COMM_WORLD);
        case 2 -> collectives.nonBlocking(MPI.COMM_WORLD);
        case 3 -> collectives.neighbours(ring);
        default -> collectives.between(between);
      }
      state[0]++;
      pace.safePoint(state[0]);
    }
    trace.see(MPI.COMM_WORLD.recv(message, 1, MPI.INT, (rank + size - 1) % size, TAG), MPI.INT);
    pace.result(trace.digest());
  }

  /** What only this rank has in this step. */
  private int[] mine() {
    int[] values = new int[PLACES];
    for (int i = 0; i < PLACES; i++) {
      values[i] = (int) (Scene.mix(step * PLACES + i, rank) >>> 40);
    }
    return values;
  }

  private void see(int... values) {
    trace.see(Arrays.hashCode(values));
  }

  private int[] ones() {
    int[] ones = new int[size];
    Arrays.fill(ones, 1);
    return ones;
  }

  /** One place between each two. */
  private int[] places() {
    int[] places = new int[size];
    for (int i = 0; i < size; i++) {
      places[i] = 2 * i;
    }
    return places;
  }

  private void blocking(Intracomm comm) throws MPIException {
    int root = (int) (step % size);
    comm.barrier();
    int[] in = mine();
    comm.bcast(in, 4, MPI.INT, root);
    see(in);
    in = new int[PLACES];
    comm.gather(mine(), 2, MPI.INT, in, 2, MPI.INT, root);
    see(in);
    comm.gatherv(mine(), 1, MPI.INT, in, ones(), places(), MPI.INT, root);
    see(in);
    comm.scatter(mine(), 2, MPI.INT, in, 2, MPI.INT, root);
    see(in);
    comm.scatterv(mine(), ones(), places(), MPI.INT, in, 1, MPI.INT, root);
    see(in);
    comm.allGather(mine(), 2, MPI.INT, in, 2, MPI.INT);
    see(in);
    comm.allGatherv(mine(), 1, MPI.INT, in, ones(), places(), MPI.INT);
    see(in);
    comm.allToAll(mine(), 2, MPI.INT, in, 2, MPI.INT);
    see(in);
    comm.allToAllv(mine(), ones(), places(), MPI.INT, in, ones(), places(), MPI.INT);
    see(in);
    IntBuffer words = ints(new int[PLACES]);
    comm.allToAllw(ints(mine()), ones(), bytes(), types(), words, ones(), bytes(), types());
    see(words);
  }

  private void reductions(Intracomm comm) throws MPIException {
    int root = (int) (step % size);
    int[] in = new int[PLACES];
    comm.reduce(mine(), in, 3, MPI.INT, MPI.SUM, root);
    see(in);
    comm.allReduce(mine(), in, 3, MPI.INT, MPI.MAX);
    see(in);
    comm.reduceScatter(mine(), in, ones(), MPI.INT, MPI.SUM);
    see(in);
    comm.reduceScatterBlock(mine(), in, 2, MPI.INT, MPI.BXOR);
    see(in);
    comm.scan(mine(), in, 3, MPI.INT, MPI.SUM);
    see(in);
    comm.exScan(mine(), in, 3, MPI.INT, MPI.SUM);
    see(rank == 0 ? new int[1] : in); // rank 0 gets nothing, or anything
    Intracomm passing = comm.dup();
    passing.allReduce(in, 1, MPI.INT, MPI.BOR);
    passing.free();
    see(rank == 0 ? new int[1] : in);
  }

  private void nonBlocking(Intracomm comm) throws MPIException {
    int root = (int) (step % size);
    IntBuffer[] in = new IntBuffer[16];
    for (int i = 0; i < in.length; i++) {
      in[i] = ints(i == 0 ? mine() : new int[PLACES]);
    }
    IntBuffer out = ints(mine());
    Request[] all = {
      comm.iBarrier(),
      comm.iBcast(in[0], 4, MPI.INT, root),
      comm.iGather(out, 2, MPI.INT, in[1], 2, MPI.INT, root),
      comm.iGatherv(out, 1, MPI.INT, in[2], ones(), places(), MPI.INT, root),
      comm.iScatter(out, 2, MPI.INT, in[3], 2, MPI.INT, root),
      comm.iScatterv(out, ones(), places(), MPI.INT, in[4], 1, MPI.INT, root),
      comm.iAllGather(out, 2, MPI.INT, in[5], 2, MPI.INT),
      comm.iAllGatherv(out, 1, MPI.INT, in[6], ones(), places(), MPI.INT),
      comm.iAllToAll(out, 2, MPI.INT, in[7], 2, MPI.INT),
      comm.iAllToAllv(out, ones(), places(), MPI.INT, in[8], ones(), places(), MPI.INT),
      comm.iAllToAllw(out, ones(), bytes(), types(), in[14], ones(), bytes(), types()),
      comm.iReduce(out, in[9], 3, MPI.INT, MPI.SUM, root),
      comm.iAllReduce(out, in[10], 3, MPI.INT, MPI.MAX),
      comm.iReduceScatter(out, in[11], ones(), MPI.INT, MPI.SUM),
      comm.iReduceScatterBlock(out, in[12], 2, MPI.INT, MPI.BXOR),
      comm.iScan(out, in[13], 3, MPI.INT, MPI.SUM),
      comm.iExScan(out, in[15], 3, MPI.INT, MPI.SUM),
    };
    switch ((int) (step / 5 % 3)) {
      case 0 -> Request.waitAll(all);
      case 1 -> {
        for (int left = all.length; left > 0; ) {
          left -= Request.testSome(all).length;
        }
      }
      default -> {
        for (Request each : all) {
          while (!each.test()) {
            Thread.onSpinWait();
          }
        }
      }
    }
    for (int i = 0; i < in.length - (rank == 0 ? 1 : 0); i++) {
      see(in[i]);
    }
  }

  private void neighbours(CartComm ring) throws MPIException {
    int[] ones = {1, 1};
    int[] places = {0, 2};
    int[] in = new int[PLACES];
    ring.neighborAllGather(mine(), 2, MPI.INT, in, 2, MPI.INT);
    see(in);
    ring.neighborAllGatherv(mine(), 1, MPI.INT, in, ones, places, MPI.INT);
    see(in);
    ring.neighborAllToAll(mine(), 2, MPI.INT, in, 2, MPI.INT);
    see(in);
    ring.neighborAllToAllv(mine(), ones, places, MPI.INT, in, ones, places, MPI.INT);
    see(in);
    IntBuffer out = ints(mine());
    IntBuffer gathered = ints(new int[PLACES]);
    IntBuffer exchanged = ints(new int[PLACES]);
    ring.iNeighborAllGather(out, 2, MPI.INT, gathered, 2, MPI.INT).waitFor();
    see(gathered);
    ring.iNeighborAllGatherv(out, 1, MPI.INT, gathered, ones, places, MPI.INT).waitFor();
    see(gathered);
    ring.iNeighborAllToAll(out, 2, MPI.INT, exchanged, 2, MPI.INT).waitFor();
    see(exchanged);
    ring.iNeighborAllToAllv(out, ones, places, MPI.INT, exchanged, ones, places, MPI.INT).waitFor();
    see(exchanged);
  }

  private void between(Intercomm comm) throws MPIException {
    comm.barrier();
    int[] in = new int[PLACES];
    comm.allReduce(mine(), in, 2, MPI.INT, MPI.SUM);
    see(in);
    comm.allGather(mine(), 1, MPI.INT, in, 1, MPI.INT);
    see(in);
    comm.allToAll(mine(), 1, MPI.INT, in, 1, MPI.INT);
    see(in);
    in = mine();
    int root = rank % 2 != 0 ? 0 : comm.getRank() == 0 ? MPI.ROOT : MPI.PROC_NULL;
    comm.bcast(in, 3, MPI.INT, root);
    see(in);
    IntBuffer sum = ints(new int[PLACES]);
    comm.iAllReduce(ints(mine()), sum, 2, MPI.INT, MPI.SUM).waitFor();
    see(sum);
  }

  private int[] bytes() {
    int[] places = places();
    for (int i = 0; i < size; i++) {
      places[i] *= Integer.BYTES;
    }
    return places;
  }

  private Datatype[] types() {
    Datatype[] types = new Datatype[size];
    Arrays.fill(types, MPI.INT);
    return types;
  }

  private static IntBuffer ints(int[] values) {
    IntBuffer buffer =
        ByteBuffer.allocateDirect(values.length * Integer.BYTES)
            .order(ByteOrder.nativeOrder())
            .asIntBuffer();
    return buffer.put(0, values);
  }

  private void see(IntBuffer buffer) {
    for (int i = 0; i < buffer.capacity(); i++) {
      trace.see(buffer.get(i));
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import mpi.MPI;
import mpi.MPIException;
import mpi.Message;
import mpi.Request;
import mpi.Win;

/**
 * Has something open at its safe points that can't be captured, closes it, and goes on: first
 * argument collective, window or matched.
 */
public final class Vetoes {

  /** Safe points with it open. */
  public static final int OPEN = 150;

  private static final int CLOSED = 300;
  private static final int TAG = 9;

  private Vetoes() {}

  public static void main(String[] args) {
    Cairn.run(args, cairn -> run(cairn, args[0]));
  }

  private static void run(Cairn cairn, String what) throws MPIException, InterruptedException {
    Scene.watch(cairn);
    cairn.restore();
    int rank = MPI.COMM_WORLD.getRank();
    ByteBuffer memory = ByteBuffer.allocateDirect(64).order(ByteOrder.nativeOrder());
    Request barrier = null;
    Win window = null;
    Message matched = null;
    switch (what) {
      case "collective" -> barrier = MPI.COMM_WORLD.iBarrier();
      case "window" -> window = new Win(memory, 64, 1, MPI.INFO_NULL, MPI.COMM_WORLD);
      case "matched" -> {
        int size = MPI.COMM_WORLD.getSize();
        MPI.COMM_WORLD.send(new byte[1], 1, MPI.BYTE, (rank + 1) % size, TAG);
        matched = new Message();
        matched.mProbe((rank + size - 1) % size, TAG, MPI.COMM_WORLD);
      }
      default -> throw new IllegalArgumentException(what);
    }
    safePoints(cairn, OPEN);
    switch (what) {
      case "collective" -> barrier.waitFor();
      case "window" -> window.free();
      default -> matched.mRecv(memory, 1, MPI.BYTE);
    }
    Scene.say(rank, "closed on rank " + rank);
    safePoints(cairn, CLOSED);
    Scene.result(1);
  }

  private static void safePoints(Cairn cairn, int count) throws InterruptedException {
    for (int i = 0; i < count; i++) {
      Thread.sleep(1);
      cairn.safePoint();
    }
  }
}

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

  private static final int TAG = 9;

  private Vetoes() {}

  public static void main(String[] args) {
    Cairn.run(args, cairn -> run(cairn, args[0]));
  }

  private static void run(Cairn cairn, String what) throws MPIException, InterruptedException {
    Scene.watch(cairn);
    Scene.Told told = new Scene.Told();
    cairn.addListener(told);
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
    long safePoints = Scene.safePointsUntil(cairn, 1, told::abandoned);
    switch (what) {
      case "collective" -> barrier.waitFor();
      case "window" -> window.free();
      default -> matched.mRecv(memory, 1, MPI.BYTE);
    }
    Scene.say(0, "closed after " + safePoints + " safe points");
    told.reset();
    Scene.safePointsUntil(cairn, 1, told::commits);
    Scene.result(1);
  }
}

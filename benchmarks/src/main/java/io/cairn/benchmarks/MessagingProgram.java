// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.Cairn;
import java.nio.ByteBuffer;
import mpi.MPI;
import mpi.MPIException;
import mpi.Request;

/**
 * The C program's messages through the Java bindings, from direct buffers. With Cairn disabled it
 * asks for the same thread level itself, so that both sides pay for it.
 */
public final class MessagingProgram {

  private static final int WINDOW = 64;
  private static final int LARGEST = 1 << 20;
  private static final int TAG = 7;
  private static final int BATCHES = 10;

  private final int rank = MPI.COMM_WORLD.getRank();
  private final ByteBuffer buffer = MPI.newByteBuffer(LARGEST);

  private MessagingProgram() throws MPIException {}

  /** See the class. */
  public static void main(String[] args) throws Exception {
    double effort = Double.parseDouble(args[0]);
    Cairn.load();
    if (MPI.InitThread(args, MPI.THREAD_MULTIPLE) < MPI.THREAD_MULTIPLE) {
      throw new IllegalStateException("MPI_THREAD_MULTIPLE is not provided");
    }
    try (Cairn cairn = Cairn.attach()) {
      cairn.restore();
      MessagingProgram program = new MessagingProgram();
      program.best("half-round-trip-8", 8, count(50_000, effort), false);
      program.best("half-round-trip-65536", 65536, count(3_000, effort), false);
      program.best("half-round-trip-1048576", LARGEST, count(150, effort), false);
      program.best("per-message-8", 8, count(1_000, effort), true);
      // Agents that did nothing would cost nothing: these can still agree on an epoch.
      if (cairn.isEnabled()) {
        EpochProgram.commitOne(cairn);
      }
      if (program.rank == 0) {
        System.out.println("pulses " + (cairn.isEnabled() ? 1 : 0));
      }
      cairn.done();
    }
    MPI.Finalize();
  }

  private static int count(int usual, double effort) {
    return (int) (usual * effort) + 1;
  }

  private void best(String name, int bytes, int count, boolean window) throws MPIException {
    double least = Double.MAX_VALUE;
    // The first two are for the JIT compiler.
    for (int i = 0; i < BATCHES + 2; i++) {
      double nanos = window ? perMessage(bytes, count) : halfRoundTrip(bytes, count);
      if (i >= 2) {
        least = Math.min(least, nanos);
      }
    }
    if (rank == 0) {
      System.out.println(name + " " + String.format(java.util.Locale.ROOT, "%.1f", least));
    }
  }

  private double halfRoundTrip(int bytes, int count) throws MPIException {
    MPI.COMM_WORLD.barrier();
    long begin = System.nanoTime();
    for (int i = 0; i < count; i++) {
      if (rank == 0) {
        MPI.COMM_WORLD.send(buffer, bytes, MPI.BYTE, 1, TAG);
        MPI.COMM_WORLD.recv(buffer, bytes, MPI.BYTE, 1, TAG);
      } else if (rank == 1) {
        MPI.COMM_WORLD.recv(buffer, bytes, MPI.BYTE, 0, TAG);
        MPI.COMM_WORLD.send(buffer, bytes, MPI.BYTE, 0, TAG);
      }
    }
    return (double) (System.nanoTime() - begin) / count / 2;
  }

  private double perMessage(int bytes, int count) throws MPIException {
    Request[] requests = new Request[WINDOW];
    MPI.COMM_WORLD.barrier();
    long begin = System.nanoTime();
    for (int i = 0; i < count; i++) {
      for (int w = 0; w < WINDOW; w++) {
        ByteBuffer at = buffer.slice(w * bytes, bytes);
        requests[w] =
            rank == 0
                ? MPI.COMM_WORLD.iSend(at, bytes, MPI.BYTE, 1, TAG)
                : MPI.COMM_WORLD.iRecv(at, bytes, MPI.BYTE, 0, TAG);
      }
      Request.waitAll(requests);
      if (rank == 0) {
        MPI.COMM_WORLD.recv(buffer, 0, MPI.BYTE, 1, TAG);
      } else {
        MPI.COMM_WORLD.send(buffer, 0, MPI.BYTE, 0, TAG);
      }
    }
    return (double) (System.nanoTime() - begin) / count / WINDOW;
  }
}

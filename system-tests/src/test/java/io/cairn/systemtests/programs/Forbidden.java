// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import io.cairn.api.CairnOptions;
import io.cairn.api.CairnOptions.SafePoints;
import java.nio.ByteBuffer;
import mpi.Intracomm;
import mpi.MPI;
import mpi.MPIException;

/**
 * Runs free in shapes in which no rank can wait for another one's cut: while one is cut, the other
 * waits, where it can't be cut, for the very call that is held. Goes on with each until enough
 * epochs have been abandoned, and then with safe points until one is committed.
 */
public final class Forbidden {

  private static final int STEPS = 50;
  private static final int LONG_MESSAGE = 1 << 18;
  private static final int STOP = 1;
  private static final int GO_ON = 2;
  private static final int ANSWER = 3;

  private Forbidden() {}

  /**
   * Arguments: which calls are held, one after the other: {@code send}, {@code sendrecv}, {@code
   * collective}, {@code communicator}, {@code synchronous}. The first of several goes on until
   * there is a warning.
   */
  public static void main(String[] args) {
    CairnOptions options = CairnOptions.builder().safePoints(SafePoints.FREE).build();
    Cairn.run(args, options, cairn -> run(cairn, args));
  }

  private static void run(Cairn cairn, String[] calls) throws MPIException, InterruptedException {
    Scene.Told told = new Scene.Told();
    Scene.watch(cairn);
    cairn.addListener(told);
    cairn.restore();
    long sum = 0;
    for (int i = 0; i < calls.length; i++) {
      sum += abandoned(cairn, told, calls[i], i == 0 && calls.length > 1 ? 3 : 1);
      cairn.requestCheckpoint();
      Scene.safePointsUntil(cairn, i + 1, told::commits);
    }
    cairn.done();
    Scene.result(sum);
  }

  private static long abandoned(Cairn cairn, Scene.Told told, String call, int wanted)
      throws MPIException, InterruptedException {
    Intracomm world = MPI.COMM_WORLD;
    int rank = world.getRank();
    ByteBuffer word = MPI.newByteBuffer(LONG_MESSAGE);
    long before = told.abandoned();
    long sum = 0;
    boolean last = false;
    for (int step = 1; !last; step++) {
      if (rank == 0) {
        Thread.sleep(1);
        cairn.requestCheckpoint();
      }
      boolean enough = step >= STEPS && told.abandoned() - before >= wanted;
      switch (call) {
        case "send" -> last = exchange(cairn, world, rank, word, enough, 1, false);
        case "synchronous" -> last = exchange(cairn, world, rank, word, enough, LONG_MESSAGE, true);
        case "collective" -> last = reduce(cairn, world, rank, enough);
        case "communicator" -> last = duplicate(cairn, world, rank, enough);
        case "sendrecv" -> last = swap(cairn, world, rank, enough);
        default -> throw new IllegalArgumentException(call);
      }
      sum += step <= STEPS ? step : 0;
    }
    return sum;
  }

  /**
   * Rank 0 sends, rank 1 answers, and each passes its safe point when the other waits for what it
   * sends next. Or rank 1's answer is long, and sent so that nobody may take it but rank 0 itself.
   */
  private static boolean exchange(
      Cairn cairn,
      Intracomm world,
      int rank,
      ByteBuffer word,
      boolean enough,
      int length,
      boolean synchronous)
      throws MPIException {
    if (rank == 0) {
      cairn.safePoint();
      word.put(0, (byte) (enough ? STOP : GO_ON));
      world.send(word, 1, MPI.BYTE, 1, STOP);
      world.recv(word, length, MPI.BYTE, 1, ANSWER);
      return enough;
    }
    if (synchronous) {
      world.sSend(word, length, MPI.BYTE, 0, ANSWER);
      cairn.safePoint();
      world.recv(word, 1, MPI.BYTE, 0, STOP);
      return word.get(0) == STOP;
    }
    world.recv(word, 1, MPI.BYTE, 0, STOP);
    boolean stops = word.get(0) == STOP;
    cairn.safePoint();
    world.send(word, length, MPI.BYTE, 0, ANSWER);
    return stops;
  }

  /** Rank 0 alone passes safe points, here and below. */
  private static boolean swap(Cairn cairn, Intracomm world, int rank, boolean enough)
      throws MPIException {
    if (rank == 0) {
      cairn.safePoint();
    }
    byte[] stops = {(byte) (rank == 0 && enough ? STOP : GO_ON)};
    world.sendRecvReplace(stops, 1, MPI.BYTE, 1 - rank, ANSWER, 1 - rank, ANSWER);
    return rank == 0 ? enough : stops[0] == STOP;
  }

  private static boolean duplicate(Cairn cairn, Intracomm world, int rank, boolean enough)
      throws MPIException {
    if (rank == 0) {
      cairn.safePoint();
    }
    Intracomm copy = world.dup();
    byte[] stops = {(byte) (enough ? STOP : GO_ON)};
    if (rank == 0) {
      copy.send(stops, 1, MPI.BYTE, 1, ANSWER);
    } else {
      copy.recv(stops, 1, MPI.BYTE, 0, ANSWER);
    }
    copy.free();
    return stops[0] == STOP;
  }

  private static boolean reduce(Cairn cairn, Intracomm world, int rank, boolean enough)
      throws MPIException {
    if (rank == 0) {
      cairn.safePoint();
    }
    int[] stops = {rank == 0 && enough ? 1 : 0};
    world.allReduce(stops, 1, MPI.INT, MPI.SUM);
    return stops[0] > 0;
  }
}

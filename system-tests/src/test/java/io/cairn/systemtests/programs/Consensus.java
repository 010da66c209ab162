// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import mpi.MPI;
import mpi.MPIException;
import mpi.Request;
import mpi.Status;

/**
 * Ranks that don't know who will send to them (NBX: T. Hoefler, C. Siebert, A. Lumsdaine, PPoPP
 * 2010): a rank whose synchronous sends are complete enters a barrier, and when that is complete it
 * has all messages. If one of them were taken off the network for it, its round would lose it. And
 * synchronous sends over safe points, which must not complete before they are received.
 */
public final class Consensus {

  private static final int ROUND = 4;
  private static final int OVER = 2;
  private static final int PLAIN = 3;
  private static final int TOKEN = 4;

  /** And the next one, for every other round: a rank may be in the next round already. */
  private static final int EXCHANGE = 5;

  /** How often a send that can't be complete is asked whether it is. */
  private static final int ASKED = 50;

  /** In each so many-th round for longer: agents have the time to do something about it. */
  private static final int PATIENT = 4;

  private Consensus() {}

  /** Arguments: rounds. */
  public static void main(String[] args) {
    Map<String, Long> numbers = Scene.numbers(args, "rounds=10");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    Stage stage = Stage.set(cairn, numbers, 2);
    long[] state = stage.state(); // steps, sum over what each round has seen
    Trace trace = stage.trace();
    Request over = null; // null after a restore: it counts as sent
    while (state[0] < numbers.get("rounds") * ROUND) {
      long round = state[0] / ROUND;
      LongBuffer in = Trace.empty(2);
      switch ((int) (state[0] % ROUND)) {
        case 0 -> {
          long seen = exchange(round);
          state[1] += Scene.mix(seen, round);
        }
        case 1 -> {
          if (round > 0) {
            trace.see(in, MPI.COMM_WORLD.recv(in, 2, MPI.LONG, stage.from(), PLAIN));
          }
          over =
              MPI.COMM_WORLD.isSend(
                  Trace.filled(1, round, stage.rank()), 1, MPI.LONG, stage.to(), OVER);
          MPI.COMM_WORLD.send(Trace.filled(2, round, stage.rank()), 2, MPI.LONG, stage.to(), PLAIN);
        }
        case 2 -> {
          // Nobody receives it before this rank has told so.
          for (int i = 0; over != null && i < ASKED; i++) {
            if (over.test()) {
              throw new IllegalStateException("a synchronous send is complete, unreceived");
            }
            if (round % PATIENT == 0) {
              Thread.sleep(1);
            }
          }
          MPI.COMM_WORLD.send(in, 0, MPI.LONG, stage.to(), TOKEN);
          trace.see(in, MPI.COMM_WORLD.recv(in, 0, MPI.LONG, stage.from(), TOKEN));
          trace.see(in, MPI.COMM_WORLD.recv(in, 2, MPI.LONG, stage.from(), OVER));
          if (over != null) {
            over.waitFor();
            over = null;
          }
        }
        default -> {}
      }
      state[0]++;
      stage.pace().safePoint(state[0]);
    }
    LongBuffer in = Trace.empty(2);
    trace.see(in, MPI.COMM_WORLD.recv(in, 2, MPI.LONG, stage.from(), PLAIN));
    stage.pace().result(Scene.mix(trace.digest(), state[1]));
  }

  /** Returns what this round has brought, in no order. */
  private static long exchange(long round) throws MPIException {
    int rank = MPI.COMM_WORLD.getRank();
    int size = MPI.COMM_WORLD.getSize();
    int tag = EXCHANGE + (int) (round % 2);
    List<Request> sends = new ArrayList<>();
    for (int to = 0; to < size; to++) {
      // To self, too, and to nobody in some rounds.
      for (long i = Math.floorMod(Scene.mix(round * size + to, rank), 4); i > 1; i--) {
        LongBuffer message = Trace.filled(1, round * 10 + i, rank);
        sends.add(MPI.COMM_WORLD.isSend(message, 1, MPI.LONG, to, tag));
      }
    }
    Request[] all = sends.toArray(Request[]::new);
    long seen = 0;
    Request barrier = null;
    while (barrier == null || !barrier.test()) {
      Status status = MPI.COMM_WORLD.iProbe(MPI.ANY_SOURCE, tag);
      if (status != null) {
        LongBuffer in = Trace.empty(1);
        MPI.COMM_WORLD.recv(in, 1, MPI.LONG, status.getSource(), tag);
        seen += Scene.mix(in.get(0), status.getSource());
      } else if (barrier == null && Request.testAll(all)) {
        barrier = MPI.COMM_WORLD.iBarrier();
      }
    }
    return seen;
  }
}

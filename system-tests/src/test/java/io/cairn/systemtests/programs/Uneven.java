// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import io.cairn.api.CairnOptions;
import io.cairn.api.CairnOptions.SafePoints;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.Map;
import mpi.Comm;
import mpi.Intracomm;
import mpi.MPI;
import mpi.MPIException;
import mpi.Request;

/**
 * Runs free: rank 0 serves whoever comes, the others work for times of their own and pass safe
 * points of their own number; then all meet in collectives, communicators are made and freed, and
 * messages of every kind go round, short ones and long ones.
 */
public final class Uneven {

  private static final int LONGS = 4096; // too long to be sent before it is asked for
  private static final int REQUEST = 1;
  private static final int REPLY = 2;
  private static final int ROUND = 3;

  private Uneven() {}

  /**
   * Arguments: steps; millis (of a part of a step); commits (to wait for in the middle); messages
   * for each worker in a step.
   */
  public static void main(String[] args) {
    Map<String, Long> numbers =
        Scene.numbers(args, "steps=20", "millis=1", "commits=0", "messages=6");
    CairnOptions options = CairnOptions.builder().safePoints(SafePoints.FREE).build();
    Cairn.run(args, options, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    Intracomm world = MPI.COMM_WORLD;
    int rank = world.getRank();
    int size = world.getSize();
    Scene.Told told = new Scene.Told();
    Scene.watch(cairn);
    cairn.addListener(told);
    Service service = new Service(numbers.get("messages"), numbers.get("millis"));
    long[] state = cairn.array("state", service.state);
    LongBuffer ball = cairn.region("ball", (long) LONGS * Long.BYTES).asLongBuffer();
    cairn.restore();
    while (state[Service.STEP] < numbers.get("steps")) {
      if (state[Service.STEP] == numbers.get("steps") / 2 && state[Service.WAITED] == 0) {
        Scene.safePointsUntil(cairn, numbers.get("commits"), told::commits);
        state[Service.WAITED] = 1;
      }
      if (rank == 0) {
        service.serve(cairn, world, size - 1L);
      } else {
        service.use(cairn, world);
      }
      // From here on no rank is cut until all are through: what is held goes on, or no rank is cut.
      together(world, rank, size, state, ball);
      state[Service.DONE] = 0;
      state[Service.STEP]++;
      cairn.safePoint();
    }
    cairn.done();
    long digest = state[Service.DIGEST];
    for (int i = 0; i < LONGS; i++) {
      digest = Scene.mix(digest, ball.get(i));
    }
    Scene.result(digest);
  }

  private static void together(Intracomm world, int rank, int size, long[] state, LongBuffer ball)
      throws MPIException {
    long[] sum = {state[Service.DIGEST]};
    world.allReduce(sum, 1, MPI.LONG, MPI.SUM);
    state[Service.DIGEST] = Scene.mix(state[Service.DIGEST], sum[0]);
    Intracomm copy = world.dup();
    ball.put((int) Long.remainderUnsigned(sum[0], LONGS), sum[0] + rank);
    copy.sendRecvReplace(
        ball, LONGS, MPI.LONG, (rank + 1) % size, ROUND, (rank + size - 1) % size, ROUND);
    copy.free();
    LongBuffer word =
        ByteBuffer.allocateDirect(2 * Long.BYTES).order(ByteOrder.nativeOrder()).asLongBuffer();
    word.put(0, sum[0] ^ rank);
    LongBuffer in = word.slice(1, 1);
    Request receive = world.iRecv(in, 1, MPI.LONG, (rank + 1) % size, ROUND);
    world.iSend(word, 1, MPI.LONG, (rank + size - 1) % size, ROUND).waitFor();
    receive.waitFor();
    state[Service.DIGEST] = Scene.mix(state[Service.DIGEST], in.get(0));
  }

  /** Rank 0 replies to requests as they come. */
  private static final class Service {
    static final int STEP = 0;
    static final int DIGEST = 1;
    static final int DONE = 2; // requests of this step, served or made
    static final int ASKED = 3; // whether the reply to a request is still to come
    static final int SUM = 4; // of what was served, in no order
    static final int PARTS = 5;
    static final int WAITED = 6;

    final long[] state = new long[7];
    private final long[] message = new long[LONGS];
    private final long messages;
    private final long millis;

    Service(long messages, long millis) {
      this.messages = messages;
      this.millis = millis;
    }

    void serve(Cairn cairn, Comm world, long workers) throws MPIException {
      while (state[DONE] < messages * workers) {
        int source =
            cairn.receive(world, message, LONGS, MPI.LONG, MPI.ANY_SOURCE, REQUEST).getSource();
        state[SUM] += message[0];
        state[DONE]++;
        long[] reply = {Scene.mix(message[0], message[LONGS - 1])};
        world.send(reply, 1, MPI.LONG, source, REPLY);
      }
      state[DIGEST] = Scene.mix(state[DIGEST], state[SUM]);
    }

    void use(Cairn cairn, Comm world) throws MPIException, InterruptedException {
      int rank = world.getRank();
      while (state[DONE] < messages) {
        if (state[ASKED] == 0) {
          while (state[PARTS] < (rank * 7L + state[DONE] * 5 + state[STEP]) % 4) {
            Thread.sleep(millis);
            state[PARTS]++;
            cairn.safePoint();
          }
          state[PARTS] = 0;
          message[0] = Scene.mix(state[DIGEST], rank);
          message[LONGS - 1] = state[DONE];
          state[ASKED] = 1;
          world.send(message, LONGS, MPI.LONG, 0, REQUEST);
        }
        long[] reply = new long[1];
        cairn.receive(world, reply, 1, MPI.LONG, 0, REPLY);
        state[DIGEST] = Scene.mix(state[DIGEST], reply[0]);
        state[ASKED] = 0;
        state[DONE]++;
      }
    }
  }
}

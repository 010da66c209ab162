// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import io.cairn.coordinate.Ledger;
import io.cairn.natives.Shim;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import mpi.MPI;
import mpi.MPIException;

/**
 * Two ranks. Each message of rank 0 to rank 1 has a tag of its own, and is received one batch after
 * it was sent.
 */
public final class NewTags {

  private static final int BATCH = 1000;

  /** No safe point before: an epoch would move the base as well. */
  private static final int BATCHES_BEFORE_SAFE_POINTS = 3;

  private static final long STATE_LIMIT_BYTES = 1L << 30;
  private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(60);

  private NewTags() {}

  /**
   * Arguments: messages; bound (of channels: the ranks wait when there are more; 0 without Cairn),
   * bare (cuts that must have been before the first safe point), commits (that every twentieth
   * batch waits for, while it is in flight).
   */
  public static void main(String[] args) {
    Map<String, Long> numbers =
        Scene.numbers(args, "messages=300000", "bound=0", "bare=0", "commits=0");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException, IOException {
    int rank = MPI.COMM_WORLD.getRank();
    Scene.watch(cairn);
    Scene.Told told = new Scene.Told();
    cairn.addListener(told);
    long[] state = cairn.array("state", new long[2]); // batch, digest
    cairn.restore();
    long bound = numbers.get("bound");
    long batches = numbers.get("messages") / BATCH;
    long most = 0;
    long residentKilobytes = 0;
    long first = state[0];
    while (state[0] < batches) {
      if (rank == 0) {
        send(state[0]);
      } else if (state[0] > 0) {
        state[1] = receive(state[0] - 1, state[1]);
      }
      state[0]++;
      if (state[0] == batches / 4) {
        residentKilobytes = residentKilobytes();
      }
      long passed = state[0] - first;
      if (bound > 0) {
        most = Math.max(most, ledger().channels());
        if (passed == BATCHES_BEFORE_SAFE_POINTS) {
          awaitBareCuts(numbers.get("bare"));
        }
        if (passed > BATCHES_BEFORE_SAFE_POINTS) {
          awaitRoom(cairn, bound);
        }
      }
      if (passed > BATCHES_BEFORE_SAFE_POINTS) {
        cairn.safePoint();
        if (state[0] % 20 == 0) {
          told.reset();
          Scene.safePointsUntil(cairn, numbers.get("commits"), told::commits);
        }
      }
    }
    if (rank == 1) {
      state[1] = receive(batches - 1, state[1]);
    }
    if (bound > 0) {
      String line =
          "rank %d most=%d bare=%d resident=%d more=%d"
              .formatted(
                  rank,
                  most,
                  ledger().statistics().bareCuts(),
                  residentKilobytes,
                  residentKilobytes() - residentKilobytes);
      Scene.say(rank, line);
    }
    Scene.result(state[1]);
  }

  private static void send(long batch) throws MPIException {
    long[] value = new long[1];
    for (int i = 0; i < BATCH; i++) {
      value[0] = Scene.mix(batch, i);
      MPI.COMM_WORLD.send(value, 1, MPI.LONG, 1, tag(batch, i));
    }
  }

  private static long receive(long batch, long digest) throws MPIException {
    long[] value = new long[1];
    for (int i = 0; i < BATCH; i++) {
      MPI.COMM_WORLD.recv(value, 1, MPI.LONG, 0, tag(batch, i));
      digest = Scene.mix(digest, value[0]);
    }
    return digest;
  }

  private static int tag(long batch, int i) {
    return Math.toIntExact(batch * BATCH + i);
  }

  private static Ledger ledger() {
    return Shim.ledger(STATE_LIMIT_BYTES);
  }

  /** How fast the agents get processor time is nobody's promise. */
  private static void awaitRoom(Cairn cairn, long bound) throws MPIException, InterruptedException {
    long begin = System.nanoTime();
    while (any(ledger().channels() > bound)) {
      requirePatience(begin);
      Thread.sleep(1);
      cairn.safePoint(); // an epoch may be pending, and no bare cut begins before its end
    }
  }

  private static void awaitBareCuts(long wanted) throws MPIException, InterruptedException {
    long begin = System.nanoTime();
    while (any(ledger().statistics().bareCuts() < wanted)) {
      requirePatience(begin);
      Thread.sleep(1);
    }
  }

  private static void requirePatience(long begin) {
    if (System.nanoTime() - begin > PATIENCE_NANOS) {
      throw new IllegalStateException(
          "no bare cut has come for too long: " + ledger().channels() + " channels");
    }
  }

  private static boolean any(boolean mine) throws MPIException {
    int[] all = {mine ? 1 : 0};
    MPI.COMM_WORLD.allReduce(all, 1, MPI.INT, MPI.MAX);
    return all[0] != 0;
  }

  private static long residentKilobytes() throws IOException {
    return Files.readAllLines(Path.of("/proc/self/status")).stream()
        .filter(line -> line.startsWith("VmRSS:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
        .findFirst()
        .orElseThrow();
  }
}

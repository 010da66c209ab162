// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import io.cairn.api.Region;
import java.nio.ByteBuffer;
import java.nio.LongBuffer;
import java.util.Map;
import mpi.MPI;
import mpi.MPIException;
import mpi.Request;

/**
 * A large region of noise, of which only one page in a hundred is ever written, and three places
 * that are received into: by small messages, by large ones (which Open MPI copies from the sender's
 * memory), and by a collective.
 */
public final class SparseWrites {

  /** Between two pages that are written. */
  public static final int STRIDE_BYTES = 100 * 4096;

  /** Length of a large message. */
  public static final int LARGE_BYTES = 300_000;

  private static final int LONGS = 64;
  private static final int STEPS_FOR_A_COMMIT = 30;
  private static final int TAG = 7;

  private SparseWrites() {}

  /** Arguments: steps, mebibytes of the region, commits to wait for at the end. */
  public static void main(String[] args) {
    Map<String, Long> numbers = Scene.numbers(args, "steps=100", "mebibytes=32", "commits=0");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    int rank = MPI.COMM_WORLD.getRank();
    int size = MPI.COMM_WORLD.getSize();
    int bytes = Math.toIntExact(numbers.get("mebibytes") << 20);
    Scene.watch(cairn);
    Scene.Told told = new Scene.Told();
    cairn.addListener(told);
    Region region = cairn.region("memory", bytes);
    long[] state = cairn.array("state", new long[2]); // step, digest
    LongBuffer memory = region.asLongBuffer();
    // Not where pages are written by the program itself.
    ByteBuffer small = region.byteBuffer(10 * 4096 + 8, Long.BYTES);
    ByteBuffer large = region.byteBuffer(3 * STRIDE_BYTES + 2 * 4096 + 100, LARGE_BYTES);
    LongBuffer sums = region.byteBuffer(5 * STRIDE_BYTES + 4096, LONGS * 8).asLongBuffer();
    boolean restored = cairn.restore();
    Scene.say(rank, "rank " + rank + (restored ? " goes on after step " + state[0] : " begins"));
    if (!restored) {
      for (int i = 0; i < memory.capacity(); i++) {
        memory.put(i, Scene.mix(i * 0x9E3779B97F4A7C15L, rank));
      }
    }
    ByteBuffer token = MPI.newByteBuffer(Long.BYTES);
    ByteBuffer much = MPI.newByteBuffer(LARGE_BYTES);
    LongBuffer mine = MPI.newLongBuffer(LONGS);
    int next = (rank + 1) % size;
    int before = (rank + size - 1) % size;
    long began = state[0];
    while (state[0] < numbers.get("steps")) {
      long step = ++state[0];
      for (int at = 0; at < bytes; at += STRIDE_BYTES) {
        int place = at / Long.BYTES + (int) (step % 512);
        memory.put(place, Scene.mix(memory.get(place), step + rank));
      }
      token.putLong(0, Scene.mix(state[1], step));
      Request request = MPI.COMM_WORLD.iRecv(small, Long.BYTES, MPI.BYTE, before, TAG);
      MPI.COMM_WORLD.send(token, Long.BYTES, MPI.BYTE, next, TAG);
      request.waitFor();
      for (int i = 0; i + Long.BYTES <= LARGE_BYTES; i += 4000) {
        much.putLong(i, Scene.mix(step, i + rank));
      }
      Request sent = MPI.COMM_WORLD.iSend(much, LARGE_BYTES, MPI.BYTE, next, TAG + 1);
      MPI.COMM_WORLD.recv(large, LARGE_BYTES, MPI.BYTE, before, TAG + 1);
      sent.waitFor();
      for (int i = 0; i < LONGS; i++) {
        mine.put(i, Scene.mix(state[1], i));
      }
      MPI.COMM_WORLD.allReduce(mine, sums, LONGS, MPI.LONG, MPI.SUM);
      state[1] = Scene.mix(small.getLong(0), sums.get((int) (step % LONGS)) + large.get(4000));
      cairn.safePoint();
      // However slow the disk is: cuts fall between steps, not into the wait at the end.
      Scene.safePointsUntil(cairn, (step - began) / STEPS_FOR_A_COMMIT, told::commits);
    }
    Scene.safePointsUntil(cairn, numbers.get("commits"), told::commits);
    long digest = state[1];
    for (int i = 0; i < memory.capacity(); i++) {
      digest = Scene.mix(digest, memory.get(i));
    }
    Scene.result(digest);
  }
}

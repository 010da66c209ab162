// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import io.cairn.api.Region;
import java.io.IOException;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import mpi.MPI;
import mpi.MPIException;

/** A well-behaved program: a number goes round, and memory changes in every step. */
public final class Ring {

  private static final int TAG = 5;

  private Ring() {}

  /**
   * Arguments: steps, millis (of a step), bytes (of the region); at which step to request a
   * checkpoint or to fail (and on which rank); whether to tell what is mapped; whether to fill the
   * region with numbers that can't be compressed; how many commits and abandoned epochs to wait for
   * after the last step.
   */
  public static void main(String[] args) {
    Map<String, Long> numbers =
        Scene.numbers(
            args,
            "steps=100",
            "millis=0",
            "bytes=65536",
            "request=-1",
            "fail=-1",
            "rank=1",
            "maps=0",
            "random=0",
            "commits=0",
            "abandoned=0");
    Cairn.run(args, cairn -> run(cairn, numbers));
  }

  private static void run(Cairn cairn, Map<String, Long> numbers)
      throws MPIException, IOException, InterruptedException {
    int rank = MPI.COMM_WORLD.getRank();
    int size = MPI.COMM_WORLD.getSize();
    Scene.watch(cairn);
    Scene.Told told = new Scene.Told();
    cairn.addListener(told);
    Region region = cairn.region("memory", numbers.get("bytes"));
    long[] state = cairn.array("state", new long[2]); // step, digest
    LongBuffer memory = region.asLongBuffer();
    boolean restored = cairn.restore();
    Scene.say(rank, "rank " + rank + (restored ? " goes on after step " + state[0] : " begins"));
    if (numbers.get("maps") != 0) {
      Scene.say(rank, "shim mapped: " + isShimMapped());
    }
    if (!restored && numbers.get("random") != 0) {
      for (int i = 0; i < memory.capacity(); i++) {
        memory.put(i, Scene.mix(i * 0x9E3779B97F4A7C15L, rank));
      }
    }
    long[] token = new long[1];
    while (state[0] < numbers.get("steps")) {
      token[0] = Scene.mix(state[1], rank);
      MPI.COMM_WORLD.sendRecvReplace(
          token, 1, MPI.LONG, (rank + 1) % size, TAG, (rank + size - 1) % size, TAG);
      state[1] = Scene.mix(state[1], token[0]);
      int place = (int) Long.remainderUnsigned(state[1], memory.capacity());
      memory.put(place, Scene.mix(memory.get(place), state[1]));
      state[0]++;
      if (state[0] == numbers.get("fail") && rank == numbers.get("rank")) {
        throw new IllegalStateException("this rank fails in step " + state[0]);
      }
      if (state[0] == numbers.get("request") && rank == numbers.get("rank")) {
        cairn.requestCheckpoint();
      }
      Thread.sleep(numbers.get("millis"));
      cairn.safePoint();
    }
    Scene.safePointsUntil(cairn, numbers.get("commits"), told::commits);
    Scene.safePointsUntil(cairn, numbers.get("abandoned"), told::abandoned);
    long digest = state[1];
    for (int i = 0; i < memory.capacity(); i++) {
      digest = Scene.mix(digest, memory.get(i));
    }
    Scene.result(digest);
  }

  private static boolean isShimMapped() throws IOException {
    try (var lines = Files.lines(Path.of("/proc/self/maps"))) {
      // Not libcairn-core, which has the memory and no MPI.
      return lines.anyMatch(line -> line.matches(".*/libcairn(?!-core)[^/]*\\.so.*"));
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import mpi.MPI;
import mpi.MPIException;

/**
 * Random programs, one after the other: a launch takes longer than most of them. A program on fewer
 * ranks than the launch has leaves the others to pass its safe points.
 */
public final class RandomPrograms {

  private static final int BUFFERED_BYTES = 8 << 20;

  private RandomPrograms() {}

  /**
   * Arguments: millis (at each safe point), requests (whether programs may ask for a checkpoint),
   * and {@code program=NAME} once or more, in order.
   */
  public static void main(String[] args) {
    List<Script> scripts = new ArrayList<>();
    List<String> others = new ArrayList<>();
    for (String argument : args) {
      if (argument.startsWith("program=")) {
        scripts.add(Script.of(argument.substring("program=".length())));
      } else {
        others.add(argument);
      }
    }
    Map<String, Long> numbers =
        Scene.numbers(others.toArray(new String[0]), "millis=0", "requests=1");
    Cairn.run(args, cairn -> run(cairn, scripts, numbers));
  }

  private static void run(Cairn cairn, List<Script> scripts, Map<String, Long> numbers)
      throws MPIException, InterruptedException {
    int rank = MPI.COMM_WORLD.getRank();
    long millis = numbers.get("millis");
    boolean requests = numbers.get("requests") != 0;
    Scene.watch(cairn);
    long[] position = cairn.array("position", new long[2]); // program, step
    long[] digest = cairn.array("digest", new long[1]);
    int most = scripts.stream().mapToInt(s -> s.program().receives().size()).max().orElse(0);
    int[] got = cairn.array("got", new int[Math.max(1, most)]);
    long[] results = cairn.array("results", new long[scripts.size()]);
    MPI.attachBuffer(new byte[BUFFERED_BYTES]);
    boolean restored = cairn.restore();
    for (; position[0] < scripts.size(); position[0]++) {
      int now = (int) position[0];
      // Those of the programs before were freed: after a restore they are not made again.
      Player player = new Player(scripts.get(now), digest, got);
      if (restored) {
        Scene.say(0, "goes on with " + scripts.get(now).name());
        player.postAgain((int) position[1]);
        restored = false;
      } else {
        // Receives for any source are for those of their own program.
        MPI.COMM_WORLD.barrier();
        Scene.say(0, "begins " + scripts.get(now).name());
      }
      player.play(
          (int) position[1],
          next -> {
            position[1] = next;
            if (millis > 0) {
              Thread.sleep(millis);
            }
            cairn.safePoint();
          },
          () -> {
            if (requests) {
              cairn.requestCheckpoint();
            }
          });
      player.freeCommunicators();
      results[now] = digest[0];
      digest[0] = 0;
      position[1] = 0;
    }
    StringBuilder line = new StringBuilder("result of rank " + rank + ":");
    for (long result : results) {
      line.append(' ').append(Long.toHexString(result));
    }
    Scene.say(rank, line.toString());
    MPI.COMM_WORLD.barrier();
    MPI.detachBuffer();
  }
}

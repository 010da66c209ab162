// SPDX-License-Identifier: Apache-2.0
package io.cairn.testing;

import io.cairn.image.FaultHook;
import io.cairn.image.SystemFiles;
import io.cairn.store.StoreSettings;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Random;

/**
 * A job of one rank that commits three epochs, and dies where it is told to. As a process of its
 * own: {@code main DIRECTORY FAULT}.
 */
public final class CrashingProgram {
  public static final int EPOCHS = 3;
  public static final int STATE_BYTES = 20_000;

  private CrashingProgram() {}

  /** The program's memory after so many steps. */
  public static byte[] state(long epoch) {
    byte[] bytes = new byte[STATE_BYTES];
    new Random(epoch).nextBytes(bytes);
    return bytes;
  }

  public static StoreSettings settings(Path directory) {
    return new StoreSettings(directory, "job", 2, 0, 0);
  }

  /** Runs the program on a rank that isn't restored yet, from its last epoch on. */
  public static void run(SimulatedRank rank) throws Exception {
    ByteBuffer state = rank.region("u", STATE_BYTES);
    rank.restore();
    rank.settle();
    for (long epoch = 0; epoch < EPOCHS; epoch++) {
      state.put(0, state(epoch));
      rank.epoch(epoch, "late");
    }
  }

  public static void main(String[] args) throws Exception {
    try (SimulatedRank rank =
        new SimulatedRank(
            settings(Path.of(args[0])),
            new ThreadGroupWorld(1).group(0),
            new SystemFiles(),
            FaultHook.parse(args[1], 0))) {
      run(rank);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.testing;

import io.cairn.image.FaultHook;
import io.cairn.image.FileOperations;
import io.cairn.image.SystemFiles;
import io.cairn.store.StoreSettings;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Random;

/**
 * A job of one rank that commits three epochs, and dies where it is told to. As a process of its
 * own: {@code main DIRECTORY FAULT CHAINED}.
 */
public final class CrashingProgram {
  public static final int EPOCHS = 3;
  public static final int STATE_BYTES = 20_000;

  private CrashingProgram() {}

  /**
   * The program's memory after so many steps.
   *
   * @param chained whether each step changes one block only
   */
  public static byte[] state(long epoch, boolean chained) {
    byte[] bytes = new byte[STATE_BYTES];
    new Random(chained ? 0 : epoch).nextBytes(bytes);
    for (int past = 1; chained && past <= epoch; past++) {
      bytes[past * SimulatedRank.BLOCK_BYTES % STATE_BYTES] += (byte) past;
    }
    return bytes;
  }

  /** A rank to run it on. */
  public static SimulatedRank rank(
      Path directory, FileOperations files, FaultHook hook, boolean chained) throws Exception {
    return new SimulatedRank(
        settings(directory),
        new ThreadGroupWorld(1).group(0),
        files,
        hook,
        SimulatedRank.chained(chained ? EPOCHS : 1));
  }

  private static StoreSettings settings(Path directory) {
    return new StoreSettings(directory, "job", 2, 0, 0);
  }

  /** Runs the program on a rank that isn't restored yet, from its last epoch on. */
  public static void run(SimulatedRank rank, boolean chained) throws Exception {
    ByteBuffer state = rank.region("u", STATE_BYTES);
    rank.restore();
    rank.settle();
    for (long epoch = 0; epoch < EPOCHS; epoch++) {
      state.put(0, state(epoch, chained));
      rank.epoch(epoch, "late");
    }
  }

  public static void main(String[] args) throws Exception {
    boolean chained = Boolean.parseBoolean(args[2]);
    try (SimulatedRank rank =
        rank(Path.of(args[0]), new SystemFiles(), FaultHook.parse(args[1], 0), chained)) {
      run(rank, chained);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.samples;

import java.util.Locale;

/**
 * The pace of a sample, and what it says on the way: nothing, unless asked by {@code --progress N}.
 */
final class Steps {

  private final String program;
  private final int rank;
  private final int stepMillis;
  private final int progressEvery;

  Steps(String program, int rank, int stepMillis, int progressEvery) {
    this.program = program;
    this.rank = rank;
    this.stepMillis = stepMillis;
    this.progressEvery = progressEvery;
  }

  /** Makes the step last longer, as a larger problem would. */
  void linger() throws InterruptedException {
    if (stepMillis > 0) {
      Thread.sleep(stepMillis);
    }
  }

  /** One line on rank 0's standard error every N steps. */
  void report(long step, String format, Object... values) {
    if (progressEvery > 0 && rank == 0 && step % progressEvery == 0) {
      System.err.printf(
          Locale.ROOT,
          "%s: step %d, %s%n",
          program,
          step,
          String.format(Locale.ROOT, format, values));
    }
  }

  /** The answer, on rank 0's standard output. */
  void result(long digest, String format, Object... values) {
    if (rank == 0) {
      System.out.printf(
          Locale.ROOT, "result %016x %s%n", digest, String.format(Locale.ROOT, format, values));
      System.out.flush();
    }
  }
}

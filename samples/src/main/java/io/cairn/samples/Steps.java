// SPDX-License-Identifier: Apache-2.0
package io.cairn.samples;

import io.cairn.Cairn;
import java.util.Locale;
import mpi.MPI;
import mpi.MPIException;

/**
 * The pace of a sample, and what it says on the way: nothing, unless asked by {@code --progress N}
 * or {@code --events 1}.
 */
final class Steps {

  /** What to say of the arguments that are read here. */
  static final String USAGE =
      """

        --step-millis   sleep in each step (0)
        --progress      a line on standard error every N steps (none)
        --events        1: a line on standard error for whatever becomes of an epoch, on each rank""";

  private final String program;
  private final int stepMillis;
  private final int progressEvery;
  private final boolean events;
  private int rank;

  Steps(String program, Arguments arguments) {
    this.program = program;
    this.stepMillis = arguments.integer("step-millis", 0, 0);
    this.progressEvery = arguments.integer("progress", 0, 0);
    this.events = arguments.integer("events", 0, 0) > 0;
  }

  /** To be called when MPI is there. */
  void begin(Cairn cairn) throws MPIException {
    rank = MPI.COMM_WORLD.getRank();
    if (events) {
      cairn.addListener(new EventLines(rank));
    }
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

// SPDX-License-Identifier: Apache-2.0
package io.cairn;

/** What {@link Cairn#run} runs: the program, between MPI's initialisation and its end. */
@FunctionalInterface
public interface CairnBody {

  /**
   * Runs on every rank, on the thread that called {@link Cairn#run}.
   *
   * @throws Exception to end the whole job at once, on all ranks
   */
  void run(Cairn cairn) throws Exception;
}

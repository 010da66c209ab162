// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import java.util.List;

/** What happens to a {@link Supervisor}. */
public sealed interface Event {

  /** The first. */
  record Begun() implements Event {}

  /** Some time has passed; comes several times a second. */
  record Tick() implements Event {}

  /** What is known by now of the hosts of an {@link Action.Look}; comes until each was in one. */
  record Looked(int look, List<HostState> states) implements Event {}

  /** Rank 0 has reported. */
  record Reported(int launch, Report report) implements Event {}

  /**
   * Ranks of a launch that was given up have ended themselves when they heard of it.
   *
   * @param who for people
   */
  record Stranded(int launch, String who) implements Event {}

  /** mpirun has ended; 128 and the signal's number if by a signal. */
  record Exited(int launch, int exitCode) implements Event {}

  /** mpirun could not even be started. */
  record NotStarted(int launch, String why) implements Event {}

  /**
   * The answer to {@link Action.AskOlder}.
   *
   * @param newer whether there is one that the launch itself has committed
   * @param avoid the epoch to avoid so that an older one is taken; empty if there is no older one
   */
  record Older(boolean newer, String avoid) implements Event {}

  /** Whoever started the tool wants it to end. */
  record Interrupted() implements Event {}
}

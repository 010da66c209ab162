// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

/**
 * What was found out about a host just now.
 *
 * @param host which
 * @param problem why it can't have ranks; empty if it can
 * @param memoryBytes what is available there, 0 if unknown
 * @param load processes that want to run, on average
 * @param cores how many there are, 0 if unknown
 * @param trialFailed whether the problem is that mpirun can't start anything there
 * @param leftovers processes of older launches that could not be ended
 */
public record HostState(
    Host host,
    String problem,
    boolean trialFailed,
    long memoryBytes,
    double load,
    int cores,
    int leftovers) {

  /** One that doesn't answer. */
  public static HostState gone(Host host, String problem) {
    return new HostState(host, problem, false, 0, 0, 0, 0);
  }

  /** One that answers, and nothing more is known. */
  public static HostState there(Host host) {
    return new HostState(host, "", false, 0, 0, 0, 0);
  }

  /** One that answers, and on which mpirun fails. */
  public static HostState unusable(Host host, String problem) {
    return new HostState(host, problem, true, 0, 0, 0, 0);
  }

  boolean hasFailedTrial() {
    return trialFailed;
  }

  boolean isThere() {
    return problem.isEmpty();
  }
}

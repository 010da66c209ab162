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
 * @param leftovers processes of older launches that could not be ended
 */
public record HostState(
    Host host, String problem, long memoryBytes, double load, int cores, int leftovers) {

  /** One that doesn't answer. */
  public static HostState gone(Host host, String problem) {
    return new HostState(host, problem, 0, 0, 0, 0);
  }

  /** One that answers, and nothing more is known. */
  public static HostState there(Host host) {
    return new HostState(host, "", 0, 0, 0, 0);
  }

  boolean isThere() {
    return problem.isEmpty();
  }
}

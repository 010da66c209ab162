// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

/**
 * A line of the hostfile.
 *
 * @param name as it was given; empty for this machine, without any remote agent
 * @param slots how many ranks it shall have
 * @param weight how much it has to give, compared with others
 */
public record Host(String name, int slots, double weight) {

  /** This machine alone. */
  public static Host local(int slots) {
    return new Host("", slots, 1);
  }

  boolean isLocal() {
    return name.isEmpty();
  }

  /** For people. */
  String shown() {
    return isLocal() ? "this machine" : name;
  }
}

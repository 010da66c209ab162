// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import java.util.Locale;

/** {@code cairn VERB ...}: the operator's tool, see docs/cli.md. */
public final class Main {
  private Main() {}

  /** Ends the JVM with the exit code. */
  public static void main(String[] args) {
    // Figures look the same everywhere.
    Locale.setDefault(Locale.ROOT);
    System.exit(Tool.run(Surroundings.system(), args));
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.api;

/** The name of the program this process runs. */
final class MainClass {

  private static final String FALLBACK = "job";

  private MainClass() {}

  /** The simple name of the main class, or "job" where the JVM doesn't tell. */
  static String name() {
    return nameFrom(System.getProperty("sun.java.command", ""));
  }

  static String nameFrom(String command) {
    String program = command.strip().split("\\s+", 2)[0];
    if (program.endsWith(".jar")) {
      program = program.substring(program.lastIndexOf('/') + 1, program.length() - ".jar".length());
    } else {
      program = program.substring(Math.max(program.lastIndexOf('.'), program.lastIndexOf('/')) + 1);
    }
    try {
      return OptionType.NAME.parse(program);
    } catch (IllegalArgumentException e) {
      return FALLBACK;
    }
  }
}

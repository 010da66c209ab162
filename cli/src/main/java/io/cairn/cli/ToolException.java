// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

/** Ends the tool with a message for the user. */
final class ToolException extends Exception {
  private static final long serialVersionUID = 1L;

  private final int exitCode;

  private ToolException(int exitCode, String message) {
    super(message);
    this.exitCode = exitCode;
  }

  /** There is no such thing. */
  static ToolException notFound(String message) {
    return new ToolException(ExitCode.NOT_FOUND_OR_DAMAGED, message);
  }

  /** The command line makes no sense. */
  static ToolException usage(String message) {
    return new ToolException(ExitCode.USAGE, message);
  }

  /** It can't be done now. */
  static ToolException refused(String message) {
    return new ToolException(ExitCode.FAILED, message);
  }

  int exitCode() {
    return exitCode;
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

/** How the tool ends; documented in docs/cli.md. */
final class ExitCode {
  /** Done, and all is well. */
  static final int OK = 0;

  /** There is nothing of what was asked for, or what there is is damaged. */
  static final int NOT_FOUND_OR_DAMAGED = 1;

  /** The command line makes no sense. */
  static final int USAGE = 2;

  /** It could not be done: no access, an I/O error, or a launch of the job is alive. */
  static final int FAILED = 3;

  /** {@code run}: the job dies whatever is tried. */
  static final int GAVE_UP = 4;

  /** {@code run}: by a signal; as shells have it for an interrupt. */
  static final int INTERRUPTED = 130;

  private ExitCode() {}
}

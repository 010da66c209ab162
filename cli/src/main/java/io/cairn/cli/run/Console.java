// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import java.io.PrintStream;

/**
 * The program's output, the tool's own lines, and on a terminal a last line that shows how things
 * stand. What the program prints is passed on byte by byte.
 */
final class Console {
  private final PrintStream out;
  private final PrintStream err;
  private final boolean terminal;
  private final int columns;
  private boolean atLineStart = true;
  private String status = "";

  Console(PrintStream out, PrintStream err, boolean terminal, int columns) {
    this.out = out;
    this.err = err;
    this.terminal = terminal;
    this.columns = Math.max(columns, 20);
  }

  synchronized void out(byte[] bytes) {
    pass(out, bytes);
  }

  synchronized void err(byte[] bytes) {
    pass(err, bytes);
  }

  private void pass(PrintStream stream, byte[] bytes) {
    wipe();
    stream.write(bytes, 0, bytes.length);
    stream.flush();
    if (bytes.length > 0) {
      atLineStart = bytes[bytes.length - 1] == '\n';
    }
    draw();
  }

  /** A line of the tool's own. */
  synchronized void say(String text) {
    wipe();
    if (terminal && !atLineStart) {
      err.println();
      atLineStart = true;
    }
    err.println("cairn: " + text);
    err.flush();
    draw();
  }

  /** Shown from now on, until it is empty. */
  synchronized void status(String text) {
    wipe();
    status = text.length() < columns ? text : text.substring(0, columns - 1);
    draw();
  }

  private void wipe() {
    if (terminal && !status.isEmpty() && atLineStart) {
      err.print("\r\033[K");
      err.flush();
    }
  }

  private void draw() {
    // Not behind half a line of the program's.
    if (terminal && !status.isEmpty() && atLineStart) {
      err.print("\r" + status);
      err.flush();
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import java.io.PrintWriter;
import java.io.StringWriter;

/** The last words of a rank, in one piece, so that those of several ranks don't mix. */
final class Fatal {

  private Fatal() {}

  static String text(int rank, int size, String message, Throwable cause) {
    StringWriter text = new StringWriter();
    PrintWriter out = new PrintWriter(text);
    out.printf("cairn: rank %d of %d: %s%n", rank, size, message);
    if (cause != null) {
      cause.printStackTrace(out);
    }
    out.flush();
    return text.toString();
  }
}

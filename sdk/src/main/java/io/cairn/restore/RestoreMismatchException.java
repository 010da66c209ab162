// SPDX-License-Identifier: Apache-2.0
package io.cairn.restore;

/**
 * The program registered something else than what was saved, or made other communicators. The
 * message lists both sides.
 */
public final class RestoreMismatchException extends Exception {
  private static final long serialVersionUID = 1L;

  public RestoreMismatchException(String message) {
    super(message);
  }
}

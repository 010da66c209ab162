// SPDX-License-Identifier: Apache-2.0
package io.cairn.api;

/**
 * Something that keeps Cairn from doing its work; the message says what was found, where, and what
 * to do.
 */
public class CairnException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** With a message that stands alone. */
  public CairnException(String message) {
    super(message);
  }

  /** With a message that stands alone, and what caused it. */
  public CairnException(String message, Throwable cause) {
    super(message, cause);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.api;

/**
 * The program calls Cairn in a way that can't work: a call in the wrong order, a name used twice.
 */
public final class MisuseException extends CairnException {
  private static final long serialVersionUID = 1L;

  /** With a message that says what was called and what should have been. */
  public MisuseException(String message) {
    super(message);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.api;

/** An option that doesn't exist, or a value it can't take. */
public final class OptionException extends CairnException {
  private static final long serialVersionUID = 1L;

  /**
   * With a message that names the option, what was found, what was expected, and where the value
   * came from.
   */
  public OptionException(String message) {
    super(message);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

/** A callback of the application threw; the cause is its exception, the message names it. */
public final class CallbackException extends Exception {
  private static final long serialVersionUID = 1L;

  public CallbackException(String message, Throwable cause) {
    super(message, cause);
  }
}

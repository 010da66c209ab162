// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

/** The rank can't be captured where it is; the message names the call that stands in the way. */
public final class CutRefusedException extends Exception {
  private static final long serialVersionUID = 1L;

  public CutRefusedException(String message) {
    super(message);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

/** A transfer or an agreement between the ranks has failed, or didn't end in time. */
public final class TransportException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public TransportException(String message) {
    super(message);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import java.io.IOException;

/**
 * What all ranks had to do together failed on another rank; the message has its rank and its
 * exception.
 */
public final class PeerFailureException extends IOException {
  private static final long serialVersionUID = 1L;

  /**
   * @param failure what the rank said of it
   */
  public PeerFailureException(int rank, String failure) {
    super("rank " + rank + ": " + failure);
  }
}

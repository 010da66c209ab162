// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import java.io.IOException;

/**
 * A newer launch of the job has taken over; this one must not record or commit anything any more.
 */
public final class FencedException extends IOException {
  private static final long serialVersionUID = 1L;

  FencedException(String message) {
    super(message);
  }
}

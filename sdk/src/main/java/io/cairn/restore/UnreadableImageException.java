// SPDX-License-Identifier: Apache-2.0
package io.cairn.restore;

import java.io.IOException;

/**
 * An image that looked sound from outside turned out not to be, on this rank or another; nothing of
 * the application but the memory that it saves was touched.
 */
public final class UnreadableImageException extends IOException {
  private static final long serialVersionUID = 1L;

  UnreadableImageException(String message, Throwable cause) {
    super(message, cause);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

/** An argument that nobody understands. */
final class UsageException extends Exception {

  private static final long serialVersionUID = 1L;

  UsageException(String message) {
    super(message);
  }
}

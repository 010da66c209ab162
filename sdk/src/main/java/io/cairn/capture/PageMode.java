// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

/** Which pages of regions are saved. */
public enum PageMode {
  /** Those that were written, where that pays. */
  AUTO,
  /** All. */
  ALL,
  /** Those that were written, wherever the system tells. */
  WRITTEN
}

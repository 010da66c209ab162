// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

/** Whether images go past the system's page cache, by direct I/O. */
public enum DirectMode {
  /** Where the file system takes it. */
  AUTO,
  /** Always: where the file system refuses, no image can be written. */
  ON,
  /** Never, and what was written stays in the page cache. */
  OFF
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

/** How blocks are stored that aren't all zero. */
public enum EncodeMode {
  /** As they are. */
  FAST,
  /** With LZ4 wherever it saves. */
  SMALL,
  /** As makes the image durable earlier, by what was measured. */
  AUTO
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

/** Named places at which a test may let a process die. Each has a test. */
public enum FaultPoint {
  /** In the application's thread, before each block is copied. */
  DURING_CAPTURE,
  /** Everything is copied, the application goes on; most of it is not written yet. */
  AFTER_CAPTURE,
  /** Before each block is written. */
  MID_BLOCKS,
  /** All blocks, the channel state too, are written, the index isn't. */
  AFTER_BLOCKS_BEFORE_FOOTER,
  /** The image is complete, but not synced. */
  AFTER_FOOTER_BEFORE_SYNC,
  /** The image is durable, and nobody knows yet. */
  AFTER_SYNC,
  /** Before the pending record is written. */
  BEFORE_PENDING_RECORD,
  /** The pending record is durable. */
  AFTER_PENDING_RECORD,
  /** The epoch is committed, but its record not yet renamed. */
  AFTER_COMMIT_BEFORE_RENAME,
  /** The record is renamed, older epochs are still there. */
  AFTER_RENAME_BEFORE_PRUNE,
  /** Before each file that is deleted. */
  DURING_PRUNE,
  /** Before a slower tier's data flow. */
  BEFORE_PROTECTION,
  /** A slower tier's data are written; no record names them. */
  AFTER_PROTECTION_STREAMS,
  /** The pending record of a slower tier is durable on all ranks. */
  AFTER_PENDING_PROTECTION,
  /** An image was rebuilt or fetched before the restore; no record names it. */
  AFTER_RECOVERED_IMAGE,
  /** Before each section that is restored. */
  DURING_RESTORE,
  /** Everything is restored, nothing on disk is changed. */
  AFTER_RESTORE
}

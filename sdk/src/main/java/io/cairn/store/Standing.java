// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

/** How a store knows an epoch that has a record there. */
public enum Standing {
  /** Its record is published. */
  COMMITTED,
  /** Its images are durable; whether it was committed, this store doesn't know. */
  PENDING
}

// SPDX-License-Identifier: Apache-2.0

/**
 * Finds the newest epoch that all ranks can restore, and restores it: the mirror of capture, image
 * and store.
 */
package io.cairn.restore;

// SPDX-License-Identifier: Apache-2.0

/**
 * The entry point, {@link io.cairn.Cairn}, and the only place that wires the other packages
 * together.
 */
package io.cairn;

// SPDX-License-Identifier: Apache-2.0

/**
 * The protocol by which all ranks agree on a cut, prove it consistent and commit it: a pure state
 * machine and the interfaces of the world around it.
 */
package io.cairn.coordinate;

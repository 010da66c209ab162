// SPDX-License-Identifier: Apache-2.0

/**
 * The types a program sees besides {@code io.cairn.Cairn}: named memory, options, events and
 * exceptions. Imports nothing of the rest of the SDK.
 */
package io.cairn.api;

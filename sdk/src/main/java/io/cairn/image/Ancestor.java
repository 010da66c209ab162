// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

/**
 * An older image of the same rank and launch that an image takes bytes from, or one that this takes
 * bytes from, and so on.
 *
 * @param epoch the epoch it is part of
 * @param lengthBytes length of its file
 * @param digest its digest
 */
public record Ancestor(EpochId epoch, long lengthBytes, long digest) {}

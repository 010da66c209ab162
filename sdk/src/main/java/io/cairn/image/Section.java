// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

/**
 * A part of an image, as its index has it.
 *
 * @param kind what it holds
 * @param type element type if it is an array, else {@link ElementType#NONE}
 * @param name as registered; empty for {@link SectionKind#COUNTS} and {@link SectionKind#CHANNELS}
 * @param lengthBytes length before encoding
 * @param blockCount number of blocks
 * @param firstBlock where in the index its first block is
 */
public record Section(
    SectionKind kind,
    ElementType type,
    String name,
    long lengthBytes,
    long blockCount,
    long firstBlock) {}

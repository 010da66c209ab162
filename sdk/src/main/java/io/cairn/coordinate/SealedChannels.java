// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

/**
 * The channel state and the counts of one rank's cut, in off-heap memory that stays valid until
 * {@link #release}.
 *
 * @param stateAddress first byte of the channel state
 * @param stateBytes its length in bytes
 * @param countsAddress first byte of the counts
 * @param countsBytes their length in bytes
 * @param messages how many messages the channel state holds
 * @param release gives the memory back; called exactly once
 */
public record SealedChannels(
    long stateAddress,
    long stateBytes,
    long countsAddress,
    long countsBytes,
    long messages,
    Runnable release) {}

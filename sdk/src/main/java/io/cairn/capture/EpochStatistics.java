// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

/**
 * What an epoch cost this rank.
 *
 * @param epoch its number
 * @param pauseNanos how long the application waited while everything was copied
 * @param callbackNanos how much of that the callbacks took
 * @param capturedBytes bytes copied: regions, callbacks and arrays
 * @param storedBytes length of the image; 0 until it is durable
 * @param durableNanos from the start of the capture until the image was durable; 0 until then
 */
public record EpochStatistics(
    long epoch,
    long pauseNanos,
    long callbackNanos,
    long capturedBytes,
    long storedBytes,
    long durableNanos) {}

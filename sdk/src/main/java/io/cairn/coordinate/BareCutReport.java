// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

/**
 * How a bare cut ended, on all ranks. Numbers and durations are this rank's own.
 *
 * @param number counted from 1 in each generation
 * @param committed whether it moved the base; else it is abandoned, and the base stays
 * @param reason why it was abandoned, as far as this rank knows; empty if it was committed
 * @param channelsBefore channels that the ledger remembered when it began
 * @param channelsAfter channels that it remembers now
 * @param nanos time between its begin and its end
 * @param workNanos of that, what this rank's agent worked in the ledger; calls of the application
 *     may have waited for so long
 */
public record BareCutReport(
    long number,
    boolean committed,
    String reason,
    long channelsBefore,
    long channelsAfter,
    long nanos,
    long workNanos) {}

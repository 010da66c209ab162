// SPDX-License-Identifier: Apache-2.0

/**
 * How far a launch is, told to whoever started it: rank 0 writes lines to a listener whose address
 * and token came with the environment. Without them nothing is sent.
 *
 * <pre>
 * Connection --> Greeting Line*
 * Greeting   --> "cairn-reports 1 " Token "\n"
 * Line       --> Field (" " Field)* "\n"
 * Field      --> Name "=" Value                   (both percent-encoded as in a URL)
 * </pre>
 *
 * A line has the whole state, so that one that is lost does no harm: {@code phase} ({@code
 * starting}, {@code running}, {@code done}: no safe point will be passed any more, {@code closed}:
 * nor will there be a pulse), {@code generation}, {@code ranks}, {@code directory} of the job,
 * {@code restored} and {@code from}: epoch and safe point that the launch went on from, {@code
 * pulses}, {@code lowest} and {@code highest}: safe points passed by the last and the foremost
 * rank, {@code epoch} and {@code at}: the last committed epoch and its safe point, {@code
 * every-interval}, {@code every-partner}, {@code every-set}, {@code every-shared}: seconds between
 * two epochs, or two that the tier protects, a space, and why. What isn't known is left out; a
 * reader skips names that it doesn't know.
 */
package io.cairn.report;

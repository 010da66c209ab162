// SPDX-License-Identifier: Apache-2.0

/**
 * MPI programs with Cairn in them. The lines that are there for Cairn end in {@code // cairn}; with
 * {@code cairn.enabled=false} each program runs without it and gives the same answer.
 *
 * <p>Each prints one line on rank 0 when it is done: {@code result}, a 64-bit digest of its full
 * answer in hexadecimal, and a few words. For a given number of ranks the answer is the same bit
 * for bit, whatever the timing.
 */
package io.cairn.samples;

// SPDX-License-Identifier: Apache-2.0
/**
 * MPI programs for one scenario each: what a user would write, and what a user would get wrong.
 * Each prints one line {@code result ...} on rank 0.
 */
package io.cairn.systemtests.programs;

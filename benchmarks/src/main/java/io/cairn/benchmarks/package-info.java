// SPDX-License-Identifier: Apache-2.0
/**
 * What each stage of a checkpoint costs, beside a reference on the same machine in the same run.
 * JMH classes measure one stage each; {@link io.cairn.benchmarks.EpochBenchmark} and {@link
 * io.cairn.benchmarks.MessagingBenchmark} measure whole programs under mpirun. {@code
 * docs/performance.md} says how to read the figures.
 */
package io.cairn.benchmarks;

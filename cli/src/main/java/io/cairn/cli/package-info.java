// SPDX-License-Identifier: Apache-2.0

/**
 * The operator's tool: what jobs keep on disk, read without MPI and without a launch.
 *
 * <p>{@link io.cairn.cli.Inventory} finds jobs, each in one or more stores; {@link
 * io.cairn.cli.EpochLook} is a cheap look at an epoch, {@link io.cairn.cli.EpochVerification} a
 * complete one, {@link io.cairn.cli.Recovery} what a start would do. A class for each verb.
 */
package io.cairn.cli;

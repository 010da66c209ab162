// SPDX-License-Identifier: Apache-2.0

/**
 * {@code cairn run}: launches a job, watches it, and launches it again.
 *
 * <p>{@link io.cairn.cli.run.Supervisor} decides, as a pure state machine: events in, actions out.
 * {@link io.cairn.cli.run.Runner} is the world around it: {@link io.cairn.cli.run.Mpirun} and its
 * output, the listener for rank 0's reports, and scripts on hosts ({@link
 * io.cairn.cli.run.RemoteShell}), which look whether a host is there and end what is left of a
 * launch on it. {@link io.cairn.cli.run.Placement} lays ranks out on hosts.
 */
package io.cairn.cli.run;

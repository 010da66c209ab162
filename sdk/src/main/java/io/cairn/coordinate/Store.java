// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

import io.cairn.coordinate.Capture.Progress;

/**
 * The records by which an epoch is published. Methods are called by the agent and return at once.
 */
public interface Store {

  /**
   * All images of the epoch are durable: write and sync this store's pending record, if this rank
   * does that for its store (else done at once).
   *
   * @param jobDigest sum over all ranks, modulo 2^64, of PRF(rank, image digest)
   */
  void record(long epoch, long jobDigest);

  /** Where the pending record of the epoch stands; {@link Progress#DONE} means synced. */
  Progress recordProgress();

  /** Why {@link #recordProgress} is {@link Progress#FAILED}. */
  Throwable recordFailure();

  /** This rank's term of the job-wide digest. */
  long digestTerm(int rank, long imageDigest);

  /**
   * The epoch is committed, irrevocably: rename its record, sync the directory, then delete what
   * retention gives up.
   */
  void commit(long epoch);

  /** The epoch is abandoned: delete its pending record and what is left of it. */
  void abandon(long epoch);

  /** Whether an operator has asked for a checkpoint from outside; true once for each request. */
  boolean takeRequest();
}

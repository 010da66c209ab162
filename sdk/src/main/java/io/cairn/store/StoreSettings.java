// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import io.cairn.image.JobIdentity;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Where a job's images are, and how many.
 *
 * @param directory holds a directory for each job
 * @param jobId names the job
 * @param keptEpochs how many committed epochs are kept, at least 1
 * @param lockWaitMillis how long to wait for another launch to end before giving up
 * @param requestPollMillis how often to look for an operator's request, at most
 * @param shared the directory of the shared tier, if there is one; holds a directory for each job
 */
public record StoreSettings(
    Path directory,
    String jobId,
    int keptEpochs,
    long lockWaitMillis,
    long requestPollMillis,
    Optional<Path> shared) {

  public StoreSettings {
    JobIdentity.requireJobId(jobId);
    if (keptEpochs < 1) {
      throw new IllegalArgumentException("kept epochs: " + keptEpochs + ", expected 1 or more");
    }
  }

  /** Without a shared tier. */
  public StoreSettings(
      Path directory, String jobId, int keptEpochs, long lockWaitMillis, long requestPollMillis) {
    this(directory, jobId, keptEpochs, lockWaitMillis, requestPollMillis, Optional.empty());
  }

  /**
   * With two epochs kept, five seconds' wait for the lock, and a look for requests every 200 ms.
   */
  public StoreSettings(Path directory, String jobId) {
    this(directory, jobId, 2, 5_000, 200);
  }
}

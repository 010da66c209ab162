// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.nio.charset.StandardCharsets;
import java.util.UUID;
import java.util.regex.Pattern;

/**
 * What an image must agree with before it may be restored.
 *
 * @param jobId the name that the user gave the job; 1 to 100 of letters, digits, dot, dash,
 *     underscore
 * @param jobUuid drawn when the job was first seen, so that two jobs with one name differ
 * @param worldSize number of ranks
 * @param pageBytes the system's page size
 */
public record JobIdentity(String jobId, UUID jobUuid, int worldSize, long pageBytes) {
  /** Bytes that a job id may have. */
  public static final int MAX_JOB_ID_BYTES = 100;

  // It names a directory: nothing that a shell or a path could misread.
  private static final Pattern JOB_ID = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_.-]*");

  public JobIdentity {
    requireJobId(jobId);
    if (worldSize < 1) {
      throw new IllegalArgumentException("world size " + worldSize);
    }
    if (pageBytes < 1) {
      throw new IllegalArgumentException("page size " + pageBytes);
    }
  }

  /** Returns the job id, or throws an IllegalArgumentException that says what is wrong with it. */
  public static String requireJobId(String jobId) {
    if (!isJobId(jobId)) {
      throw new IllegalArgumentException(
          "job id \""
              + jobId
              + "\": expected 1 to "
              + MAX_JOB_ID_BYTES
              + " letters, digits, dots, dashes or underscores, the first no dot or dash");
    }
    return jobId;
  }

  /** Whether it can be a job's id. */
  public static boolean isJobId(String jobId) {
    return jobId.getBytes(StandardCharsets.UTF_8).length <= MAX_JOB_ID_BYTES
        && JOB_ID.matcher(jobId).matches();
  }
}

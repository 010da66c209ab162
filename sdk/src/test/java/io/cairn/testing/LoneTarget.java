// SPDX-License-Identifier: Apache-2.0
package io.cairn.testing;

import io.cairn.image.EpochId;
import io.cairn.image.ImageTarget;
import io.cairn.image.JobIdentity;
import java.nio.file.Path;
import java.util.UUID;
import java.util.function.LongFunction;

/** Where the only rank of a job writes its images: without records, and without an end of space. */
public final class LoneTarget implements ImageTarget {
  private final JobIdentity job;
  private final Path directory;
  private final LongFunction<Path> files;

  /**
   * @param files where the image of an epoch is
   */
  public LoneTarget(long pageBytes, Path directory, LongFunction<Path> files) {
    job = new JobIdentity("job", new UUID(1, 2), 1, pageBytes);
    this.directory = directory;
    this.files = files;
  }

  @Override
  public JobIdentity job() {
    return job;
  }

  @Override
  public int rank() {
    return 0;
  }

  @Override
  public EpochId epochId(long epoch) {
    return new EpochId(1, epoch);
  }

  @Override
  public Path prepare(long epoch) {
    return files.apply(epoch);
  }

  @Override
  public void leave(long epoch) {}

  @Override
  public Path place() {
    return directory;
  }

  @Override
  public long usableBytes() {
    return Long.MAX_VALUE;
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import java.io.IOException;
import java.nio.file.Path;

/** Another launch of the job is alive. */
public final class JobLockedException extends IOException {
  private static final long serialVersionUID = 1L;

  JobLockedException(Path lock, String holder, long waitedMillis) {
    super(
        lock
            + " is held by "
            + holder
            + ", still so after "
            + waitedMillis
            + " ms: the job is running; end that launch first, or give this one another job id");
  }
}

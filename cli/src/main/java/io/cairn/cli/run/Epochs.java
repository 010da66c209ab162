// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import java.io.IOException;

/** What the job has on disk. */
@FunctionalInterface
public interface Epochs {

  /** Looks at the disk; may take a while. */
  Event.Older older(Action.AskOlder ask) throws IOException;
}

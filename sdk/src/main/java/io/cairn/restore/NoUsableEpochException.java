// SPDX-License-Identifier: Apache-2.0
package io.cairn.restore;

import java.util.List;

/** There are committed epochs, or were, but none that all ranks can restore. */
public final class NoUsableEpochException extends Exception {
  private static final long serialVersionUID = 1L;

  NoUsableEpochException(List<String> reasons, String startAfreshHint) {
    super(
        "no committed epoch can be restored by all ranks"
            + (reasons.isEmpty()
                ? ": none is left on disk"
                : ":\n  " + String.join("\n  ", reasons))
            + "\nTo give up what was computed and start afresh: "
            + startAfreshHint);
  }
}

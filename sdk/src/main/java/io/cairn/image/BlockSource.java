// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;

/** The blocks that are to be read, by file and then by place, as a {@link BlockReader} likes it. */
@FunctionalInterface
public interface BlockSource {

  /** Fills in the next block and returns true, or returns false if there is none. Not at once. */
  boolean next(BlockJob job) throws IOException;
}

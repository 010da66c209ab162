// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import java.io.IOException;

/**
 * One rank's end of something that flows between ranks. What fails at one end (a disk, a damaged
 * file) is remembered, and the flow goes on with bytes of no value: so the other ends, which don't
 * know of it, are never left waiting. The ranks tell each other afterwards.
 */
interface Stream {

  /** Goes on as far as possible without waiting; returns whether it got on at all. */
  boolean advance();

  /** Whether nothing is left to be done. */
  boolean isDone();

  /** What failed at this end, if anything did. */
  IOException failure();

  /** Gives up what it holds. Done or not. */
  void close();
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Takes a stream of bytes, piece by piece. */
interface PieceSink extends Closeable {

  /** The next bytes; the buffer is the caller's again afterwards. */
  void piece(ByteBuffer piece) throws IOException;

  /** That was the last piece; returns when all is durable. */
  void finish() throws IOException;
}

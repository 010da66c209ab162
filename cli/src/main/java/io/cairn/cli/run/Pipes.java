// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.function.Consumer;

/** Threads that read what processes print. */
final class Pipes {
  private static final int BUFFER_BYTES = 16 * 1024;

  private Pipes() {}

  /** Reads until the stream's end; the thread ends then. */
  static Thread follow(InputStream stream, Consumer<byte[]> to, String name) {
    Thread thread =
        new Thread(
            () -> {
              byte[] buffer = new byte[BUFFER_BYTES];
              try (stream) {
                for (int n = stream.read(buffer); n >= 0; n = stream.read(buffer)) {
                  to.accept(Arrays.copyOf(buffer, n));
                }
              } catch (IOException e) {
                // The process was ended; what was read is all there is.
              }
            },
            name);
    thread.setDaemon(true);
    thread.start();
    return thread;
  }
}

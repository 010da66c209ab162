// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import io.cairn.api.Region;
import java.util.Map;
import mpi.MPIException;
import net.openhft.chronicle.bytes.BytesStore;

/** One region of more than 2 GiB, nearly all zeros. */
public final class LargeRegion {

  private static final long STRIDE = 123_456_784;

  private LargeRegion() {}

  /** Arguments: megabytes. */
  public static void main(String[] args) {
    Map<String, Long> numbers = Scene.numbers(args, "megabytes=2300");
    Cairn.run(args, cairn -> run(cairn, numbers.get("megabytes") << 20));
  }

  private static void run(Cairn cairn, long lengthBytes) throws MPIException, InterruptedException {
    Scene.watch(cairn);
    Region region = cairn.region("large", lengthBytes);
    BytesStore<?, ?> bytes = region.bytes();
    long last = lengthBytes - Long.BYTES;
    boolean restored = cairn.restore();
    if (!restored) {
      for (long at = 0; at < last; at += STRIDE) {
        bytes.writeLong(at, Scene.mix(at, 1));
      }
      bytes.writeLong(last, -1);
      cairn.requestCheckpoint();
      while (true) { // until the listener halts it
        Thread.sleep(1);
        cairn.safePoint();
      }
    }
    for (long at = 0; at < last; at += STRIDE) {
      require(bytes, at, Scene.mix(at, 1));
      require(bytes, at + STRIDE / 2 / Long.BYTES * Long.BYTES, 0);
    }
    require(bytes, last, -1);
    Scene.result(lengthBytes);
  }

  private static void require(BytesStore<?, ?> bytes, long at, long expected) {
    if (at + Long.BYTES > bytes.capacity()) {
      return;
    }
    long found = bytes.readLong(at);
    if (found != expected && !(expected == 0 && at == bytes.capacity() - Long.BYTES)) {
      throw new IllegalStateException(
          "at %,d: found %x, expected %x".formatted(at, found, expected));
    }
  }
}

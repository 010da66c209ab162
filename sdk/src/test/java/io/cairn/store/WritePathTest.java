// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.cairn.capture.CaptureSettings;
import io.cairn.image.FaultHook;
import io.cairn.testing.FaultyFiles;
import io.cairn.testing.SimulatedRank;
import io.cairn.testing.ThreadGroupWorld;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The exact operations on files that an epoch is, in their order. */
final class WritePathTest {
  private static final int BLOCK_BYTES = 256 << 10;

  @TempDir Path directory;

  @Test
  void shouldDoExactlyTheseOperations() throws Exception {
    FaultyFiles files = new FaultyFiles();
    try (SimulatedRank rank =
        new SimulatedRank(
            new StoreSettings(directory, "job", 1, 0, 0),
            new ThreadGroupWorld(1).group(0),
            files,
            FaultHook.NONE,
            new CaptureSettings(8L * BLOCK_BYTES, BLOCK_BYTES))) {
      ByteBuffer region = rank.region("u", 4 * BLOCK_BYTES + 100);
      rank.restore();
      rank.settle();
      byte[] noise = new byte[2 * BLOCK_BYTES + 100];
      new Random(1).nextBytes(noise);
      // Noise, noise, zeros, zeros, and the first 100 bytes of noise.
      region.put(0, noise, 0, 2 * BLOCK_BYTES).put(4 * BLOCK_BYTES, noise, 0, 100);
      rank.epoch(0, "");
      files.takeLog();
      rank.epoch(1, "late");
      assertEquals(
          List.of(
              "usableBytes job",
              "createDirectories epoch-1-1",
              "create rank-0.image",
              // The header.
              "write 4096 rank-0.image",
              "write 262144 rank-0.image",
              "write 262144 rank-0.image",
              // The region's rest, "counts of 1" and "late".
              "write 115 rank-0.image",
              // The head, three sections, five extents and two, and the name "u".
              "write 213 rank-0.image",
              "write 40 rank-0.image",
              "force rank-0.image"),
          until(files, "force rank-0.image"));
      assertEquals(
          List.of(
              "create pending-record",
              "write 166 pending-record",
              "force pending-record",
              "syncDirectory epoch-1-1",
              "syncDirectory job",
              "rename pending-record record",
              "syncDirectory epoch-1-1",
              // Retention keeps one: the old one goes when the new one is there for good.
              "delete record",
              "delete pending-record",
              "syncDirectory epoch-1-0",
              "delete rank-0.image",
              "delete epoch-1-0"),
          changes);
    }
  }

  private List<String> changes;

  /** The log's part up to an operation; what follows it and isn't mere looking is kept. */
  private List<String> until(FaultyFiles files, String last) {
    List<String> log = files.takeLog();
    int end = log.indexOf(last) + 1;
    changes =
        log.subList(end, log.size()).stream()
            .filter(op -> !op.matches("(open|read|exists|list) .*"))
            .toList();
    return log.subList(0, end);
  }
}

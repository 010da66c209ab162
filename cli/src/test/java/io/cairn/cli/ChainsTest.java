// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.image.FaultHook;
import io.cairn.store.StoreSettings;
import io.cairn.testing.SimulatedRank;
import io.cairn.testing.ThreadGroupWorld;
import io.cairn.testing.UnsyncedFiles;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The tool knows which epochs others can't be restored without. */
final class ChainsTest {
  private static final int BLOCK_BYTES = SimulatedRank.BLOCK_BYTES;

  @TempDir Path base;

  /** Epochs 1 to 4 of which the first is full, each other with a block of its own. */
  @BeforeEach
  void writeAChain() throws Exception {
    try (SimulatedRank rank =
        new SimulatedRank(
            new StoreSettings(base, "job", 9, 0, 0),
            new ThreadGroupWorld(1).group(0),
            new UnsyncedFiles(),
            FaultHook.NONE,
            SimulatedRank.chained(8))) {
      ByteBuffer state = rank.region("u", 9 * BLOCK_BYTES);
      byte[] noise = new byte[9 * BLOCK_BYTES];
      new Random(1).nextBytes(noise);
      state.put(0, noise);
      assertNull(rank.restore());
      for (int epoch = 1; epoch <= 4; epoch++) {
        state.put(epoch * BLOCK_BYTES, (byte) epoch);
        rank.commit(epoch, rank.image(epoch, new byte[0], new byte[3 * Long.BYTES]));
      }
    }
  }

  private Path image(long epoch) {
    return base.resolve("job").resolve("epoch-1-" + epoch).resolve("rank-0.image");
  }

  private void damage(long epoch, long block) throws Exception {
    byte[] bytes = Files.readAllBytes(image(epoch));
    bytes[(int) (4096 + block * BLOCK_BYTES + 5)] ^= 1;
    Files.write(image(epoch), bytes);
  }

  private Ran tool(String verb, String... more) {
    String[] arguments = new String[more.length + 3];
    arguments[0] = verb;
    arguments[1] = "--dir";
    arguments[2] = base.toString();
    System.arraycopy(more, 0, arguments, 3, more.length);
    return Ran.tool((Object[]) arguments);
  }

  private List<Long> epochs() {
    return LongStream.rangeClosed(1, 4)
        .filter(epoch -> Files.exists(image(epoch)))
        .boxed()
        .toList();
  }

  @Test
  void shouldShowWhatAnImageTakesBytesFrom() {
    tool("show", "job", "1-4").require(ExitCode.OK, "takes bytes from epochs 1-3, 1-2, 1-1");
    Ran show = tool("show", "job", "1-3", "--json").require(ExitCode.OK);
    assertEquals(2L, show.at("images.0.ancestors.0.epoch"));
    assertEquals(1L, show.at("images.0.ancestors.1.epoch"));
  }

  @Test
  void shouldPruneNoEpochThatAKeptOneNeeds() throws Exception {
    tool("prune", "job", "--keep", "1").require(ExitCode.OK);
    assertEquals(List.of(1L, 2L, 3L, 4L), epochs());
    // Of no use any more, and of none to others.
    Files.delete(image(4).resolveSibling("record"));
    tool("prune", "job", "--leftovers").require(ExitCode.OK);
    assertEquals(List.of(1L, 2L, 3L), epochs());
    tool("prune", "job", "--keep", "1").require(ExitCode.OK);
    assertEquals(List.of(1L, 2L, 3L), epochs());
  }

  @Test
  void shouldKeepAnEpochWithoutARecordThatOthersNeed() throws Exception {
    Files.delete(image(2).resolveSibling("record"));
    tool("prune", "job", "--leftovers").require(ExitCode.OK);
    assertEquals(List.of(1L, 2L, 3L, 4L), epochs());
  }

  @Test
  void shouldVerifyAnEpochWithAllThatItNeeds() throws Exception {
    tool("verify", "job", "1-4").require(ExitCode.OK);
    damage(2, 0);
    tool("verify", "job", "1-4")
        .require(ExitCode.NOT_FOUND_OR_DAMAGED, image(2) + " at offset 4096: block checksum");
    tool("verify", "job", "1-1").require(ExitCode.OK);
  }

  @Test
  void shouldSayThatAStartPassesOverEpochsWithoutWhatTheyNeed() throws Exception {
    damage(3, 0);
    Ran recoverable =
        tool("recoverable", "job")
            .require(
                ExitCode.OK,
                "not epoch 1-4: ",
                "epoch 3 of generation 1, rank 0: no sound image",
                "job goes on from epoch 1-2");
    assertTrue(recoverable.out().contains("not epoch 1-3"), recoverable.out());
    // What newer images have instead isn't needed.
    writeAgain();
    damage(1, 4);
    tool("recoverable", "job").require(ExitCode.OK, "job goes on from epoch 1-4");
    Files.delete(image(1));
    tool("recoverable", "job")
        .require(ExitCode.NOT_FOUND_OR_DAMAGED, "not epoch 1-4: ", image(1) + ": missing");
  }

  private void writeAgain() throws Exception {
    tool("prune", "job", "--whole-job", "--even-the-last").require(ExitCode.OK);
    writeAChain();
  }
}

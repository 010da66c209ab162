// SPDX-License-Identifier: Apache-2.0
package io.cairn.restore;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.image.FaultHook;
import io.cairn.store.StoreSettings;
import io.cairn.testing.FaultyFiles;
import io.cairn.testing.SimulatedRank;
import io.cairn.testing.ThreadGroupWorld;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Random;
import net.openhft.chronicle.bytes.BytesIn;
import net.openhft.chronicle.bytes.BytesMarshallable;
import net.openhft.chronicle.bytes.BytesOut;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** One reading of an image where it is sound, another epoch where it isn't. */
@Timeout(60)
final class ContinuationTest {
  private static final int STATE_BYTES = 100_000;

  @TempDir Path directory;

  /** Counts how often it was given its bytes. */
  private static final class Counter implements BytesMarshallable {
    long value;
    int reads;

    @Override
    public void writeMarshallable(BytesOut<?> bytes) {
      bytes.writeLong(value);
    }

    @Override
    public void readMarshallable(BytesIn<?> bytes) {
      value = bytes.readLong();
      reads++;
    }
  }

  private final Counter counter = new Counter();
  private ByteBuffer state;

  private SimulatedRank rank(FaultyFiles files, int rank, ThreadGroupWorld world) throws Exception {
    SimulatedRank result =
        new SimulatedRank(
            new StoreSettings(directory.resolve("rank-" + rank), "job", 3, 0, 0),
            world.group(rank),
            files,
            FaultHook.NONE);
    state = result.region("u", STATE_BYTES);
    result.registry.state("counter", counter);
    return result;
  }

  private static byte[] noise(long seed) {
    byte[] bytes = new byte[STATE_BYTES];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  /** Three epochs of one rank. */
  private void commitThree() throws Exception {
    try (SimulatedRank rank = rank(new FaultyFiles(), 0, new ThreadGroupWorld(1))) {
      rank.restore();
      for (int epoch = 0; epoch < 3; epoch++) {
        state.put(0, noise(epoch));
        counter.value = epoch;
        rank.epoch(epoch, "");
      }
    }
  }

  private void damage(int epoch) throws IOException {
    Path image = directory.resolve("rank-0/job/epoch-1-" + epoch + "/rank-0.image");
    try (FileChannel channel = FileChannel.open(image, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(noise(99), 0, 8), 50_000);
    }
  }

  @Test
  void shouldReadASoundImageOnce() throws Exception {
    commitThree();
    FaultyFiles files = new FaultyFiles();
    files.pretendDirect(4096);
    try (SimulatedRank rank = rank(files, 0, new ThreadGroupWorld(1))) {
      files.takeLog();
      rank.restore().close();
      assertEquals(-1, state.mismatch(ByteBuffer.wrap(noise(2))));
      assertEquals(1, files.takeLog().stream().filter(op -> op.startsWith("readDirect")).count());
      assertEquals(1, rank.choices.size());
    }
  }

  @Test
  void shouldFallBackFromWhatTurnsOutToBeDamaged() throws Exception {
    commitThree();
    damage(2);
    try (SimulatedRank rank = rank(new FaultyFiles(), 0, new ThreadGroupWorld(1))) {
      rank.restore().close();
      assertEquals(-1, state.mismatch(ByteBuffer.wrap(noise(1))));
      assertEquals(1, counter.value);
      assertEquals(1, counter.reads, "callbacks see what is restored, and nothing else");
      assertEquals(2, rank.choices.size());
      assertEquals(List.of(), rank.choices.get(0).reasons());
      assertTrue(rank.reasons.get(0).contains("block checksum"), rank.reasons.toString());
    }
  }

  @Test
  void shouldFallBackTwice() throws Exception {
    commitThree();
    damage(2);
    damage(1);
    try (SimulatedRank rank = rank(new FaultyFiles(), 0, new ThreadGroupWorld(1))) {
      rank.restore().close();
      assertEquals(-1, state.mismatch(ByteBuffer.wrap(noise(0))));
      assertEquals(2, rank.reasons.size(), rank.reasons.toString());
    }
  }

  @Test
  void shouldNotStartAfreshWhereAllIsDamaged() throws Exception {
    commitThree();
    for (int epoch = 0; epoch < 3; epoch++) {
      damage(epoch);
    }
    try (SimulatedRank rank = rank(new FaultyFiles(), 0, new ThreadGroupWorld(1))) {
      NoUsableEpochException e = assertThrows(NoUsableEpochException.class, rank::restore);
      assertTrue(e.getMessage().contains("block checksum"), e.getMessage());
      assertEquals(0, counter.reads);
    }
  }

  @Test
  void shouldGoOnWithTheSameEpochWhereADiskErredOnce() throws Exception {
    commitThree();
    FaultyFiles files = new FaultyFiles();
    files.pretendDirect(4096);
    try (SimulatedRank rank = rank(files, 0, new ThreadGroupWorld(1))) {
      int[] left = {2};
      // The direct read, and the one by way of the cache that is tried instead.
      boolean[] begun = {false};
      files.fail(
          "Input/output error",
          op -> {
            begun[0] |= op.startsWith("readDirect");
            return begun[0] && op.startsWith("read") && left[0]-- > 0;
          });
      rank.restore().close();
      assertEquals(-1, state.mismatch(ByteBuffer.wrap(noise(2))));
      assertEquals(2, rank.choices.size());
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.restore;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.cairn.testing.SimulatedRank;
import io.cairn.testing.ThreadGroupWorld;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Random;
import net.openhft.chronicle.bytes.BytesIn;
import net.openhft.chronicle.bytes.BytesMarshallable;
import net.openhft.chronicle.bytes.BytesOut;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Capture, image, record, restore: what went in comes out. */
final class RoundTripTest {
  @TempDir Path directory;

  private static final class Clock implements BytesMarshallable {
    long step;
    String note = "";

    @Override
    public void writeMarshallable(BytesOut<?> bytes) {
      bytes.writeLong(step);
      bytes.writeUtf8(note);
    }

    @Override
    public void readMarshallable(BytesIn<?> bytes) {
      step = bytes.readLong();
      note = bytes.readUtf8();
    }
  }

  /** Everything that can be registered. */
  private static final class Program {
    final ByteBuffer noise;
    final ByteBuffer zeros;
    final ByteBuffer text;
    final Clock clock = new Clock();
    final boolean[] booleans = new boolean[100];
    final byte[] bytes = new byte[5000];
    final char[] chars = new char[3];
    final short[] shorts = new short[3000];
    final int[] ints = new int[2049];
    final long[] longs = new long[1];
    final float[] floats = new float[0];
    final double[] doubles = new double[10_000];

    Program(SimulatedRank rank) {
      noise = rank.region("noise", 300_001);
      zeros = rank.region("zeros", 100_000);
      text = rank.region("text", 70_000);
      rank.region("empty", 0);
      rank.registry.state("clock", clock);
      rank.registry.array("booleans", booleans);
      rank.registry.array("bytes", bytes);
      rank.registry.array("chars", chars);
      rank.registry.array("shorts", shorts);
      rank.registry.array("ints", ints);
      rank.registry.array("longs", longs);
      rank.registry.array("floats", floats);
      rank.registry.array("doubles", doubles);
    }

    void fill(long seed) {
      Random random = new Random(seed);
      byte[] block = new byte[noise.capacity()];
      random.nextBytes(block);
      noise.put(0, block);
      for (int i = 0; i < text.capacity(); i++) {
        text.put(i, (byte) ('a' + (i / 100 + seed) % 26));
      }
      clock.step = random.nextLong();
      clock.note = "step of " + seed + "x".repeat(random.nextInt(20_000));
      random.nextBytes(bytes);
      for (int i = 0; i < booleans.length; i++) {
        booleans[i] = random.nextBoolean();
      }
      for (int i = 0; i < chars.length; i++) {
        chars[i] = (char) random.nextInt();
      }
      for (int i = 0; i < shorts.length; i++) {
        shorts[i] = (short) random.nextInt();
      }
      for (int i = 0; i < ints.length; i++) {
        ints[i] = random.nextInt();
      }
      longs[0] = random.nextLong();
      for (int i = 0; i < doubles.length; i++) {
        doubles[i] = random.nextGaussian();
      }
    }

    void assertSame(Program other) {
      assertEquals(-1, noise.mismatch(other.noise), "noise");
      assertEquals(-1, zeros.mismatch(other.zeros), "zeros");
      assertEquals(-1, text.mismatch(other.text), "text");
      assertEquals(clock.step, other.clock.step);
      assertEquals(clock.note, other.clock.note);
      assertArrayEquals(booleans, other.booleans);
      assertArrayEquals(bytes, other.bytes);
      assertArrayEquals(chars, other.chars);
      assertArrayEquals(shorts, other.shorts);
      assertArrayEquals(ints, other.ints);
      assertArrayEquals(longs, other.longs);
      assertArrayEquals(floats, other.floats);
      assertArrayEquals(doubles, other.doubles);
    }
  }

  @Test
  void shouldBringBackWhatWasCaptured() throws Exception {
    Program before;
    try (SimulatedRank rank = new SimulatedRank(directory, new ThreadGroupWorld(1).group(0))) {
      before = new Program(rank);
      assertNull(rank.restore());
      before.fill(1);
      rank.epoch(0, "");
      before.fill(2);
      rank.epoch(1, "late message");
    }
    try (SimulatedRank rank = new SimulatedRank(directory, new ThreadGroupWorld(1).group(0))) {
      Program after = new Program(rank);
      after.fill(3);
      // Memory that was zero when it was saved must be so again, whatever it holds now.
      after.zeros.put(77_777, (byte) 1);
      RestoredImage restored = rank.restore();
      assertNotNull(restored);
      before.assertSame(after);
      assertEquals(1, restored.epoch().epoch());
      assertEquals(101, restored.safePoint());
      assertEquals("late message", rank.channels(restored));
      restored.close();
    }
  }
}

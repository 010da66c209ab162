// SPDX-License-Identifier: Apache-2.0
package io.cairn.natives;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.store.ErasureCode;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Against arithmetic that is slow and plain. */
class NativeErasureCodeTest {

  private final ErasureCode code = new NativeErasureCode();

  /** GF(2^8) over x^8 + x^4 + x^3 + x^2 + 1, as a schoolbook has it. */
  private static int multiply(int a, int b) {
    int product = 0;
    for (int bit = 7; bit >= 0; bit--) {
      product <<= 1;
      if (product > 0xFF) {
        product ^= 0x11D;
      }
      if ((b >> bit & 1) != 0) {
        product ^= a;
      }
    }
    return product;
  }

  private static int inverse(int a) {
    return IntStream.range(1, 256).filter(b -> multiply(a, b) == 1).findFirst().orElseThrow();
  }

  /** One parity byte; {@code column[j]} is data shard j's byte. */
  private static int parity(int[] column, int parityShards, int row) {
    int k = column.length;
    int sum = 0;
    for (int j = 0; j < k; j++) {
      sum ^= parityShards == 1 ? column[j] : multiply(inverse((k + row) ^ j), column[j]);
    }
    return sum;
  }

  @Test
  void shouldAgreeWithPlainArithmetic() {
    for (int[] shape : new int[][] {{1, 1}, {2, 1}, {5, 1}, {1, 2}, {2, 2}, {4, 2}, {5, 3}}) {
      int k = shape[0];
      int m = shape[1];
      ByteBuffer[] shards = encode(k, m, 300, new SplittableRandom(k * 10L + m));
      for (int at = 0; at < 300; at++) {
        int[] column = new int[k];
        for (int j = 0; j < k; j++) {
          column[j] = shards[j].get(at) & 0xFF;
        }
        for (int row = 0; row < m; row++) {
          assertEquals(
              parity(column, m, row),
              shards[k + row].get(at) & 0xFF,
              "byte %d of parity shard %d, k = %d, m = %d".formatted(at, row, k, m));
        }
      }
    }
  }

  /** Some shards are lost, and come back from others in any order, at any addresses. */
  @Test
  void shouldGiveBackWhateverIsLost() {
    long seed = System.nanoTime();
    System.out.println("seed of shouldGiveBackWhateverIsLost: " + seed);
    SplittableRandom random = new SplittableRandom(seed);
    for (int round = 0; round < 300; round++) {
      int k = random.nextInt(1, 12);
      int m = random.nextInt(1, 6);
      int length = random.nextInt(round % 10 == 0 ? 200_000 : 500);
      ByteBuffer[] shards = encode(k, m, length, random);
      int[] order = shuffled(k + m, random);
      int[] available = Arrays.copyOf(order, k);
      ByteBuffer[] sources = new ByteBuffer[k];
      for (int i = 0; i < k; i++) {
        sources[i] = shards[available[i]];
      }
      for (int wanted = 0; wanted < k + m; wanted++) {
        ByteBuffer destination = somewhere(length, random);
        code.recipe(k, m, available, wanted).combine(sources, destination);
        String what =
            "seed %d, round %d: shard %d of %d + %d from %s, %d bytes"
                .formatted(seed, round, wanted, k, m, Arrays.toString(available), length);
        assertEquals(length, destination.remaining(), what);
        assertArrayEquals(bytes(shards[wanted]), bytes(destination), what);
      }
    }
  }

  @Test
  void shouldLetThreadsShareARecipe() {
    ByteBuffer[] shards = encode(4, 2, 10_000, new SplittableRandom(1));
    ErasureCode.Recipe recipe = code.recipe(4, 2, new int[] {1, 2, 3, 5}, 0);
    ByteBuffer[] sources = {shards[1], shards[2], shards[3], shards[5]};
    IntStream.range(0, 200)
        .parallel()
        .forEach(
            i -> {
              ByteBuffer destination = ByteBuffer.allocateDirect(10_000);
              recipe.combine(sources, destination);
              assertEquals(shards[0], destination);
            });
  }

  @Test
  void shouldWriteNothingButWhatRemainsOfTheDestination() {
    ByteBuffer source = ByteBuffer.allocateDirect(100);
    IntStream.range(0, 100).forEach(i -> source.put(i, (byte) 1));
    ByteBuffer destination = ByteBuffer.allocateDirect(100);
    code.recipe(1, 1, new int[] {0}, 1)
        .combine(
            new ByteBuffer[] {source.limit(90).position(13)}, destination.limit(87).position(10));
    assertEquals(13, source.position());
    assertEquals(10, destination.position());
    destination.clear();
    for (int i = 0; i < 100; i++) {
      assertEquals(i >= 10 && i < 87 ? 1 : 0, destination.get(i), "byte " + i);
    }
  }

  @Test
  void shouldRefuseWhatIsNoCode() {
    refused("found 0 data and 1 parity shards", () -> code.recipe(0, 1, new int[0], 0));
    refused("found 1 data and 0 parity shards", () -> code.recipe(1, 0, new int[] {0}, 0));
    refused("at most 255", () -> code.recipe(200, 56, new int[200], 0));
    refused("wanted shard 3; expected 0 to 2", () -> code.recipe(2, 1, new int[] {0, 1}, 3));
    refused("available shard 7; expected", () -> code.recipe(2, 1, new int[] {0, 7}, 0));
    refused("shard 1 is there twice", () -> code.recipe(2, 1, new int[] {1, 1}, 0));
    refused("found 1 available shards; expected 2", () -> code.recipe(2, 1, new int[1], 0));
  }

  @Test
  void shouldRefuseBuffersThatDontFit() {
    ErasureCode.Recipe recipe = code.recipe(2, 1, new int[] {0, 1}, 2);
    ByteBuffer whole = ByteBuffer.allocateDirect(100);
    ByteBuffer[] two = {whole.slice(0, 10), whole.slice(10, 10)};
    ByteBuffer free = whole.slice(20, 10);
    recipe.combine(two, free);
    refused("found 1 sources; expected 2", () -> recipe.combine(new ByteBuffer[] {free}, free));
    refused(
        "source 1 has 10 bytes in a direct buffer; expected 11",
        () -> recipe.combine(new ByteBuffer[] {whole.slice(0, 11), two[1]}, whole.slice(40, 11)));
    refused(
        "source 0 has 10 bytes in a heap buffer",
        () -> recipe.combine(new ByteBuffer[] {ByteBuffer.allocate(10), two[1]}, free));
    refused("the destination has", () -> recipe.combine(two, ByteBuffer.allocate(10)));
    refused("read-only", () -> recipe.combine(two, free.asReadOnlyBuffer()));
    refused(
        "source 1 shares memory with the destination",
        () -> recipe.combine(two, whole.slice(19, 10)));
  }

  private static void refused(String part, Executable call) {
    String text = assertThrows(IllegalArgumentException.class, call).getMessage();
    assertTrue(text.contains(part), text);
  }

  private ByteBuffer[] encode(int k, int m, int length, SplittableRandom random) {
    ByteBuffer[] shards = new ByteBuffer[k + m];
    for (int i = 0; i < k; i++) {
      byte[] bytes = new byte[length];
      random.nextBytes(bytes);
      shards[i] = somewhere(length, random);
      shards[i].put(shards[i].position(), bytes);
    }
    int[] data = IntStream.range(0, k).toArray();
    for (int i = k; i < k + m; i++) {
      shards[i] = somewhere(length, random);
      code.recipe(k, m, data, i).combine(Arrays.copyOf(shards, k), shards[i]);
    }
    for (int i = 0; i < k + m; i++) {
      shards[i] = shards[i].slice();
    }
    return shards;
  }

  /** At an odd address, or at one that all vector instructions like. */
  private static ByteBuffer somewhere(int length, SplittableRandom random) {
    int start = random.nextInt(64);
    ByteBuffer memory = ByteBuffer.allocateDirect(length + 192).alignedSlice(64);
    return random.nextBoolean()
        ? memory.limit(length)
        : memory.position(start).limit(start + length);
  }

  private static byte[] bytes(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.get(buffer.position(), bytes);
    return bytes;
  }

  private static int[] shuffled(int count, SplittableRandom random) {
    int[] order = IntStream.range(0, count).toArray();
    for (int i = count - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      int shard = order[i];
      order[i] = order[j];
      order[j] = shard;
    }
    return order;
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.testing.MemoryFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Test;

/**
 * Whole images, by clocks that move when the one of the core is looked at, by a nanosecond per byte
 * of a block: so fast is LZ4. What a store takes is said by the test.
 */
final class EncodingTest {
  private static final int BLOCK_BYTES = 64 << 10;
  private static final int BLOCKS = 512;
  private static final long RAW_BYTES = (long) BLOCKS * BLOCK_BYTES;

  private long now;
  private long onCore;
  private long slowdown = 1;
  private long writeNanosPerByte;
  private long syncNanosPerByte;
  private final List<String> said = new ArrayList<>();
  private final byte[] noise = noise();

  private static byte[] noise() {
    byte[] bytes = new byte[BLOCK_BYTES];
    new Random(1).nextBytes(bytes);
    return bytes;
  }

  private final class SlowFiles extends MemoryFiles {
    @Override
    public OutputFile create(Path file) throws IOException {
      OutputFile out = super.create(file);
      return new OutputFile() {
        private long bytes;

        @Override
        public int write(ByteBuffer source) throws IOException {
          int n = out.write(source);
          bytes += n;
          now += n * writeNanosPerByte;
          return n;
        }

        @Override
        public void force() throws IOException {
          now += bytes * syncNanosPerByte;
          out.force();
        }

        @Override
        public void close() throws IOException {
          out.close();
        }
      };
    }
  }

  private long coreTime() {
    now += slowdown * BLOCK_BYTES;
    onCore += BLOCK_BYTES;
    return onCore;
  }

  private WriteBuffers buffers(EncodeMode mode) {
    return new WriteBuffers(
        BLOCK_BYTES,
        new Encoding(mode, RateLimit.NONE, () -> now, this::coreTime, said::add),
        RateLimit.NONE);
  }

  /** Writes an image and returns its length; what it holds is checked. */
  private long image(WriteBuffers buffers, String... regions) throws IOException {
    SlowFiles files = new SlowFiles();
    ImageHeader header = new ImageHeader(SampleImage.JOB, SampleImage.EPOCH, 1, 1, BLOCK_BYTES);
    try (ImageWriter writer =
        ImageWriter.create(files, SampleImage.FILE, header, buffers, FaultHook.NONE)) {
      for (String region : regions) {
        ByteBuffer block = block(region);
        writer.beginSection(SectionKind.REGION, ElementType.NONE, region, RAW_BYTES);
        for (int i = 0; i < BLOCKS; i++) {
          writer.write(block.clear());
          assertEquals(BLOCK_BYTES, block.position());
        }
        writer.endSection();
      }
      writer.beginSection(SectionKind.COUNTS, ElementType.NONE, "", 0);
      writer.endSection();
      writer.beginSection(SectionKind.CHANNELS, ElementType.NONE, "", 0);
      writer.endSection();
      writer.finish();
    }
    try (ImageReader reader = ImageReader.open(files, SampleImage.FILE)) {
      reader.verify();
      for (String region : regions) {
        ByteBuffer read = ByteBuffer.allocateDirect(BLOCK_BYTES);
        ByteBuffer expected = block(region).clear();
        reader.read(
            reader.find(SectionKind.REGION, region).orElseThrow(),
            BlockSink.through(read, (offset, window) -> assertEquals(expected, window)));
      }
    }
    return files.get(SampleImage.FILE).length;
  }

  private ByteBuffer block(String content) {
    int random =
        switch (content) {
          case "zero" -> 0;
          case "half" -> BLOCK_BYTES / 2;
          case "hardly" -> BLOCK_BYTES / 32 * 31;
          default -> BLOCK_BYTES;
        };
    return ByteBuffer.allocateDirect(BLOCK_BYTES).put(noise, 0, random);
  }

  /** The image's share of what it saves. */
  private double size(WriteBuffers buffers, String... regions) throws IOException {
    return (double) image(buffers, regions) / RAW_BYTES / regions.length;
  }

  @Test
  void shouldLeaveAFastStoreTheBytesAsTheyAre() throws IOException {
    try (WriteBuffers buffers = buffers(EncodeMode.AUTO)) {
      for (int i = 0; i < 10; i++) {
        assertTrue(size(buffers, "half") > 0.95, "image " + i);
      }
      assertEquals(1, said.size(), said.toString());
      assertTrue(said.get(0).startsWith("region \"half\": stored as it is"), said.toString());
    }
  }

  @Test
  void shouldCompressForAStoreWhoseSyncsAreSlowFromTheSecondImageOn() throws IOException {
    syncNanosPerByte = 10;
    try (WriteBuffers buffers = buffers(EncodeMode.AUTO)) {
      assertTrue(size(buffers, "half") > 0.95);
      for (int i = 0; i < 10; i++) {
        assertTrue(size(buffers, "half") < 0.52, "image " + i);
      }
      assertEquals(2, said.size(), said.toString());
      assertTrue(said.get(1).startsWith("region \"half\": LZ4, 512 of 512 blocks"), said.get(1));
      assertTrue(said.get(1).contains("takes 1.00 GB/s and saves 50%"), said.get(1));
    }
  }

  @Test
  void shouldFindOutInTheFirstImageThatWritesAreSlow() throws IOException {
    writeNanosPerByte = 10;
    try (WriteBuffers buffers = buffers(EncodeMode.AUTO)) {
      double first = size(buffers, "half");
      // The first 8 MiB of 32 are as they are.
      assertTrue(first > 0.55 && first < 0.7, "" + first);
      assertTrue(size(buffers, "half") < 0.52);
    }
  }

  /** It is found by the thread that asks first. */
  @Test
  void shouldKnowHowLongAThreadHadACore() throws Exception {
    LongSupplier clock = Encoding.ownCoreClock();
    long[] seen = new long[2];
    Thread thread =
        new Thread(
            () -> {
              seen[0] = clock.getAsLong();
              long end = System.nanoTime() + 60_000_000_000L;
              do {
                seen[1] = clock.getAsLong();
              } while (seen[1] - seen[0] < 1_000_000 && System.nanoTime() < end);
            });
    long begin = System.nanoTime();
    thread.start();
    thread.join();
    assertTrue(seen[1] - seen[0] >= 1_000_000, "it computed, and had no core");
    assertTrue(seen[1] <= System.nanoTime() - begin, "more than there was");
  }

  @Test
  void shouldGoBackWhenTheStoreHasBecomeFast() throws IOException {
    syncNanosPerByte = 10;
    try (WriteBuffers buffers = buffers(EncodeMode.AUTO)) {
      for (int i = 0; i < 5; i++) {
        image(buffers, "half");
      }
      syncNanosPerByte = 0;
      for (int i = 0; i < 3; i++) {
        assertTrue(size(buffers, "half") < 0.52, "image " + i);
      }
      assertTrue(size(buffers, "half") > 0.95);
    }
  }

  @Test
  void shouldChooseForEachRegionByItself() throws IOException {
    syncNanosPerByte = 10;
    try (WriteBuffers buffers = buffers(EncodeMode.AUTO)) {
      image(buffers, "random", "half", "zero");
      said.clear();
      assertEquals(0.5, size(buffers, "random", "half", "zero"), 0.02);
      assertEquals(1, said.size(), said.toString());
      assertTrue(said.get(0).startsWith("region \"half\": LZ4"), said.toString());
    }
  }

  @Test
  void shouldCompressLessWhereCoresAreTaken() throws IOException {
    syncNanosPerByte = 5;
    try (WriteBuffers buffers = buffers(EncodeMode.AUTO)) {
      image(buffers, "half");
      assertTrue(size(buffers, "half") < 0.52);
      slowdown = 4;
      for (int i = 0; i < 3; i++) {
        assertTrue(size(buffers, "half") < 0.52, "image " + i);
      }
      assertTrue(size(buffers, "half") > 0.95);
      assertTrue(said.get(2).endsWith("0.20 GB/s, the writer has 25% of a core"), said.get(2));
    }
  }

  @Test
  void shouldNotReadLZ4ForSoLittle() throws IOException {
    syncNanosPerByte = 100;
    try (WriteBuffers small = buffers(EncodeMode.SMALL);
        WriteBuffers buffers = buffers(EncodeMode.AUTO)) {
      assertTrue(size(small, "hardly") > 1);
      said.clear();
      for (int i = 0; i < 3; i++) {
        assertTrue(size(buffers, "hardly") > 1, "image " + i);
      }
      assertEquals(1, said.size(), said.toString());
      assertTrue(said.get(0).startsWith("region \"hardly\": stored as it is, 0 of"), said.get(0));
      assertTrue(said.get(0).contains("and saves 0%"), said.get(0));
    }
  }

  @Test
  void shouldDoAsItIsTold() throws IOException {
    try (WriteBuffers fast = buffers(EncodeMode.FAST);
        WriteBuffers small = buffers(EncodeMode.SMALL)) {
      syncNanosPerByte = 100;
      assertTrue(size(fast, "half") > 1);
      assertTrue(size(fast, "half") > 1);
      assertTrue(size(fast, "zero") < 0.01);
      syncNanosPerByte = 0;
      assertTrue(size(small, "half") < 0.51);
      assertTrue(size(small, "half") < 0.51);
      assertTrue(size(small, "zero") < 0.01);
      assertEquals(0, onCore, "there was nothing to choose");
    }
    assertEquals("region \"half\": stored as it is, as cairn.encode=fast says", said.get(0));
    assertTrue(said.get(1).endsWith(" and saves 50% (cairn.encode=small)"), said::toString);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.testing.MemoryFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What was written is read, through any chain of parents, and no block is read twice or in vain.
 */
final class ImageChainTest {
  private final ReadCounts files = new ReadCounts();

  /** Notes which bytes of which file were read. */
  private static final class ReadCounts extends MemoryFiles {
    private final Map<Path, int[]> counts = new ConcurrentHashMap<>();

    @Override
    public InputFile open(Path file) throws IOException {
      InputFile in = super.open(file);
      int[] read = counts.computeIfAbsent(file, f -> new int[get(f).length]);
      return new InputFile() {
        @Override
        public long lengthBytes() throws IOException {
          return in.lengthBytes();
        }

        @Override
        public int read(ByteBuffer destination, long offset) throws IOException {
          int n = in.read(destination, offset);
          for (int i = 0; i < n; i++) {
            read[(int) offset + i]++;
          }
          return n;
        }

        @Override
        public void close() throws IOException {
          in.close();
        }
      };
    }
  }

  /** One rank's state from epoch to epoch, and who wrote each byte of its region last. */
  private final class Model {
    private final Random random;
    private final int blockBytes;
    private final byte[] region;
    private final int[] writer;
    private final List<Ancestor> chain = new ArrayList<>();
    private final List<Path> written = new ArrayList<>();
    private final WriteBuffers buffers;

    Model(long seed, int blockBytes, WriteBuffers buffers) {
      random = new Random(seed);
      this.blockBytes = blockBytes;
      this.buffers = buffers;
      region = new byte[1 + random.nextInt(12 * blockBytes)];
      writer = new int[region.length];
    }

    /** Changes some bytes and writes an image of those, all others by way of the parent. */
    void epoch(int number) throws IOException {
      EpochId epoch = new EpochId(3, number);
      Path file = SampleImage.file(epoch);
      ImageHeader header = new ImageHeader(SampleImage.JOB, epoch, number, 1, blockBytes);
      boolean full = chain.isEmpty();
      try (ImageWriter out =
          ImageWriter.create(files, file, header, chain, buffers, FaultHook.NONE)) {
        out.beginSection(SectionKind.REGION, ElementType.NONE, "u", region.length);
        for (int at = 0; at < region.length; ) {
          int inBlock = Math.min(region.length - at, blockBytes - at % blockBytes);
          int run = 1 + random.nextInt(random.nextInt(3) == 0 ? 3 * blockBytes : inBlock);
          if (!full && random.nextInt(3) > 0) {
            int n = Math.min(run, region.length - at);
            out.parent(n);
            at += n;
          } else {
            int n = random.nextBoolean() ? inBlock : Math.min(run, inBlock);
            content(at, n);
            Arrays.fill(writer, at, at + n, number);
            out.write(ByteBuffer.allocateDirect(n).put(region, at, n).flip());
            at += n;
          }
        }
        out.endSection();
        for (SectionKind kind : List.of(SectionKind.COUNTS, SectionKind.CHANNELS)) {
          out.beginSection(kind, ElementType.NONE, "", 0);
          out.endSection();
        }
        out.finish();
        if (out.ancestors().isEmpty()) {
          chain.clear();
        }
        chain.add(0, new Ancestor(epoch, out.lengthBytes(), out.digest()));
      }
      written.add(file);
    }

    private void content(int at, int n) {
      switch (random.nextInt(3)) {
        case 0 -> Arrays.fill(region, at, at + n, (byte) 0);
        case 1 -> Arrays.fill(region, at, at + n, (byte) random.nextInt(1, 100));
        default -> {
          for (int i = at; i < at + n; i++) {
            region[i] = (byte) random.nextInt();
          }
        }
      }
    }
  }

  private byte[] read(ImageChain chain) throws IOException {
    Section section = chain.newest().sections().get(0);
    ByteBuffer bytes = ByteBuffer.allocateDirect((int) section.lengthBytes());
    AtomicLong at = new AtomicLong();
    chain.read(
        section,
        new BlockSink() {
          @Override
          public ByteBuffer window(long offset, int lengthBytes) {
            assertEquals(at.getAndAdd(lengthBytes), offset);
            return bytes.slice((int) offset, lengthBytes);
          }
        });
    assertEquals(section.lengthBytes(), at.get());
    byte[] copy = new byte[bytes.capacity()];
    bytes.get(0, copy);
    return copy;
  }

  /** The same by several threads, of which each block is read by one. */
  private byte[] readAtOnce(ImageChain chain, int threads) throws IOException {
    Section section = chain.newest().sections().get(0);
    ByteBuffer bytes = ByteBuffer.allocateDirect((int) section.lengthBytes());
    byte[] copy = new byte[bytes.capacity()];
    boolean itsOwn = threads == 2; // whether the sink has windows, or takes the reader's
    BlockSink sink =
        new BlockSink() {
          @Override
          public ByteBuffer window(long offset, int lengthBytes) {
            return itsOwn ? bytes.slice((int) offset, lengthBytes) : null;
          }

          @Override
          public void filled(long offset, ByteBuffer window) {
            window.get(copy, (int) offset, window.remaining());
          }
        };
    new BlockReader(
            files, new ReadSettings(threads, DirectMode.OFF), chain.newest().header().blockBytes())
        .read(chain.jobs(each -> each.equals(section) ? sink : null));
    return copy;
  }

  @ParameterizedTest
  @ValueSource(ints = {64, 192, 4096, 128 << 10})
  void shouldReadWhatWasWrittenAndNoBlockTwiceOrInVain(int blockBytes) throws IOException {
    int deepest = 0;
    int partial = 0;
    try (WriteBuffers buffers = new WriteBuffers(blockBytes)) {
      for (long seed = 1; seed <= (blockBytes > 4096 ? 8 : 60); seed++) {
        Model model = new Model(seed, blockBytes, buffers);
        for (int epoch = 0; epoch < 7; epoch++) {
          model.epoch(epoch);
          files.counts.clear();
          try (ImageChain chain =
              ImageChain.open(files, model.written.get(epoch), SampleImage::file)) {
            assertEquals(model.chain.size(), chain.images().size());
            deepest = Math.max(deepest, chain.images().size());
            files.counts.values().forEach(counts -> Arrays.fill(counts, 0));
            assertArrayEquals(model.region, read(chain), "seed " + seed + ", epoch " + epoch);
            for (ImageReader image : chain.images()) {
              partial += requireReads(model, image);
            }
            assertArrayEquals(model.region, readAtOnce(chain, (int) (1 + seed % 3)), "by threads");
            chain.newest().verify();
          }
        }
        model.written.forEach(files::delete);
      }
    }
    assertTrue(deepest > 3 && partial > 0, deepest + " images, " + partial + " blocks in part");
  }

  /** Each stored block was read once if it has a byte that is still the image's, else never. */
  private int requireReads(Model model, ImageReader image) {
    int[] counts = files.counts.get(SampleImage.file(image.header().epoch()));
    ExtentCursor extents = image.extents(image.sections().get(0));
    int partial = 0;
    while (extents.next()) {
      int own = 0;
      for (int at = (int) extents.from(); at < extents.to(); at++) {
        own += model.writer[at] == image.header().epoch().epoch() ? 1 : 0;
      }
      partial += extents.storedLength() > 0 && own > 0 && own < extents.lengthBytes() ? 1 : 0;
      for (int i = 0; i < extents.storedLength(); i++) {
        assertEquals(
            own > 0 ? 1 : 0,
            counts[(int) extents.payloadOffset() + i],
            image.header().epoch() + ", byte " + extents.from() + ", " + own + " bytes needed");
      }
    }
    return partial;
  }

  @Test
  void shouldLetSeveralThreadsReadBlocksInTurns() throws IOException {
    try (WriteBuffers buffers = new WriteBuffers(64)) {
      Model model = new Model(5, 64, buffers);
      for (int epoch = 0; epoch < 6; epoch++) {
        model.epoch(epoch);
      }
      byte[] found = new byte[model.region.length];
      try (ImageChain chain = ImageChain.open(files, model.written.get(5), SampleImage::file)) {
        Section section = chain.newest().sections().get(0);
        List<ImageChain.Walker> walkers = List.of(chain.walker(section), chain.walker(section));
        ByteBuffer bytes = ByteBuffer.allocateDirect(found.length);
        for (int at = 0; at < found.length; at += 64) {
          walkers
              .get(at / 64 % 2)
              .read(
                  at,
                  Math.min(found.length, at + 64),
                  (offset, length) -> bytes.slice((int) offset, length));
        }
        bytes.get(0, found);
      }
      assertArrayEquals(model.region, found);
    }
  }

  @Test
  void shouldAlignLargeRawPayloadsAndFindDamagedPadding() throws IOException {
    int block = 64 << 10;
    byte[] noise = new byte[2 * block];
    new Random(1).nextBytes(noise);
    ImageHeader header = new ImageHeader(SampleImage.JOB, SampleImage.EPOCH, 0, 1, block);
    try (WriteBuffers buffers = new WriteBuffers(block);
        ImageWriter out =
            ImageWriter.create(files, SampleImage.FILE, header, buffers, FaultHook.NONE)) {
      out.beginSection(SectionKind.REGION, ElementType.NONE, "u", 4L * block);
      out.write(ByteBuffer.allocateDirect(block).put(noise, 0, block).flip());
      out.write(ByteBuffer.allocateDirect(block).put(noise, 0, 5000).clear());
      out.write(ByteBuffer.allocateDirect(block).put(noise, block, block).flip());
      out.write(ByteBuffer.allocateDirect(100).put(noise, 0, 100).flip());
      out.write(ByteBuffer.allocateDirect(block - 100).put(noise, 0, block - 100).flip());
      out.endSection();
      out.finish();
    }
    byte[] image = files.get(SampleImage.FILE);
    List<Long> padding = new ArrayList<>();
    try (ImageReader reader = ImageReader.open(files, SampleImage.FILE)) {
      reader.verify();
      ExtentCursor extents = reader.extents(reader.sections().get(0));
      while (extents.next()) {
        if (extents.codec() == Codec.RAW && extents.lengthBytes() == block) {
          assertEquals(0, extents.payloadOffset() % 4096);
        }
        for (long at = extents.paddingOffset(); at < extents.payloadOffset(); at++) {
          padding.add(at);
        }
      }
    }
    assertTrue(padding.size() > 1000, padding.size() + " bytes of padding");
    for (long at : List.of(padding.get(0), padding.get(padding.size() - 1))) {
      byte[] damaged = image.clone();
      damaged[(int) at] = 1;
      files.put(SampleImage.FILE, damaged);
      try (ImageReader reader = ImageReader.open(files, SampleImage.FILE)) {
        CorruptImageException e = assertThrows(CorruptImageException.class, reader::verify);
        assertEquals(at, e.offset());
      }
    }
  }

  /** A region of four blocks, some of it written and the rest the parent's. */
  private byte[] written(
      int epoch, ParentBlocks blocks, WriteBuffers buffers, byte[] region, int... runs)
      throws IOException {
    EpochId id = new EpochId(3, epoch);
    Path file = SampleImage.file(id);
    blocks.begin(epoch, OptionalLong.of(epoch - 1));
    List<Ancestor> chain = new ArrayList<>();
    for (int older = epoch - 1; older >= 1; older--) {
      Path ancestor = SampleImage.file(new EpochId(3, older));
      try (ImageReader image = ImageReader.open(files, ancestor)) {
        chain.add(new Ancestor(new EpochId(3, older), image.lengthBytes(), image.digest()));
      }
    }
    try (ImageWriter out =
        ImageWriter.create(
            files,
            file,
            new ImageHeader(SampleImage.JOB, id, 0, 1, 64),
            chain,
            buffers,
            FaultHook.NONE)) {
      out.beginSection(SectionKind.REGION, ElementType.NONE, "u", region.length);
      assertEquals(epoch > 1, out.parentHasSection());
      int at = 0;
      for (int i = 0; i < runs.length; at += Math.abs(runs[i]), i++) {
        if (runs[i] > 0) {
          out.write(ByteBuffer.allocateDirect(runs[i]).put(region, at, runs[i]).flip());
        } else {
          out.parent(-runs[i]);
        }
      }
      out.endSection();
      out.finish();
    }
    try (ImageChain images = ImageChain.open(files, file, SampleImage::file)) {
      return read(images);
    }
  }

  @Test
  void shouldNotTakeABlockForTheParentsThatWasWrittenInPart() throws IOException {
    byte[] region = new byte[256];
    Arrays.fill(region, (byte) 1);
    ParentBlocks blocks = new ParentBlocks();
    try (WriteBuffers buffers =
        new WriteBuffers(
            64,
            new Encoding(EncodeMode.SMALL),
            RateLimit.NONE,
            DirectMode.OFF,
            text -> {},
            blocks)) {
      assertArrayEquals(region, written(1, blocks, buffers, region, 64, 64, 64, 64));
      // Of two blocks the beginning or the end.
      Arrays.fill(region, 0, 16, (byte) 2);
      Arrays.fill(region, 112, 128, (byte) 2);
      assertArrayEquals(region, written(2, blocks, buffers, region, 16, -96, 16, -128));
      // As they were at first, but not in the parent.
      Arrays.fill(region, (byte) 1);
      assertArrayEquals(region, written(3, blocks, buffers, region, 64, 64, 64, 64));
      assertArrayEquals(region, written(4, blocks, buffers, region, 64, 64, 64, 64));
      try (ImageReader image = ImageReader.open(files, SampleImage.file(new EpochId(3, 4)))) {
        assertEquals(256, image.blocks(image.sections().get(0)).get(Codec.PARENT).rawBytes());
      }
    }
  }

  @Test
  void shouldTakeRangesOfAParentBeyondTwoGigabytes() throws IOException {
    long length = 5L << 30;
    ImageHeader header = new ImageHeader(SampleImage.JOB, SampleImage.EPOCH, 0, 1, 1 << 20);
    try (WriteBuffers buffers = new WriteBuffers(1 << 20);
        ImageWriter out =
            ImageWriter.create(
                files,
                SampleImage.FILE,
                header,
                List.of(new Ancestor(new EpochId(3, 6), 1, 2)),
                buffers,
                FaultHook.NONE)) {
      out.beginSection(SectionKind.REGION, ElementType.NONE, "u", length + 12);
      out.parent(100);
      out.parent(length - 100);
      out.write(ByteBuffer.allocateDirect(12).put(0, new byte[] {1}));
      out.endSection();
      out.finish();
    }
    try (ImageReader reader = ImageReader.open(files, SampleImage.FILE)) {
      assertEquals(
          new ImageReader.Blocks(5, 0, length),
          reader.blocks(reader.sections().get(0)).get(Codec.PARENT));
      reader.verify();
    }
  }

  /** Writes an image of one region, which takes all of its bytes from what is given. */
  private void refer(int epoch, long lengthBytes, String region, SectionKind kind, Ancestor... to)
      throws IOException {
    EpochId id = new EpochId(3, epoch);
    Path file = SampleImage.file(id);
    files.delete(file);
    files.counts.clear();
    try (WriteBuffers buffers = new WriteBuffers(64);
        ImageWriter out =
            ImageWriter.create(
                files,
                file,
                new ImageHeader(SampleImage.JOB, id, 0, 1, 64),
                List.of(to),
                buffers,
                FaultHook.NONE)) {
      out.beginSection(kind, ElementType.NONE, region, lengthBytes);
      out.parent(lengthBytes);
      out.endSection();
      out.finish();
    }
  }

  private Ancestor parent() throws IOException {
    byte[] bytes = SampleImage.bytes();
    files.put(SampleImage.FILE, bytes);
    try (ImageReader reader = ImageReader.open(files, SampleImage.FILE)) {
      return new Ancestor(SampleImage.EPOCH, bytes.length, reader.digest());
    }
  }

  private void assertRefused(int epoch, String what, String found, String expected) {
    Path file = SampleImage.file(new EpochId(3, epoch));
    CorruptImageException e =
        assertThrows(
            CorruptImageException.class,
            () -> ImageChain.open(files, file, SampleImage::file).close());
    assertEquals(file, e.file());
    assertTrue(e.offset() > 4096, e.getMessage());
    assertTrue(e.what().contains(what), e.getMessage());
    assertTrue(e.found().contains(found), e.getMessage());
    assertTrue(e.expected().contains(expected), e.getMessage());
  }

  @Test
  void shouldRefuseAParentThatIsNotTheOneThatWasWrittenAgainst() throws IOException {
    Ancestor parent = parent();
    refer(8, 197, "u", SectionKind.REGION, parent);
    ImageChain.open(files, SampleImage.file(new EpochId(3, 8)), SampleImage::file).close();

    Ancestor other = new Ancestor(parent.epoch(), parent.lengthBytes(), parent.digest() + 1);
    refer(8, 197, "u", SectionKind.REGION, other);
    assertRefused(
        8, "digest", EpochRecord.hex(parent.digest()), EpochRecord.hex(parent.digest() + 1));
    Ancestor longer = new Ancestor(parent.epoch(), parent.lengthBytes() + 1, parent.digest());
    refer(8, 197, "u", SectionKind.REGION, longer);
    assertRefused(8, "length", "" + parent.lengthBytes(), "" + longer.lengthBytes());
    Ancestor missing = new Ancestor(new EpochId(3, 5), 1, 1);
    refer(8, 197, "u", SectionKind.REGION, missing);
    assertRefused(8, "ancestor", "missing", "epoch 5 of generation 3");
  }

  @Test
  void shouldRefuseAParentThatHasNotWhatIsTakenFromIt() throws IOException {
    Ancestor parent = parent();
    refer(8, 198, "u", SectionKind.REGION, parent);
    assertRefused(8, "parent's section", "lengthBytes=197", "lengthBytes=198");
    refer(8, 197, "v", SectionKind.REGION, parent);
    assertRefused(8, "parent's section", "none", "name=v");
    refer(8, 197, "u", SectionKind.CALLBACK, parent);
    assertRefused(8, "parent's section", "none", "kind=CALLBACK");
  }

  @Test
  void shouldRefuseAncestorsThatAreNoChain() throws IOException {
    Ancestor first = parent();
    refer(8, 197, "u", SectionKind.REGION, first);
    Path second = SampleImage.file(new EpochId(3, 8));
    Ancestor eighth;
    try (ImageReader reader = ImageReader.open(files, second)) {
      eighth = new Ancestor(new EpochId(3, 8), reader.lengthBytes(), reader.digest());
    }
    refer(9, 197, "u", SectionKind.REGION, eighth, first);
    ImageChain.open(files, SampleImage.file(new EpochId(3, 9)), SampleImage::file).close();
    // It leaves out whom its parent takes all bytes from.
    refer(9, 197, "u", SectionKind.REGION, eighth);
    CorruptImageException e =
        assertThrows(
            CorruptImageException.class,
            () ->
                ImageChain.open(files, SampleImage.file(new EpochId(3, 9)), SampleImage::file)
                    .close());
    assertEquals(second, e.file());
    assertTrue(e.found().contains("epoch 7 ") && e.expected().equals("[]"), e.getMessage());
  }
}

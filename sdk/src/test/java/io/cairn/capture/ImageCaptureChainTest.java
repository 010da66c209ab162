// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.coordinate.Capture.PendingImage;
import io.cairn.coordinate.Capture.Progress;
import io.cairn.coordinate.SealedChannels;
import io.cairn.image.Ancestor;
import io.cairn.image.Codec;
import io.cairn.image.DirectMode;
import io.cairn.image.EncodeMode;
import io.cairn.image.EpochId;
import io.cairn.image.FaultHook;
import io.cairn.image.FaultPoint;
import io.cairn.image.ImageChain;
import io.cairn.image.ImageReader;
import io.cairn.image.Section;
import io.cairn.image.SectionKind;
import io.cairn.testing.LoneTarget;
import io.cairn.testing.TestPages;
import io.cairn.testing.UnsyncedFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import net.openhft.chronicle.bytes.BytesIn;
import net.openhft.chronicle.bytes.BytesMarshallable;
import net.openhft.chronicle.bytes.BytesOut;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a committed image and its ancestors hold is what the rank had, whatever was abandoned. */
final class ImageCaptureChainTest {
  private static final int BLOCK_BYTES = 1024;
  private static final int BLOCKS = 20;
  private static final int REGION_BYTES = BLOCKS * BLOCK_BYTES + 100;

  @TempDir Path directory;

  private final TestPages pages = new TestPages();
  private final Registry registry = new Registry();
  private final byte[] noise = new byte[REGION_BYTES];
  private final double[] array = new double[5 * BLOCK_BYTES / Double.BYTES + 3];
  private final Told told = new Told();
  private final AtomicInteger blocksUntilFailure = new AtomicInteger();
  private ByteBuffer region;
  private ImageCapture capture;
  private final List<Ancestor> committed = new ArrayList<>();
  private List<Ancestor> parents = List.of();

  /** A callback's state. */
  private static final class Told implements BytesMarshallable {
    private byte[] bytes = new byte[3 * BLOCK_BYTES];

    @Override
    public void readMarshallable(BytesIn<?> in) {
      in.read(bytes);
    }

    @Override
    public void writeMarshallable(BytesOut<?> out) {
      out.write(bytes);
    }
  }

  private Path file(EpochId epoch) {
    return directory.resolve("image-" + epoch.epoch());
  }

  private void begin(EncodeMode mode, int fullEvery) {
    new Random(1).nextBytes(noise);
    long address = pages.allocate(REGION_BYTES);
    region = pages.view(address, REGION_BYTES).put(0, noise);
    registry.region("u", address, REGION_BYTES);
    registry.state("told", told);
    registry.array("a", array);
    FaultHook hook =
        point -> {
          if (point == FaultPoint.MID_BLOCKS && blocksUntilFailure.decrementAndGet() == 0) {
            throw new IllegalStateException("the disk is full");
          }
        };
    capture =
        new ImageCapture(
            pages,
            registry,
            new LoneTarget(4096, directory, epoch -> file(new EpochId(1, epoch))),
            new CaptureSettings(1 << 20, BLOCK_BYTES, mode, 0, DirectMode.OFF, 2, fullEvery),
            new UnsyncedFiles(),
            hook,
            System::nanoTime);
    capture.prepare();
  }

  @AfterEach
  void close() {
    capture.close();
  }

  private PendingImage image(long epoch) throws Exception {
    PendingImage image = capture.capture(epoch, 1);
    image.seal(new SealedChannels(0, 0, 0, 0, 0, () -> {}));
    while (image.progress() == Progress.RUNNING) {
      Thread.sleep(0, 1000);
    }
    return image;
  }

  /** Writes an image, commits it and reads it back; returns its length. */
  private long commit(long epoch) throws Exception {
    PendingImage image = image(epoch);
    assertEquals(Progress.DONE, image.progress(), () -> "" + image.failure());
    image.committed();
    requireState(epoch, image);
    return image.lengthBytes();
  }

  private void requireState(long epoch, PendingImage image) throws IOException {
    try (ImageChain chain =
        ImageChain.open(new UnsyncedFiles(), file(new EpochId(1, epoch)), this::file)) {
      byte[] expected = new byte[REGION_BYTES];
      region.get(0, expected);
      assertArrayEquals(expected, read(chain, SectionKind.REGION, "u"), "epoch " + epoch);
      assertArrayEquals(told.bytes, read(chain, SectionKind.CALLBACK, "told"), "epoch " + epoch);
      ByteBuffer doubles =
          ByteBuffer.allocate(array.length * Double.BYTES).order(ByteOrder.nativeOrder());
      doubles.asDoubleBuffer().put(array);
      assertArrayEquals(doubles.array(), read(chain, SectionKind.ARRAY, "a"), "epoch " + epoch);
      parents = chain.newest().ancestors();
      if (!parents.isEmpty()) {
        assertEquals(committed.get(committed.size() - 1), parents.get(0));
        assertTrue(committed.containsAll(parents), "an abandoned epoch among " + parents);
      }
      committed.add(
          new Ancestor(new EpochId(1, epoch), image.lengthBytes(), chain.newest().digest()));
    }
  }

  private static byte[] read(ImageChain chain, SectionKind kind, String name) throws IOException {
    Section section = chain.newest().find(kind, name).orElseThrow();
    ByteBuffer bytes = ByteBuffer.allocateDirect((int) section.lengthBytes());
    chain.read(section, (offset, length) -> bytes.slice((int) offset, length));
    byte[] copy = new byte[bytes.capacity()];
    bytes.get(0, copy);
    return copy;
  }

  private void change(Random random) {
    for (int n = random.nextInt(4); n > 0; n--) {
      int block = random.nextInt(BLOCKS);
      switch (random.nextInt(4)) {
        case 0 -> region.put(block * BLOCK_BYTES + random.nextInt(BLOCK_BYTES), (byte) n);
        case 1 -> region.put(block * BLOCK_BYTES, new byte[BLOCK_BYTES]);
        // As it was at the start: perhaps what the parent has, and not what was abandoned.
        case 2 -> region.put(block * BLOCK_BYTES, noise, block * BLOCK_BYTES, BLOCK_BYTES);
        default -> region.put(REGION_BYTES - 1 - random.nextInt(99), (byte) random.nextInt());
      }
    }
    if (random.nextInt(3) == 0) {
      array[random.nextInt(array.length)] = random.nextInt(3);
    }
    if (random.nextInt(3) == 0) {
      told.bytes[random.nextInt(told.bytes.length)] = (byte) random.nextInt(3);
    }
    if (random.nextInt(6) == 0) {
      told.bytes = Arrays.copyOf(told.bytes, 1 + random.nextInt(4 * BLOCK_BYTES));
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void shouldHoldWhatTheRankHadWhateverIsAbandoned(long seed) throws Exception {
    int fullEvery = seed % 2 == 0 ? 3 : 20;
    begin(EncodeMode.SMALL, fullEvery);
    Random random = new Random(seed);
    int longest = 0;
    int failed = 0;
    for (int epoch = 0; epoch < 60; epoch++) {
      change(random);
      switch (random.nextInt(5)) {
        case 0 -> image(epoch).discard();
        case 1 -> {
          blocksUntilFailure.set(1 + random.nextInt(30));
          try {
            PendingImage image = image(epoch);
            failed += image.progress() == Progress.FAILED ? 1 : 0;
            image.discard();
          } catch (IllegalStateException e) {
            failed++; // already while it was captured
          }
          blocksUntilFailure.set(0);
        }
        default -> commit(epoch);
      }
      longest = Math.max(longest, parents.size());
      assertTrue(parents.size() < fullEvery, "seed " + seed + ": " + parents);
    }
    assertTrue(longest > 1 && failed > 3, longest + " ancestors, " + failed + " failed");
  }

  private ImageReader.Blocks blocks(long epoch, Codec codec) throws IOException {
    try (ImageReader image = ImageReader.open(new UnsyncedFiles(), file(new EpochId(1, epoch)))) {
      Section section = image.find(SectionKind.REGION, "u").orElseThrow();
      return image.blocks(section).getOrDefault(codec, new ImageReader.Blocks(0, 0, 0));
    }
  }

  @Test
  void shouldStoreWhatHasChangedAndNothingElse() throws Exception {
    begin(EncodeMode.SMALL, 20);
    long full = commit(0);
    assertTrue(commit(1) < full - REGION_BYTES, "nothing has changed");
    assertEquals(REGION_BYTES, blocks(1, Codec.PARENT).rawBytes());
    region.put(3 * BLOCK_BYTES, (byte) ~noise[3 * BLOCK_BYTES]);
    commit(2);
    assertEquals(new ImageReader.Blocks(1, BLOCK_BYTES, BLOCK_BYTES), blocks(2, Codec.RAW));
    assertEquals(List.of(1L, 0L), parents.stream().map(a -> a.epoch().epoch()).toList());
  }

  @Test
  void shouldStoreAgainWhatAnAbandonedImageHad() throws Exception {
    begin(EncodeMode.SMALL, 20);
    commit(0);
    region.put(3 * BLOCK_BYTES, (byte) ~noise[3 * BLOCK_BYTES]);
    image(1).discard();
    commit(2);
    assertEquals(new ImageReader.Blocks(1, BLOCK_BYTES, BLOCK_BYTES), blocks(2, Codec.RAW));
    assertEquals(0, parents.get(0).epoch().epoch());
  }

  @Test
  void shouldBeFullWhenAllHasChangedAndReferToNothing() throws Exception {
    begin(EncodeMode.SMALL, 20);
    Random random = new Random(2);
    for (int epoch = 0; epoch < 3; epoch++) {
      random.nextBytes(noise);
      region.put(0, noise);
      random.nextBytes(told.bytes);
      Arrays.fill(array, random.nextDouble());
      commit(epoch);
      assertEquals(List.of(), parents, "epoch " + epoch);
    }
  }

  @Test
  void shouldBeFullWhenTheChainCostsMoreToReadThanAFullImage() throws Exception {
    begin(EncodeMode.SMALL, 20);
    Random random = new Random(2);
    List<Integer> ancestors = new ArrayList<>();
    for (int epoch = 0; epoch < 8; epoch++) {
      byte[] half = new byte[REGION_BYTES / 2];
      random.nextBytes(half);
      region.put(0, half);
      commit(epoch);
      ancestors.add(parents.size());
    }
    // A full image, halves until they are more than that, and again.
    assertEquals(List.of(0, 1, 2, 0, 1, 2, 0, 1), ancestors);
  }

  @Test
  void shouldBeFullEverySoManyImages() throws Exception {
    begin(EncodeMode.SMALL, 3);
    List<Integer> ancestors = new ArrayList<>();
    for (int epoch = 0; epoch < 7; epoch++) {
      commit(epoch);
      ancestors.add(parents.size());
    }
    assertEquals(List.of(0, 1, 2, 0, 1, 2, 0), ancestors);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 20})
  void shouldCompareNothingWhenAllAreFullOrSpeedIsAllThatCounts(int fullEvery) throws Exception {
    begin(fullEvery == 1 ? EncodeMode.SMALL : EncodeMode.FAST, fullEvery);
    commit(0);
    commit(1);
    assertEquals(List.of(), parents);
    assertEquals(0, blocks(1, Codec.PARENT).count());
  }
}

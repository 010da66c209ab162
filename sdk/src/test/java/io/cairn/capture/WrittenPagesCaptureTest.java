// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cairn.coordinate.Capture.PendingImage;
import io.cairn.coordinate.Capture.Progress;
import io.cairn.coordinate.SealedChannels;
import io.cairn.image.DirectMode;
import io.cairn.image.EncodeMode;
import io.cairn.image.EpochId;
import io.cairn.image.FaultPoint;
import io.cairn.image.ImageChain;
import io.cairn.image.Section;
import io.cairn.image.SectionKind;
import io.cairn.natives.NativePages;
import io.cairn.natives.NativeWrittenPages;
import io.cairn.testing.LoneTarget;
import io.cairn.testing.UnsyncedFiles;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import net.openhft.chronicle.bytes.BytesIn;
import net.openhft.chronicle.bytes.BytesMarshallable;
import net.openhft.chronicle.bytes.BytesOut;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Only written pages are copied, by what the kernel of this machine says of real memory; and every
 * committed image, read with its ancestors, holds what the rank had at its cut.
 */
@Timeout(120)
final class WrittenPagesCaptureTest {
  private static final int PAGE = 4096;
  private static final int BLOCK_BYTES = 16 * PAGE;

  // What an image has besides the pages: header, index, footer.
  private static final int FRAME_BYTES = 20_000;

  @TempDir Path directory;

  private NativePages pages;
  private WrittenPages written;
  private final List<Memory> memories = new ArrayList<>();
  private final Registry registry = new Registry();
  private final List<String> told = new ArrayList<>();
  private ImageCapture capture;
  private long mapped;
  private int mappedBytes;
  private final AtomicInteger failAtBlock = new AtomicInteger();
  private boolean failsInCallback;
  private Optional<String> device = Optional.empty();

  /** A region in the mapping, not necessarily at a page's border. */
  private record Memory(String name, ByteBuffer bytes) {}

  private Path file(EpochId epoch) {
    return directory.resolve("image-" + epoch.epoch());
  }

  @BeforeEach
  void open() {
    pages = new NativePages();
    written = withDevice(new NativeWrittenPages());
    assumeTrue(written.available(), written::describe);
  }

  @AfterEach
  void close() {
    if (capture != null) {
      capture.close();
    } else {
      written.close();
    }
    if (mapped != 0) {
      pages.free(mapped, mappedBytes);
    }
  }

  private void map(int lengthBytes) {
    mappedBytes = lengthBytes;
    mapped = pages.allocate(lengthBytes);
    byte[] noise = new byte[lengthBytes];
    new Random(1).nextBytes(noise);
    pages.view(mapped, lengthBytes).put(0, noise);
  }

  private ByteBuffer region(String name, int offset, int lengthBytes) {
    ByteBuffer bytes = pages.view(mapped + offset, lengthBytes);
    memories.add(new Memory(name, bytes));
    registry.region(name, mapped + offset, lengthBytes);
    return bytes;
  }

  private void begin(PageMode mode, long budgetBytes, int cores, int fullEvery) {
    capture =
        new ImageCapture(
            pages,
            registry,
            new LoneTarget(PAGE, directory, epoch -> file(new EpochId(1, epoch))),
            new CaptureSettings(
                budgetBytes, BLOCK_BYTES, EncodeMode.FAST, 0, DirectMode.OFF, cores, fullEvery),
            new UnsyncedFiles(),
            point -> {
              if (point == FaultPoint.MID_BLOCKS && failAtBlock.decrementAndGet() == 0) {
                throw new IllegalStateException("the disk is full");
              }
            },
            System::nanoTime);
    capture.whenChosen(told::add);
    capture.copyPages(mode, () -> written);
    capture.prepare();
  }

  private static void await(PendingImage image) throws InterruptedException {
    while (image.progress() == Progress.RUNNING) {
      Thread.sleep(0, 1000);
    }
  }

  private PendingImage image(long epoch) throws Exception {
    PendingImage image = capture.capture(epoch, 1);
    image.seal(new SealedChannels(0, 0, 0, 0, 0, () -> {}));
    await(image);
    return image;
  }

  private long commit(long epoch) throws Exception {
    PendingImage image = image(epoch);
    assertEquals(Progress.DONE, image.progress(), () -> "" + image.failure());
    image.committed();
    requireContents(epoch, contents());
    return image.lengthBytes();
  }

  private List<byte[]> contents() {
    List<byte[]> contents = new ArrayList<>();
    for (Memory memory : memories) {
      byte[] bytes = new byte[memory.bytes().capacity()];
      memory.bytes().get(0, bytes);
      contents.add(bytes);
    }
    return contents;
  }

  private void requireContents(long epoch, List<byte[]> expected) throws IOException {
    try (ImageChain chain =
        ImageChain.open(new UnsyncedFiles(), file(new EpochId(1, epoch)), this::file)) {
      for (int i = 0; i < expected.size(); i++) {
        String name = memories.get(i).name();
        Section section = chain.newest().find(SectionKind.REGION, name).orElseThrow();
        ByteBuffer bytes = ByteBuffer.allocateDirect((int) section.lengthBytes());
        chain.read(section, (offset, length) -> bytes.slice((int) offset, length));
        byte[] read = new byte[bytes.capacity()];
        bytes.get(0, read);
        assertArrayEquals(expected.get(i), read, name + " of epoch " + epoch);
      }
    }
  }

  private void registerUnlikely() {
    registry.state(
        "unlikely",
        new BytesMarshallable() {
          @Override
          public void writeMarshallable(BytesOut<?> out) {
            if (failsInCallback) {
              failsInCallback = false;
              throw new IllegalStateException("not today");
            }
          }

          @Override
          public void readMarshallable(BytesIn<?> in) {}
        });
  }

  private void write(Random random) {
    Memory memory = memories.get(random.nextInt(memories.size()));
    int length = memory.bytes().capacity();
    switch (random.nextInt(10)) {
      case 0 -> {
        int from = random.nextInt(length);
        byte[] noise = new byte[random.nextInt(Math.min(length - from, 3 * BLOCK_BYTES)) + 1];
        random.nextBytes(noise);
        memory.bytes().put(from, noise);
      }
      case 1 -> memory.bytes().put(0, (byte) random.nextInt());
      case 2 -> memory.bytes().put(length - 1, (byte) random.nextInt());
      default -> memory.bytes().put(random.nextInt(length), (byte) random.nextInt());
    }
  }

  private void writeSome(Random random) {
    for (int n = random.nextInt(12); n > 0; n--) {
      write(random);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void shouldHoldWhatTheRankHadWhateverIsWrittenAndAbandoned(long seed) throws Exception {
    Random random = new Random(seed);
    map(1 << 20);
    region("a", random.nextInt(3) * 100, 40 * PAGE + random.nextInt(PAGE));
    region("b", 50 * PAGE + 17, 90 * PAGE); // shares its pages with its neighbours
    region("c", 140 * PAGE + 17, 5 * PAGE);
    region("d", 150 * PAGE, 100);
    registerUnlikely();
    PageMode mode = seed % 4 == 0 ? PageMode.AUTO : PageMode.WRITTEN;
    long budget = seed % 3 == 0 ? 0 : 8 << 20;
    begin(mode, budget, 1 + (int) seed % 3, seed % 2 == 0 ? 4 : 1000);
    int commits = 0;
    for (long epoch = 1; epoch <= 60; epoch++) {
      writeSome(random);
      switch (random.nextInt(6)) {
        case 0 -> {
          PendingImage image = image(epoch);
          writeSome(random);
          image.discard();
        }
        case 1 -> {
          failAtBlock.set(1 + random.nextInt(3));
          PendingImage image;
          try {
            image = image(epoch);
          } catch (IllegalStateException e) {
            failAtBlock.set(0);
            continue; // it failed while it was captured
          }
          if (failAtBlock.getAndSet(0) <= 0) {
            assertEquals(Progress.FAILED, image.progress());
          }
          image.discard();
        }
        case 2 -> {
          failsInCallback = true;
          long number = epoch;
          assertThrows(CallbackException.class, () -> capture.capture(number, 1));
        }
        default -> {
          PendingImage image = capture.capture(epoch, 1);
          List<byte[]> expected = contents();
          writeSome(random); // after the cut: the next one's
          image.seal(new SealedChannels(0, 0, 0, 0, 0, () -> {}));
          await(image);
          assertEquals(Progress.DONE, image.progress(), () -> "" + image.failure());
          image.committed();
          writeSome(random);
          requireContents(epoch, expected);
          commits++;
        }
      }
    }
    assertTrue(commits > 15, commits + " commits");
  }

  @Test
  void shouldStoreOnlyThePagesThatWereWritten() throws Exception {
    map(400 * PAGE);
    ByteBuffer region = region("u", 0, 400 * PAGE - 10);
    begin(PageMode.WRITTEN, 8 << 20, 1, 1000);
    assertTrue(commit(1) > 400 * PAGE - 10);
    long nothing = commit(2);
    assertTrue(
        nothing < PAGE + FRAME_BYTES, nothing + " bytes; the last page is not wholly its own");
    for (int page : new int[] {0, 17, 18, 20, 200, 390}) {
      region.put(page * PAGE + 5, (byte) page);
    }
    long length = commit(3);
    // With page 19 between two others.
    assertTrue(length > 8 * PAGE && length < 8 * PAGE + FRAME_BYTES, length + " bytes");
    assertEquals(8 * PAGE - 10, capture.statistics(3).orElseThrow().capturedBytes());
    assertEquals(2, told.stream().filter(text -> text.contains("written pages")).count());
    assertTrue(
        told.contains("region \"u\": written pages only, as cairn.pages=written says"), "" + told);
  }

  @Test
  void shouldKeepThePagesOfAnAbandonedEpochForTheNext() throws Exception {
    map(100 * PAGE);
    ByteBuffer region = region("u", 0, 100 * PAGE);
    begin(PageMode.WRITTEN, 8 << 20, 1, 1000);
    commit(1);
    region.put(3 * PAGE, (byte) 1);
    image(2).discard();
    region.put(7 * PAGE, (byte) 1);
    region.put(19 * PAGE, (byte) 1);
    commit(4);
    assertEquals(3 * PAGE, capture.statistics(4).orElseThrow().capturedBytes());
    commit(5);
    assertEquals(0, capture.statistics(5).orElseThrow().capturedBytes());
  }

  @Test
  void shouldCopyAllPagesWhereEveryImageIsFullOrNothingTells() throws Exception {
    map(100 * PAGE);
    region("u", 0, 100 * PAGE);
    begin(PageMode.WRITTEN, 8 << 20, 1, 1);
    commit(1);
    assertTrue(commit(2) > 100 * PAGE);
    assertTrue(told.toString().contains("all pages are copied: every image is full"), "" + told);
  }

  @Test
  void shouldLeaveNoticingAloneWhereAllIsWrittenAndBeginWhereLittleIs() throws Exception {
    map(2000 * PAGE);
    ByteBuffer busy = region("busy", 0, 1000 * PAGE);
    ByteBuffer idle = region("idle", 1000 * PAGE, 1000 * PAGE);
    begin(PageMode.AUTO, 16 << 20, 1, 1000);
    byte[] noise = new byte[1000 * PAGE];
    for (int epoch = 1; epoch <= 12; epoch++) {
      new Random(epoch).nextBytes(noise);
      busy.put(0, noise);
      idle.put(epoch * PAGE, (byte) epoch);
      commit(epoch);
    }
    assertEquals(1001 * PAGE, capture.statistics(12).orElseThrow().capturedBytes());
    assertTrue(
        told.stream()
            .anyMatch(text -> text.startsWith("region \"idle\": written pages only: 0.1%")),
        "" + told);
    assertTrue(
        told.stream().anyMatch(text -> text.startsWith("region \"busy\": all pages: 100.0%")),
        "" + told);
  }

  @Test
  void shouldCopyAllPagesOnceADeviceMayWriteToThem() throws Exception {
    map(2000 * PAGE);
    region("u", 0, 2000 * PAGE);
    begin(PageMode.AUTO, 16 << 20, 1, 1000);
    for (int epoch = 1; epoch <= 12; epoch++) {
      commit(epoch);
    }
    assertEquals(0, capture.statistics(12).orElseThrow().capturedBytes());
    device = Optional.of("/dev/gpu");
    for (int epoch = 13; epoch <= 18; epoch++) {
      commit(epoch);
      assertEquals(2000 * PAGE, capture.statistics(epoch).orElseThrow().capturedBytes());
    }
    assertEquals(
        1, told.stream().filter(text -> text.contains("this process uses /dev/gpu")).count());
  }

  @Test
  void shouldBelieveAProgramThatWantsOnlyWrittenPagesBesideADevice() throws Exception {
    map(100 * PAGE);
    region("u", 0, 100 * PAGE);
    device = Optional.of("/dev/gpu");
    begin(PageMode.WRITTEN, 8 << 20, 1, 1000);
    commit(1);
    commit(2);
    assertEquals(0, capture.statistics(2).orElseThrow().capturedBytes());
  }

  /** As the system has it, but for the devices. */
  private WrittenPages withDevice(WrittenPages pages) {
    return (WrittenPages)
        Proxy.newProxyInstance(
            WrittenPages.class.getClassLoader(),
            new Class<?>[] {WrittenPages.class},
            (proxy, method, arguments) ->
                method.getName().equals("unnoticed") ? device : method.invoke(pages, arguments));
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.coordinate.Capture.PendingImage;
import io.cairn.coordinate.Capture.Progress;
import io.cairn.coordinate.SealedChannels;
import io.cairn.image.CoreTimes;
import io.cairn.image.DirectMode;
import io.cairn.image.EncodeMode;
import io.cairn.image.FaultHook;
import io.cairn.image.FaultPoint;
import io.cairn.image.ImageReader;
import io.cairn.image.SectionKind;
import io.cairn.image.SystemFiles;
import io.cairn.testing.FaultyFiles;
import io.cairn.testing.LoneTarget;
import io.cairn.testing.TestPages;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongUnaryOperator;
import java.util.stream.Stream;
import net.openhft.chronicle.bytes.BytesIn;
import net.openhft.chronicle.bytes.BytesMarshallable;
import net.openhft.chronicle.bytes.BytesOut;
import net.openhft.chronicle.core.io.AbstractReferenceCounted;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The staging pool and the writer, whoever waits for whom and whatever fails meanwhile. */
@Timeout(60)
final class ImageCaptureTest {
  private static final int BLOCK_BYTES = 1024;
  private static final int BLOCKS = 40;

  @TempDir Path directory;

  private final TestPages pages = new TestPages();
  private final Registry registry = new Registry();
  private final FaultyFiles files = new FaultyFiles();
  private final AtomicInteger released = new AtomicInteger();
  private volatile FaultHook hook = FaultHook.NONE;
  private long budgetBytes;
  private long bandwidthBytes;
  private int cores = 2;
  private final List<String> choices = new CopyOnWriteArrayList<>();
  private ImageCapture capture;
  private byte[] content;

  private Path file(long epoch) {
    return directory.resolve("image-" + epoch);
  }

  @BeforeEach
  void trackReferences() {
    AbstractReferenceCounted.enableReferenceTracing();
  }

  private void begin() {
    beginWithin(null);
  }

  private void beginWithin(LongUnaryOperator budget) {
    content = new byte[BLOCKS * BLOCK_BYTES];
    new Random(1).nextBytes(content);
    long address = pages.allocate(content.length);
    pages.view(address, content.length).put(content);
    registry.region("u", address, content.length);
    capture =
        new ImageCapture(
            pages,
            registry,
            new LoneTarget(4096, directory, this::file),
            new CaptureSettings(
                budgetBytes,
                BLOCK_BYTES,
                EncodeMode.AUTO,
                bandwidthBytes,
                DirectMode.OFF,
                cores,
                1),
            files,
            point -> hook.reached(point),
            System::nanoTime);
    capture.whenChosen(choices::add);
    if (budget != null) {
      capture.stageWithin(budget);
    }
    capture.prepare();
  }

  @AfterEach
  void shouldGiveBackAllMemory() {
    if (capture != null) {
      long application = content.length;
      assertEquals(capture.pool().chunkCount(), freeChunks());
      capture.close();
      assertEquals(application, pages.allocatedBytes(), "staging memory is given back");
    }
    AbstractReferenceCounted.assertReferencesReleased();
  }

  /** Chunks in the pool once the writer rests. */
  private int freeChunks() {
    await(() -> capture.pool().freeCount() == capture.pool().chunkCount());
    return capture.pool().freeCount();
  }

  private static void await(java.util.function.BooleanSupplier condition) {
    long begin = System.nanoTime();
    while (!condition.getAsBoolean() && System.nanoTime() - begin < 10_000_000_000L) {
      Thread.onSpinWait();
    }
  }

  private SealedChannels channels() {
    return new SealedChannels(0, 0, 0, 0, 0, released::incrementAndGet);
  }

  private void assertImage(long epoch) throws IOException {
    try (ImageReader reader = ImageReader.open(new SystemFiles(), file(epoch))) {
      ByteBuffer read = ByteBuffer.allocateDirect(content.length);
      reader.read(
          reader.find(SectionKind.REGION, "u").orElseThrow(),
          (offset, length) -> read.slice((int) offset, length));
      assertEquals(-1, read.mismatch(ByteBuffer.wrap(content)));
    }
  }

  private void assertWritten(PendingImage image, long epoch) throws IOException {
    await(() -> image.progress() != Progress.RUNNING);
    assertEquals(Progress.DONE, image.progress(), () -> "" + image.failure());
    assertImage(epoch);
  }

  private CompletableFuture<PendingImage> captureInThread(long epoch) {
    CompletableFuture<PendingImage> result = new CompletableFuture<>();
    new Thread(
            () -> {
              try {
                result.complete(capture.capture(epoch, 1));
              } catch (Throwable e) {
                result.completeExceptionally(e);
              }
            })
        .start();
    return result;
  }

  /** Stops the writer's thread the nth time that it comes to a block. */
  private static final class Gate implements FaultHook {
    final CountDownLatch reached = new CountDownLatch(1);
    final CountDownLatch open = new CountDownLatch(1);
    private final AtomicInteger left;

    Gate(int nth) {
      left = new AtomicInteger(nth);
    }

    @Override
    public void reached(FaultPoint point) {
      if (point == FaultPoint.MID_BLOCKS && left.decrementAndGet() == 0) {
        reached.countDown();
        try {
          assertTrue(open.await(10, TimeUnit.SECONDS));
        } catch (InterruptedException e) {
          throw new AssertionError(e);
        }
      }
    }
  }

  @Test
  void shouldStageWithinWhatIsLeftBesideTheRegions() throws Exception {
    budgetBytes = 1 << 20;
    List<Long> asked = new ArrayList<>();
    beginWithin(
        regionBytes -> {
          asked.add(regionBytes);
          return 10 * BLOCK_BYTES;
        });
    assertEquals(List.of((long) BLOCKS * BLOCK_BYTES), asked);
    assertEquals(10L * BLOCK_BYTES, capture.stagingBytes());
    PendingImage image = capture.capture(0, 1);
    image.seal(channels());
    assertWritten(image, 0);
  }

  @Test
  void shouldCaptureMoreThanThePoolHoldsAtTheSpeedOfTheWriter() throws Exception {
    budgetBytes = 1;
    begin();
    assertEquals((long) StagingPool.MIN_CHUNKS * BLOCK_BYTES, capture.stagingBytes());
    Gate gate = new Gate(3);
    hook = gate;
    CompletableFuture<PendingImage> result = captureInThread(0);
    assertTrue(gate.reached.await(10, TimeUnit.SECONDS));
    assertThrows(TimeoutException.class, () -> result.get(100, TimeUnit.MILLISECONDS));
    gate.open.countDown();
    PendingImage image = result.get(10, TimeUnit.SECONDS);
    image.seal(channels());
    assertWritten(image, 0);
    assertEquals(1, released.get());
  }

  /** Blocks that the writer had come to when the nth one was copied. */
  private int writtenWhenCopied(int nth) throws Exception {
    AtomicInteger written = new AtomicInteger();
    AtomicInteger copied = new AtomicInteger();
    AtomicInteger seen = new AtomicInteger(-1);
    hook =
        point -> {
          if (point == FaultPoint.MID_BLOCKS) {
            written.incrementAndGet();
          } else if (point == FaultPoint.DURING_CAPTURE && copied.incrementAndGet() == nth) {
            long begin = System.nanoTime();
            while (written.get() == 0 && System.nanoTime() - begin < 200_000_000L) {
              Thread.onSpinWait();
            }
            seen.set(written.get());
          }
        };
    PendingImage image = capture.capture(0, 1);
    image.seal(channels());
    assertWritten(image, 0);
    return seen.get();
  }

  @Test
  void shouldCopyAllBeforeItWritesOnItsOnlyCore() throws Exception {
    budgetBytes = 1 << 20;
    cores = 1;
    begin();
    assertEquals(0, writtenWhenCopied(BLOCKS));
  }

  @Test
  void shouldWriteWhileItCopiesWhereThePoolIsTooSmall() throws Exception {
    budgetBytes = 1;
    cores = 1;
    begin();
    assertTrue(writtenWhenCopied(BLOCKS) > 0);
  }

  @Test
  void shouldCopyTheSameWithManyThreads() throws Exception {
    budgetBytes = 20L * BLOCK_BYTES;
    cores = 4;
    begin();
    for (int epoch = 0; epoch < 20; epoch++) {
      PendingImage image = capture.capture(epoch, 1);
      image.seal(channels());
      assertWritten(image, epoch);
    }
  }

  @Test
  void shouldShowTheTimeOfCallbacksSeparately() throws Exception {
    budgetBytes = 1 << 20;
    registry.state(
        "slow",
        new BytesMarshallable() {
          @Override
          public void writeMarshallable(BytesOut<?> out) {
            long begin = System.nanoTime();
            while (System.nanoTime() - begin < 5_000_000L) {
              Thread.onSpinWait();
            }
          }

          @Override
          public void readMarshallable(BytesIn<?> in) {}
        });
    begin();
    PendingImage image = capture.capture(0, 1);
    image.seal(channels());
    assertWritten(image, 0);
    EpochStatistics statistics = capture.statistics(0).orElseThrow();
    assertTrue(image.callbackNanos() >= 5_000_000L);
    assertEquals(image.callbackNanos(), statistics.callbackNanos());
    assertTrue(statistics.callbackNanos() <= statistics.pauseNanos());
  }

  @Test
  void shouldTakeASmallerPoolWhereMemoryIsShort() throws Exception {
    budgetBytes = 1 << 20;
    pages.refuseMoreThan((long) BLOCKS * BLOCK_BYTES);
    begin();
    assertEquals((BLOCKS + StagingPool.MIN_CHUNKS) / 2L * BLOCK_BYTES, capture.stagingBytes());
    PendingImage image = capture.capture(0, 1);
    image.seal(channels());
    assertWritten(image, 0);
  }

  @Test
  void shouldTellHowLongWritingKeptACoreFromTheProgram() throws Exception {
    budgetBytes = 1 << 20;
    begin();
    List<Thread> asking = new CopyOnWriteArrayList<>();
    long[] waited = {0, 1_000, 5_000, 5_700};
    capture.coreTimesFrom(
        () -> {
          asking.add(Thread.currentThread());
          return new CoreTimes(asking.size() * 800L, waited[asking.size() - 1]);
        });
    for (int epoch = 0; epoch < 2; epoch++) {
      PendingImage image = capture.capture(epoch, 1);
      image.seal(channels());
      assertWritten(image, epoch);
      assertEquals(epoch == 0 ? 800 : 700, image.takenNanos());
    }
    for (Thread thread : asking) {
      assertEquals("cairn-writer", thread.getName());
    }
  }

  @Test
  void shouldNotWaitForTheWriterWhileThePoolHoldsAll() throws Exception {
    budgetBytes = 1 << 20;
    begin();
    Gate gate = new Gate(1);
    hook = gate;
    PendingImage image = captureInThread(0).get(10, TimeUnit.SECONDS);
    // What the program does now is not in the image.
    assertTrue(gate.reached.await(10, TimeUnit.SECONDS));
    registry.entries().stream()
        .map(entry -> (Registry.RegionEntry) entry)
        .forEach(u -> pages.view(u.address(), BLOCK_BYTES * BLOCKS).put(new byte[BLOCK_BYTES]));
    gate.open.countDown();
    image.seal(channels());
    assertWritten(image, 0);
  }

  @Test
  void shouldTellTheWaitingProgramThatTheWriterFailed() throws Exception {
    budgetBytes = 1;
    begin();
    AtomicInteger blocks = new AtomicInteger();
    hook =
        point -> {
          if (point == FaultPoint.MID_BLOCKS && blocks.incrementAndGet() == 7) {
            await(() -> capture.pool().freeCount() == 0);
            throw new IllegalStateException("the disk is on fire");
          }
        };
    ExecutionException e =
        assertThrows(ExecutionException.class, () -> captureInThread(0).get(10, TimeUnit.SECONDS));
    assertTrue(e.getCause().getMessage().contains("on fire"), "" + e.getCause());
    await(() -> !Files.exists(file(0)));
    assertFalse(Files.exists(file(0)));
    hook = FaultHook.NONE;
    PendingImage next = capture.capture(1, 2);
    next.seal(channels());
    assertWritten(next, 1);
  }

  @Test
  void shouldForgetAnEpochThatIsDiscardedAtAnyBlock() throws Exception {
    budgetBytes = 1 << 20;
    begin();
    // The blocks of the region; counts and channels have none.
    for (int nth = 1; nth <= BLOCKS; nth++) {
      Gate gate = new Gate(nth);
      hook = gate;
      released.set(0);
      PendingImage image = capture.capture(nth, 1);
      boolean sealed = nth % 2 == 0;
      if (sealed) {
        image.seal(channels());
      }
      assertTrue(gate.reached.await(10, TimeUnit.SECONDS));
      image.discard();
      gate.open.countDown();
      assertEquals(capture.pool().chunkCount(), freeChunks());
      long epoch = nth;
      await(() -> !Files.exists(file(epoch)));
      assertFalse(Files.exists(file(epoch)), "discarded at block " + nth);
      await(() -> released.get() == 1 || !sealed);
      assertEquals(sealed ? 1 : 0, released.get(), "channel state released once");
    }
    hook = FaultHook.NONE;
    PendingImage durable = capture.capture(1000, 1);
    durable.seal(channels());
    assertWritten(durable, 1000);
    durable.discard();
    await(() -> !Files.exists(file(1000)));
    try (Stream<Path> left = Files.list(directory)) {
      assertEquals(List.of(), left.toList());
    }
  }

  @Test
  void shouldDiscardAnEpochWhoseWriterWaitsForTheBandwidth() throws Exception {
    budgetBytes = 1 << 20;
    bandwidthBytes = 1;
    begin();
    PendingImage image = capture.capture(0, 1);
    image.seal(channels());
    // The next piece would be due in more than an hour.
    await(() -> Files.exists(file(0)) && file(0).toFile().length() > 0);
    assertEquals(4096, Files.size(file(0)));
    assertEquals(Progress.RUNNING, image.progress());
    image.discard();
    await(() -> !Files.exists(file(0)));
    assertFalse(Files.exists(file(0)));
    await(() -> released.get() == 1);
    assertEquals(1, released.get(), "channel state released once");
  }

  @Test
  void shouldTellWhatItChoseForARegion() throws Exception {
    budgetBytes = 1 << 20;
    begin();
    for (int epoch = 0; epoch < 2; epoch++) {
      PendingImage image = capture.capture(epoch, 1);
      image.seal(channels());
      assertWritten(image, epoch);
    }
    assertEquals(3, choices.size(), choices.toString());
    assertTrue(
        choices
            .get(0)
            .startsWith("staging pool of 45,056 bytes (budget 1,048,576), 0% in huge pages"),
        choices.get(0));
    assertEquals("all pages are copied: every image is full (cairn.full.every=1)", choices.get(1));
    // Noise, so that no measurement matters.
    assertTrue(
        choices.get(2).startsWith("region \"u\": stored as it is, 0 of 40 blocks"), choices.get(2));
  }

  @Test
  void shouldGiveUpACaptureWhoseCallbackThrows() throws Exception {
    budgetBytes = 1 << 20;
    IllegalStateException cause = new IllegalStateException("no state today");
    Flaky flaky = new Flaky(cause);
    registry.state("flaky", flaky);
    begin();
    CallbackException e = assertThrows(CallbackException.class, () -> capture.capture(0, 1));
    assertSame(cause, e.getCause());
    assertTrue(e.getMessage().contains("\"flaky\"") && e.getMessage().contains("no state today"));
    flaky.cause = null;
    PendingImage image = capture.capture(1, 1);
    image.seal(channels());
    assertWritten(image, 1);
    await(() -> !Files.exists(file(0)));
    assertFalse(Files.exists(file(0)));
  }

  private static final class Flaky implements BytesMarshallable {
    private RuntimeException cause;

    Flaky(RuntimeException cause) {
      this.cause = cause;
    }

    @Override
    public void writeMarshallable(BytesOut<?> bytes) {
      bytes.writeLong(1);
      if (cause != null) {
        throw cause;
      }
    }

    @Override
    public void readMarshallable(BytesIn<?> bytes) {
      bytes.readLong();
    }
  }

  @Test
  void shouldTellWhatAnEpochCost() throws Exception {
    budgetBytes = 1 << 20;
    begin();
    PendingImage image = capture.capture(3, 1);
    EpochStatistics captured = capture.statistics(3).orElseThrow();
    assertEquals(content.length, captured.capturedBytes());
    image.seal(channels());
    assertWritten(image, 3);
    EpochStatistics durable = capture.statistics(3).orElseThrow();
    assertEquals(captured.pauseNanos(), durable.pauseNanos());
    assertEquals(Files.size(file(3)), durable.storedBytes());
    assertEquals(Files.size(file(3)), image.lengthBytes());
    assertTrue(durable.durableNanos() >= durable.pauseNanos());
    assertTrue(capture.statistics(4).isEmpty());
  }

  @Test
  void shouldCopyArraysAsTheyWere() throws Exception {
    budgetBytes = 1 << 20;
    long[] longs = new Random(2).longs(300).toArray();
    registry.array("longs", longs);
    begin();
    long[] before = longs.clone();
    Gate gate = new Gate(1);
    hook = gate;
    PendingImage image = capture.capture(0, 1);
    longs[7]++;
    gate.open.countDown();
    image.seal(channels());
    assertWritten(image, 0);
    List<Long> read = new ArrayList<>();
    try (ImageReader reader = ImageReader.open(new SystemFiles(), file(0))) {
      long[] restored = new long[longs.length];
      reader.read(
          reader.find(SectionKind.ARRAY, "longs").orElseThrow(),
          new io.cairn.image.BlockSink() {
            private final ByteBuffer window = ByteBuffer.allocateDirect(BLOCK_BYTES);

            @Override
            public ByteBuffer window(long offset, int lengthBytes) {
              return window.clear().limit(lengthBytes);
            }

            @Override
            public void filled(long offset, ByteBuffer filled) {
              HeapArrays.copyIn(io.cairn.image.ElementType.LONG, restored, offset, filled);
              read.add(offset);
            }
          });
      assertArrayEquals(before, restored);
    }
    assertEquals(List.of(0L, 1024L, 2048L), read);
  }
}

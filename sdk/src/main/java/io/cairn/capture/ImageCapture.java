// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import io.cairn.coordinate.Capture;
import io.cairn.image.Ancestor;
import io.cairn.image.CoreTimes;
import io.cairn.image.Encoding;
import io.cairn.image.FaultHook;
import io.cairn.image.FaultPoint;
import io.cairn.image.FileOperations;
import io.cairn.image.ImageTarget;
import io.cairn.image.OffHeap;
import io.cairn.image.ParentBlocks;
import io.cairn.image.RateLimit;
import io.cairn.image.WriteBuffers;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.function.LongUnaryOperator;
import java.util.function.Supplier;

/**
 * Captures a rank: regions, callbacks and arrays are copied into the staging pool on the
 * application's thread, large regions with the help of others where the rank has more cores, and
 * written as an image by one background thread. Where the pool is smaller than what is registered,
 * capture waits for chunks to be written.
 *
 * <p>The writer begins when all is copied, because the application waits for the copy; earlier
 * where a core is left for it, and where the pool is too small for all.
 */
public final class ImageCapture implements Capture, AutoCloseable {
  // Orders for sections and for small blocks, which share chunks.
  private static final int SMALL_ORDERS = 4096;

  // Blocks of small sections share a chunk, each at a place that suits every element type.
  private static final int ALIGNMENT = 64;
  private static final int PAGE_BYTES = 4096;
  private static final int PAGED_FROM_BYTES = 64 << 10;

  private final Pages pages;
  private final Registry registry;
  private final ImageTarget target;
  private final CaptureSettings settings;
  private final FileOperations files;
  private final FaultHook faults;
  private final LongSupplier nanoClock;
  private final System.Logger logger = System.getLogger("io.cairn.capture");
  private final WriterQueue.Item order = new WriterQueue.Item();

  private final Chain chain;
  private WriterQueue queue;
  private StagingPool pool;
  private CopyCrew crew;
  private StagingPool.Chunk[] round; // the crew's chunks
  private ChangedRegions changed;
  private EpochCapture last;
  private OffHeap callbackBytes;
  private WriteBuffers buffers;
  private ParentBlocks parentBlocks;
  private Thread writerThread;
  private volatile Consumer<String> choiceReport = text -> {};
  private volatile EpochStatistics statistics;
  private volatile Supplier<CoreTimes> coreTimes = CoreTimes::now;
  private Supplier<WrittenPages> writtenPages = () -> WrittenPages.NONE;
  private PageMode pageMode = PageMode.ALL;
  private LongUnaryOperator stagingBudget;
  private long budgetBytes;

  // Of the capture that is under way.
  private EpochCapture current;
  private StagingPool.Chunk chunk;
  private int chunkUsed;
  private long capturedBytes;

  private long callbackLengthBytes; // of the last capture, all callbacks together

  private final SizeGuess sizes = new SizeGuess(); // the writer thread's

  /**
   * @param nanoClock a clock in nanoseconds, such as {@code System::nanoTime}
   */
  public ImageCapture(
      Pages pages,
      Registry registry,
      ImageTarget target,
      CaptureSettings settings,
      FileOperations files,
      FaultHook faults,
      LongSupplier nanoClock) {
    this.pages = pages;
    this.registry = registry;
    this.target = target;
    this.settings = settings;
    this.files = files;
    this.faults = faults;
    this.nanoClock = nanoClock;
    chain = new Chain(settings.fullEvery());
    stagingBudget = regionBytes -> settings.stagingBudgetBytes();
  }

  /**
   * Who is told how the blocks of a section are stored, and why, whenever that changes: on the
   * writer's thread.
   */
  public void whenChosen(Consumer<String> report) {
    choiceReport = report;
  }

  /**
   * Which pages of regions are copied; all, unless this is called. Before {@link #prepare}.
   *
   * @param source opened when it is needed, closed with this
   */
  public void copyPages(PageMode mode, Supplier<WrittenPages> source) {
    pageMode = mode;
    writtenPages = mode == PageMode.ALL ? () -> WrittenPages.NONE : source;
  }

  /**
   * How much memory the staging pool may take, by the length of all regions, which is known when it
   * is allocated; what the settings say, unless this is called. Before {@link #prepare}.
   */
  public void stageWithin(LongUnaryOperator budgetOfRegions) {
    stagingBudget = budgetOfRegions;
  }

  /** How the writer's thread finds its times on a core; for tests. Before {@link #prepare}. */
  void coreTimesFrom(Supplier<CoreTimes> source) {
    coreTimes = source;
  }

  /**
   * Allocates and touches the staging pool and starts the writer; to be called once, when
   * everything is registered, so that the first epoch doesn't pay for it. Application's thread.
   */
  public synchronized void prepare() {
    if (pool != null) {
      return;
    }
    registry.freeze();
    pool = pool(chunkCount());
    int chunks = pool.chunkCount();
    // Two orders for each chunk, or capture would wait for the queue while the pool has room.
    queue = new WriterQueue((int) Math.min(Integer.MAX_VALUE / 2, 2L * chunks + SMALL_ORDERS));
    crew = crew();
    round = new StagingPool.Chunk[CopyCrew.MOST_BLOCKS];
    changed = new ChangedRegions(pages, writtenPages.get(), pageMode, nanoClock);
    callbackBytes = new OffHeap(64 << 10);
    RateLimit limit = RateLimit.of(settings.bandwidthBytes());
    parentBlocks = settings.fullEvery() > 1 ? new ParentBlocks() : null;
    buffers =
        new WriteBuffers(
            settings.blockBytes(),
            new Encoding(
                settings.encode(),
                limit,
                nanoClock,
                Encoding.ownCoreClock(),
                text -> choiceReport.accept(text)),
            limit,
            settings.direct(),
            text -> choiceReport.accept(text),
            parentBlocks);
    writerThread = new Thread(this::write, "cairn-writer");
    writerThread.setDaemon(true);
    writerThread.start();
    choiceReport.accept(describeStaging());
    changed.prepare(registry, settings.fullEvery() > 1, choiceReport);
  }

  /** Of that many chunks, or as many as the system gives memory for. */
  private StagingPool pool(int chunks) {
    for (int given = chunks; ; given = Math.max(StagingPool.MIN_CHUNKS, given / 2)) {
      try {
        return new StagingPool(pages, settings.blockBytes(), given);
      } catch (OutOfMemoryError e) {
        if (given <= StagingPool.MIN_CHUNKS) {
          throw e;
        }
        log(
            System.Logger.Level.WARNING,
            "no staging pool of %d blocks of %d bytes (%s); trying half of it: the application will wait for the disk"
                .formatted(given, settings.blockBytes(), e.getMessage()));
      }
    }
  }

  private CopyCrew crew() {
    int threads = Math.min(settings.cores(), CopyThreads.MOST);
    CopyCrew crew = new CopyCrew(pages, threads);
    if (threads > 1) {
      crew.limit(CopyThreads.measure(crew, pool, nanoClock));
    }
    return crew;
  }

  private String describeStaging() {
    return String.format(
        Locale.ROOT,
        "staging pool of %,d bytes (budget %,d), %.0f%% in huge pages; %d of %d cores copy; the copy %s",
        pool.lengthBytes(),
        budgetBytes,
        100.0 * pool.hugeBytes() / pool.lengthBytes(),
        crew.threads(),
        settings.cores(),
        copiesFirst() ? "comes first, then the write" : "and the write go side by side");
  }

  private boolean copiesFirst() {
    return crew.threads() >= settings.cores();
  }

  /**
   * The same in the background, so that the application needn't wait while memory is touched: its
   * first capture does, if it comes earlier.
   */
  public void prepareSoon() {
    registry.freeze();
    Thread preparing =
        new Thread(
            () -> {
              try {
                prepare();
              } catch (Throwable e) {
                // The first capture tries again, and its epoch is abandoned if it can't.
                logger.log(System.Logger.Level.DEBUG, "no staging memory yet: " + e);
              }
            },
            "cairn-prepare");
    preparing.setDaemon(true);
    preparing.start();
  }

  /**
   * As many chunks as everything registered needs, within the budget; callbacks may come to share a
   * few.
   */
  private int chunkCount() {
    long needed = StagingPool.MIN_CHUNKS;
    long regionBytes = 0;
    for (Registry.Entry entry : registry.entries()) {
      long length = 0;
      if (entry instanceof Registry.RegionEntry region) {
        length = region.lengthBytes();
        regionBytes += length;
      } else if (entry instanceof Registry.ArrayEntry array) {
        length = array.lengthBytes();
      }
      needed += length / settings.blockBytes() + (length % settings.blockBytes() == 0 ? 0 : 1);
    }
    budgetBytes = stagingBudget.applyAsLong(regionBytes);
    long affordable = budgetBytes / settings.blockBytes();
    return (int)
        Math.min(
            Integer.MAX_VALUE - 8L, Math.max(StagingPool.MIN_CHUNKS, Math.min(needed, affordable)));
  }

  @Override
  public PendingImage capture(long epoch, long safePoint) throws Exception {
    long begin = nanoClock.getAsLong();
    prepare();
    List<Ancestor> ancestors = chain.next();
    EpochCapture image =
        new EpochCapture(this, epoch, safePoint, begin, ancestors, chain.committed());
    chain.begun(image);
    current = image;
    capturedBytes = 0;
    if (copiesFirst()) {
      queue.hold();
    }
    try {
      boolean saved = last != null && last.isCommitted();
      if (saved) {
        changed.costs().stored(last.capturedBytes(), last.storedNanos());
      }
      changed.cut(saved, choiceReport);
      last = image;
      image.toCopy(toCopyBytes());
      callbackLengthBytes = 0;
      put(WriterQueue.Order.BEGIN);
      for (Registry.Entry entry : registry.entries()) {
        capture(entry);
      }
      closeChunk();
      put(WriterQueue.Order.CAPTURED);
    } catch (Throwable e) {
      image.discard();
      closeChunk();
      throw e;
    } finally {
      queue.release();
      current = null;
      order.epoch = null;
      order.chunk = null;
    }
    image.captured(capturedBytes);
    statistics =
        new EpochStatistics(
            epoch, nanoClock.getAsLong() - begin, image.callbackNanos(), capturedBytes, 0, 0);
    faults.reached(FaultPoint.AFTER_CAPTURE);
    return image;
  }

  /** What the capture that begins will copy; callbacks say only then how much they have. */
  private long toCopyBytes() {
    long bytes = callbackLengthBytes;
    for (Registry.Entry entry : registry.entries()) {
      if (entry instanceof Registry.RegionEntry region) {
        RegionPages written = current.mayRefer() ? changed.of(region) : null;
        bytes += written == null ? region.lengthBytes() : written.lengthBytes();
      } else if (entry instanceof Registry.ArrayEntry array) {
        bytes += array.lengthBytes();
      }
    }
    return bytes;
  }

  private void capture(Registry.Entry entry) throws Exception {
    if (entry instanceof Registry.RegionEntry region) {
      beginSection(entry, region.lengthBytes());
      RegionPages written = current.mayRefer() ? changed.of(region) : null;
      long begin = nanoClock.getAsLong();
      long before = capturedBytes;
      if (written == null) {
        captureMemory(region.address(), 0, region.lengthBytes());
      } else {
        captureWritten(region, written);
      }
      changed.costs().copied(capturedBytes - before, nanoClock.getAsLong() - begin);
    } else if (entry instanceof Registry.ArrayEntry array) {
      long length = array.lengthBytes();
      beginSection(entry, length);
      for (long at = 0; at < length; ) {
        int n = reserve(length - at);
        HeapArrays.copyOut(array.type(), array.array(), at, chunk, chunkUsed, n);
        at += n;
        putBlock(n);
      }
    } else if (entry instanceof Registry.StateEntry state) {
      captureState(state);
    }
  }

  private void captureWritten(Registry.RegionEntry region, RegionPages written) throws Exception {
    long at = 0;
    while (written.next()) {
      putParent(written.from() - at);
      captureMemory(region.address(), written.from(), written.to());
      at = written.to();
    }
    putParent(region.lengthBytes() - at);
  }

  private void putParent(long lengthBytes) throws Exception {
    if (lengthBytes > 0) {
      order.sectionBytes = lengthBytes;
      put(WriterQueue.Order.PARENT);
    }
  }

  /** Copies the bytes between two offsets of a region, cut where its blocks end. */
  private void captureMemory(long address, long from, long to) throws Exception {
    int block = pool.chunkBytes();
    for (long at = from; at < to; ) {
      if (crew.threads() > 1 && at % block == 0 && to - at >= 2L * block) {
        at += captureRound(address + at, to - at);
      } else {
        int n = reserve(Math.min(to - at, block - at % block));
        pages.dump(address + at, chunk.address + chunkUsed, n);
        at += n;
        putBlock(n);
      }
    }
  }

  /** Copies as many whole blocks as there are chunks for, with all threads; returns the bytes. */
  private long captureRound(long address, long lengthBytes) throws Exception {
    closeChunk();
    int block = pool.chunkBytes();
    int most = (int) Math.min(CopyCrew.MOST_BLOCKS, lengthBytes / block);
    crew.clear();
    try {
      while (crew.count() < most) {
        faults.reached(FaultPoint.DURING_CAPTURE);
        StagingPool.Chunk next = crew.count() == 0 ? takeChunk() : pool.poll();
        if (next == null) {
          break;
        }
        round[crew.count()] = next;
        crew.add(address + (long) crew.count() * block, next.address, block);
      }
      crew.copy();
      for (int i = 0; i < crew.count(); i++) {
        chunk = round[i];
        chunkUsed = 0;
        round[i] = null;
        putBlock(block);
      }
    } finally {
      for (int i = 0; i < crew.count(); i++) {
        if (round[i] != null) {
          pool.release(round[i]);
          round[i] = null;
        }
      }
    }
    return (long) crew.count() * block;
  }

  private void captureState(Registry.StateEntry entry) throws Exception {
    long begin = nanoClock.getAsLong();
    callbackBytes.clear();
    try {
      entry.state().writeMarshallable(callbackBytes.bytes());
    } catch (Exception | LinkageError | StackOverflowError | AssertionError e) {
      throw new CallbackException(
          "state \""
              + entry.name()
              + "\" could not be written by "
              + entry.state().getClass().getName()
              + ": "
              + e,
          e);
    }
    current.callbackTook(nanoClock.getAsLong() - begin);
    long length = callbackBytes.lengthBytes();
    callbackLengthBytes += length;
    beginSection(entry, length);
    for (long at = 0; at < length; ) {
      int n = reserve(length - at);
      chunk.bytes.limit(chunkUsed + n).position(chunkUsed);
      callbackBytes.copyTo(at, chunk.bytes);
      chunk.bytes.clear();
      at += n;
      putBlock(n);
    }
  }

  private void beginSection(Registry.Entry entry, long lengthBytes) throws Exception {
    order.kind = entry.kind();
    order.type = entry.type();
    order.name = entry.name();
    order.sectionBytes = lengthBytes;
    put(WriterQueue.Order.SECTION);
  }

  /**
   * Finds room for the next block, in the chunk under way or a new one; returns the block's length.
   */
  private int reserve(long left) throws Exception {
    faults.reached(FaultPoint.DURING_CAPTURE);
    int n = (int) Math.min(left, pool.chunkBytes());
    // What is stored from where it lies begins with a page, for direct I/O.
    int at = n < PAGED_FROM_BYTES ? chunkUsed : (chunkUsed + PAGE_BYTES - 1) & -PAGE_BYTES;
    if (chunk != null && pool.chunkBytes() - at < n) {
      closeChunk();
    }
    chunkUsed = at;
    if (chunk == null) {
      chunk = takeChunk();
      chunkUsed = 0;
    }
    return n;
  }

  private StagingPool.Chunk takeChunk() throws Exception {
    StagingPool.Chunk taken = current.ended() ? null : pool.poll();
    if (taken == null) {
      queue.release(); // chunks come back only from a writer that writes
      taken = pool.take(current);
    }
    if (taken == null) {
      throw ended();
    }
    return taken;
  }

  private void putBlock(int lengthBytes) throws Exception {
    order.chunk = chunk;
    order.offset = chunkUsed;
    order.lengthBytes = lengthBytes;
    capturedBytes += lengthBytes;
    put(WriterQueue.Order.BLOCK);
    chunkUsed =
        (int)
            Math.min(
                pool.chunkBytes(), (chunkUsed + (long) lengthBytes + ALIGNMENT - 1) & -ALIGNMENT);
    if (chunkUsed == pool.chunkBytes()) {
      closeChunk();
    }
  }

  private void closeChunk() throws InterruptedException {
    if (chunk == null) {
      return;
    }
    order.order = WriterQueue.Order.RELEASE;
    order.epoch = current;
    order.chunk = chunk;
    if (!queue.put(order)) {
      // The epoch has ended, so that this is the last order of the capture: it takes a place of the
      // reserve.
      queue.putNow(WriterQueue.Order.RELEASE, current, chunk);
    }
    chunk = null;
  }

  private void put(WriterQueue.Order what) throws Exception {
    order.order = what;
    order.epoch = current;
    if (!queue.put(order)) {
      throw ended();
    }
  }

  private Exception ended() {
    Throwable failure = current.failure();
    if (failure instanceof Exception exception) {
      return exception;
    }
    return failure == null
        ? new IOException("the epoch was abandoned while it was captured")
        : new IOException("the image could not be written: " + failure, failure);
  }

  private void write() {
    WriterQueue.Item item = new WriterQueue.Item();
    try {
      do {
        queue.take(item);
      } while (execute(item));
    } catch (InterruptedException e) {
      logger.log(System.Logger.Level.DEBUG, "writer interrupted");
    }
  }

  /** Does an order; returns false if it was the last. */
  private boolean execute(WriterQueue.Item item) {
    EpochCapture epoch = item.epoch;
    try {
      switch (item.order) {
        case RELEASE -> pool.release(item.chunk);
        case DISCARD -> epoch.abandoned();
        case STOP -> {
          return false;
        }
        default -> {
          if (!epoch.ended()) {
            executeForImage(item);
          }
        }
      }
    } catch (Throwable e) {
      // Whatever it is, the ranks must hear of it: a writer that ends silently would hang them.
      epoch.fail(e);
    } finally {
      if (item.order == WriterQueue.Order.SEAL) {
        epoch.releaseChannels();
      }
    }
    return true;
  }

  private void executeForImage(WriterQueue.Item item) throws IOException {
    switch (item.order) {
      case BEGIN -> item.epoch.begin();
      case SECTION -> item.epoch.section(item);
      case BLOCK -> item.epoch.block(item);
      case PARENT -> item.epoch.parent(item);
      case CAPTURED -> item.epoch.captured();
      case SEAL -> item.epoch.writeSealed();
      default -> throw new AssertionError(item.order);
    }
  }

  /** Where less is left than it is expected to take, it will hardly fit, and isn't begun at all. */
  void requireSpace(long expectedBytes) throws IOException {
    long usable = target.usableBytes();
    if (usable < expectedBytes) {
      throw new IOException(
          "no space for an image in "
              + target.place()
              + ": "
              + usable
              + " bytes are left, and going by the last one it would take "
              + expectedBytes);
    }
  }

  /** What images take. Writer's thread. */
  SizeGuess sizes() {
    return sizes;
  }

  void durable(long epoch, long beginNanos, long rawBytes, long storedBytes) {
    EpochStatistics captured = statistics;
    if (captured != null && captured.epoch() == epoch) {
      statistics =
          new EpochStatistics(
              epoch,
              captured.pauseNanos(),
              captured.callbackNanos(),
              captured.capturedBytes(),
              storedBytes,
              nanoClock.getAsLong() - beginNanos);
    }
  }

  /** What that epoch cost, if it is the last one that was captured. Any thread. */
  public Optional<EpochStatistics> statistics(long epoch) {
    EpochStatistics last = statistics;
    return last != null && last.epoch() == epoch ? Optional.of(last) : Optional.empty();
  }

  /** Bytes of staging memory in use; 0 before {@link #prepare}. */
  public long stagingBytes() {
    return pool == null ? 0 : pool.lengthBytes();
  }

  /**
   * Stops the writer when it has done what it was asked, and gives all memory back. The
   * application's thread, when no epoch is pending.
   */
  @Override
  public synchronized void close() {
    if (pool == null) {
      return;
    }
    queue.putNow(WriterQueue.Order.STOP, null, null);
    try {
      writerThread.join();
    } catch (InterruptedException e) {
      // The memory may still be in use: leave it to the end of the process.
      Thread.currentThread().interrupt();
      return;
    }
    changed.close();
    crew.close();
    pool.close();
    callbackBytes.close();
    buffers.close();
    pool = null;
  }

  void log(System.Logger.Level level, String message) {
    logger.log(level, message);
  }

  long nanoTime() {
    return nanoClock.getAsLong();
  }

  CoreTimes coreTimes() {
    return coreTimes.get();
  }

  Pages pages() {
    return pages;
  }

  ImageTarget target() {
    return target;
  }

  CaptureSettings settings() {
    return settings;
  }

  FileOperations files() {
    return files;
  }

  FaultHook faults() {
    return faults;
  }

  WriteBuffers buffers() {
    return buffers;
  }

  /** What is known of the parent's blocks; null if all images are full. Writer's thread. */
  ParentBlocks parentBlocks() {
    return parentBlocks;
  }

  WriterQueue queue() {
    return queue;
  }

  StagingPool pool() {
    return pool;
  }
}

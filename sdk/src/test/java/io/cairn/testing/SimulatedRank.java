// SPDX-License-Identifier: Apache-2.0
package io.cairn.testing;

import io.cairn.capture.CaptureSettings;
import io.cairn.capture.ImageCapture;
import io.cairn.capture.Registry;
import io.cairn.coordinate.Capture.PendingImage;
import io.cairn.coordinate.Capture.Progress;
import io.cairn.coordinate.Group;
import io.cairn.coordinate.MeanTime;
import io.cairn.coordinate.SealedChannels;
import io.cairn.image.CoreTimes;
import io.cairn.image.DirectMode;
import io.cairn.image.EncodeMode;
import io.cairn.image.FaultHook;
import io.cairn.image.FileOperations;
import io.cairn.image.ReadSettings;
import io.cairn.image.SystemFiles;
import io.cairn.natives.NativeErasureCode;
import io.cairn.restore.Choice;
import io.cairn.restore.Continuation;
import io.cairn.restore.RestoreAgreement;
import io.cairn.restore.RestoredImage;
import io.cairn.restore.Restorer;
import io.cairn.store.DirectoryStore;
import io.cairn.store.JobDirectory;
import io.cairn.store.Launch;
import io.cairn.store.StoreSettings;
import io.cairn.store.Transport;
import io.cairn.tier.Gauges;
import io.cairn.tier.Protector;
import io.cairn.tier.Recovery;
import io.cairn.tier.Tier;
import io.cairn.tier.TierSettings;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/** A rank with everything but MPI: the tests' stand-in for the wiring and the agent. */
public final class SimulatedRank implements AutoCloseable {
  public static final int BLOCK_BYTES = 4096;

  // With LZ4 wherever that saves: the same state gives the same bytes, however fast the machine is.
  private static final CaptureSettings CAPTURE =
      new CaptureSettings(16L * BLOCK_BYTES, BLOCK_BYTES, EncodeMode.SMALL, 0);

  /** The same, past the page cache. */
  public static final CaptureSettings DIRECT =
      new CaptureSettings(
          64L * BLOCK_BYTES, BLOCK_BYTES, EncodeMode.SMALL, 0, DirectMode.AUTO, 2, 1);

  public final TestPages pages = new TestPages();
  public final Registry registry = new Registry();
  public final Group group;
  public final JobDirectory directory;
  public final DirectoryStore store;
  public final ImageCapture capture;
  public final FileOperations files;
  private final FaultHook faults;
  private final ExecutorService storeThread = DirectoryStore.backgroundThread();

  public final TierNews news = new TierNews();
  public List<String> recovered = List.of();
  public List<String> reasons = List.of();

  /** What was chosen to be restored, in vain but for the last. */
  public final List<Choice> choices = new ArrayList<>();

  private TierSettings tierSettings;
  private Transport transport;
  private Protector protector;
  private LongSupplier clock = System::nanoTime;
  private Supplier<CoreTimes> coreTimes = CoreTimes::now;
  private Function<Tier, MeanTime> failures = tier -> MeanTime.given(Duration.ofHours(24));
  private long stallMillis = 20_000;

  public SimulatedRank(Path directory, Group group) throws Exception {
    this(new StoreSettings(directory, "job", 2, 0, 0), group, new SystemFiles(), FaultHook.NONE);
  }

  public SimulatedRank(StoreSettings settings, Group group, FileOperations files, FaultHook faults)
      throws Exception {
    this(settings, group, files, faults, CAPTURE);
  }

  /** How its images are written; one of so many is full. */
  public static CaptureSettings chained(int fullEvery) {
    return new CaptureSettings(
        16L * BLOCK_BYTES, BLOCK_BYTES, EncodeMode.SMALL, 0, DirectMode.OFF, 2, fullEvery);
  }

  public SimulatedRank(
      StoreSettings settings,
      Group group,
      FileOperations files,
      FaultHook faults,
      CaptureSettings captureSettings)
      throws Exception {
    this.group = group;
    this.files = files;
    this.faults = faults;
    Launch launch =
        new Launch("node" + group.rank(), 4711, "2026-01-01T00:00:00Z", UUID.randomUUID());
    directory = JobDirectory.open(settings, 4096, group, files, launch, System::nanoTime);
    store = new DirectoryStore(directory, files, faults, storeThread, System::nanoTime);
    capture =
        new ImageCapture(
            pages, registry, directory, captureSettings, files, faults, System::nanoTime);
  }

  /** With slower tiers, and recovery before the restore. To be said before that. */
  public void useTiers(TierSettings settings, Transport transport) {
    tierSettings = settings;
    this.transport = transport;
    stallMillis = settings.stallMillis();
  }

  /** What the tiers measure stalls with. To be said before the restore. */
  public void useClock(LongSupplier nanoClock) {
    clock = nanoClock;
  }

  /** What automatic periods go by. To be said before the restore. */
  public void useGauges(Supplier<CoreTimes> coreTimes, Function<Tier, MeanTime> failures) {
    this.coreTimes = coreTimes;
    this.failures = failures;
  }

  /** Registers memory and returns its view. */
  public ByteBuffer region(String name, int lengthBytes) {
    long address = lengthBytes == 0 ? 0 : pages.allocate(lengthBytes);
    registry.region(name, address, lengthBytes);
    return lengthBytes == 0 ? ByteBuffer.allocateDirect(0) : pages.view(address, lengthBytes);
  }

  /** Agrees with the other ranks and restores, if there is something. */
  public RestoredImage restore() throws Exception {
    Optional<Recovery> recovery =
        Optional.ofNullable(transport)
            .map(
                t ->
                    new Recovery(
                        directory, t, new NativeErasureCode(), files, faults, clock, stallMillis));
    choices.clear();
    Continuation.Result result =
        new Continuation(
                new RestoreAgreement(directory, group, files, recovery),
                new Restorer(pages, registry, files, faults, new ReadSettings(2, DirectMode.AUTO)),
                directory,
                group)
            .run("start-afresh", Set.of(), choices::add);
    Choice choice = result.choice();
    recovered = choice.recovered();
    reasons = choice.reasons();
    RestoredImage restored = result.image().orElse(null);
    if (tierSettings != null) {
      protector =
          Protector.open(
              tierSettings,
              directory,
              transport,
              new NativeErasureCode(),
              files,
              faults,
              new Gauges(clock, coreTimes, failures),
              news);
      protector.whenProtected(store::protectionChanged);
      store.protectBy(protector);
      protector.start(choice.epoch(), choice.jobDigest());
    }
    store.ranksAgreed(choice.epoch(), !choice.recovered().isEmpty(), choice.broken());
    capture.prepare();
    return restored;
  }

  /** Captures and writes an image; returns when it is durable, or throws what it failed with. */
  public PendingImage image(long epoch, String channelState) throws Exception {
    return image(epoch, ascii(channelState), ascii("counts of " + epoch));
  }

  /** The same, with the bytes that a ledger writes. */
  public PendingImage image(long epoch, byte[] channelState, byte[] counts) throws Exception {
    PendingImage image = capture.capture(epoch, 100 + epoch);
    image.seal(channels(channelState, counts));
    await(image);
    return image;
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  public SealedChannels channels(String state, String counts) {
    return channels(ascii(state), ascii(counts));
  }

  private SealedChannels channels(byte[] state, byte[] counts) {
    long stateAddress = memory(state);
    long countsAddress = memory(counts);
    return new SealedChannels(
        stateAddress,
        state.length,
        countsAddress,
        counts.length,
        1,
        () -> {
          if (stateAddress != 0) {
            pages.free(stateAddress, state.length);
          }
          pages.free(countsAddress, counts.length);
        });
  }

  private long memory(byte[] bytes) {
    if (bytes.length == 0) {
      return 0;
    }
    long address = pages.allocate(bytes.length);
    pages.view(address, bytes.length).put(bytes);
    return address;
  }

  /** The channel state that came back. */
  public String channels(RestoredImage restored) {
    if (restored.channelsBytes() == 0) {
      return "";
    }
    ByteBuffer view = pages.view(restored.channelsAddress(), (int) restored.channelsBytes());
    return StandardCharsets.US_ASCII.decode(view).toString();
  }

  public static void await(PendingImage image) throws Exception {
    while (image.progress() == Progress.RUNNING) {
      Thread.sleep(1);
    }
    if (image.progress() == Progress.FAILED) {
      throw new IOException("image failed: " + image.failure(), image.failure());
    }
  }

  /** Writes the pending record together with the other ranks; returns when it is durable on all. */
  public void record(long epoch, PendingImage image) throws Exception {
    long sum = 0;
    byte[] term =
        ByteBuffer.allocate(8).putLong(store.digestTerm(group.rank(), image.digest())).array();
    for (byte[] other : group.allGather(term)) {
      sum += ByteBuffer.wrap(other).getLong();
    }
    store.record(epoch, sum);
    while (store.recordProgress() == Progress.RUNNING) {
      Thread.sleep(1);
    }
    boolean failed = store.recordProgress() == Progress.FAILED;
    boolean anyFailed = false;
    for (byte[] other : group.allGather(new byte[] {(byte) (failed ? 1 : 0)})) {
      anyFailed |= other[0] != 0;
    }
    if (failed) {
      throw new IOException("record failed: " + store.recordFailure(), store.recordFailure());
    }
    if (anyFailed) {
      throw new IOException("record failed elsewhere");
    }
  }

  /** A whole epoch. */
  public void epoch(long epoch, String channelState) throws Exception {
    commit(epoch, image(epoch, channelState));
  }

  /** Records and commits an epoch whose image is durable. */
  public void commit(long epoch, PendingImage image) throws Exception {
    record(epoch, image);
    store.commit(epoch);
    image.committed();
    settle();
  }

  /** Waits until the store has done what it was asked. */
  public void settle() throws Exception {
    storeThread.submit(() -> {}).get();
  }

  /** Ends in order. */
  @Override
  public void close() throws IOException {
    if (protector != null) {
      protector.close();
    }
    store.close();
    capture.close();
    directory.close();
  }

  /** Waits until no tier is to protect an epoch any more, or is at it. */
  public void awaitLetGo(long epoch) throws Exception {
    long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    while (protector.held().contains(directory.epochId(epoch))) {
      if (System.nanoTime() > end) {
        throw new AssertionError("epoch " + epoch + " is still held: " + news.all());
      }
      Thread.sleep(1);
    }
  }

  /** What the layout of the tiers can't do. */
  public List<String> shortcomings() {
    return protector.shortcomings();
  }

  /**
   * What the kernel does with a killed process: nothing of it runs any more, then its lock is gone.
   * What was asked of the store before is done, as by a process that was killed a little later.
   */
  public void kill() throws IOException {
    store.close();
    directory.close();
  }
}

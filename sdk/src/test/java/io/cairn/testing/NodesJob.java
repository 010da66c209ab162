// SPDX-License-Identifier: Apache-2.0
package io.cairn.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import io.cairn.coordinate.MeanTime;
import io.cairn.image.CoreTimes;
import io.cairn.image.EpochId;
import io.cairn.image.FaultHook;
import io.cairn.image.FileOperations;
import io.cairn.restore.RestoredImage;
import io.cairn.store.StoreSettings;
import io.cairn.tier.SetSize;
import io.cairn.tier.Tier;
import io.cairn.tier.TierSettings;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntFunction;
import java.util.function.IntToLongFunction;
import java.util.function.IntUnaryOperator;
import java.util.stream.Stream;

/** A job whose nodes have a directory each, and whose ranks are threads. */
public final class NodesJob {
  private final Path base;
  private final int ranks;
  private final IntUnaryOperator stateBytes;
  private int fullEvery = 1;
  private int keptEpochs = 1;

  /** What a rank does with its part of the job. */
  @FunctionalInterface
  public interface Part {
    void run(SimulatedRank rank, ByteBuffer state) throws Exception;
  }

  /**
   * @param stateBytes how much each rank has to save
   */
  public NodesJob(Path base, int ranks, IntUnaryOperator stateBytes) {
    this.base = base;
    this.ranks = ranks;
    this.stateBytes = stateBytes;
  }

  /** So many epochs are kept in each store, whatever protects them; one, unless it is said. */
  public NodesJob keeping(int epochs) {
    keptEpochs = epochs;
    return this;
  }

  /** Of so many images of a rank one is full; from epoch to epoch one block changes. */
  public NodesJob chained(int newFullEvery) {
    fullEvery = newFullEvery;
    return this;
  }

  /** What a node has. */
  public Path node(int node) {
    return base.resolve("node" + node);
  }

  /** The directory of an epoch that the job's first launch took. */
  public Path epoch(int node, long epoch) {
    return node(node).resolve("job").resolve("epoch-1-" + epoch);
  }

  /** A node is lost, with all it has. */
  public void wipe(int node) throws IOException {
    wipe(node(node));
  }

  /** Deletes a directory and what is in it. */
  public static void wipe(Path directory) throws IOException {
    try (Stream<Path> all = Files.walk(directory)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }

  /**
   * Tiers of which each keeps one epoch; the failure group is that of the node.
   *
   * @param partner every so many epochs a partner copy; 0 for none
   */
  public static TierSettings tiers(
      int partner, Optional<SetSize> set, Optional<Path> shared, Optional<Tier> commit) {
    Map<Tier, Integer> every = new EnumMap<>(Tier.class);
    if (partner > 0) {
      every.put(Tier.PARTNER, partner);
    }
    set.ifPresent(size -> every.put(Tier.SET, 1));
    shared.ifPresent(path -> every.put(Tier.SHARED, 1));
    Map<Tier, Integer> kept = new EnumMap<>(Tier.class);
    every.keySet().forEach(tier -> kept.put(tier, 1));
    return new TierSettings("", every, kept, set, shared, 0, commit, 20_000);
  }

  /** Partner copies of each epoch. */
  public static TierSettings partner() {
    return tiers(1, Optional.empty(), Optional.empty(), Optional.empty());
  }

  /** Redundancy sets of each epoch. */
  public static TierSettings sets(int data, int parity) {
    return tiers(0, Optional.of(new SetSize(data, parity)), Optional.empty(), Optional.empty());
  }

  /** The same tiers, of which each keeps so many epochs. */
  public static TierSettings keeping(TierSettings tiers, int epochs) {
    Map<Tier, Integer> kept = new EnumMap<>(Tier.class);
    tiers.every().keySet().forEach(tier -> kept.put(tier, epochs));
    return new TierSettings(
        tiers.failureGroup(),
        tiers.every(),
        kept,
        tiers.sets(),
        tiers.shared(),
        tiers.sharedBytesPerSecond(),
        tiers.commit(),
        tiers.stallMillis());
  }

  /** What a rank has computed by an epoch. */
  public byte[] state(int rank, long epoch) {
    byte[] bytes = new byte[stateBytes.applyAsInt(rank)];
    new Random(31L * rank + (fullEvery > 1 ? 0 : epoch)).nextBytes(bytes);
    for (int past = 1; fullEvery > 1 && past <= epoch; past++) {
      bytes[past * SimulatedRank.BLOCK_BYTES % bytes.length] += (byte) past;
    }
    return bytes;
  }

  /** Takes an epoch with all others. */
  public void epoch(SimulatedRank rank, ByteBuffer state, long epoch) throws Exception {
    state.put(0, state(rank.group.rank(), epoch));
    rank.epoch(epoch, "late " + epoch);
  }

  /** The same tiers, each as often as loses least. */
  public static TierSettings automatic(TierSettings tiers) {
    Map<Tier, Integer> every = new EnumMap<>(Tier.class);
    tiers.every().keySet().forEach(tier -> every.put(tier, TierSettings.AUTOMATIC));
    return new TierSettings(
        tiers.failureGroup(),
        every,
        tiers.kept(),
        tiers.sets(),
        tiers.shared(),
        tiers.sharedBytesPerSecond(),
        tiers.commit(),
        tiers.stallMillis());
  }

  /** Waits until all stores have the record of a tier for an epoch. */
  public static void awaitRecord(SimulatedRank rank, Tier tier, EpochId epoch) throws Exception {
    Path record = rank.directory.directory(epoch).resolve(tier.recordName());
    long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    while (!Files.exists(record)) {
      if (System.nanoTime() > end) {
        throw new AssertionError("no " + record + ": " + rank.news.all());
      }
      Thread.sleep(1);
    }
    rank.group.allGather(new byte[0]);
  }

  /** Restores with all others, and requires that epoch's state, to the bit. */
  public void assertRestored(SimulatedRank rank, ByteBuffer state, long epoch) throws Exception {
    try (RestoredImage restored = rank.restore()) {
      assertNotNull(restored, () -> "nothing restored: " + rank.reasons);
      assertEquals(epoch, restored.epoch().epoch(), () -> rank.reasons.toString());
      assertEquals(
          -1, state.mismatch(ByteBuffer.wrap(state(rank.group.rank(), epoch))), "wrong state");
      assertEquals("late " + epoch, rank.channels(restored));
    }
  }

  /** A launch to come; rank r is on node {@code placement(r)}. */
  public Launch launch(IntUnaryOperator placement) {
    return new Launch(placement);
  }

  /** One launch. */
  public final class Launch {
    private final IntUnaryOperator placement;
    private final LocalTransport.World transports =
        new LocalTransport.World(ranks, Duration.ofSeconds(30));
    private final AtomicLong lostNanos = new AtomicLong();
    private Optional<TierSettings> tiers = Optional.empty();
    private IntFunction<FileOperations> files = rank -> new UnsyncedFiles();
    private IntFunction<FaultHook> faults = rank -> FaultHook.NONE;
    private IntToLongFunction costNanos = rank -> 0;
    private IntFunction<MeanTime> failures = rank -> MeanTime.given(Duration.ofHours(24));
    private final AtomicLong passedNanos = new AtomicLong();

    private Launch(IntUnaryOperator placement) {
      this.placement = placement;
    }

    /** With these tiers; a failure group is a node. */
    public Launch with(TierSettings settings) {
      tiers = Optional.of(settings);
      return this;
    }

    /** Each rank's way to files. */
    public Launch files(IntFunction<FileOperations> ofRank) {
      files = ofRank;
      return this;
    }

    /** Each rank's faults. */
    public Launch faults(IntFunction<FaultHook> ofRank) {
      faults = ofRank;
      return this;
    }

    /**
     * What tiers go by whose period is automatic.
     *
     * @param costs what a protection costs each rank; zero, unless it is said
     * @param ofRank how often fails what a tier protects against, as each rank thinks
     */
    public Launch automatic(IntFunction<Duration> costs, IntFunction<MeanTime> ofRank) {
      costNanos = rank -> costs.apply(rank).toNanos();
      failures = ofRank;
      return this;
    }

    /** Time passes, at rank 0 alone. */
    public void pass(Duration time) {
      passedNanos.addAndGet(time.toNanos());
    }

    /** What is between the ranks. */
    public LocalTransport.World transports() {
      return transports;
    }

    /** Ranks disappear; whoever waits for them finds that it has waited for too long. */
    public void lose(List<Integer> lost) {
      lost.forEach(transports::disappear);
      transports.endWaits();
      lostNanos.compareAndSet(0, System.nanoTime());
    }

    /** Since ranks are lost, time flies. */
    private long nanoTime() {
      long now = System.nanoTime();
      long lost = lostNanos.get();
      return lost == 0 ? now : now + (now - lost) * 1000;
    }

    /** Runs it; all ranks must end well. */
    public void run(Part part) throws Exception {
      List<Throwable> failures =
          outcomes(
                  (rank, state) -> {
                    part.run(rank, state);
                    rank.close();
                  })
              .stream()
              .map(ThreadGroupWorld.Outcome::failure)
              .filter(failure -> failure != null)
              .toList();
      if (!failures.isEmpty()) {
        AssertionError failed = new AssertionError(failures.size() + " ranks failed");
        failures.forEach(failed::addSuppressed);
        throw failed;
      }
      assertEquals(0, transports.unreceived(), "messages are left");
    }

    /** Runs it; returns how the ranks ended. What a part doesn't close is killed. */
    public List<ThreadGroupWorld.Outcome<Void>> outcomes(Part part) throws Exception {
      ThreadGroupWorld world = new ThreadGroupWorld(ranks);
      return ThreadGroupWorld.run(ranks, number -> () -> rank(world, number, part));
    }

    private Void rank(ThreadGroupWorld world, int number, Part part) throws Exception {
      int node = placement.applyAsInt(number);
      StoreSettings store =
          new StoreSettings(
              node(node), "job", keptEpochs, 0, 0, tiers.flatMap(TierSettings::shared));
      SimulatedRank rank =
          new SimulatedRank(
              store,
              world.group(number),
              files.apply(number),
              faults.apply(number),
              SimulatedRank.chained(fullEvery));
      try {
        rank.useTiers(
            tiers.map(t -> in("node" + node, t)).orElse(TierSettings.none("node" + node)),
            transports.transport(number));
        rank.useClock(() -> nanoTime() + (number == 0 ? passedNanos.get() : 0));
        AtomicLong asked = new AtomicLong();
        rank.useGauges(
            () -> {
              long nanos = asked.incrementAndGet() * costNanos.applyAsLong(number);
              return new CoreTimes(nanos, nanos);
            },
            tier -> failures.apply(number));
        part.run(rank, rank.region("u", stateBytes.applyAsInt(number)));
      } finally {
        rank.kill();
      }
      return null;
    }

    private TierSettings in(String failureGroup, TierSettings tiers) {
      return new TierSettings(
          failureGroup,
          tiers.every(),
          tiers.kept(),
          tiers.sets(),
          tiers.shared(),
          tiers.sharedBytesPerSecond(),
          tiers.commit(),
          tiers.stallMillis());
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import io.cairn.api.CairnOptions;
import io.cairn.coordinate.MeanTime;
import io.cairn.image.CoreTimes;
import io.cairn.image.EpochId;
import io.cairn.image.FaultHook;
import io.cairn.image.FileOperations;
import io.cairn.natives.NativeErasureCode;
import io.cairn.natives.NativeTransport;
import io.cairn.report.ProgressReporter;
import io.cairn.store.DirectoryStore;
import io.cairn.store.FencedException;
import io.cairn.store.JobDirectory;
import io.cairn.store.Launch;
import io.cairn.tier.Gauges;
import io.cairn.tier.Protector;
import io.cairn.tier.Recovery;
import io.cairn.tier.SetSize;
import io.cairn.tier.Tier;
import io.cairn.tier.TierSettings;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Consumer;

/** The wiring of the slower tiers: recovery before the restore, protection after it. */
final class Tiers {
  /** For how long nothing may move between ranks. */
  private static final Duration STALL = Duration.ofMinutes(2);

  /** A rank's tiers wait for the other ranks' to reach the same epoch, not for any data. */
  private static final Duration DEADLINE = Duration.ofHours(1);

  private final CairnOptions options;
  private final TierSettings settings;
  private final NativeTransport transport;
  private final NativeErasureCode code = new NativeErasureCode();
  private final JobDirectory directory;
  private final FileOperations files;
  private final FaultHook faults;
  private Protector protector;

  private Tiers(
      CairnOptions options, JobDirectory directory, FileOperations files, FaultHook faults) {
    this.options = options;
    settings = settings(options);
    this.directory = directory;
    this.files = files;
    this.faults = faults;
    transport = NativeTransport.open(DEADLINE);
  }

  /** Collective. */
  static Tiers open(
      CairnOptions options, JobDirectory directory, FileOperations files, FaultHook faults) {
    return new Tiers(options, directory, files, faults);
  }

  private static TierSettings settings(CairnOptions options) {
    Map<Tier, Integer> every = new EnumMap<>(Tier.class);
    Map<Tier, Integer> kept = new EnumMap<>(Tier.class);
    if (options.automaticPartner() || options.partner().isPresent()) {
      every.put(Tier.PARTNER, period(options.partner()));
    }
    options.set().ifPresent(size -> every.put(Tier.SET, period(options.setEvery())));
    options.shared().ifPresent(path -> every.put(Tier.SHARED, period(options.sharedEvery())));
    kept.put(Tier.PARTNER, options.partnerKeep());
    kept.put(Tier.SET, options.setKeep());
    kept.put(Tier.SHARED, options.sharedKeep());
    kept.keySet().retainAll(every.keySet());
    Optional<Tier> commit =
        switch (options.commit()) {
          case LOCAL -> Optional.empty();
          case PARTNER -> Optional.of(Tier.PARTNER);
          case SET -> Optional.of(Tier.SET);
        };
    if (commit.isPresent() && !every.containsKey(commit.get())) {
      throw new io.cairn.api.OptionException(
          "option cairn.commit: found \"%s\", but cairn.%s is off; expected local, or that cairn.%s is on"
              .formatted(commit.get().word(), commit.get().word(), commit.get().word()));
    }
    return new TierSettings(
        options.failureGroup().orElseGet(() -> Launch.current().host()),
        every,
        kept,
        options.set().map(size -> new SetSize(size.data(), size.parity())),
        options.shared(),
        options.sharedBandwidthBytes().orElse(0),
        commit,
        STALL.toMillis());
  }

  private static int period(OptionalLong fixed) {
    return fixed.isPresent()
        ? (int) Math.min(fixed.getAsLong(), Integer.MAX_VALUE)
        : TierSettings.AUTOMATIC;
  }

  private static MeanTime meanTime(Tier tier, CairnOptions options, DirectoryStore store) {
    if (tier == Tier.SHARED) {
      return MeanTime.given(options.meanTimeBetweenTotalLosses());
    }
    return options
        .meanTimeBetweenNodeLosses()
        .map(MeanTime::given)
        .orElseGet(() -> MeanTime.estimatedOfNodes(store.nodeLosses(), store.computedNanos()));
  }

  /** What gets images to where their ranks run. */
  Recovery recovery() {
    return new Recovery(
        directory, transport, code, files, faults, System::nanoTime, STALL.toMillis());
  }

  /** All ranks have restored what there is: protection begins. Collective. */
  void start(
      DirectoryStore store,
      EpochLogger log,
      Optional<ProgressReporter> reporter,
      Consumer<FencedException> whenFenced,
      Optional<EpochId> restored,
      long jobDigest)
      throws Exception {
    if (settings.tiers().isEmpty()) {
      return;
    }
    protector =
        Protector.open(
            settings,
            directory,
            transport,
            code,
            files,
            faults,
            new Gauges(System::nanoTime, CoreTimes::now, tier -> meanTime(tier, options, store)),
            listener(log, reporter, whenFenced));
    log.shortcomings(protector.shortcomings());
    protector.whenProtected(store::protectionChanged);
    store.protectBy(protector);
    protector.start(restored, jobDigest);
  }

  private static Protector.Listener listener(
      EpochLogger log, Optional<ProgressReporter> reporter, Consumer<FencedException> whenFenced) {
    return new Protector.Listener() {
      @Override
      public void isProtected(Tier tier, EpochId epoch, double seconds) {
        log.isProtected(tier, epoch, seconds);
      }

      @Override
      public void failed(Tier tier, EpochId epoch, Exception failure) {
        log.notProtected(tier, epoch, failure);
      }

      @Override
      public void chosen(Tier tier, long nanos, String choice) {
        log.chosen(tier, choice);
        reporter.ifPresent(r -> r.chosen(tier.word(), nanos, choice));
      }

      @Override
      public void ended(Exception failure) {
        log.warning("the slower tiers protect nothing any more in this launch", failure);
      }

      @Override
      public void fenced(FencedException fenced) {
        whenFenced.accept(fenced);
      }
    };
  }

  /** Collective. */
  void close() {
    if (protector != null) {
      protector.close();
    }
    transport.close();
  }
}

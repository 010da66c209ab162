// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import io.cairn.api.CairnException;
import io.cairn.api.CairnOptions;
import io.cairn.api.CheckpointListener;
import io.cairn.api.CheckpointListener.RestoredEvent;
import io.cairn.api.MisuseException;
import io.cairn.capture.CaptureSettings;
import io.cairn.capture.ImageCapture;
import io.cairn.capture.PageMode;
import io.cairn.capture.Registry;
import io.cairn.coordinate.Agent;
import io.cairn.coordinate.AutomaticInterval;
import io.cairn.coordinate.EpochCoordinator;
import io.cairn.coordinate.EpochSettings;
import io.cairn.coordinate.Group;
import io.cairn.coordinate.MeanTime;
import io.cairn.coordinate.Origin;
import io.cairn.coordinate.SafePointGate;
import io.cairn.image.ChronicleQuiet;
import io.cairn.image.DirectMode;
import io.cairn.image.EncodeMode;
import io.cairn.image.EpochId;
import io.cairn.image.FaultHook;
import io.cairn.image.FileOperations;
import io.cairn.image.ImageHeader;
import io.cairn.image.ReadSettings;
import io.cairn.image.SystemFiles;
import io.cairn.natives.NativeFabric;
import io.cairn.natives.NativeFileSpace;
import io.cairn.natives.NativeLedger;
import io.cairn.natives.NativePages;
import io.cairn.natives.NativeWrittenPages;
import io.cairn.natives.Shim;
import io.cairn.report.LaunchWatch;
import io.cairn.report.ProgressReporter;
import io.cairn.restore.Choice;
import io.cairn.restore.Continuation;
import io.cairn.restore.RestoreAgreement;
import io.cairn.restore.RestoreMismatchException;
import io.cairn.restore.RestoredImage;
import io.cairn.restore.Restorer;
import io.cairn.store.DirectoryStore;
import io.cairn.store.FencedException;
import io.cairn.store.JobDirectory;
import io.cairn.store.Launch;
import io.cairn.store.StoreSettings;
import io.cairn.store.Together;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import net.openhft.chronicle.bytes.BytesMarshallable;

/**
 * Wires the parts, in the order that a launch needs them: the job's directory when MPI is there,
 * the restore when everything is registered, and only then the agent.
 */
final class EnabledSession extends Session {

  /** For the system tests: where this process shall die, see {@link FaultHook#parse}. */
  private static final String FAULT_VARIABLE = "CAIRN_TEST_FAULT";

  /** For the system tests: how many channels a rank remembers before it wishes for a bare cut. */
  private static final String CHANNELS_VARIABLE = "CAIRN_TEST_CHANNELS";

  /** From {@code cairn run}: epochs to leave out, as {@code 2-7,3-1}. */
  private static final String AVOID_VARIABLE = "CAIRN_INTERNAL_AVOID";

  private static final long WATCH_MILLIS = 1_000;

  /** For last words and MPI, which may have nobody left to talk to. */
  private static final long END_MILLIS = 2_000;

  private static final String START_AFRESH = "cairn.restore=fresh (or CAIRN_RESTORE=fresh)";

  private final CairnOptions options;
  private final NativeFabric fabric;
  private final NativeLedger ledger;
  private final JobDirectory directory;
  private final DirectoryStore store;
  private final Tiers tiers;
  private final NodeShare share;
  private final ImageCapture capture;
  private final FileOperations files;
  private final FaultHook faults;
  private final NativePages pages = new NativePages();
  private final Registry registry = new Registry();
  private final EpochListeners listeners;
  private final EpochLogger log;

  private final ProgressReporter reporter; // null where nobody wants reports
  private final LaunchWatch watch;
  private volatile JobDirectory lockHolder; // null before it is open

  private SafePointGate gate; // what safePoint() goes through: null before restore(), after done()
  private SafePointGate opened; // the same, from restore() to the end
  private Agent agent;
  private boolean closed;

  private EnabledSession(CairnOptions options, NativeFabric fabric) throws Exception {
    this.options = options;
    this.fabric = fabric;
    faults = FaultHook.parse(System.getenv(FAULT_VARIABLE), fabric.rank());
    log = new EpochLogger(options.log(), fabric.rank(), Shim::takeWarning);
    listeners = new EpochListeners(log);
    ledger = Shim.ledger(options.channelLimitBytes());
    files = new SystemFiles(new NativeFileSpace());
    watch =
        LaunchWatch.start(
            System.getenv(),
            "rank %d on %s".formatted(fabric.rank(), Launch.current().host()),
            this::waitingLaunch,
            this::endLeftBehind,
            WATCH_MILLIS);
    requireSameOptions(options, fabric);
    directory =
        JobDirectory.open(
            new StoreSettings(
                options.dir(),
                options.job(),
                options.keep(),
                options.lockWait().toMillis(),
                Duration.ofMillis(200).toMillis(),
                options.shared()),
            pages.pageSizeBytes(),
            fabric,
            files,
            Launch.current(),
            System::nanoTime);
    lockHolder = directory;
    reporter =
        fabric.rank() == 0
            ? ProgressReporter.wanted(
                    System.getenv(), directory.directory(), directory.generation(), fabric.size())
                .orElse(null)
            : null;
    store =
        new DirectoryStore(
            directory, files, faults, DirectoryStore.backgroundThread(), System::nanoTime);
    store.whenFenced(this::endFenced);
    tiers = Tiers.open(options, directory, files, faults);
    directory.sharedProblem().ifPresent(log::sharedIsOut);
    share = NodeShare.of(fabric, Launch.current().host());
    capture =
        new ImageCapture(
            pages,
            registry,
            directory,
            new CaptureSettings(
                0, // what stageWithin says
                ImageHeader.DEFAULT_BLOCK_BYTES,
                EncodeMode.valueOf(options.encode().name()),
                options.storeBandwidthBytes().orElse(0),
                DirectMode.valueOf(options.storeDirect().name()),
                share.cores(),
                options.fullEvery()),
            files,
            faults,
            System::nanoTime);
    capture.stageWithin(
        regionBytes ->
            share.stagingBudget(
                options.stagingBytes(), regionBytes, text -> log.warning(text, null)));
    capture.whenChosen(log::stored);
    capture.copyPages(
        PageMode.valueOf(options.pages().name()), () -> new NativeWrittenPages(Shim::touchPending));
  }

  /** Collective over all ranks, after MPI was initialised under the shim. */
  static EnabledSession start(CairnOptions options) {
    Shim.requireInPlace();
    ChronicleQuiet.ensure();
    try {
      return new EnabledSession(options, NativeFabric.open());
    } catch (Exception e) {
      throw failed("Cairn can't start", e);
    }
  }

  /** Ranks that disagree on the job or on when to checkpoint would wait for each other. */
  private static void requireSameOptions(CairnOptions options, Group group) throws Exception {
    String mine = String.join("\n", options.describe());
    List<String> all = Together.runText(group, () -> mine);
    for (int rank = 1; rank < all.size(); rank++) {
      if (!all.get(rank).equals(all.get(0))) {
        throw new CairnException(
            "options must be the same on all ranks; rank 0 has:\n%s\nrank %d has:\n%s\n"
                    .formatted(all.get(0), rank, all.get(rank))
                + "Pass environment variables on to all nodes, with mpirun by -x NAME.",
            null);
      }
    }
  }

  private static CairnException failed(String what, Exception cause) {
    if (cause instanceof CairnException known) {
      return known;
    }
    return new CairnException(what + ": " + cause.getMessage(), cause);
  }

  @Override
  MemoryRegion region(String name, long lengthBytes) {
    MemoryRegion region = new MemoryRegion(pages, name, lengthBytes);
    registry.region(name, region.address(), lengthBytes);
    return region;
  }

  @Override
  void state(String name, BytesMarshallable state) {
    registry.state(name, state);
  }

  @Override
  void array(String name, Object array) {
    registry.array(name, array);
  }

  @Override
  boolean restore() {
    try {
      Continuation.Result result =
          options.restore() == CairnOptions.Restore.FRESH
              ? new Continuation.Result(
                  new Choice(Optional.empty(), 0, List.of(), List.of(), Set.of()), Optional.empty())
              : new Continuation(
                      new RestoreAgreement(directory, fabric, files, Optional.of(tiers.recovery())),
                      new Restorer(pages, registry, files, faults, readSettings()),
                      directory,
                      fabric)
                  .run(START_AFRESH, avoidedEpochs(), this::say);
      Choice choice = result.choice();
      Origin origin = Origin.fresh(directory.generation());
      if (result.image().isPresent()) {
        try (RestoredImage image = result.image().get()) {
          Optional<String> surplus =
              image.countsBytes() > 0
                  ? ledger.surplus(image.countsAddress(), image.countsBytes())
                  : Optional.empty();
          if (surplus.isPresent()) {
            throw new RestoreMismatchException(surplus.get());
          }
          if (image.channelsBytes() > 0) {
            ledger.restore(image.channelsAddress(), image.channelsBytes());
          }
          origin = new Origin(directory.generation(), image.epoch().epoch(), image.safePoint());
          RestoredEvent event =
              new RestoredEvent(
                  image.epoch().generation(),
                  image.epoch().epoch(),
                  image.safePoint(),
                  registry.fixedBytes(),
                  ledger.statistics().queued());
          log.restored(event, directory.generation());
          listeners.restored(event);
        }
      } else {
        log.fresh(directory.generation(), directory.directory());
      }
      tiers.start(
          store,
          log,
          Optional.ofNullable(reporter),
          this::endFenced,
          choice.epoch(),
          choice.jobDigest());
      store.ranksAgreed(choice.epoch(), !choice.recovered().isEmpty(), choice.broken());
      capture.prepareSoon();
      if (reporter != null) {
        reporter.running(choice.epoch(), origin.safePoint());
      }
      startAgent(origin);
      return choice.epoch().isPresent();
    } catch (Exception e) {
      throw failed("restore failed", e);
    }
  }

  private void say(Choice choice) {
    log.fallenBack(choice.reasons());
    log.recovered(choice.recovered());
  }

  /** One thread for each core that this rank has, but two at least: one of them waits for disks. */
  private ReadSettings readSettings() {
    return new ReadSettings(
        Math.max(2, share.cores()), DirectMode.valueOf(options.storeDirect().name()));
  }

  private static Set<EpochId> avoidedEpochs() {
    String names = System.getenv().getOrDefault(AVOID_VARIABLE, "");
    Set<EpochId> avoided = new HashSet<>();
    for (String name : names.isEmpty() ? new String[0] : names.split(",", -1)) {
      avoided.add(
          EpochId.ofDirectoryName("epoch-" + name)
              .orElseThrow(
                  () ->
                      new CairnException(
                          "environment variable %s: '%s' is no epoch; expected a list such as 2-7,3-1"
                              .formatted(AVOID_VARIABLE, name),
                          null)));
    }
    return avoided;
  }

  private void startAgent(Origin origin) {
    EpochSettings settings =
        EpochSettings.onRequest()
            .withInterval(options.interval().orElse(Duration.ZERO))
            .withEverySafePoints(options.everySafePoints().orElse(0))
            .withDrainDelay(options.drainDeadline())
            .withTimeouts(
                options.cutTimeout().orElse(Duration.ofDays(10_000)),
                options.holdTimeout(),
                Duration.ofMinutes(10),
                Duration.ofMinutes(30),
                Duration.ofSeconds(10));
    String channels = System.getenv(CHANNELS_VARIABLE);
    if (channels != null) {
      settings = settings.withChannelsBeforeBareCut(Long.parseLong(channels));
    }
    if (isFree()) {
      settings = settings.withFreeRanks(options.holdLimit());
      Shim.hold().announce();
    }
    EpochCoordinator coordinator =
        new EpochCoordinator(
            fabric, ledger, capture, store, listeners, log, System::nanoTime, settings, origin);
    coordinator.watchedBy(reporter == null ? watch : reporter.and(watch));
    if (options.automaticInterval() && rank() == 0) {
      coordinator.choose(
          new AutomaticInterval(
              AutomaticInterval.Bounds.STANDARD, this::meanTimeBetweenFailures, this::chosen));
    }
    if (reporter != null) {
      options.interval().ifPresent(i -> reporter.chosen("interval", i.toNanos(), "as given"));
    }
    opened = coordinator.gate();
    gate = opened;
    agent = new Agent(coordinator, log);
    Shim.agentStarted();
    agent.start();
    Thread finalizing = new Thread(this::closeInFinalize, "cairn-finalize");
    finalizing.setDaemon(true);
    finalizing.start();
  }

  private void chosen(AutomaticInterval.Choice interval) {
    log.chosen(interval);
    if (reporter != null) {
      reporter.chosen("interval", interval.nanos(), interval.describe());
    }
  }

  private MeanTime meanTimeBetweenFailures() {
    return options
        .meanTimeBetweenFailures()
        .map(MeanTime::given)
        .orElseGet(() -> MeanTime.estimated(store.failures(), store.computedNanos()));
  }

  /** A program that calls MPI.Finalize without close() must not end MPI under the agents. */
  private void closeInFinalize() {
    Shim.awaitFinalize();
    close();
  }

  @Override
  void safePoint() {
    SafePointGate gate = this.gate;
    if (gate == null) {
      throw new MisuseException(
          opened == null
              ? "safePoint() before restore(); call restore() once, after the registrations and before the main loop"
              : "safePoint() after done(); call done() when the main loop is over");
    }
    gate.safePoint();
  }

  @Override
  void beginWaiting() {
    if (!isFree()) {
      throw new MisuseException(
          "probe() and receive() of Cairn are safe points that each rank passes as often as it likes, but"
              + " cairn.safepoints is aligned; set it to free for the whole program, or use those of mpi.Comm");
    }
    safePoint();
  }

  @Override
  void goOnWaiting() {
    gate.stay();
  }

  private boolean isFree() {
    return options.safePoints() == CairnOptions.SafePoints.FREE;
  }

  @Override
  void requestCheckpoint() {
    SafePointGate gate = opened;
    if (gate == null) {
      throw new MisuseException("requestCheckpoint() before restore()");
    }
    gate.requestCheckpoint();
  }

  @Override
  void addListener(CheckpointListener listener) {
    listeners.add(listener);
  }

  @Override
  boolean isEnabled() {
    return true;
  }

  @Override
  int rank() {
    return fabric.rank();
  }

  @Override
  int size() {
    return fabric.size();
  }

  @Override
  void done() {
    gate = null;
    if (reporter != null) {
      reporter.done();
    }
    if (opened != null && isFree()) {
      // The others may be cut already and wait for this rank: they hear now that it won't be.
      opened.end();
    }
  }

  @Override
  void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
    }
    try {
      if (opened != null) {
        opened.close();
        agent.join();
        store.ended();
      }
      if (reporter != null) {
        reporter.closed();
      }
      capture.close();
      tiers.close();
      store.close();
      directory.close();
      fabric.close();
      Shim.hold().stop();
      Shim.agentEnded();
    } catch (Exception e) {
      throw failed("Cairn could not be closed", e);
    }
  }

  /** Whatever this launch computes from here on is lost: the newer one has the job. */
  private void endFenced(FencedException fenced) {
    System.err.print(
        Fatal.text(
            rank(), size(), fenced.getMessage() + ". Ending all ranks of this launch.", null));
    System.err.flush();
    abort();
  }

  private String waitingLaunch() {
    JobDirectory held = lockHolder;
    return held == null ? "" : held.waiting();
  }

  /** Nobody may be left who could end this process, or read what it says. */
  private void endLeftBehind(String why) {
    Thread end =
        new Thread(
            () -> {
              try {
                Thread.sleep(END_MILLIS);
              } catch (InterruptedException e) {
                // Then at once.
              }
              Runtime.getRuntime().halt(1);
            },
            "cairn-end");
    end.setDaemon(true);
    end.start();
    System.err.print(Fatal.text(rank(), size(), why + ". This rank ends itself.", null));
    System.err.flush();
    abort();
  }

  @Override
  void abort() {
    Shim.abort(1);
  }
}

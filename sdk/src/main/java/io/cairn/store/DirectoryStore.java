// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import io.cairn.coordinate.Capture.Progress;
import io.cairn.coordinate.Store;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FaultHook;
import io.cairn.image.FaultPoint;
import io.cairn.image.FileOperations;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/**
 * Publishes epochs in a {@link JobDirectory}: the leader of each store writes its records, all
 * other ranks have nothing to do. Everything is done in the background, one thing after the other.
 */
public final class DirectoryStore implements Store, Closeable {
  private final JobDirectory directory;
  private final FileOperations files;
  private final FaultHook faults;
  private final Executor executor;
  private final LongSupplier nanoClock;
  private final System.Logger logger = System.getLogger("io.cairn.store");

  private final AtomicBoolean requested = new AtomicBoolean();
  private final AtomicBoolean looking = new AtomicBoolean();
  private long lastLookNanos;
  private boolean looked;

  private volatile Protection protection = Protection.NONE;
  private volatile Recording recording = new Recording();
  private volatile Protection.Vote vote = Protection.Vote.NOTHING_TO_DO;
  private long recordedDigest; // of the agent's thread
  private volatile Consumer<FencedException> whenFenced = fenced -> {};

  // Of the executor: epochs that no rank group can restore, so they don't count as kept.
  private final Set<EpochId> unusable = new HashSet<>();
  private boolean agreed;

  /** A shorter time of computing is not worth a note. */
  private static final long NOTED_MILLIS = 10_000;

  private volatile long beganNanos;
  private volatile long nodeLosses;

  // Of the executor: what is noted of the job, and how much of this launch's time is in it. Null
  // before the ranks have agreed.
  private LaunchHistory history;

  private long notedMillis;

  // Of the executor: committed epochs whose record is still to be renamed.
  private final NavigableSet<EpochId> unpublished = new TreeSet<>();

  /** Where a pending record stands. */
  private static final class Recording {
    volatile Progress progress = Progress.RUNNING;
    volatile Throwable failure;
  }

  /**
   * @param executor runs one task after the other, such as {@link #backgroundThread}
   * @param nanoClock a clock in nanoseconds, such as {@code System::nanoTime}
   */
  public DirectoryStore(
      JobDirectory directory,
      FileOperations files,
      FaultHook faults,
      Executor executor,
      LongSupplier nanoClock) {
    this.directory = directory;
    this.files = files;
    this.faults = faults;
    this.executor = executor;
    this.nanoClock = nanoClock;
    beganNanos = nanoClock.getAsLong();
    nodeLosses = directory.history().nodeLosses();
  }

  /** A daemon thread for a store's work. */
  public static ExecutorService backgroundThread() {
    return Executors.newSingleThreadExecutor(
        task -> {
          Thread thread = new Thread(task, "cairn-store");
          thread.setDaemon(true);
          return thread;
        });
  }

  /**
   * What to do when a newer launch has taken over: called on the background thread, each time that
   * this launch still tries to change something. Set it before the first epoch.
   */
  public void whenFenced(Consumer<FencedException> action) {
    whenFenced = action;
  }

  /** Slower tiers, which are told of epochs. Set it before the first epoch. */
  public void protectBy(Protection tiers) {
    protection = tiers;
  }

  /** An epoch's protection has changed: looks for what retention gives up. */
  public void protectionChanged() {
    background("delete what isn't needed any more", this::prune);
  }

  /**
   * All ranks have agreed on the epoch that they restored: its record is published where another
   * store published it already, and what dead launches left is deleted. Nothing is deleted before
   * this is called.
   *
   * @param restored what all ranks restored, if anything
   * @param recovered whether images had to be recovered from other stores for that
   * @param broken committed epochs that turned out not to be restorable; they don't count as kept
   */
  public void ranksAgreed(Optional<EpochId> restored, boolean recovered, Set<EpochId> broken) {
    beganNanos = nanoClock.getAsLong();
    LaunchHistory begun = directory.history().begun(directory.generation(), recovered);
    nodeLosses = begun.nodeLosses();
    Set<EpochId> copy = Set.copyOf(broken);
    background(
        "clean up after older launches",
        () -> {
          unusable.addAll(copy);
          agreed = true;
          if (restored.isPresent()) {
            publish(restored.get());
          }
          prune();
        });
    if (directory.leader()) {
      background(
          "note the launch",
          () -> {
            history = begun;
            publishHistory();
          });
    }
  }

  /**
   * The program has come to its end: this launch did not fail. Waits for nothing; {@link #close}
   * does.
   */
  public void ended() {
    if (directory.leader()) {
      background(
          "note the launch's end",
          () -> {
            if (history != null) {
              noteComputed();
              history = history.ended();
              publishHistory();
            }
          });
    }
  }

  /** How many launches have not come to their end, as far as is known. */
  public long failures() {
    return directory.history().failuresSeen();
  }

  /** After how many of them images had to be recovered from other stores, as far as is known. */
  public long nodeLosses() {
    return nodeLosses;
  }

  /** How long the job has computed, over all launches, as far as is known. */
  public long computedNanos() {
    return directory.history().computedMillis() * 1_000_000 + nanoClock.getAsLong() - beganNanos;
  }

  private void publishHistory() throws IOException {
    directory.requireNewest();
    files.publish(directory.directory().resolve(LaunchHistory.FILE), history.toBytes());
  }

  private long notNotedMillis() {
    return (nanoClock.getAsLong() - beganNanos) / 1_000_000 - notedMillis;
  }

  private void noteComputed() {
    long millis = notNotedMillis();
    history = history.computed(millis);
    notedMillis += millis;
  }

  @Override
  public void record(long epoch, long jobDigest) {
    recordedDigest = jobDigest;
    vote = protection.beforeVote(directory.epochId(epoch), jobDigest);
    Recording mine = new Recording();
    recording = mine;
    if (!directory.leader()) {
      mine.progress = Progress.DONE;
      return;
    }
    executor.execute(
        () -> {
          try {
            writePending(directory.epochId(epoch), jobDigest);
            mine.progress = Progress.DONE;
          } catch (Throwable e) {
            // Whatever it is, the ranks must hear of it.
            if (e instanceof FencedException fenced) {
              whenFenced.accept(fenced);
            }
            mine.failure = e;
            mine.progress = Progress.FAILED;
          }
        });
  }

  private void writePending(EpochId epoch, long jobDigest) throws IOException {
    directory.requireNewest();
    faults.reached(FaultPoint.BEFORE_PENDING_RECORD);
    directory.writePending(directory.view(), epoch, directory.storeRanks(), jobDigest);
    faults.reached(FaultPoint.AFTER_PENDING_RECORD);
  }

  @Override
  public Progress recordProgress() {
    Progress own = recording.progress;
    return own == Progress.DONE ? vote.progress() : own;
  }

  @Override
  public Throwable recordFailure() {
    return recording.progress == Progress.FAILED ? recording.failure : vote.failure();
  }

  @Override
  public long digestTerm(int rank, long imageDigest) {
    return EpochRecord.digestTerm(rank, imageDigest);
  }

  @Override
  public void commit(long epoch) {
    protection.committed(directory.epochId(epoch), recordedDigest);
    if (!directory.leader()) {
      return;
    }
    background(
        "publish the record of a committed epoch",
        () -> {
          // A launch that was stopped for a while may not be the newest any more.
          directory.requireNewest();
          faults.reached(FaultPoint.AFTER_COMMIT_BEFORE_RENAME);
          unpublished.add(directory.epochId(epoch));
          // The newest first; an older one is there if its rename failed.
          for (EpochId committed : List.copyOf(unpublished.descendingSet())) {
            publish(committed);
            unpublished.remove(committed);
          }
          faults.reached(FaultPoint.AFTER_RENAME_BEFORE_PRUNE);
          prune();
        });
    background(
        "note how long the job has computed",
        () -> {
          if (history != null && notNotedMillis() >= NOTED_MILLIS) {
            noteComputed();
            publishHistory();
          }
        });
  }

  /** Renames the epoch's record, if that is still to be done. */
  private void publish(EpochId epoch) throws IOException {
    if (!directory.leader()) {
      return;
    }
    directory.publish(directory.view(), epoch);
  }

  @Override
  public void abandon(long epoch) {
    protection.abandoned(directory.epochId(epoch));
    if (!directory.leader()) {
      return;
    }
    background(
        "delete an abandoned epoch's record",
        () -> {
          // A newer launch may go on from it, if it has come so far.
          directory.requireNewest();
          Path place = directory.directory(directory.epochId(epoch));
          files.delete(place.resolve(EpochRecord.PENDING));
          deleteWhatTiersLeft(place);
          directory.leave(epoch);
          if (files.exists(place)) {
            try {
              files.syncDirectory(place);
            } catch (NoSuchFileException e) {
              // Another rank deleted its image, the last, and with it the directory.
            }
          }
        });
  }

  /** Everything but the images, which the ranks that wrote them delete. */
  private void deleteWhatTiersLeft(Path place) throws IOException {
    Set<String> images = new HashSet<>();
    directory.storeRanks().forEach(rank -> images.add(EpochRecord.imageName(rank)));
    for (String name : files.list(place)) {
      if (!images.contains(name)) {
        files.delete(place.resolve(name));
      }
    }
  }

  /**
   * Deletes what retention gives up: committed epochs older than the kept ones, unless a slower
   * tier keeps them, or what is kept can't be restored without them; epochs of this launch that a
   * newer committed one has overtaken; what dead launches left.
   */
  private void prune() throws IOException {
    if (!directory.leader() || !agreed) {
      return;
    }
    // Asked first: what a tier holds until it has its record must not fall between the two.
    Set<EpochId> needed = new HashSet<>(protection.held());
    List<EpochId> epochs = directory.epochs();
    needed.addAll(keptByTiers(epochs));
    EpochId newest = null;
    EpochId oldestKept = null;
    int kept = 0;
    for (int i = epochs.size() - 1; i >= 0 && kept < directory.settings().keptEpochs(); i--) {
      if (committed(epochs.get(i)) && !unusable.contains(epochs.get(i))) {
        newest = newest == null ? epochs.get(i) : newest;
        kept++;
        oldestKept = kept == directory.settings().keptEpochs() ? epochs.get(i) : null;
      }
    }
    Set<EpochId> staying = new TreeSet<>();
    List<EpochId> leaving = new ArrayList<>();
    for (EpochId epoch : epochs) {
      boolean overtaken = oldestKept != null && epoch.compareTo(oldestKept) < 0;
      // A broken epoch may be of use to an operator until others have taken its place.
      boolean remnant =
          !committed(epoch)
              && !unusable.contains(epoch)
              && (epoch.generation() < directory.generation()
                  || (newest != null && epoch.compareTo(newest) < 0));
      if ((overtaken || remnant) && !needed.contains(epoch)) {
        leaving.add(epoch);
      } else {
        staying.add(epoch);
      }
    }
    Set<EpochId> referredTo = directory.view().referredToBy(staying);
    directory.requireNewest();
    // Newest first: an epoch goes before those that it can't be restored without.
    for (int i = leaving.size() - 1; i >= 0; i--) {
      if (!referredTo.contains(leaving.get(i))) {
        delete(leaving.get(i));
      }
    }
  }

  /** For each tier the newest epochs that it protects, oldest first given. */
  private Set<EpochId> keptByTiers(List<EpochId> epochs) throws IOException {
    Set<EpochId> kept = new HashSet<>();
    for (Map.Entry<String, Integer> tier : protection.kept().entrySet()) {
      int left = tier.getValue();
      for (int i = epochs.size() - 1; i >= 0 && left > 0; i--) {
        if (committed(epochs.get(i))
            && !unusable.contains(epochs.get(i))
            && files.exists(directory.directory(epochs.get(i)).resolve(tier.getKey()))) {
          kept.add(epochs.get(i));
          left--;
        }
      }
    }
    return kept;
  }

  private boolean committed(EpochId epoch) throws IOException {
    return files.exists(directory.directory(epoch).resolve(EpochRecord.COMMITTED));
  }

  private void delete(EpochId epoch) throws IOException {
    EpochDeletion.delete(files, directory.directory(epoch), faults);
    unusable.remove(epoch);
  }

  @Override
  public boolean takeRequest() {
    if (directory.rank() != 0) {
      return false;
    }
    long now = nanoClock.getAsLong();
    if (!looked || now - lastLookNanos >= directory.settings().requestPollMillis() * 1_000_000) {
      looked = true;
      lastLookNanos = now;
      if (looking.compareAndSet(false, true)) {
        background("look for a request", this::look);
      }
    }
    return requested.getAndSet(false);
  }

  private void look() throws IOException {
    try {
      Path request = directory.directory().resolve(StoreView.REQUEST);
      if (files.exists(request)) {
        files.delete(request);
        requested.set(true);
      }
    } finally {
      looking.set(false);
    }
  }

  /** Work whose failure is no reason to stop anything. */
  @FunctionalInterface
  private interface Work {
    void run() throws IOException;
  }

  private void background(String what, Work work) {
    executor.execute(
        () -> {
          try {
            work.run();
          } catch (FencedException e) {
            whenFenced.accept(e);
          } catch (IOException | RuntimeException e) {
            logger.log(
                System.Logger.Level.WARNING,
                "could not " + what + " in " + directory.directory() + "; going on",
                e);
          }
        });
  }

  /**
   * Waits until everything asked for is done, and ends the background thread if it is {@link
   * #backgroundThread}'s.
   */
  @Override
  public void close() {
    if (executor instanceof ExecutorService service) {
      service.shutdown();
      try {
        service.awaitTermination(1, java.util.concurrent.TimeUnit.MINUTES);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}

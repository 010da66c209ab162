// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import io.cairn.coordinate.Group;
import io.cairn.image.CorruptImageException;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FileOperations;
import io.cairn.image.ForeignImageException;
import io.cairn.image.ImageTarget;
import io.cairn.image.JobIdentity;
import io.cairn.image.StateFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.function.LongSupplier;

/**
 * A job's directory as one rank sees it. Opened by all ranks together: they find out who shares a
 * store, its lowest rank (the store's leader) takes the lock, and all agree on job and generation,
 * or all fail.
 */
public final class JobDirectory implements ImageTarget, Closeable {
  private static final int STORE_ATTEMPTS = 3;

  private final StoreSettings settings;
  private final Path directory;
  private final StoreView view;
  private final Group group;
  private final FileOperations files;
  private final Launch launch;
  private final System.Logger logger = System.getLogger("io.cairn.store");

  private JobIdentity job;
  private List<String> storeIds = List.of();
  private List<Integer> storeRanks = List.of();
  private final Optional<StoreView> sharedView;
  private Optional<String> sharedProblem = Optional.empty();
  private long generation;
  private LaunchHistory history = LaunchHistory.NONE;
  private volatile KernelLock lock;

  private JobDirectory(StoreSettings settings, Group group, FileOperations files, Launch launch) {
    this.settings = settings;
    this.group = group;
    this.files = files;
    this.launch = launch;
    directory = settings.directory().toAbsolutePath().resolve(settings.jobId());
    view = new StoreView(files, directory);
    sharedView =
        settings
            .shared()
            .map(path -> new StoreView(files, path.toAbsolutePath().resolve(settings.jobId())));
  }

  /**
   * Opens the directory; blocks until all ranks have.
   *
   * @param pageBytes the system's page size
   * @param nanoClock for the wait for the lock, such as {@code System::nanoTime}
   * @throws JobLockedException if another launch of the job is alive
   * @throws ForeignImageException if the directory belongs to a job of another size
   * @throws PeerFailureException if it failed on another rank
   */
  public static JobDirectory open(
      StoreSettings settings,
      long pageBytes,
      Group group,
      FileOperations files,
      Launch launch,
      LongSupplier nanoClock)
      throws Exception {
    JobDirectory opened = new JobDirectory(settings, group, files, launch);
    try {
      opened.agreeOnStores();
      opened.takeLock(nanoClock);
      opened.agreeOnJob(pageBytes);
      opened.agreeOnGeneration();
      opened.agreeOnHistory();
      return opened;
    } catch (Throwable e) {
      opened.close();
      throw e;
    }
  }

  private void agreeOnStores() throws Exception {
    for (int attempt = 1; ; attempt++) {
      Together.runText(group, this::createStore);
      List<String> ids = Together.runText(group, this::readStore);
      if (!ids.contains("")) {
        List<Integer> ranks = new ArrayList<>();
        for (int rank = 0; rank < ids.size(); rank++) {
          if (ids.get(rank).equals(ids.get(group.rank()))) {
            ranks.add(rank);
          }
        }
        storeRanks = Collections.unmodifiableList(ranks);
        storeIds = List.copyOf(ids);
        return;
      }
      if (attempt == STORE_ATTEMPTS) {
        throw new IOException(
            "the file \""
                + StoreView.STORE
                + "\" in "
                + directory
                + " of rank "
                + ids.indexOf("")
                + " could not be written whole; is the directory shared by nodes that see each"
                + " other's files late?");
      }
      // Nobody writes it now: it is what a launch left that died while writing it.
      boolean mine = ids.get(group.rank()).isEmpty();
      Together.runText(group, () -> mine ? deleteStore() : "");
    }
  }

  private String createStore() throws IOException {
    List<Path> parents = new ArrayList<>();
    for (Path p = directory; p.getParent() != null && !files.exists(p); p = p.getParent()) {
      parents.add(p.getParent());
    }
    files.createDirectories(directory);
    for (Path parent : parents) {
      files.syncDirectory(parent);
    }
    Path file = directory.resolve(StoreView.STORE);
    if (!files.exists(file)) {
      try {
        files.write(
            file, StateFile.builder(StoreView.STORE).field("id", launch.random()).toBytes());
        files.syncDirectory(directory);
      } catch (FileAlreadyExistsException e) {
        // Another rank was faster.
      }
    }
    return "";
  }

  private String readStore() throws IOException {
    try {
      return view.id()
          .orElseThrow(
              () -> new NoSuchFileException(directory.resolve(StoreView.STORE).toString()));
    } catch (CorruptImageException e) {
      return "";
    }
  }

  private String deleteStore() throws IOException {
    files.delete(directory.resolve(StoreView.STORE));
    return "";
  }

  private void takeLock(LongSupplier nanoClock) throws Exception {
    Together.runText(
        group,
        () -> {
          if (leader()) {
            lock =
                KernelLock.take(
                    directory.resolve(StoreView.LOCK),
                    launch,
                    settings.lockWaitMillis(),
                    nanoClock);
          }
          return "";
        });
  }

  private void agreeOnJob(long pageBytes) throws Exception {
    // All ranks look at the same list, so they come to the same end.
    List<String> known =
        new ArrayList<>(Together.runText(group, () -> leader() ? readJob(view) : ""));
    boolean write =
        leader()
            && (known.get(group.rank()).isEmpty() || known.get(group.rank()).startsWith("damaged"));
    String shared = sharedView.isEmpty() ? "" : Together.runText(group, this::readSharedJob).get(0);
    if (shared.startsWith("unreachable ")) {
      sharedProblem = Optional.of(shared.substring("unreachable ".length()));
      shared = "";
    }
    boolean writeShared = usesShared() && (shared.isEmpty() || shared.startsWith("damaged"));
    known.add(shared);
    String uuid = null;
    String damage = null;
    for (int rank = 0; rank < known.size(); rank++) {
      String[] parts = known.get(rank).split(" ", 3);
      if (parts[0].equals("damaged")) {
        damage = name(rank) + ": " + known.get(rank).substring("damaged ".length());
      } else if (parts.length == 3) {
        Path file = Path.of(parts[2]);
        if (Integer.parseInt(parts[1]) != group.size()) {
          throw new ForeignImageException(file, "world size", parts[1], group.size());
        }
        if (uuid != null && !uuid.equals(parts[0])) {
          throw new ForeignImageException(file, "job of the same name", parts[0], uuid);
        }
        uuid = parts[0];
      }
    }
    if (uuid == null && damage != null) {
      throw new IOException(
          damage + "; no other store knows the job. Its images can't be told from another job's");
    }
    String agreed = uuid;
    List<String> uuids =
        Together.runText(group, () -> agreed == null ? launch.random().toString() : agreed);
    job = new JobIdentity(settings.jobId(), UUID.fromString(uuids.get(0)), group.size(), pageBytes);
    Together.runText(group, () -> write ? writeJob(view) : "");
    shareWithOthers(() -> writeShared ? writeJob(sharedView.orElseThrow()) : "");
  }

  private String name(int index) {
    return index < group.size() ? "rank " + index : "the shared tier";
  }

  /** Rank 0 looks after the shared tier's small files. One that can't be reached is left out. */
  private String readSharedJob() throws IOException {
    if (group.rank() != 0) {
      return "";
    }
    try {
      StoreView shared = sharedView.orElseThrow();
      files.createDirectories(shared.directory());
      return readJob(shared);
    } catch (ForeignImageException e) {
      throw e;
    } catch (IOException e) {
      return "unreachable " + e;
    }
  }

  private boolean usesShared() {
    return sharedView.isPresent() && sharedProblem.isEmpty();
  }

  /** Rank 0 does it, if the shared tier is in use; if it fails, the tier is left out. */
  private void shareWithOthers(Together.TextStep step) throws Exception {
    if (!usesShared()) {
      return; // on all ranks: their settings are the same, and so is what went wrong before
    }
    String failure =
        Together.runText(
                group,
                () -> {
                  if (group.rank() != 0) {
                    return "";
                  }
                  try {
                    step.run();
                    return "";
                  } catch (IOException e) {
                    return e.toString();
                  }
                })
            .get(0);
    if (!failure.isEmpty()) {
      sharedProblem = Optional.of(failure);
    }
  }

  private String readJob(StoreView view) throws IOException {
    Path file = view.directory().resolve(StoreView.JOB);
    try {
      Optional<StoreView.Owner> owner = view.owner();
      if (owner.isEmpty()) {
        return "";
      }
      if (!owner.get().jobId().equals(settings.jobId())) {
        throw new ForeignImageException(file, "job", owner.get().jobId(), settings.jobId());
      }
      return owner.get().jobUuid() + " " + owner.get().worldSize() + " " + file;
    } catch (CorruptImageException e) {
      return "damaged " + e.getMessage();
    }
  }

  private String writeJob(StoreView view) throws IOException {
    files.publish(
        view.directory().resolve(StoreView.JOB),
        StateFile.builder(StoreView.JOB)
            .field("job", job.jobId())
            .field("uuid", job.jobUuid())
            .field("world", job.worldSize())
            .toBytes());
    return "";
  }

  private void agreeOnGeneration() throws Exception {
    long[] shared = {0};
    shareWithOthers(
        () -> {
          shared[0] = writer(sharedView.orElseThrow()).newestGeneration();
          return "";
        });
    List<String> known =
        Together.runText(
            group,
            () ->
                Long.toString(Math.max(shared[0], leader() ? writer(view).newestGeneration() : 0)));
    generation = known.stream().mapToLong(Long::parseLong).max().orElseThrow() + 1;
    Together.runText(group, () -> leader() ? writeGeneration(view) : "");
    shareWithOthers(() -> writeGeneration(sharedView.orElseThrow()));
  }

  /** The store that knows most tells all: which of them a launch finds again is chance. */
  private void agreeOnHistory() throws Exception {
    List<String> known =
        Together.runText(group, () -> (leader() ? readHistory() : LaunchHistory.NONE).toText());
    history =
        known.stream().map(LaunchHistory::ofText).max(LaunchHistory.BY_KNOWLEDGE).orElseThrow();
  }

  private LaunchHistory readHistory() {
    try {
      return LaunchHistory.read(files, directory);
    } catch (IOException e) {
      logger.log(
          System.Logger.Level.WARNING,
          "{0}; how often the job has failed is forgotten here, nothing else changes",
          e.getMessage());
      return LaunchHistory.NONE;
    }
  }

  /** How earlier launches ended, as it was when this one was opened. */
  LaunchHistory history() {
    return history;
  }

  /**
   * Makes sure that this launch is the newest.
   *
   * @throws FencedException if it isn't; names the newer one
   */
  public void requireNewest() throws IOException {
    requireNewestIn(view);
  }

  void requireNewestIn(StoreView view) throws IOException {
    writer(view).requireNewest(job.jobId(), generation);
  }

  private StoreWriter writer(StoreView store) {
    return new StoreWriter(store, files);
  }

  private String writeGeneration(StoreView store) throws IOException {
    writer(store).writeGeneration(generation, launch);
    return "";
  }

  /**
   * The sign of life of a launch that waits for this one's lock; empty if this rank holds no lock,
   * or nobody waits. May be called from any thread.
   */
  public String waiting() {
    return lock == null ? "" : KernelLock.waiting(directory.resolve(StoreView.LOCK));
  }

  /** All epochs that have a directory here, oldest first. */
  public List<EpochId> epochs() throws IOException {
    return view.epochs();
  }

  /** What this rank's store holds. */
  public StoreView view() {
    return view;
  }

  /** The job's directory. */
  public Path directory() {
    return directory;
  }

  /** The directory of an epoch. */
  public Path directory(EpochId epoch) {
    return directory.resolve(epoch.directoryName());
  }

  /** As {@link StoreWriter#writePending}, in a store of the job. */
  void writePending(StoreView store, EpochId epoch, List<Integer> ranks, long jobDigest)
      throws IOException {
    writer(store).writePending(job, epoch, ranks, jobDigest);
  }

  /** As {@link StoreWriter#publish}, in a store of the job. */
  void publish(StoreView store, EpochId epoch) throws IOException {
    writer(store).publish(job.jobUuid(), epoch);
  }

  /** The random id of this rank's store; the same for all ranks that share it. */
  public String storeId() {
    return storeIds.get(group.rank());
  }

  /** For each rank the lowest rank that uses the same store. */
  public List<Integer> leaders() {
    return storeIds.stream().map(storeIds::indexOf).toList();
  }

  /** The shared tier's store, if there is one and it could be reached. */
  public Optional<SharedStore> shared() {
    return usesShared()
        ? Optional.of(new SharedStore(this, sharedView.orElseThrow(), files))
        : Optional.empty();
  }

  /** Why the shared tier is left out though there should be one. */
  public Optional<String> sharedProblem() {
    return sharedProblem;
  }

  /** Whether this rank is the lowest of those that share its store. */
  public boolean leader() {
    return storeRanks.get(0) == group.rank();
  }

  /** The ranks that share this rank's store, ascending. */
  public List<Integer> storeRanks() {
    return storeRanks;
  }

  /** Number of this launch. */
  public long generation() {
    return generation;
  }

  StoreSettings settings() {
    return settings;
  }

  @Override
  public JobIdentity job() {
    return job;
  }

  @Override
  public int rank() {
    return group.rank();
  }

  @Override
  public EpochId epochId(long epoch) {
    return new EpochId(generation, epoch);
  }

  @Override
  public Path prepare(long epoch) throws IOException {
    Path place = directory(epochId(epoch));
    files.createDirectories(place);
    return place.resolve(EpochRecord.imageName(group.rank()));
  }

  @Override
  public void leave(long epoch) throws IOException {
    try {
      files.delete(directory(epochId(epoch)));
    } catch (DirectoryNotEmptyException e) {
      // Other ranks are still deleting what is theirs; the last one deletes the directory.
    }
  }

  @Override
  public Path place() {
    return directory;
  }

  @Override
  public long usableBytes() throws IOException {
    return files.usableBytes(directory);
  }

  /** Gives the lock up; the next launch may start. */
  @Override
  public void close() throws IOException {
    if (lock != null) {
      lock.close();
      lock = null;
    }
  }
}

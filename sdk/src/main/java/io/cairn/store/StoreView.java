// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import io.cairn.image.CorruptImageException;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FileOperations;
import io.cairn.image.StateFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;

/**
 * What a store holds of a job, for anybody who can read it: no launch, no MPI. Each call looks
 * anew; nothing is changed.
 */
public final class StoreView {
  static final String COMMITTED_MARKER = "committed";
  static final String REQUEST = "request";
  static final String STORE = "store";
  static final String JOB = "job";
  static final String GENERATION = "generation";
  static final String LOCK = "lock";

  /** Sign of life of a launch that waits for the lock. */
  static final String WAITING = "lock-wanted";

  /** What became of the job's launches, if {@code cairn run} started them. */
  public static final String EVENTS = "events.jsonl";

  private final FileOperations files;
  private final Path directory;

  /**
   * Whose store it is.
   *
   * @param jobId the job's name
   * @param jobUuid its random id
   * @param worldSize number of ranks
   */
  public record Owner(String jobId, UUID jobUuid, int worldSize) {}

  /**
   * The newest launch that has used the store.
   *
   * @param generation its number
   * @param host where the process is or was that wrote it
   * @param pid that process's id
   * @param started when it started
   */
  public record Newest(long generation, String host, String pid, String started) {}

  /**
   * @param directory the job's directory
   */
  public StoreView(FileOperations files, Path directory) {
    this.files = files;
    this.directory = directory;
  }

  /** The job's directory. */
  public Path directory() {
    return directory;
  }

  /** The directory of an epoch. */
  public Path directory(EpochId epoch) {
    return directory.resolve(epoch.directoryName());
  }

  /** Whether this is a job's directory at all. */
  public boolean exists() throws IOException {
    for (String name : List.of(STORE, JOB, GENERATION)) {
      // A directory would be that of a job with this name.
      if (Files.isRegularFile(directory.resolve(name))) {
        return true;
      }
    }
    return !epochs().isEmpty();
  }

  /**
   * The random id by which ranks know that they share the store; empty if there is none yet.
   *
   * @throws CorruptImageException if the file is damaged
   */
  public Optional<String> id() throws IOException {
    Optional<StateFile> in = read(STORE);
    return in.isPresent() ? Optional.of(in.get().text("id")) : Optional.empty();
  }

  /**
   * Whether it is the shared tier: that is led by no rank, and has no id. Ranks write theirs before
   * anything else.
   *
   * @throws CorruptImageException if the file is damaged
   */
  public boolean isSharedTier() throws IOException {
    return id().isEmpty() && files.exists(directory.resolve(JOB));
  }

  /** Whether it has nothing of the job, or has lost it: then it says nothing about any epoch. */
  public boolean isNewborn() throws IOException {
    return !everCommitted() && epochs().isEmpty();
  }

  /**
   * Whose store it is; empty if that isn't written yet.
   *
   * @throws CorruptImageException if the file is damaged
   */
  public Optional<Owner> owner() throws IOException {
    Optional<StateFile> in = read(JOB);
    if (in.isEmpty()) {
      return Optional.empty();
    }
    String id = in.get().text("job");
    UUID uuid = EpochRecord.parseUuid(in.get(), in.get().text("uuid"));
    return Optional.of(new Owner(id, uuid, (int) in.get().number("world", 1, Integer.MAX_VALUE)));
  }

  /**
   * The newest launch; empty if there was none.
   *
   * @throws CorruptImageException if the file is damaged
   */
  public Optional<Newest> newest() throws IOException {
    Optional<StateFile> in = read(GENERATION);
    if (in.isEmpty()) {
      return Optional.empty();
    }
    long generation = in.get().number("generation", 1, Long.MAX_VALUE - 1);
    return Optional.of(
        new Newest(
            generation, in.get().text("host"), in.get().text("pid"), in.get().text("started")));
  }

  private Optional<StateFile> read(String name) throws IOException {
    try {
      return Optional.of(StateFile.read(files, directory.resolve(name), name));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
  }

  /** All epochs that have a directory here, oldest first. */
  public List<EpochId> epochs() throws IOException {
    TreeSet<EpochId> epochs = new TreeSet<>();
    for (String name : files.list(directory)) {
      EpochId.ofDirectoryName(name).ifPresent(epochs::add);
    }
    return new ArrayList<>(epochs);
  }

  /** How this store knows an epoch; empty if it has no record of it. */
  public Optional<Standing> standing(EpochId epoch) throws IOException {
    if (files.exists(directory(epoch).resolve(EpochRecord.COMMITTED))) {
      return Optional.of(Standing.COMMITTED);
    }
    return files.exists(directory(epoch).resolve(EpochRecord.PENDING))
        ? Optional.of(Standing.PENDING)
        : Optional.empty();
  }

  /**
   * The epochs that others can't be restored without, as far as their records say; of one whose
   * record can't be read, all older ones of its launch. Epochs without a record refer to nothing.
   */
  public Set<EpochId> referredToBy(Collection<EpochId> others) throws IOException {
    Set<EpochId> needed = new TreeSet<>();
    for (EpochId epoch : others) {
      if (standing(epoch).isEmpty()) {
        continue;
      }
      try {
        needed.addAll(EpochRecord.read(files, recordFile(epoch)).refersTo());
      } catch (CorruptImageException e) {
        epochs().stream()
            .filter(older -> older.generation() == epoch.generation())
            .filter(older -> older.compareTo(epoch) < 0)
            .forEach(needed::add);
      }
    }
    return needed;
  }

  /** Where an epoch's record is: the published one, if there is one. */
  public Path recordFile(EpochId epoch) throws IOException {
    Path published = directory(epoch).resolve(EpochRecord.COMMITTED);
    return files.exists(published) ? published : directory(epoch).resolve(EpochRecord.PENDING);
  }

  /** Where a rank's image of an epoch is. */
  public Path imageFile(EpochId epoch, int rank) {
    return directory(epoch).resolve(EpochRecord.imageName(rank));
  }

  /** Whether this store has seen a committed epoch, ever. */
  public boolean everCommitted() throws IOException {
    if (files.exists(directory.resolve(COMMITTED_MARKER))) {
      return true;
    }
    for (EpochId epoch : epochs()) {
      if (files.exists(directory(epoch).resolve(EpochRecord.COMMITTED))) {
        return true;
      }
    }
    return false;
  }

  /**
   * Who holds the store's lock at this moment; empty if nobody does. Takes a shared lock for that
   * moment, so that a launch that starts in it waits a little. Not for the process that holds the
   * lock: it would lose it.
   *
   * @throws IOException if that can't be known
   */
  public Optional<String> lockHolder() throws IOException {
    return KernelLock.holderOf(directory.resolve(LOCK));
  }
}

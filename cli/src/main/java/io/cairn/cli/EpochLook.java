// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FileOperations;
import io.cairn.image.ForeignImageException;
import io.cairn.image.ImageReader;
import io.cairn.image.InputFile;
import io.cairn.store.Standing;
import io.cairn.store.StoreView;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A cheap look at an epoch: records are read, images are only measured, but for one whose header
 * tells the safe point.
 *
 * @param copies what each store has of it; those that have nothing are left out
 * @param worldSize number of ranks, or 0 if nobody tells
 * @param safePoint that of the lowest rank whose image can be read
 * @param written when its newest record was written
 * @param findings what is wrong with it
 */
record EpochLook(
    EpochId id,
    State state,
    List<Copy> copies,
    int worldSize,
    OptionalLong safePoint,
    Optional<Instant> written,
    List<Finding> findings) {

  /** Names are part of the JSON output. */
  enum State {
    /** A store has its published record. */
    COMMITTED,
    /** All stores have its pending record: a start restores it, if it is sound. */
    PENDING,
    /** It is being written, or a launch died while it was. */
    INCOMPLETE;

    String code() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * What a store has of an epoch.
   *
   * @param standing of its record, if there is one
   * @param record if it can be read
   * @param ranks whose images the record names, or without one whose files are there
   * @param bytes of these images
   */
  record Copy(
      StoreView store,
      Optional<Standing> standing,
      Optional<EpochRecord> record,
      SortedSet<Integer> ranks,
      long bytes) {}

  /** How a store protects what it has. Others will join: a partner, a redundancy set, shared. */
  static final String TIER = "local";

  private static final Pattern IMAGE = Pattern.compile("rank-([0-9]{1,9})\\.image");

  /** The ranks whose images are in a store that was looked at. */
  SortedSet<Integer> ranks() {
    SortedSet<Integer> ranks = new TreeSet<>();
    copies.forEach(copy -> ranks.addAll(copy.ranks()));
    return ranks;
  }

  /** Whether all ranks' images are in stores that were looked at. */
  boolean isWhole() {
    return worldSize > 0 && ranks().size() == worldSize;
  }

  /** The ranks whose images are elsewhere, if anywhere. */
  SortedSet<Integer> elsewhere() {
    SortedSet<Integer> elsewhere = new TreeSet<>();
    SortedSet<Integer> here = ranks();
    for (int rank = 0; rank < worldSize; rank++) {
      if (!here.contains(rank)) {
        elsewhere.add(rank);
      }
    }
    return elsewhere;
  }

  long bytes() {
    return copies.stream().mapToLong(Copy::bytes).sum();
  }

  /** Levels of protection. */
  List<String> protection() {
    return state == State.INCOMPLETE ? List.of() : List.of(TIER);
  }

  /** As a user writes it: generation and epoch. */
  static String name(EpochId id) {
    return id.generation() + "-" + id.epoch();
  }

  /** Looks at an epoch; empty if it is deleted meanwhile. */
  static Optional<EpochLook> of(FileOperations files, Job job, EpochId id) throws IOException {
    // A live launch deletes an epoch's record first: what is found while it does is no damage.
    while (true) {
      EpochLook look = look(files, job, id);
      if (look.findings().isEmpty() || !look.isBeingDeleted()) {
        return look.copies().isEmpty() ? Optional.empty() : Optional.of(look);
      }
    }
  }

  /** Whether a store has lost the record that it had at this look. */
  boolean isBeingDeleted() throws IOException {
    for (Copy copy : copies) {
      if (copy.standing().isPresent() && copy.store().standing(id).isEmpty()) {
        return true;
      }
    }
    return false;
  }

  private static EpochLook look(FileOperations files, Job job, EpochId id) throws IOException {
    List<Copy> copies = new ArrayList<>();
    List<Finding> findings = new ArrayList<>();
    Instant written = null;
    for (StoreView store : job.stores()) {
      if (!files.exists(store.directory(id))) {
        continue;
      }
      Copy copy = copy(files, job, store, id, findings);
      copies.add(copy);
      if (copy.standing().isPresent()) {
        try {
          Instant then = Files.getLastModifiedTime(store.recordFile(id)).toInstant();
          written = written == null || then.isAfter(written) ? then : written;
        } catch (NoSuchFileException e) {
          // Being deleted.
        }
      }
    }
    boolean committed = copies.stream().anyMatch(c -> is(c, Standing.COMMITTED));
    boolean pending =
        copies.size() == job.stores().size()
            && copies.stream().allMatch(c -> c.standing().isPresent());
    State state = committed ? State.COMMITTED : pending ? State.PENDING : State.INCOMPLETE;
    if (state == State.INCOMPLETE) {
      // Nobody was promised anything.
      findings.clear();
    }
    int worldSize =
        copies.stream()
            .flatMap(c -> c.record().stream())
            .mapToInt(EpochRecord::worldSize)
            .max()
            .orElse(job.worldSize());
    OptionalLong safePoint = safePoint(files, id, copies, state, findings);
    return new EpochLook(
        id,
        state,
        List.copyOf(copies),
        worldSize,
        safePoint,
        Optional.ofNullable(written),
        List.copyOf(findings));
  }

  private static boolean is(Copy copy, Standing standing) {
    return copy.standing().isPresent() && copy.standing().get() == standing;
  }

  private static Copy copy(
      FileOperations files, Job job, StoreView store, EpochId id, List<Finding> findings)
      throws IOException {
    Optional<Standing> standing = store.standing(id);
    Optional<EpochRecord> record = Optional.empty();
    if (standing.isPresent()) {
      Path file = store.recordFile(id);
      try {
        EpochRecord read = EpochRecord.read(files, file);
        requireOurs(file, read, job, id);
        record = Optional.of(read);
      } catch (IOException e) {
        findings.add(Finding.of(file, e));
      }
    }
    TreeMap<Integer, Long> found = imagesIn(files, store.directory(id), findings);
    if (record.isEmpty()) {
      long bytes = found.values().stream().mapToLong(n -> Math.max(n, 0)).sum();
      return new Copy(store, standing, record, new TreeSet<>(found.keySet()), bytes);
    }
    SortedSet<Integer> ranks = new TreeSet<>();
    long bytes = 0;
    for (EpochRecord.Image image : record.get().images()) {
      Path file = store.imageFile(id, image.rank());
      Long length = found.get(image.rank());
      ranks.add(image.rank());
      bytes += image.lengthBytes();
      if (length == null) {
        findings.add(Finding.missing(file));
      } else if (length >= 0 && length != image.lengthBytes()) {
        findings.add(
            new Finding(
                Finding.Kind.DAMAGED,
                file,
                Math.min(length, image.lengthBytes()),
                "file length",
                length.toString(),
                Long.toString(image.lengthBytes()),
                file
                    + ": file length: found "
                    + length
                    + ", expected "
                    + image.lengthBytes()
                    + " (truncated, or another image?)"));
      }
    }
    return new Copy(store, standing, record, ranks, bytes);
  }

  private static void requireOurs(Path file, EpochRecord record, Job job, EpochId id)
      throws ForeignImageException {
    if (!record.jobId().equals(job.id())) {
      throw new ForeignImageException(file, "job", record.jobId(), job.id());
    }
    if (job.uuid().isPresent() && !record.jobUuid().equals(job.uuid().get())) {
      throw new ForeignImageException(
          file, "job of the same name", record.jobUuid(), job.uuid().get());
    }
    if (job.worldSize() != 0 && record.worldSize() != job.worldSize()) {
      throw new ForeignImageException(file, "world size", record.worldSize(), job.worldSize());
    }
    if (!record.epoch().equals(id)) {
      throw new ForeignImageException(file, "epoch", record.epoch(), id);
    }
  }

  /** Lengths of the images in a directory, by rank; -1 for those that can't be opened. */
  private static TreeMap<Integer, Long> imagesIn(
      FileOperations files, Path directory, List<Finding> findings) throws IOException {
    TreeMap<Integer, Long> images = new TreeMap<>();
    for (String name : files.list(directory)) {
      Matcher matcher = IMAGE.matcher(name);
      if (matcher.matches()) {
        int rank = Integer.parseInt(matcher.group(1));
        if (EpochRecord.imageName(rank).equals(name)) {
          try (InputFile in = files.open(directory.resolve(name))) {
            images.put(rank, in.lengthBytes());
          } catch (NoSuchFileException e) {
            // Being deleted.
          } catch (IOException e) {
            findings.add(Finding.of(directory.resolve(name), e));
            images.put(rank, -1L);
          }
        }
      }
    }
    return images;
  }

  private static OptionalLong safePoint(
      FileOperations files, EpochId id, List<Copy> copies, State state, List<Finding> findings) {
    for (Copy copy : copies) {
      if (state == State.INCOMPLETE || copy.record().isEmpty() || copy.ranks().isEmpty()) {
        continue;
      }
      Path file = copy.store().imageFile(id, copy.ranks().first());
      if (findings.stream().anyMatch(finding -> finding.file().equals(file))) {
        continue;
      }
      try (ImageReader image = ImageReader.open(files, file)) {
        return OptionalLong.of(image.header().safePoint());
      } catch (IOException e) {
        findings.add(Finding.of(file, e));
      }
    }
    return OptionalLong.empty();
  }
}

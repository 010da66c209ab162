// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FileOperations;
import io.cairn.image.ForeignImageException;
import io.cairn.image.ImageReader;
import io.cairn.image.InputFile;
import io.cairn.image.JobIdentity;
import io.cairn.store.Standing;
import io.cairn.store.StoreView;
import io.cairn.tier.Encoding;
import io.cairn.tier.Holdings;
import io.cairn.tier.Holdings.Held;
import io.cairn.tier.ProtectionRecord.EncodedSet;
import io.cairn.tier.ProtectionRecord.Shard;
import io.cairn.tier.ShardId;
import io.cairn.tier.Tier;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A cheap look at an epoch: records are read, images and parity are only measured, but for one
 * image whose header tells the safe point.
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
   * @param shared whether the store is the shared tier
   * @param standing of its record, if there is one
   * @param record if it can be read
   * @param ranks whose images the record names, or without one whose files are there
   * @param bytes of these images
   * @param holdings what all its records say, tiers' too
   * @param protections what tiers have here: by published records, or by a pending one if another
   *     store has published its own
   * @param present the ranks whose images' files are there
   */
  record Copy(
      StoreView store,
      boolean shared,
      Optional<Standing> standing,
      Optional<EpochRecord> record,
      SortedSet<Integer> ranks,
      long bytes,
      Holdings holdings,
      List<Held> protections,
      SortedSet<Integer> present) {

    /** Whether it is a rank's own store that has its record. */
    boolean isLocal() {
      return !shared && standing.isPresent();
    }

    /** Whether it is that rank's own store, as far as that is known. */
    boolean isOwnOf(int rank) {
      return !shared && ranks.contains(rank);
    }

    Optional<Held> protection(Tier tier) {
      return protections.stream().filter(held -> held.record().tier() == tier).findFirst();
    }

    /** Images of other stores' ranks: copies that the store's own record doesn't name. */
    List<EpochRecord.Image> partnerCopies() {
      return protection(Tier.PARTNER).stream()
          .flatMap(held -> held.record().copies().stream())
          .filter(image -> !ranks.contains(image.rank()))
          .toList();
    }

    /** Parity shards. */
    List<Parity> parity() {
      List<Parity> parity = new ArrayList<>();
      for (Held held : protections) {
        for (EncodedSet set : held.record().sets()) {
          for (Shard shard : set.shards()) {
            ShardId id = held.record().id(set, shard);
            Path file = held.file().resolveSibling(id.fileName());
            parity.add(new Parity(new Encoding(held.record(), set), shard, id, file));
          }
        }
      }
      return parity;
    }

    /** What tiers take here. */
    long protectionBytes() {
      return partnerCopies().stream().mapToLong(EpochRecord.Image::lengthBytes).sum()
          + parity().stream().mapToLong(p -> p.shard().lengthBytes()).sum();
    }
  }

  /** A parity shard in a store. */
  record Parity(Encoding encoding, Shard shard, ShardId id, Path file) {}

  /**
   * A tier that protects the epoch.
   *
   * @param tier as users call it
   * @param stores how many have their part of it
   * @param of how many should
   */
  record Level(String tier, int stores, int of) {
    boolean isWhole() {
      return stores == of;
    }

    String show() {
      return isWhole() ? tier : "%s (%d of %s)".formatted(tier, stores, Units.count(of, "store"));
    }
  }

  /** The tier that ranks write to. */
  static final String LOCAL = "local";

  private static final Pattern IMAGE = Pattern.compile("rank-([0-9]{1,9})\\.image");

  /** The ranks whose images, or copies of them, are in a store that was looked at. */
  SortedSet<Integer> ranks() {
    SortedSet<Integer> ranks = new TreeSet<>();
    for (Copy copy : copies) {
      ranks.addAll(copy.ranks());
      copy.partnerCopies().forEach(image -> ranks.add(image.rank()));
    }
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

  /** What it takes on disk, with what tiers have. */
  long bytes() {
    return copies.stream().mapToLong(copy -> copy.bytes() + copy.protectionBytes()).sum();
  }

  /** What the comparison of parity with images reads. */
  long parityProofBytes() {
    Set<String> encodings = new HashSet<>();
    long bytes = 0;
    for (Copy copy : copies) {
      for (Parity parity : copy.parity()) {
        bytes += parity.encoding().set().chunkBytes();
        if (encodings.add(parity.encoding().key())) {
          for (EpochRecord.Image member : parity.encoding().set().members()) {
            bytes += member.lengthBytes();
          }
        }
      }
    }
    return bytes;
  }

  /** The tiers that protect it, as far as a cheap look can tell. */
  List<Level> levels() {
    if (state == State.INCOMPLETE) {
      return List.of();
    }
    Set<Path> wrong = new HashSet<>();
    findings.forEach(finding -> wrong.add(finding.file()));
    List<Level> levels = new ArrayList<>();
    List<Copy> own = copies.stream().filter(copy -> !copy.shared()).toList();
    int local = (int) own.stream().filter(copy -> isThere(copy, wrong)).count();
    if (local > 0) {
      levels.add(new Level(LOCAL, local, own.size()));
    }
    for (Tier tier : List.of(Tier.PARTNER, Tier.SET)) {
      int there = (int) own.stream().filter(copy -> isThere(copy, tier, wrong)).count();
      if (there > 0) {
        levels.add(new Level(tier.word(), there, own.size()));
      }
    }
    if (copies.stream()
        .anyMatch(c -> c.shared() && is(c, Standing.COMMITTED) && isThere(c, wrong))) {
      levels.add(new Level(Tier.SHARED.word(), 1, 1));
    }
    return levels;
  }

  private boolean isThere(Copy copy, Set<Path> wrong) {
    return copy.record().isPresent()
        && copy.ranks().stream().noneMatch(r -> wrong.contains(copy.store().imageFile(id, r)));
  }

  private boolean isThere(Copy copy, Tier tier, Set<Path> wrong) {
    Optional<Held> held = copy.protection(tier);
    if (held.isEmpty() || held.get().standing() != Standing.COMMITTED) {
      return false;
    }
    return switch (tier) {
      case SET -> copy.parity().stream().noneMatch(parity -> wrong.contains(parity.file()));
      case PARTNER, SHARED ->
          held.get().record().copies().stream()
              .noneMatch(image -> wrong.contains(copy.store().imageFile(id, image.rank())));
    };
  }

  /** Levels of protection that are whole. */
  List<String> protection() {
    return levels().stream().filter(Level::isWhole).map(Level::tier).toList();
  }

  /** As a user writes it: generation and epoch. */
  static String name(EpochId id) {
    return id.generation() + "-" + id.epoch();
  }

  /** Looks at an epoch; empty if it is deleted meanwhile. */
  static Optional<EpochLook> of(FileOperations files, Job job, EpochId id) throws IOException {
    // A live launch deletes an epoch's record first, and publishes a tier's record before it
    // deletes what that replaces: what is found while it does is no damage.
    while (true) {
      EpochLook look = look(files, job, id);
      if (look.findings().isEmpty()
          || !(look.isBeingDeleted() || look.isBeingProtected(files, job))) {
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

  /** Whether tiers have written other records since this look. */
  boolean isBeingProtected(FileOperations files, Job job) {
    for (Copy copy : copies) {
      if (!holdings(files, job, copy.store(), id, copy.record())
          .protections()
          .equals(copy.holdings().protections())) {
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
    State state = state(job, id, copies);
    findUnrecorded(job, id, copies, state, findings);
    copies = protect(files, id, copies, findings);
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

  /** As a start sees it, see {@link Job#candidates}. */
  private static State state(Job job, EpochId id, List<Copy> copies) throws IOException {
    if (copies.stream().anyMatch(copy -> is(copy, Standing.COMMITTED))) {
      return State.COMMITTED;
    }
    boolean pending = copies.stream().anyMatch(Copy::isLocal);
    for (StoreView store : job.stores()) {
      pending &= job.isShared(store) || store.isNewborn() || store.standing(id).isPresent();
    }
    return pending ? State.PENDING : State.INCOMPLETE;
  }

  /**
   * All stores have their record before any publishes its own. One that has images and none has
   * lost it, or the launch that deleted or recovered the epoch died.
   */
  private static void findUnrecorded(
      Job job, EpochId id, List<Copy> copies, State state, List<Finding> findings) {
    List<Copy> unrecorded =
        copies.stream()
            .filter(c -> !c.shared() && c.standing().isEmpty() && !c.ranks().isEmpty())
            .toList();
    if (state == State.COMMITTED && !unrecorded.isEmpty() && job.holder().isEmpty()) {
      for (Copy copy : unrecorded) {
        findings.add(Finding.missing(copy.store().directory(id).resolve(EpochRecord.COMMITTED)));
      }
    }
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
    Holdings holdings = holdings(files, job, store, id, record);
    for (Holdings.Damage damage : holdings.damages()) {
      // The epoch's own record is told of above.
      if (Tier.ofRecordName(damage.file().getFileName().toString()).isPresent()) {
        findings.add(Finding.of(damage.file(), damage.cause()));
      }
    }
    TreeMap<Integer, Long> found = imagesIn(files, store.directory(id), findings);
    TreeSet<Integer> present = new TreeSet<>(found.keySet());
    boolean shared = job.isShared(store);
    if (record.isEmpty()) {
      TreeSet<Integer> ranks = new TreeSet<>(present);
      holdings.images().forEach(image -> ranks.remove(image.rank()));
      long bytes = ranks.stream().mapToLong(rank -> Math.max(found.get(rank), 0)).sum();
      return new Copy(store, shared, standing, record, ranks, bytes, holdings, List.of(), present);
    }
    SortedSet<Integer> ranks = new TreeSet<>();
    long bytes = 0;
    for (EpochRecord.Image image : record.get().images()) {
      ranks.add(image.rank());
      bytes += image.lengthBytes();
      Path file = store.imageFile(id, image.rank());
      measure(file, found.get(image.rank()), image.lengthBytes(), findings);
    }
    return new Copy(store, shared, standing, record, ranks, bytes, holdings, List.of(), present);
  }

  /**
   * @param length the file's, null if there is none, -1 if it can't be opened
   */
  private static void measure(Path file, Long length, long expectedBytes, List<Finding> findings) {
    if (length == null) {
      findings.add(Finding.missing(file));
    } else if (length >= 0 && length != expectedBytes) {
      findings.add(
          new Finding(
              Finding.Kind.DAMAGED,
              file,
              Math.min(length, expectedBytes),
              "file length",
              length.toString(),
              Long.toString(expectedBytes),
              file
                  + ": file length: found "
                  + length
                  + ", expected "
                  + expectedBytes
                  + " (truncated, or another one?)"));
    }
  }

  /** Nothing, as long as it isn't known whose they must be. */
  private static Holdings holdings(
      FileOperations files, Job job, StoreView store, EpochId id, Optional<EpochRecord> record) {
    Optional<UUID> uuid = job.uuid().or(() -> record.map(EpochRecord::jobUuid));
    int worldSize =
        job.worldSize() != 0 ? job.worldSize() : record.map(EpochRecord::worldSize).orElse(0);
    if (uuid.isEmpty() || worldSize == 0 || !JobIdentity.isJobId(job.id())) {
      return new Holdings(List.of(), List.of(), List.of(), List.of());
    }
    return Holdings.read(files, store, new JobIdentity(job.id(), uuid.get(), worldSize, 1), id);
  }

  /** Finds out what tiers have, and measures it. */
  private static List<Copy> protect(
      FileOperations files, EpochId id, List<Copy> copies, List<Finding> findings)
      throws IOException {
    Set<Tier> promised = EnumSet.noneOf(Tier.class);
    for (Copy copy : copies) {
      copy.holdings().protections().stream()
          .filter(held -> held.standing() == Standing.COMMITTED)
          .forEach(held -> promised.add(held.record().tier()));
    }
    List<Copy> all = new ArrayList<>();
    for (Copy copy : copies) {
      List<Held> protections = new ArrayList<>();
      for (Tier tier : promised) {
        // A published record is what is sure; a pending one of another launch may lack its files.
        Held chosen = null;
        for (Held held : copy.holdings().protections()) {
          if (held.record().tier() == tier
              && (chosen == null || held.standing() == Standing.COMMITTED)) {
            chosen = held;
          }
        }
        if (chosen != null) {
          protections.add(chosen);
        }
      }
      Copy whole =
          new Copy(
              copy.store(),
              copy.shared(),
              copy.standing(),
              copy.record(),
              copy.ranks(),
              copy.bytes(),
              copy.holdings(),
              List.copyOf(protections),
              copy.present());
      all.add(whole);
      for (EpochRecord.Image image : whole.partnerCopies()) {
        Path file = whole.store().imageFile(id, image.rank());
        if (findings.stream().noneMatch(finding -> finding.file().equals(file))) {
          measure(file, length(files, file, findings), image.lengthBytes(), findings);
        }
      }
      for (Parity parity : whole.parity()) {
        Long length = length(files, parity.file(), findings);
        measure(parity.file(), length, parity.shard().lengthBytes(), findings);
      }
    }
    for (Tier tier : promised) {
      findLostRecords(files, id, tier, all, findings);
    }
    return all;
  }

  private static Long length(FileOperations files, Path file, List<Finding> findings) {
    try (InputFile in = files.open(file)) {
      return in.lengthBytes();
    } catch (NoSuchFileException e) {
      return null;
    } catch (IOException e) {
      findings.add(Finding.of(file, e));
      return -1L;
    }
  }

  /**
   * Before any store publishes a tier's record, all have theirs: where one has neither that nor a
   * pending one, but has what it would name, it was lost.
   */
  private static void findLostRecords(
      FileOperations files, EpochId id, Tier tier, List<Copy> copies, List<Finding> findings)
      throws IOException {
    Set<Long> published = new HashSet<>();
    Set<Integer> copied = new HashSet<>();
    for (Copy copy : copies) {
      for (Held held : copy.holdings().protections()) {
        if (held.record().tier() == tier) {
          published.add(held.record().encodedBy());
          held.record().copies().forEach(image -> copied.add(image.rank()));
        }
      }
    }
    for (Copy copy : copies) {
      Path file = copy.store().directory(id).resolve(tier.recordName());
      Path pending = file.resolveSibling(tier.pendingRecordName());
      if (copy.shared()
          || copy.protection(tier).isPresent()
          || findings.stream().anyMatch(f -> f.file().equals(file) || f.file().equals(pending))) {
        continue;
      }
      boolean orphans =
          tier == Tier.SET
              ? files.list(copy.store().directory(id)).stream()
                  .flatMap(name -> ShardId.encodedBy(name).stream())
                  .anyMatch(published::contains)
              : copy.record().isPresent()
                  && copy.present().stream()
                      .anyMatch(rank -> !copy.ranks().contains(rank) && !copied.contains(rank));
      if (orphans) {
        findings.add(Finding.missing(file));
      }
    }
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

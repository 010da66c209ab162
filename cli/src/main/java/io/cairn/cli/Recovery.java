// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.cli.EpochLook.Copy;
import io.cairn.cli.EpochLook.State;
import io.cairn.image.Ancestor;
import io.cairn.image.CorruptImageException;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FileOperations;
import io.cairn.image.ImageChain;
import io.cairn.image.ImageReader;
import io.cairn.image.JobIdentity;
import io.cairn.restore.EpochCheck;
import io.cairn.store.Standing;
import io.cairn.store.StoreView;
import io.cairn.tier.Encoding;
import io.cairn.tier.ExpectedImages;
import io.cairn.tier.Holdings;
import io.cairn.tier.Holdings.Held;
import io.cairn.tier.ProtectionRecord.EncodedSet;
import io.cairn.tier.ProtectionRecord.Shard;
import io.cairn.tier.ShardId;
import io.cairn.tier.ShardReader;
import io.cairn.tier.Tier;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What a start of the job would restore, by the same rules and checks, if each rank ran where its
 * image is and all stores that are here took part.
 */
final class Recovery {
  /** Names are part of the JSON output. */
  enum Start {
    /** It goes on from the epoch. */
    RESTORES,
    /** There never was a committed epoch: it begins anew. */
    FRESH,
    /** There was one and none can be used: it ends with an error. */
    REFUSED;

    String code() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** A newer epoch that can't be restored, and why. */
  record PassedOver(EpochId id, State state, List<String> reasons) {}

  /**
   * The answer.
   *
   * @param epoch what is restored, if anything
   * @param recovered the images that the start has to get from somewhere else
   * @param passedOver newer epochs
   */
  record Answer(
      Start start,
      Optional<EpochLook> epoch,
      List<Source> recovered,
      List<PassedOver> passedOver) {}

  private final FileOperations files;
  private final Job job;
  private final Progress progress;
  private final boolean quick;

  /**
   * @param quick whether to believe that blocks are sound, without reading them
   */
  Recovery(FileOperations files, Job job, Progress progress, boolean quick) {
    this.files = files;
    this.job = job;
    this.progress = progress;
    this.quick = quick;
  }

  /** Looks for the newest epoch that can be restored. */
  Answer answer() throws IOException {
    List<PassedOver> passedOver = new ArrayList<>();
    // A start also refuses to go on when it can't tell whose images these are.
    boolean everCommitted =
        job.everCommitted()
            || (job.uuid().isEmpty()
                && job.findings().stream().anyMatch(f -> f.kind() != Finding.Kind.MISSING));
    Optional<EpochLook> found = Optional.empty();
    List<Source> recovered = List.of();
    for (Map.Entry<EpochId, Standing> candidate : job.candidates().entrySet()) {
      Optional<EpochLook> look = EpochLook.of(files, job, candidate.getKey());
      if (look.isEmpty()) {
        continue;
      }
      Prospect prospect = prospect(look.get());
      if (prospect.reasons().isEmpty()) {
        found = look;
        recovered = prospect.recovered();
        break;
      }
      passedOver.add(new PassedOver(candidate.getKey(), look.get().state(), prospect.reasons()));
      everCommitted |= candidate.getValue() == Standing.COMMITTED;
    }
    Start start = found.isPresent() ? Start.RESTORES : everCommitted ? Start.REFUSED : Start.FRESH;
    return new Answer(start, found, recovered, passedOver);
  }

  /** Where an image comes from that isn't as it should be in its rank's own store. */
  record Source(int rank, String tier, String from) {}

  /**
   * Whether an epoch can be restored.
   *
   * @param reasons why not; nothing if it can be
   * @param recovered the images that a start would have to get from somewhere else
   */
  record Prospect(List<String> reasons, List<Source> recovered) {}

  /** Why an epoch can't be restored; nothing if it can. */
  List<String> reasons(EpochLook look) throws IOException {
    return prospect(look).reasons();
  }

  /** Whether an epoch can be restored, and how. */
  Prospect prospect(EpochLook look) throws IOException {
    List<String> reasons = new ArrayList<>();
    if (job.uuid().isEmpty()) {
      job.findings().forEach(finding -> reasons.add(finding.message()));
      return new Prospect(reasons, List.of());
    }
    Optional<JobIdentity> identity = EpochVerification.identity(files, job, look);
    if (identity.isEmpty()) {
      return new Prospect(List.of("nothing says how many ranks the job has"), List.of());
    }
    return new Attempt(look, identity.get(), Map.of(), Set.of()).run();
  }

  /** All that concerns one epoch. */
  private final class Attempt {
    private final EpochLook look;
    private final JobIdentity identity;
    private final EpochCheck check = new EpochCheck(files);

    // What was read, with why it is of no use if it is: of each file once.
    private final Map<Reading, Optional<String>> read = new HashMap<>();

    private record Reading(Path file, EpochRecord.Image expected) {}

    // Of an epoch that newer images take bytes from: which, as far as they could be asked, and
    // whose.
    private final Map<Integer, EpochRecord.Image> known;
    private final Set<Integer> needing;

    // Of each rank whose image could be read what that takes bytes from.
    private final Map<Integer, List<Ancestor>> ancestors = new HashMap<>();

    /**
     * @param known by rank, what newer images that take bytes from it say of its image
     * @param needing the ranks whose images newer ones take bytes from, or may; nobody, if the
     *     epoch is wanted for its own sake
     */
    Attempt(
        EpochLook look,
        JobIdentity identity,
        Map<Integer, EpochRecord.Image> known,
        Set<Integer> needing) {
      this.look = look;
      this.identity = identity;
      this.known = known;
      this.needing = needing;
    }

    Prospect run() throws IOException {
      Check own = checkOwn();
      if (own.failures().isEmpty() && own.others().isEmpty()) {
        return new Prospect(List.of(), List.of());
      }
      Prospect prospect = recover(own);
      return prospect.reasons().isEmpty() ? withAncestors(own, prospect) : prospect;
    }

    /** The same, together with all epochs that its images take bytes from. */
    private Prospect withAncestors(Check own, Prospect prospect) throws IOException {
      Map<EpochId, Map<Integer, EpochRecord.Image>> images = new TreeMap<>();
      Map<EpochId, Set<Integer>> ranks = new TreeMap<>();
      for (int rank = 0; rank < identity.worldSize(); rank++) {
        for (Ancestor ancestor : ancestors.getOrDefault(rank, List.of())) {
          images
              .computeIfAbsent(ancestor.epoch(), e -> new TreeMap<>())
              .put(rank, new EpochRecord.Image(rank, ancestor.lengthBytes(), ancestor.digest()));
          ranks.computeIfAbsent(ancestor.epoch(), e -> new TreeSet<>()).add(rank);
        }
        if (!ancestors.containsKey(rank)) {
          // It can be rebuilt, but not be asked: it may need all that the records name.
          for (Copy copy : look.copies()) {
            for (EpochId older : copy.record().map(EpochRecord::refersTo).orElse(List.of())) {
              ranks.computeIfAbsent(older, e -> new TreeSet<>()).add(rank);
            }
          }
        }
      }
      List<Source> recovered = new ArrayList<>(prospect.recovered());
      List<String> notes = new ArrayList<>();
      for (Map.Entry<EpochId, Set<Integer>> older : ranks.entrySet()) {
        Optional<EpochLook> there = EpochLook.of(files, job, older.getKey());
        if (there.isEmpty()) {
          notes.add(older.getKey() + ", which it takes bytes from: missing");
          continue;
        }
        Prospect of =
            new Attempt(
                    there.get(),
                    identity,
                    images.getOrDefault(older.getKey(), Map.of()),
                    older.getValue())
                .recover(new Check(Map.of(), List.of()));
        of.reasons().forEach(reason -> notes.add(older.getKey() + ", " + reason));
        for (Source source : of.recovered()) {
          recovered.add(
              new Source(
                  source.rank(),
                  source.tier(),
                  source.from() + ", epoch " + EpochLook.name(older.getKey())));
        }
      }
      return notes.isEmpty()
          ? new Prospect(List.of(), recovered)
          : new Prospect(reasons(own, List.of(), notes), List.of());
    }

    /**
     * How images are where records say.
     *
     * @param failures by rank, why it has none
     * @param others what concerns no rank alone
     */
    private record Check(Map<Integer, String> failures, List<String> others) {}

    private Check checkOwn() {
      Map<Integer, Long> digests = new TreeMap<>();
      Map<Integer, String> failures = new TreeMap<>();
      List<String> others = new ArrayList<>();
      Set<Long> jobDigests = new HashSet<>();
      for (Copy copy : look.copies()) {
        if (copy.shared()) {
          continue;
        }
        try {
          EpochRecord record = check.record(copy.store(), identity, look.id());
          jobDigests.add(record.jobDigest());
          for (EpochRecord.Image expected : record.images()) {
            Optional<String> failure = chainFailure(copy, expected);
            if (failure.isEmpty()) {
              digests.put(expected.rank(), expected.digest());
            } else {
              failures.putIfAbsent(expected.rank(), failure.get());
            }
          }
        } catch (IOException e) {
          others.add(e.getMessage());
        }
      }
      // A rank needs one sound image, wherever that is.
      failures.keySet().removeAll(digests.keySet());
      for (int rank = 0; rank < identity.worldSize(); rank++) {
        if (!digests.containsKey(rank)) {
          failures.putIfAbsent(rank, "");
        }
      }
      if (failures.isEmpty() && others.isEmpty()) {
        long sum = 0;
        for (Map.Entry<Integer, Long> digest : digests.entrySet()) {
          sum += EpochRecord.digestTerm(digest.getKey(), digest.getValue());
        }
        if (!jobDigests.equals(Set.of(sum))) {
          others.add(
              "the images are not those that were committed together: job-wide digest "
                  + "%016x, records say ".formatted(sum)
                  + jobDigests.stream().map(d -> "%016x".formatted(d)).toList());
        }
      }
      return new Check(failures, others);
    }

    /** Why a file, or one that it takes bytes from, isn't the image that it should be. */
    private Optional<String> chainFailure(Copy copy, EpochRecord.Image expected) {
      Optional<String> failure = failure(copy, expected);
      if (failure.isPresent() || ancestors.getOrDefault(expected.rank(), List.of()).isEmpty()) {
        return failure;
      }
      int rank = expected.rank();
      StoreView store = copy.store();
      try (ImageChain chain =
          ImageChain.open(
              files, store.imageFile(look.id(), rank), older -> store.imageFile(older, rank))) {
        if (!quick) {
          chain.verify();
        }
        return Optional.empty();
      } catch (IOException e) {
        return Optional.of("" + e.getMessage());
      }
    }

    /** Why a file isn't the image that a record names, if it isn't. */
    private Optional<String> failure(Copy copy, EpochRecord.Image expected) {
      Path file = copy.store().imageFile(look.id(), expected.rank());
      return read.computeIfAbsent(
          new Reading(file, expected),
          reading -> {
            try (ImageReader image = ImageReader.open(files, file)) {
              image.requireIdentity(identity, look.id(), expected.rank());
              image.requireRecorded(expected);
              verify(image);
              ancestors.put(expected.rank(), List.copyOf(image.ancestors()));
              return Optional.empty();
            } catch (NoSuchFileException e) {
              return Optional.of(file + ": missing");
            } catch (IOException e) {
              return Optional.of(e.getMessage());
            }
          });
    }

    /** What a start's recovery would come to, with the rules that it has. */
    private Prospect recover(Check checked) throws IOException {
      List<Holdings> holdings = new ArrayList<>();
      List<Copy> stores = new ArrayList<>();
      for (boolean shared : new boolean[] {false, true}) {
        for (Copy copy : look.copies()) {
          if (copy.shared() == shared) {
            stores.add(copy);
            holdings.add(Holdings.read(files, copy.store(), identity, look.id()));
          }
        }
      }
      Map<Integer, Set<EpochRecord.Image>> unrecorded = unrecorded();
      ExpectedImages expected =
          ExpectedImages.of(
              identity.worldSize(),
              holdings,
              rank -> unrecorded.getOrDefault(rank, Set.of()),
              known);
      boolean older = !needing.isEmpty();
      if (!expected.areOneEpoch() && !older) {
        // Of those that nobody names the check has told.
        List<String> notes = new ArrayList<>(expected.contradiction().stream().toList());
        return new Prospect(reasons(checked, holdings, notes), List.of());
      }
      List<String> notes = new ArrayList<>();
      Map<Integer, Source> found = new TreeMap<>();
      for (int rank = 0; rank < identity.worldSize(); rank++) {
        if (expected.image(rank).isEmpty()) {
          continue;
        }
        EpochRecord.Image image = expected.image(rank).get();
        if (unrecorded.getOrDefault(rank, Set.of()).contains(image)) {
          found.put(rank, new Source(rank, EpochLook.LOCAL, "its own store"));
        }
        // Its own store's comes first: where that is sound, nothing else is looked at.
        for (boolean own : new boolean[] {true, false}) {
          for (int i = 0; i < stores.size() && !found.containsKey(rank); i++) {
            boolean named =
                holdings.get(i).images().contains(image)
                    // What an epoch there takes bytes from may be there without a record.
                    || (older && stores.get(i).shared());
            if (stores.get(i).isOwnOf(rank) != own || !named) {
              continue;
            }
            Optional<String> failure = failure(stores.get(i), image);
            if (failure.isEmpty()) {
              found.put(rank, source(stores.get(i), rank));
            } else if (!own) {
              notes.add("rank " + rank + ": " + failure.get());
            }
          }
        }
      }
      Set<Integer> lost = new TreeSet<>();
      for (int rank = 0; rank < identity.worldSize(); rank++) {
        if (!found.containsKey(rank)) {
          lost.add(rank);
        }
      }
      rebuild(holdings, stores, expected, lost, found, notes);
      lost.removeAll(found.keySet());
      if (older) {
        lost.retainAll(needing);
      }
      if (!lost.isEmpty()) {
        for (int rank : lost) {
          notes.add("rank " + rank + ": no sound image, copy or redundancy set is left");
        }
        return new Prospect(reasons(checked, holdings, notes), List.of());
      }
      return new Prospect(
          List.of(),
          found.values().stream()
              .filter(
                  source ->
                      older
                          ? needing.contains(source.rank())
                              && !source.tier().equals(EpochLook.LOCAL)
                          : checked.failures().containsKey(source.rank()))
              .toList());
    }

    private Source source(Copy copy, int rank) {
      String tier =
          copy.shared()
              ? Tier.SHARED.word()
              : copy.isOwnOf(rank) ? EpochLook.LOCAL : Tier.PARTNER.word();
      return new Source(rank, tier, copy.store().directory().toString());
    }

    /**
     * Sound images in stores whose own record is lost: there a rank finds its own image, named or
     * not. Others are only as good as a tier's record.
     */
    private Map<Integer, Set<EpochRecord.Image>> unrecorded() throws IOException {
      Map<Integer, Set<EpochRecord.Image>> images = new TreeMap<>();
      for (Copy copy : look.copies()) {
        if (copy.shared() || copy.record().isPresent()) {
          continue;
        }
        Set<Integer> home = home(copy.store());
        for (int rank : copy.ranks()) {
          if (look.copies().stream()
                  .anyMatch(other -> other.record().isPresent() && other.isOwnOf(rank))
              || !(home.isEmpty() || home.contains(rank))) {
            continue;
          }
          try (ImageReader image =
              ImageReader.open(files, copy.store().imageFile(look.id(), rank))) {
            image.requireIdentity(identity, look.id(), rank);
            verify(image);
            images
                .computeIfAbsent(rank, r -> new HashSet<>())
                .add(new EpochRecord.Image(rank, image.lengthBytes(), image.digest()));
          } catch (IOException e) {
            // Then there is none.
          }
        }
      }
      return images;
    }

    /** The ranks that a store was the own one of in this generation; none, if nothing tells. */
    private Set<Integer> home(StoreView store) throws IOException {
      Set<Integer> ranks = new TreeSet<>();
      for (EpochId other : store.epochs()) {
        if (other.generation() == look.id().generation() && store.standing(other).isPresent()) {
          try {
            check.record(store, identity, other).images().forEach(image -> ranks.add(image.rank()));
          } catch (IOException e) {
            // It tells nothing.
          }
        }
      }
      return ranks;
    }

    private void rebuild(
        List<Holdings> holdings,
        List<Copy> stores,
        ExpectedImages expected,
        Set<Integer> lost,
        Map<Integer, Source> found,
        List<String> notes) {
      List<Encoding> encodings = Encoding.of(holdings, expected, lost);
      Set<String> wanted = new HashSet<>();
      encodings.forEach(encoding -> wanted.add(encoding.key()));
      Set<ShardId> sound = new HashSet<>();
      for (int i = 0; i < stores.size() && !wanted.isEmpty(); i++) {
        for (Held held : holdings.get(i).protections()) {
          for (EncodedSet set : held.record().sets()) {
            if (wanted.contains(new Encoding(held.record(), set).key())) {
              set.shards().forEach(shard -> readShard(held, set, shard, sound, notes));
            }
          }
        }
      }
      Encoding.decodable(encodings, lost, sound::contains)
          .forEach(
              (rank, encoding) ->
                  found.put(
                      rank,
                      new Source(
                          rank,
                          Tier.SET.word(),
                          "redundancy set " + encoding.set().set().members())));
    }

    private void readShard(
        Held held, EncodedSet set, Shard shard, Set<ShardId> sound, List<String> notes) {
      ShardId id = held.record().id(set, shard);
      Path file = held.file().resolveSibling(id.fileName());
      try (ShardReader reader = ShardReader.open(files, file)) {
        reader.require(id, set.chunkBytes(), shard.digest());
        if (!quick) {
          reader.verify();
        }
        sound.add(id);
      } catch (NoSuchFileException e) {
        notes.add(file + ": missing");
      } catch (IOException e) {
        notes.add(e.getMessage());
      }
      progress.advance(shard.lengthBytes());
    }

    /** As a start tells them: all that speaks against the epoch. */
    private List<String> reasons(Check checked, List<Holdings> holdings, List<String> notes) {
      Set<String> reasons = new LinkedHashSet<>();
      List<Integer> nowhere = new ArrayList<>();
      checked
          .failures()
          .forEach(
              (rank, failure) -> {
                if (failure.isEmpty()) {
                  nowhere.add(rank);
                } else {
                  reasons.add("rank " + rank + ": " + failure);
                }
              });
      reasons.addAll(checked.others());
      if (!nowhere.isEmpty()) {
        reasons.add(
            (nowhere.size() == 1 ? "the image of rank " : "the images of ranks ")
                + Ranks.show(nowhere)
                + (nowhere.size() == 1 ? " is" : " are")
                + " named by no readable record in "
                + String.join(", ", job.directories().stream().map(Object::toString).toList()));
      }
      reasons.addAll(notes);
      for (Holdings store : holdings) {
        store.damages().forEach(damage -> reasons.add(damage.cause().getMessage()));
      }
      return List.copyOf(reasons);
    }
  }

  private void verify(ImageReader image) throws IOException {
    if (quick) {
      progress.advance(image.lengthBytes());
      return;
    }
    List<CorruptImageException> first = new ArrayList<>();
    progress.examine(
        image,
        (section, damage) -> {
          if (first.isEmpty()) {
            first.add(damage);
          }
        });
    if (!first.isEmpty()) {
      throw first.get(0);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.cli.EpochLook.Copy;
import io.cairn.cli.EpochLook.Parity;
import io.cairn.cli.EpochLook.State;
import io.cairn.image.CorruptImageException;
import io.cairn.image.EpochRecord;
import io.cairn.image.FileOperations;
import io.cairn.image.ImageChain;
import io.cairn.image.ImageReader;
import io.cairn.image.JobIdentity;
import io.cairn.restore.EpochCheck;
import io.cairn.store.StoreView;
import io.cairn.tier.Holdings.Held;
import io.cairn.tier.ShardReader;
import io.cairn.tier.Tier;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;

/**
 * All that can be checked of an epoch: its records, every byte of every image, that they belong
 * together, and that all messages are accounted for.
 */
final class EpochVerification {
  /** Names are part of the JSON output. */
  enum Outcome {
    /** Everything holds. */
    SOUND,
    /** See the findings. */
    DAMAGED,
    /** What is here holds, but some ranks' images are in no store that was looked at. */
    PARTIAL,
    /** It has no record: it is being written, or nobody will ever use it. */
    INCOMPLETE,
    /** A launch deleted it meanwhile. */
    GONE;

    String code() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * What was found.
   *
   * @param images that were read, in the ranks' own stores and in the shared tier
   * @param copies of images for partners that were read
   * @param parityShards that were read
   * @param parityProved how many of these were compared with the images
   * @param bytes of all these
   * @param channels on which no message is missing and none is double, or whose finding says so
   */
  record Result(
      EpochLook look,
      Outcome outcome,
      int images,
      int copies,
      int parityShards,
      int parityProved,
      long bytes,
      long channels,
      long lateMessages,
      long lateBytes,
      List<Finding> findings) {}

  /** Findings of one image beyond these are only counted. */
  private static final int MOST_FINDINGS_OF_AN_IMAGE = 16;

  private static final int MOST_ATTEMPTS = 3;

  private final FileOperations files;
  private final Job job;
  private final EpochLook look;
  private final Progress progress;
  private final ParityProof parityProof;
  private final EpochCheck check;
  private final List<Finding> findings = new ArrayList<>();
  private final ChannelProof proof = new ChannelProof();
  private final Map<Integer, Long> digests = new TreeMap<>();
  private final Set<Integer> proved = new HashSet<>();
  private final Map<EpochRecord.Image, Path> soundImages = new HashMap<>();
  private final List<Parity> soundShards = new ArrayList<>();
  private int images;
  private int copies;
  private int parityShards;
  private int parityProved;
  private long bytes;

  private EpochVerification(
      FileOperations files, Job job, EpochLook look, Progress progress, ParityProof parityProof) {
    this.files = files;
    this.job = job;
    this.look = look;
    this.progress = progress;
    this.parityProof = parityProof;
    check = new EpochCheck(files);
  }

  static Result run(
      FileOperations files, Job job, EpochLook look, Progress progress, ParityProof parityProof)
      throws IOException {
    EpochLook current = look;
    for (int attempt = 1; ; attempt++) {
      Result result = new EpochVerification(files, job, current, progress, parityProof).run();
      if (result.outcome() != Outcome.DAMAGED
          || attempt == MOST_ATTEMPTS
          || !current.isBeingProtected(files, job)) {
        return result;
      }
      // A live launch has written new copies or parity, and deleted those that were being read.
      Optional<EpochLook> next = EpochLook.of(files, job, look.id());
      if (next.isEmpty()) {
        return new EpochVerification(files, job, current, progress, parityProof)
            .result(Outcome.GONE);
      }
      current = next.get();
    }
  }

  private Result run() throws IOException {
    if (look.state() == State.INCOMPLETE) {
      return result(Outcome.INCOMPLETE);
    }
    Optional<JobIdentity> identity = identity(files, job, look);
    if (identity.isEmpty()) {
      // No record, no image, no job file that could tell what is expected.
      findings.addAll(look.findings());
    } else {
      examineAll(identity.get());
    }
    findings.addAll(proof.conclude(look.worldSize()));
    if (!findings.isEmpty() && look.isBeingDeleted()) {
      findings.clear();
      return result(Outcome.GONE);
    }
    if (!findings.isEmpty()) {
      return result(Outcome.DAMAGED);
    }
    return result(look.isWhole() ? Outcome.SOUND : Outcome.PARTIAL);
  }

  private void examineAll(JobIdentity identity) throws IOException {
    Map<Path, EpochRecord> records = new TreeMap<>();
    for (Copy copy : look.copies()) {
      try {
        if (copy.standing().isPresent()) {
          EpochRecord record = check.record(copy.store(), identity, look.id());
          records.put(copy.store().recordFile(look.id()), record);
          for (EpochRecord.Image image : record.images()) {
            image(copy, record, identity, image);
          }
        }
      } catch (IOException e) {
        findings.add(Finding.of(copy.store().recordFile(look.id()), e));
      }
    }
    for (Copy copy : look.copies()) {
      if (!copy.shared() && copy.record().isEmpty()) {
        copy.ranks().forEach(rank -> unrecorded(copy, identity, rank));
      }
    }
    // What the look found of records that aren't there, and of those of tiers.
    look.findings().stream().filter(this::isOfARecordNotRead).forEach(findings::add);
    for (Copy copy : look.copies()) {
      for (EpochRecord.Image image : copy.partnerCopies()) {
        partnerCopy(copy, identity, image);
      }
    }
    for (Copy copy : look.copies()) {
      copy.parity().forEach(this::parity);
    }
    compareDigests(records);
    comparePromises(records);
    parityProved = parityProof.prove(soundShards, soundImages, progress, findings);
  }

  private boolean isOfARecordNotRead(Finding finding) {
    String name = finding.file().getFileName().toString();
    return Tier.ofRecordName(name).isPresent()
        || (name.equals(EpochRecord.COMMITTED)
            && findings.stream().noneMatch(known -> known.file().equals(finding.file())));
  }

  private Result result(Outcome outcome) {
    return new Result(
        look,
        outcome,
        images,
        copies,
        parityShards,
        parityProved,
        bytes,
        proof.provedChannels(),
        proof.lateMessages(),
        proof.lateBytes(),
        List.copyOf(findings));
  }

  /**
   * What all images of an epoch must say of themselves. The page size isn't this machine's, which
   * may be another kind than the job's, but that of the first image that can be read.
   */
  static Optional<JobIdentity> identity(FileOperations files, Job job, EpochLook look) {
    Optional<EpochRecord> record =
        look.copies().stream().flatMap(c -> c.record().stream()).findFirst();
    Optional<UUID> uuid = job.uuid().or(() -> record.map(EpochRecord::jobUuid));
    int worldSize = job.worldSize() != 0 ? job.worldSize() : look.worldSize();
    if (uuid.isEmpty() || worldSize == 0) {
      return Optional.empty();
    }
    long pageBytes = 1;
    for (Copy copy : look.copies()) {
      for (int rank : copy.present()) {
        try (ImageReader image = ImageReader.open(files, copy.store().imageFile(look.id(), rank))) {
          pageBytes = image.header().job().pageBytes();
          return Optional.of(new JobIdentity(job.id(), uuid.get(), worldSize, pageBytes));
        } catch (IOException e) {
          // Found again, and told, when it is its turn.
        }
      }
    }
    return Optional.of(new JobIdentity(job.id(), uuid.get(), worldSize, pageBytes));
  }

  private void image(
      Copy copy, EpochRecord record, JobIdentity identity, EpochRecord.Image expected) {
    Path file = copy.store().imageFile(look.id(), expected.rank());
    try (ImageReader image =
        check.open(copy.store(), record, identity, look.id(), expected.rank())) {
      images++;
      examine(file, expected, image);
      if (!image.ancestors().isEmpty()) {
        verifyChain(copy, expected.rank());
      }
    } catch (IOException e) {
      findings.add(Finding.of(file, e));
    }
  }

  /** An image is of use only with all that it takes bytes from. */
  private void verifyChain(Copy copy, int rank) {
    StoreView store = copy.store();
    Path file = store.imageFile(look.id(), rank);
    try (ImageChain chain = ImageChain.open(files, file, older -> store.imageFile(older, rank))) {
      chain.verify();
    } catch (CorruptImageException e) {
      // Its own blocks have been told already.
      if (findings.stream().noneMatch(finding -> finding.file().equals(e.file()))) {
        findings.add(Finding.of(e.file(), e));
      }
    } catch (IOException e) {
      findings.add(Finding.of(file, e));
    }
  }

  /** Its record is lost; the job-wide digest tells whether it is the one that it named. */
  private void unrecorded(Copy copy, JobIdentity identity, int rank) {
    Path file = copy.store().imageFile(look.id(), rank);
    try (ImageReader image = ImageReader.open(files, file)) {
      images++;
      image.requireIdentity(identity, look.id(), rank);
      examine(file, new EpochRecord.Image(rank, image.lengthBytes(), image.digest()), image);
    } catch (IOException e) {
      findings.add(Finding.of(file, e));
    }
  }

  private void partnerCopy(Copy copy, JobIdentity identity, EpochRecord.Image expected) {
    Path file = copy.store().imageFile(look.id(), expected.rank());
    try (ImageReader image = ImageReader.open(files, file)) {
      copies++;
      image.requireIdentity(identity, look.id(), expected.rank());
      image.requireRecorded(expected);
      examine(file, expected, image);
    } catch (IOException e) {
      findings.add(Finding.of(file, e));
    }
  }

  private void examine(Path file, EpochRecord.Image expected, ImageReader image)
      throws IOException {
    int before = findings.size();
    bytes += image.lengthBytes();
    examine(file, image);
    digests.putIfAbsent(expected.rank(), image.digest());
    if (findings.size() == before) {
      soundImages.putIfAbsent(expected, file);
      if (proved.add(expected.rank())) {
        proof.add(file, image);
      }
    }
  }

  private void parity(Parity parity) {
    Path file = parity.file();
    int before = findings.size();
    try (ShardReader shard = ShardReader.open(files, file)) {
      parityShards++;
      bytes += parity.shard().lengthBytes();
      shard.require(parity.id(), parity.encoding().set().chunkBytes(), parity.shard().digest());
      progress.advance(parity.shard().lengthBytes() - shard.shardBytes());
      int[] damaged = new int[1];
      shard.examine(
          new ShardReader.Examiner() {
            @Override
            public void read(long lengthBytes) {
              progress.advance(lengthBytes);
            }

            @Override
            public void damaged(CorruptImageException damage) {
              if (++damaged[0] <= MOST_FINDINGS_OF_AN_IMAGE) {
                findings.add(Finding.of(file, damage));
              }
            }
          });
      addRest(file, "pieces", damaged[0]);
      if (findings.size() == before) {
        soundShards.add(parity);
      }
    } catch (IOException e) {
      findings.add(Finding.of(file, e));
    }
  }

  /** Tiers' records must speak of the images that the epoch's records name. */
  private void comparePromises(Map<Path, EpochRecord> records) {
    Map<Integer, EpochRecord.Image> named = new HashMap<>();
    Map<Integer, Path> by = new HashMap<>();
    records.forEach(
        (file, record) ->
            record
                .images()
                .forEach(
                    image -> {
                      named.putIfAbsent(image.rank(), image);
                      by.putIfAbsent(image.rank(), file);
                    }));
    for (Copy copy : look.copies()) {
      for (Held held : copy.protections()) {
        Set<EpochRecord.Image> promised = new LinkedHashSet<>(held.record().copies());
        held.record().sets().forEach(set -> promised.addAll(set.members()));
        for (EpochRecord.Image image : promised) {
          EpochRecord.Image expected = named.getOrDefault(image.rank(), image);
          if (!image.equals(expected)) {
            findings.add(
                Finding.inconsistent(
                    held.file(),
                    "image of rank " + image.rank(),
                    image.text(),
                    expected.text(),
                    "rank, length and digest of an image: found %s, expected %s, as in %s"
                        .formatted(image.text(), expected.text(), by.get(image.rank()))));
          }
        }
      }
    }
  }

  private void examine(Path file, ImageReader image) throws IOException {
    int[] damaged = new int[1];
    progress.examine(
        image,
        (section, damage) -> {
          if (++damaged[0] <= MOST_FINDINGS_OF_AN_IMAGE) {
            String message = damage.getMessage() + ", in " + Sections.describe(section);
            Finding plain = Finding.of(file, damage);
            findings.add(
                new Finding(
                    plain.kind(),
                    file,
                    plain.offset(),
                    plain.what(),
                    plain.found(),
                    plain.expected(),
                    message));
          }
        });
    addRest(file, "blocks", damaged[0]);
  }

  private void addRest(Path file, String what, int damaged) {
    if (damaged > MOST_FINDINGS_OF_AN_IMAGE) {
      findings.add(
          new Finding(
              Finding.Kind.DAMAGED,
              file,
              -1,
              what,
              damaged + " damaged",
              "none",
              "%s: %d damaged %s in all".formatted(file, damaged, what)));
    }
  }

  /** The job-wide digest is the same in all records, and the sum over all images. */
  private void compareDigests(Map<Path, EpochRecord> records) {
    Map<Path, Long> recordedDigests = new LinkedHashMap<>();
    records.forEach((file, record) -> recordedDigests.put(file, record.jobDigest()));
    for (Copy copy : look.copies()) {
      for (Held held : copy.protections()) {
        recordedDigests.put(held.file(), held.record().jobDigest());
      }
    }
    Path first = null;
    for (Map.Entry<Path, Long> entry : recordedDigests.entrySet()) {
      long found = entry.getValue();
      if (first == null) {
        first = entry.getKey();
      } else if (found != recordedDigests.get(first)) {
        String expected = hex(recordedDigests.get(first));
        findings.add(
            Finding.inconsistent(
                entry.getKey(),
                "job-wide digest",
                hex(found),
                expected,
                "job-wide digest: found %s, expected %s, as in %s"
                    .formatted(hex(found), expected, first)));
      }
    }
    if (first == null || digests.size() != look.worldSize()) {
      return;
    }
    long sum = 0;
    for (Map.Entry<Integer, Long> digest : digests.entrySet()) {
      sum += EpochRecord.digestTerm(digest.getKey(), digest.getValue());
    }
    long recorded = recordedDigests.get(first);
    if (sum != recorded) {
      findings.add(
          Finding.inconsistent(
              first,
              "job-wide digest",
              hex(recorded),
              hex(sum),
              "the images are not those that were committed together: job-wide digest %s, theirs is %s"
                  .formatted(hex(recorded), hex(sum))));
    }
  }

  private static String hex(long value) {
    return "%016x".formatted(value);
  }
}

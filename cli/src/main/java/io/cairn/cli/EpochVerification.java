// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.cli.EpochLook.Copy;
import io.cairn.cli.EpochLook.State;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FileOperations;
import io.cairn.image.ImageReader;
import io.cairn.image.JobIdentity;
import io.cairn.restore.EpochCheck;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
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
   * @param images that were read
   * @param bytes of these
   * @param channels on which no message is missing and none is double, or whose finding says so
   */
  record Result(
      EpochLook look,
      Outcome outcome,
      int images,
      long bytes,
      long channels,
      long lateMessages,
      long lateBytes,
      List<Finding> findings) {}

  /** Findings of one image beyond these are only counted. */
  private static final int MOST_FINDINGS_OF_AN_IMAGE = 16;

  private final FileOperations files;
  private final Job job;
  private final EpochLook look;
  private final Progress progress;
  private final EpochCheck check;
  private final List<Finding> findings = new ArrayList<>();
  private final ChannelProof proof = new ChannelProof();
  private final Map<Integer, Long> digests = new TreeMap<>();
  private final Set<Integer> proved = new HashSet<>();
  private int images;
  private long bytes;

  private EpochVerification(FileOperations files, Job job, EpochLook look, Progress progress) {
    this.files = files;
    this.job = job;
    this.look = look;
    this.progress = progress;
    check = new EpochCheck(files);
  }

  static Result run(FileOperations files, Job job, EpochLook look, Progress progress)
      throws IOException {
    return new EpochVerification(files, job, look, progress).run();
  }

  private Result run() throws IOException {
    if (look.state() == State.INCOMPLETE) {
      return result(Outcome.INCOMPLETE);
    }
    Optional<JobIdentity> identity = identity(files, job, look);
    Map<Path, EpochRecord> records = new TreeMap<>();
    for (Copy copy : look.copies()) {
      if (copy.standing().isEmpty()) {
        continue;
      }
      if (identity.isEmpty()) {
        // No record, no image, no job file that could tell what is expected.
        findings.addAll(look.findings());
        break;
      }
      try {
        EpochRecord record = check.record(copy.store(), identity.get(), look.id());
        records.put(copy.store().recordFile(look.id()), record);
        for (EpochRecord.Image image : record.images()) {
          image(copy, record, identity.get(), image);
        }
      } catch (IOException e) {
        findings.add(Finding.of(copy.store().recordFile(look.id()), e));
      }
    }
    compareDigests(records);
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

  private Result result(Outcome outcome) {
    return new Result(
        look,
        outcome,
        images,
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
      for (int rank : copy.ranks()) {
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
    EpochId epoch = look.id();
    Path file = copy.store().imageFile(epoch, expected.rank());
    int before = findings.size();
    try (ImageReader image = check.open(copy.store(), record, identity, epoch, expected.rank())) {
      images++;
      bytes += image.lengthBytes();
      examine(file, image);
      digests.put(expected.rank(), image.digest());
      if (findings.size() == before && proved.add(expected.rank())) {
        proof.add(file, image);
      }
    } catch (IOException e) {
      findings.add(Finding.of(file, e));
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
    if (damaged[0] > MOST_FINDINGS_OF_AN_IMAGE) {
      findings.add(
          new Finding(
              Finding.Kind.DAMAGED,
              file,
              -1,
              "blocks",
              damaged[0] + " damaged",
              "none",
              file + ": " + damaged[0] + " damaged blocks in all"));
    }
  }

  /** The job-wide digest is the same in all records, and the sum over all images. */
  private void compareDigests(Map<Path, EpochRecord> records) {
    Path first = null;
    for (Map.Entry<Path, EpochRecord> entry : records.entrySet()) {
      long found = entry.getValue().jobDigest();
      if (first == null) {
        first = entry.getKey();
      } else if (found != records.get(first).jobDigest()) {
        findings.add(
            Finding.inconsistent(
                entry.getKey(),
                "job-wide digest",
                hex(found),
                hex(records.get(first).jobDigest()),
                "job-wide digest: found %s, expected %s, as in %s"
                    .formatted(hex(found), hex(records.get(first).jobDigest()), first)));
      }
    }
    if (first == null || digests.size() != look.worldSize()) {
      return;
    }
    long sum = 0;
    for (Map.Entry<Integer, Long> digest : digests.entrySet()) {
      sum += EpochRecord.digestTerm(digest.getKey(), digest.getValue());
    }
    long recorded = records.get(first).jobDigest();
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

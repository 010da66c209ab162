// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.cli.EpochLook.Copy;
import io.cairn.cli.EpochLook.State;
import io.cairn.image.CorruptImageException;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FileOperations;
import io.cairn.image.ImageReader;
import io.cairn.image.JobIdentity;
import io.cairn.restore.Candidates;
import io.cairn.restore.EpochCheck;
import io.cairn.store.Standing;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** What a start of the job would restore, by the same rules and checks. */
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
   * @param passedOver newer epochs
   */
  record Answer(Start start, Optional<EpochLook> epoch, List<PassedOver> passedOver) {}

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
    for (Map.Entry<EpochId, Standing> candidate : Candidates.of(job.standings()).entrySet()) {
      Optional<EpochLook> look = EpochLook.of(files, job, candidate.getKey());
      if (look.isEmpty()) {
        continue;
      }
      List<String> reasons = reasons(look.get());
      if (reasons.isEmpty()) {
        found = look;
        break;
      }
      passedOver.add(new PassedOver(candidate.getKey(), look.get().state(), reasons));
      everCommitted |= candidate.getValue() == Standing.COMMITTED;
    }
    Start start = found.isPresent() ? Start.RESTORES : everCommitted ? Start.REFUSED : Start.FRESH;
    return new Answer(start, found, passedOver);
  }

  /** Why an epoch can't be restored; nothing if it can. */
  List<String> reasons(EpochLook look) throws IOException {
    List<String> reasons = new ArrayList<>();
    if (job.uuid().isEmpty()) {
      job.findings().forEach(finding -> reasons.add(finding.message()));
      return reasons;
    }
    Optional<JobIdentity> identity = EpochVerification.identity(files, job, look);
    if (identity.isEmpty()) {
      reasons.add("nothing says how many ranks the job has");
      return reasons;
    }
    EpochCheck check = new EpochCheck(files);
    Map<Integer, Long> digests = new TreeMap<>();
    Map<Integer, String> broken = new TreeMap<>();
    Set<Long> jobDigests = new HashSet<>();
    for (Copy copy : look.copies()) {
      EpochRecord record;
      try {
        record = check.record(copy.store(), identity.get(), look.id());
      } catch (IOException e) {
        reasons.add(e.getMessage());
        continue;
      }
      jobDigests.add(record.jobDigest());
      for (EpochRecord.Image expected : record.images()) {
        int rank = expected.rank();
        try (ImageReader image =
            check.open(copy.store(), record, identity.get(), look.id(), rank)) {
          verify(image);
          digests.put(rank, image.digest());
        } catch (IOException e) {
          broken.put(rank, e.getMessage());
        }
      }
    }
    // A rank needs one sound image, wherever that is.
    broken.keySet().removeAll(digests.keySet());
    broken.forEach((rank, why) -> reasons.add("rank " + rank + ": " + why));
    List<Integer> nowhere = new ArrayList<>();
    for (int rank = 0; rank < identity.get().worldSize(); rank++) {
      if (!digests.containsKey(rank) && !broken.containsKey(rank)) {
        nowhere.add(rank);
      }
    }
    if (!nowhere.isEmpty()) {
      reasons.add(
          (nowhere.size() == 1 ? "the image of rank " : "the images of ranks ")
              + Ranks.show(nowhere)
              + (nowhere.size() == 1 ? " is" : " are")
              + " named by no readable record in "
              + String.join(", ", job.directories().stream().map(Object::toString).toList()));
    }
    if (reasons.isEmpty()) {
      long sum = 0;
      for (Map.Entry<Integer, Long> digest : digests.entrySet()) {
        sum += EpochRecord.digestTerm(digest.getKey(), digest.getValue());
      }
      if (!jobDigests.equals(Set.of(sum))) {
        reasons.add(
            "the images are not those that were committed together: job-wide digest "
                + "%016x, records say ".formatted(sum)
                + jobDigests.stream().map(d -> "%016x".formatted(d)).toList());
      }
    }
    return reasons;
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

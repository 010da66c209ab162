// SPDX-License-Identifier: Apache-2.0
package io.cairn.restore;

import io.cairn.coordinate.Group;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FileOperations;
import io.cairn.image.ImageChain;
import io.cairn.store.JobDirectory;
import io.cairn.store.Standing;
import io.cairn.store.StoreView;
import io.cairn.store.Together;
import io.cairn.tier.Recovery;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Agrees on the newest of the {@link Candidates} that every rank can restore. Each rank checks its
 * image before it agrees. Where that isn't enough, images are recovered; nothing else is changed on
 * disk.
 */
public final class RestoreAgreement {
  /** A store that has nothing of the job, or has lost it: it says nothing about any epoch. */
  private static final String NEWBORN = "newborn";

  private final JobDirectory directory;
  private final Group group;
  private final FileOperations files;
  private final Optional<Recovery> recovery;

  /** With what each rank's own store has, and nothing else. */
  public RestoreAgreement(JobDirectory directory, Group group, FileOperations files) {
    this(directory, group, files, Optional.empty());
  }

  /**
   * @param recovery gets images from where they are to where their ranks run, if there is any way
   *     between the ranks
   */
  public RestoreAgreement(
      JobDirectory directory, Group group, FileOperations files, Optional<Recovery> recovery) {
    this.directory = directory;
    this.group = group;
    this.files = files;
    this.recovery = recovery;
  }

  /**
   * Blocks until all ranks have agreed.
   *
   * @param startAfreshHint how to start afresh, for the message
   * @throws NoUsableEpochException on all ranks, if there has been a committed epoch and none can
   *     be used
   */
  public Choice choose(String startAfreshHint) throws Exception {
    return choose(startAfreshHint, Set.of());
  }

  /**
   * The same, but some epochs are not to be used, sound or not; they stay on disk.
   *
   * @param avoided the same on all ranks
   */
  public Choice choose(String startAfreshHint, Set<EpochId> avoided) throws Exception {
    return choose(startAfreshHint, avoided, true);
  }

  /**
   * The same, but the blocks of a committed epoch's images are left to who restores them: to be
   * asked again, by {@link #choose}, if any is damaged.
   */
  Choice chooseUnread(String startAfreshHint, Set<EpochId> avoided) throws Exception {
    return choose(startAfreshHint, avoided, false);
  }

  private Choice choose(String startAfreshHint, Set<EpochId> avoided, boolean readThrough)
      throws Exception {
    List<String> reasons = new ArrayList<>();
    Set<EpochId> broken = new HashSet<>();
    List<String> inventories = Together.runText(group, () -> inventory(directory.view()));
    String shared =
        directory.shared().isPresent()
            ? Together.runText(group, this::sharedInventory).get(0)
            : NEWBORN;
    boolean everCommitted =
        shared.startsWith("ever") || inventories.stream().anyMatch(line -> line.startsWith("ever"));
    for (Map.Entry<EpochId, Standing> candidate :
        Candidates.of(
                inventories.stream()
                    .filter(line -> !line.startsWith(NEWBORN))
                    .map(RestoreAgreement::parse)
                    .toList(),
                parse(shared))
            .entrySet()) {
      EpochId epoch = candidate.getKey();
      if (avoided.contains(epoch)) {
        reasons.add(epoch + ": left out, as whoever started this launch wants it");
        everCommitted |= candidate.getValue() == Standing.COMMITTED;
        continue;
      }
      // Who is only pending was never promised: it may be damaged, and then there may be nothing to
      // go back to but the program's own start, which what was restored would have spoilt.
      Check check = check(epoch, readThrough || candidate.getValue() == Standing.PENDING);
      List<String> failures = check.failures();
      if (failures.isEmpty()) {
        return new Choice(Optional.of(epoch), check.jobDigest(), reasons, List.of(), broken);
      }
      if (recovery.isPresent()) {
        Recovery.Outcome outcome = recovery.get().recover(epoch, candidate.getValue());
        if (outcome.sound()) {
          return new Choice(
              Optional.of(epoch),
              outcome.jobDigest(),
              reasons,
              outcome.notes().stream().map(note -> epoch + ", " + note).toList(),
              broken);
        }
        failures = new ArrayList<>(failures);
        for (String note : outcome.notes()) {
          failures.add(epoch + ", " + note);
        }
      }
      reasons.addAll(failures);
      if (candidate.getValue() == Standing.COMMITTED) {
        // To forget it silently would be to lose what the user was told is safe. One that is only
        // pending was never promised: a launch may have died while it wrote or abandoned it.
        everCommitted = true;
        broken.add(epoch);
      }
    }
    if (everCommitted) {
      throw new NoUsableEpochException(reasons, startAfreshHint);
    }
    if (directory.sharedProblem().isPresent()) {
      // There may be epochs there: to start afresh would be to lose them.
      reasons.add("the shared tier can't be reached: " + directory.sharedProblem().get());
      throw new NoUsableEpochException(reasons, startAfreshHint);
    }
    return new Choice(Optional.empty(), 0, reasons, List.of(), broken);
  }

  private String sharedInventory() throws IOException {
    return group.rank() == 0 ? inventory(directory.shared().orElseThrow().view()) : NEWBORN;
  }

  /**
   * Whether there ever was a committed epoch, or nothing at all, then the epochs with a record:
   * {@code ever c3.7 p3.8}.
   */
  private static String inventory(StoreView store) throws IOException {
    String past = store.isNewborn() ? NEWBORN : "never";
    StringBuilder line = new StringBuilder(store.everCommitted() ? "ever" : past);
    for (EpochId epoch : store.epochs()) {
      Optional<Standing> standing = store.standing(epoch);
      if (standing.isPresent()) {
        line.append(' ').append(standing.get() == Standing.COMMITTED ? 'c' : 'p');
        line.append(epoch.generation()).append('.').append(epoch.epoch());
      }
    }
    return line.toString();
  }

  private static Map<EpochId, Standing> parse(String inventory) {
    Map<EpochId, Standing> epochs = new HashMap<>();
    String[] words = inventory.split(" ", -1);
    for (int i = 1; i < words.length; i++) {
      String[] numbers = words[i].substring(1).split("\\.", -1);
      epochs.put(
          new EpochId(Long.parseLong(numbers[0]), Long.parseLong(numbers[1])),
          words[i].charAt(0) == 'c' ? Standing.COMMITTED : Standing.PENDING);
    }
    return epochs;
  }

  /**
   * How an epoch's images are where their ranks run.
   *
   * @param failures a line for each rank that can't restore it
   * @param jobDigest the epoch's, if there are none
   */
  private record Check(List<String> failures, long jobDigest) {}

  private Check check(EpochId epoch, boolean readThrough) throws Exception {
    byte[][] answers =
        group.allGather(checkOwn(epoch, readThrough).getBytes(StandardCharsets.UTF_8));
    List<String> failures = new ArrayList<>();
    Set<String> jobDigests = new HashSet<>();
    long sum = 0;
    for (int rank = 0; rank < answers.length; rank++) {
      String answer = new String(answers[rank], StandardCharsets.UTF_8);
      String[] words = answer.split(" ", 3);
      if (words[0].equals("sound")) {
        sum += Long.parseLong(words[1]);
        jobDigests.add(words[2]);
      } else {
        failures.add(epoch + ", rank " + rank + ": " + answer.substring("broken ".length()));
      }
    }
    if (failures.isEmpty() && !jobDigests.equals(Set.of(Long.toString(sum)))) {
      failures.add(
          epoch
              + ": the images are not those that were committed together: job-wide digest "
              + sum
              + ", records say "
              + jobDigests);
    }
    return new Check(failures, sum);
  }

  private String checkOwn(EpochId epoch, boolean readThrough) {
    EpochCheck check = new EpochCheck(files);
    int rank = directory.rank();
    try {
      EpochRecord record = check.record(directory.view(), directory.job(), epoch);
      try (ImageChain chain =
          check.openChain(directory.view(), record, directory.job(), epoch, rank)) {
        if (readThrough) {
          chain.verify();
        }
        return "sound "
            + EpochRecord.digestTerm(rank, chain.newest().digest())
            + " "
            + record.jobDigest();
      }
    } catch (IOException e) {
      return "broken " + e.getMessage();
    } catch (Exception e) {
      return "broken " + e;
    }
  }
}

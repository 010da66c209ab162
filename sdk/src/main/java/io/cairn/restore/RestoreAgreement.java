// SPDX-License-Identifier: Apache-2.0
package io.cairn.restore;

import io.cairn.coordinate.Group;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FileOperations;
import io.cairn.image.ForeignImageException;
import io.cairn.image.ImageReader;
import io.cairn.store.JobDirectory;
import io.cairn.store.Together;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * Agrees on the newest epoch that every rank can restore. An epoch is a candidate if it is
 * committed in any store, or if its pending record is in all of them: then all ranks had everything
 * durable, and only the deciding pulse's outcome was lost. Each rank checks all of its image before
 * it agrees. Changes nothing on disk.
 */
public final class RestoreAgreement {
  private final JobDirectory directory;
  private final Group group;
  private final FileOperations files;

  /** How a rank's store knows an epoch. */
  private enum Standing {
    COMMITTED("c"),
    PENDING("p");

    private final String code;

    Standing(String code) {
      this.code = code;
    }
  }

  public RestoreAgreement(JobDirectory directory, Group group, FileOperations files) {
    this.directory = directory;
    this.group = group;
    this.files = files;
  }

  /**
   * Blocks until all ranks have agreed.
   *
   * @param startAfreshHint how to start afresh, for the message
   * @throws NoUsableEpochException on all ranks, if there has been a committed epoch and none can
   *     be used
   */
  public Choice choose(String startAfreshHint) throws Exception {
    List<String> reasons = new ArrayList<>();
    Set<EpochId> broken = new HashSet<>();
    List<String> inventories = Together.runText(group, this::inventory);
    boolean everCommitted = inventories.stream().anyMatch(line -> line.startsWith("ever"));
    for (Map.Entry<EpochId, Standing> candidate : candidates(inventories).entrySet()) {
      EpochId epoch = candidate.getKey();
      List<String> failures = check(epoch);
      if (failures.isEmpty()) {
        return new Choice(Optional.of(epoch), reasons, broken);
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
    return new Choice(Optional.empty(), reasons, broken);
  }

  /**
   * Whether there ever was a committed epoch, then the epochs with a record: {@code ever c3.7
   * p3.8}.
   */
  private String inventory() throws IOException {
    StringBuilder line = new StringBuilder(directory.everCommitted() ? "ever" : "never");
    for (EpochId epoch : directory.epochs()) {
      Standing standing = standing(epoch);
      if (standing != null) {
        line.append(' ').append(standing.code);
        line.append(epoch.generation()).append('.').append(epoch.epoch());
      }
    }
    return line.toString();
  }

  private Standing standing(EpochId epoch) throws IOException {
    Path place = directory.directory(epoch);
    if (files.exists(place.resolve(EpochRecord.COMMITTED))) {
      return Standing.COMMITTED;
    }
    return files.exists(place.resolve(EpochRecord.PENDING)) ? Standing.PENDING : null;
  }

  /** Newest first. */
  private Map<EpochId, Standing> candidates(List<String> inventories) {
    NavigableMap<EpochId, Integer> pending = new TreeMap<>();
    Set<EpochId> committed = new HashSet<>();
    for (String inventory : inventories) {
      String[] words = inventory.split(" ", -1);
      for (int i = 1; i < words.length; i++) {
        String[] numbers = words[i].substring(1).split("\\.", -1);
        EpochId epoch = new EpochId(Long.parseLong(numbers[0]), Long.parseLong(numbers[1]));
        pending.merge(epoch, 1, Integer::sum);
        if (words[i].startsWith(Standing.COMMITTED.code)) {
          committed.add(epoch);
        }
      }
    }
    Map<EpochId, Standing> candidates = new LinkedHashMap<>();
    for (EpochId epoch : pending.descendingKeySet()) {
      if (committed.contains(epoch)) {
        candidates.put(epoch, Standing.COMMITTED);
      } else if (pending.get(epoch) == group.size()) {
        candidates.put(epoch, Standing.PENDING);
      }
    }
    return candidates;
  }

  /** Checks an epoch on all ranks; returns a line for each rank that can't restore it. */
  private List<String> check(EpochId epoch) throws Exception {
    byte[][] answers = group.allGather(checkOwn(epoch).getBytes(StandardCharsets.UTF_8));
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
    return failures;
  }

  private String checkOwn(EpochId epoch) {
    try {
      EpochRecord record = record(epoch);
      int rank = directory.rank();
      Path file = imageFile(epoch);
      EpochRecord.Image expected =
          record
              .image(rank)
              .orElseThrow(
                  () ->
                      new IOException(file + ": the epoch's record in this store doesn't name it"));
      try (ImageReader image = ImageReader.open(files, file)) {
        image.requireIdentity(directory.job(), epoch, rank);
        if (image.lengthBytes() != expected.lengthBytes() || image.digest() != expected.digest()) {
          throw new ForeignImageException(
              file,
              "image than the one recorded, by length and digest",
              describe(image.lengthBytes(), image.digest()),
              describe(expected.lengthBytes(), expected.digest()));
        }
        image.verify();
        return "sound " + EpochRecord.digestTerm(rank, image.digest()) + " " + record.jobDigest();
      }
    } catch (NoSuchFileException e) {
      return "broken " + e.getFile() + ": missing";
    } catch (IOException e) {
      return "broken " + e.getMessage();
    } catch (Exception e) {
      return "broken " + e;
    }
  }

  private static String describe(long lengthBytes, long digest) {
    return lengthBytes + " bytes, " + String.format("0x%016x", digest);
  }

  private EpochRecord record(EpochId epoch) throws IOException {
    Path place = directory.directory(epoch);
    Path file = place.resolve(EpochRecord.COMMITTED);
    if (!files.exists(file)) {
      file = place.resolve(EpochRecord.PENDING);
    }
    EpochRecord record = EpochRecord.read(files, file);
    record.requireIdentity(file, directory.job(), epoch);
    return record;
  }

  /** This rank's image of an epoch. */
  private Path imageFile(EpochId epoch) {
    return directory.directory(epoch).resolve(EpochRecord.imageName(directory.rank()));
  }
}

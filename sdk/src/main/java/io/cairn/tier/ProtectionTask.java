// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.coordinate.Group;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FaultHook;
import io.cairn.image.FaultPoint;
import io.cairn.image.FileOperations;
import io.cairn.image.ImageReader;
import io.cairn.store.JobDirectory;
import io.cairn.store.PeerFailureException;
import io.cairn.store.StoreView;
import io.cairn.store.Together;
import io.cairn.store.TransportException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Protects one epoch by one tier; all ranks do it together, each in its background thread.
 *
 * <pre>
 * what is there -> streams -> verify, rename -> pending record -> all have one -> record
 * </pre>
 *
 * <p>Either all ranks go through to the end or all throw. Until the last step nothing that
 * protected the epoch before is touched; afterwards, what the new record doesn't name is deleted.
 */
abstract class ProtectionTask {
  /** Kept free beside what a task is about to write. */
  private static final long RESERVE_BYTES = 16 << 20;

  private static final String OUT_OF_STEP = "out of step ";

  final JobDirectory directory;
  final Layout layout;
  final Exchange exchange;
  final Group group;
  final FileOperations files;
  final FaultHook faults;
  final EpochId epoch;
  final long jobDigest;
  final Path place;
  final List<Closeable> opened = new ArrayList<>();
  private final List<Path> kept = new ArrayList<>(); // in their places, and weren't before
  private boolean wrotePending;
  private boolean named; // by the pending records of all stores

  /** All ranks' images, by rank. */
  List<EpochRecord.Image> images = List.of();

  ProtectionTask(Protector.Context context, EpochId epoch, long jobDigest) {
    directory = context.directory();
    layout = context.layout();
    exchange = context.exchange();
    group = exchange.transport();
    files = context.files();
    faults = context.faults();
    this.epoch = epoch;
    this.jobDigest = jobDigest;
    place = directory.directory(epoch);
  }

  abstract Tier tier();

  /** How many bytes this rank is about to write. */
  abstract long incomingBytes();

  /** Where this rank writes what comes, until it is checked. */
  abstract List<Path> incomingFiles();

  /** This rank's ends of what flows. */
  abstract List<Stream> streams();

  /** Checks what came, and gives it its name; says what it is, for the record. */
  abstract List<String> keep() throws IOException;

  /** The record that the store's ranks make of what they kept, this rank's at {@code index}. */
  abstract ProtectionRecord record(List<List<String>> kept);

  /** Whether a file in the epoch's directory is one of this tier that a record might name. */
  abstract boolean isOfTier(String name);

  /** Whether what this rank should hold for others is there as the record says. */
  abstract boolean holds(ProtectionRecord record) throws IOException;

  /** The names of the files that a record speaks of. */
  abstract List<String> named(ProtectionRecord record);

  /** Does it. Returns false if all was there already. */
  final boolean run() throws Exception {
    try {
      images = gatherImages();
      if (intactEverywhere()) {
        return false;
      }
      requireSpace();
      faults.reached(FaultPoint.BEFORE_PROTECTION);
      flow();
      faults.reached(FaultPoint.AFTER_PROTECTION_STREAMS);
      List<String> all =
          Together.runText(
              group,
              () -> {
                List<String> mine = keep();
                files.syncDirectory(place);
                return String.join("\n", mine);
              });
      Together.runText(
          group,
          () -> {
            if (directory.leader()) {
              writePending(all);
            }
            return "";
          });
      named = true;
      faults.reached(FaultPoint.AFTER_PENDING_PROTECTION);
      Together.runText(
          group,
          () -> {
            if (directory.leader()) {
              publish();
            }
            return "";
          });
      return true;
    } catch (Throwable e) {
      discard();
      throw e;
    } finally {
      closeAll();
    }
  }

  /**
   * Lets the data flow. Where a transfer has failed, messages may be left that a later one would
   * take for its own: so it ends on all ranks if it does on one.
   */
  private void flow() throws Exception {
    IOException[] own = new IOException[1];
    List<String> ends =
        Together.runText(
            group,
            () -> {
              try {
                exchange.run(streams());
                return "";
              } catch (TransportException e) {
                return OUT_OF_STEP + e.getMessage();
              } catch (IOException e) {
                own[0] = e;
                return e.toString();
              }
            });
    for (int rank = 0; rank < ends.size(); rank++) {
      if (ends.get(rank).startsWith(OUT_OF_STEP)) {
        throw new TransportException(
            "rank " + rank + ": " + ends.get(rank).substring(OUT_OF_STEP.length()));
      }
    }
    if (own[0] != null) {
      throw own[0];
    }
    for (int rank = 0; rank < ends.size(); rank++) {
      if (!ends.get(rank).isEmpty()) {
        throw new PeerFailureException(rank, ends.get(rank));
      }
    }
  }

  /** What came is of no use, and the disk may be full of it. */
  private void discard() {
    closeAll();
    List<Path> useless = new ArrayList<>(incomingFiles());
    if (!named) {
      if (wrotePending) {
        useless.add(place.resolve(tier().pendingRecordName()));
      }
      useless.addAll(kept);
    }
    for (Path file : useless) {
      try {
        files.delete(file);
      } catch (IOException e) {
        // It goes with the epoch.
      }
    }
  }

  /** Gives what came and was checked its name; what an older record may name stays. */
  final void accept(Path incoming, Path file) throws IOException {
    if (!files.exists(file)) {
      kept.add(file);
    }
    files.rename(incoming, file);
  }

  private void closeAll() {
    for (Closeable file : opened) {
      try {
        file.close();
      } catch (IOException e) {
        // What it holds is durable already, or was given up.
      }
    }
    opened.clear();
  }

  private List<EpochRecord.Image> gatherImages() throws Exception {
    List<EpochRecord.Image> all = new ArrayList<>();
    long sum = 0;
    for (String text :
        Together.runText(
            group,
            () -> {
              try (ImageReader image = ImageReader.open(files, ownImage())) {
                image.requireIdentity(directory.job(), epoch, directory.rank());
                return image.lengthBytes() + " " + image.digest();
              }
            })) {
      String[] words = text.split(" ", -1);
      EpochRecord.Image image =
          new EpochRecord.Image(all.size(), Long.parseLong(words[0]), Long.parseLong(words[1]));
      sum += EpochRecord.digestTerm(image.rank(), image.digest());
      all.add(image);
    }
    if (sum != jobDigest) {
      throw new IOException(
          String.format(
              "the images of %s are not those that were committed together: job-wide digest %016x,"
                  + " expected %016x",
              epoch, sum, jobDigest));
    }
    return all;
  }

  final Path ownImage() {
    return place.resolve(EpochRecord.imageName(directory.rank()));
  }

  private boolean intactEverywhere() throws Exception {
    return Together.runText(
            group,
            () -> {
              Optional<ProtectionRecord> record = published();
              return record.isPresent() && holds(record.get()) ? "intact" : "";
            })
        .stream()
        .allMatch("intact"::equals);
  }

  private Optional<ProtectionRecord> published() throws IOException {
    try {
      return Optional.of(
          ProtectionRecord.read(
              files, place.resolve(tier().recordName()), directory.job(), epoch, tier()));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      // Damaged, or another job's: it is replaced.
      return Optional.empty();
    }
  }

  private void requireSpace() throws Exception {
    List<String> needs = Together.runText(group, () -> Long.toString(incomingBytes()));
    Together.runText(
        group,
        () -> {
          long needed = RESERVE_BYTES;
          for (int rank : directory.storeRanks()) {
            needed += Long.parseLong(needs.get(rank));
          }
          long usable = files.usableBytes(directory.directory());
          if (usable < needed) {
            throw new IOException(
                directory.directory()
                    + ": "
                    + usable
                    + " bytes free, expected "
                    + needed
                    + " for what the "
                    + tier().word()
                    + " tier keeps there of "
                    + epoch);
          }
          return "";
        });
  }

  private void writePending(List<String> kept) throws IOException {
    directory.requireNewest();
    List<List<String>> ofStore = new ArrayList<>();
    for (int rank : directory.storeRanks()) {
      String text = kept.get(rank);
      ofStore.add(text.isEmpty() ? List.of() : List.of(text.split("\n", -1)));
    }
    Path pending = place.resolve(tier().pendingRecordName());
    wrotePending = true;
    files.delete(pending);
    files.write(pending, record(ofStore).encode());
    files.syncDirectory(place);
  }

  private void publish() throws IOException {
    Path record = place.resolve(tier().recordName());
    files.rename(place.resolve(tier().pendingRecordName()), record);
    files.syncDirectory(place);
    try {
      List<String> named =
          named(ProtectionRecord.read(files, record, directory.job(), epoch, tier()));
      for (String name : files.list(place)) {
        if (isOfTier(name) && !named.contains(name)) {
          files.delete(place.resolve(name));
        }
      }
    } catch (IOException e) {
      // What is left goes with the epoch.
    }
  }

  /** The view of this rank's store. */
  final StoreView view() {
    return directory.view();
  }

  final ProtectionRecord record(
      List<EpochRecord.Image> copies, List<ProtectionRecord.EncodedSet> sets) {
    return new ProtectionRecord(
        tier(),
        directory.job().jobUuid(),
        directory.job().worldSize(),
        epoch,
        directory.generation(),
        jobDigest,
        copies,
        sets);
  }
}

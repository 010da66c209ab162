// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.ImageReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Each rank's image goes, whole, to its partner. */
final class PartnerTask extends ProtectionTask {
  private static final int TAG = 1;
  private static final String INCOMING = "pending-copy-";

  PartnerTask(Protector.Context context, EpochId epoch, long jobDigest) {
    super(context, epoch, jobDigest);
  }

  @Override
  Tier tier() {
    return Tier.PARTNER;
  }

  private List<EpochRecord.Image> incoming() {
    return layout.copiesAt(directory.rank()).stream().map(images::get).toList();
  }

  @Override
  long incomingBytes() {
    return incoming().stream().mapToLong(EpochRecord.Image::lengthBytes).sum();
  }

  @Override
  List<Path> incomingFiles() {
    return layout.copiesAt(directory.rank()).stream().map(this::incoming).toList();
  }

  private Path incoming(int rank) {
    return place.resolve(INCOMING + rank);
  }

  @Override
  List<Stream> streams() {
    List<Stream> streams = new ArrayList<>();
    int partner = layout.partner(directory.rank());
    if (partner != Layout.NONE) {
      streams.add(
          new Outflow(
              exchange,
              "partner copy of " + epoch,
              () -> FileSource.open(files, ownImage(), 0),
              images.get(directory.rank()).lengthBytes(),
              partner,
              TAG));
    }
    for (EpochRecord.Image image : incoming()) {
      Path file = incoming(image.rank());
      streams.add(
          new Inflow(
              exchange,
              "partner copy of " + epoch,
              List.of(new Inflow.Source(image.rank(), TAG, image.lengthBytes())),
              null,
              image.lengthBytes(),
              () -> {
                FileSink sink = FileSink.create(files, file);
                opened.add(sink);
                return sink;
              },
              true));
    }
    return streams;
  }

  @Override
  List<String> keep() throws IOException {
    List<String> kept = new ArrayList<>();
    for (EpochRecord.Image image : incoming()) {
      Path file = incoming(image.rank());
      try (ImageReader copy = ImageReader.open(files, file)) {
        copy.requireIdentity(directory.job(), epoch, image.rank());
        copy.requireRecorded(image);
        copy.verify();
      }
      accept(file, view().imageFile(epoch, image.rank()));
      kept.add(Integer.toString(image.rank()));
    }
    return kept;
  }

  @Override
  ProtectionRecord record(List<List<String>> kept) {
    List<EpochRecord.Image> copies = new ArrayList<>();
    kept.forEach(ranks -> ranks.forEach(rank -> copies.add(images.get(Integer.parseInt(rank)))));
    copies.sort(Comparator.comparingInt(EpochRecord.Image::rank));
    return record(copies, List.of());
  }

  @Override
  boolean isOfTier(String name) {
    // Images that an older layout put here stay: the store's own record may name them.
    return name.startsWith(INCOMING);
  }

  @Override
  List<String> named(ProtectionRecord record) {
    return List.of();
  }

  @Override
  boolean holds(ProtectionRecord record) throws IOException {
    for (EpochRecord.Image image : incoming()) {
      if (!record.copies().contains(image)) {
        return false;
      }
      try (ImageReader copy = ImageReader.open(files, view().imageFile(epoch, image.rank()))) {
        copy.requireRecorded(image);
      } catch (IOException e) {
        return false;
      }
    }
    return true;
  }
}

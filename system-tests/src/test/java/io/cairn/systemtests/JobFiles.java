// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A job's directory, read as an operator would: by its file names only. */
record JobFiles(Path folder) {

  private static final Pattern EPOCH = Pattern.compile("epoch-(\\d+)-(\\d+)");

  /**
   * An epoch on disk.
   *
   * @param committed whether its record is published
   * @param pendingRecord whether its record is written but not published
   */
  record Epoch(long generation, long number, boolean committed, boolean pendingRecord, Path folder)
      implements Comparable<Epoch> {

    Path image(int rank) {
      return folder.resolve("rank-" + rank + ".image");
    }

    @Override
    public int compareTo(Epoch other) {
      int byGeneration = Long.compare(generation, other.generation);
      return byGeneration != 0 ? byGeneration : Long.compare(number, other.number);
    }
  }

  /** All epochs, oldest first. */
  List<Epoch> epochs() {
    List<Epoch> epochs = new ArrayList<>();
    if (!Files.isDirectory(folder)) {
      return epochs;
    }
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
      for (Path entry : entries) {
        Matcher name = EPOCH.matcher(entry.getFileName().toString());
        if (name.matches()) {
          epochs.add(
              new Epoch(
                  Long.parseLong(name.group(1)),
                  Long.parseLong(name.group(2)),
                  Files.exists(entry.resolve("record")),
                  Files.exists(entry.resolve("pending-record")),
                  entry));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Collections.sort(epochs);
    return epochs;
  }

  /** Committed epochs, oldest first. */
  List<Epoch> committed() {
    return epochs().stream().filter(Epoch::committed).toList();
  }

  Optional<Epoch> newestCommitted() {
    List<Epoch> committed = committed();
    return committed.isEmpty()
        ? Optional.empty()
        : Optional.of(committed.get(committed.size() - 1));
  }

  /**
   * The newest epoch whose record is published, or as good as: a record is written when all images
   * are durable and proved consistent, so a pending one in the only store counts.
   */
  Optional<Epoch> newestDecided() {
    List<Epoch> decided =
        epochs().stream().filter(e -> e.committed() || e.pendingRecord()).toList();
    return decided.isEmpty() ? Optional.empty() : Optional.of(decided.get(decided.size() - 1));
  }

  /** Flips one bit of a file. */
  static void flipBit(Path file, long offset) throws IOException {
    try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
      access.seek(offset);
      int value = access.read();
      access.seek(offset);
      access.write(value ^ 0x10);
    }
  }

  static void truncate(Path file, long lengthBytes) throws IOException {
    try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
      access.setLength(lengthBytes);
    }
  }
}

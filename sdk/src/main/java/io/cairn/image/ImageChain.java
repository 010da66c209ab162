// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * An image together with the images that it takes bytes from: reads what the rank had, in one pass.
 * Each stored block is read, checked and decoded once at most, and only if any of its bytes is
 * needed.
 *
 * <p>As little is trusted as by {@link ImageReader}: an ancestor that isn't there, or isn't the
 * very image that was written against, ends in a {@link CorruptImageException}.
 */
public final class ImageChain implements Closeable {
  private final List<ImageReader> images = new ArrayList<>();

  private ImageChain(ImageReader newest) {
    images.add(newest);
  }

  /** Opens an image and its ancestors. */
  public static ImageChain open(
      FileOperations files, Path file, Function<EpochId, Path> imageOfEpoch) throws IOException {
    return open(files, ImageReader.open(files, file), imageOfEpoch);
  }

  /**
   * Opens the ancestors of an image.
   *
   * @param newest closed with the chain, and if this fails
   * @param imageOfEpoch where the same rank's image of another epoch is
   */
  public static ImageChain open(
      FileOperations files, ImageReader newest, Function<EpochId, Path> imageOfEpoch)
      throws IOException {
    ImageChain chain = new ImageChain(newest);
    try {
      for (int i = 0; i < newest.ancestors().size(); i++) {
        chain.add(files, i, imageOfEpoch.apply(newest.ancestors().get(i).epoch()));
      }
      chain.requireLinks();
      return chain;
    } catch (Throwable e) {
      chain.close();
      throw e;
    }
  }

  private void add(FileOperations files, int number, Path file) throws IOException {
    ImageReader newest = images.get(0);
    Ancestor expected = newest.ancestors().get(number);
    ImageReader image;
    try {
      image = ImageReader.open(files, file);
    } catch (NoSuchFileException e) {
      CorruptImageException corrupt =
          newest.badAncestor(number, "ancestor", file + ": missing", expected.epoch().toString());
      corrupt.initCause(e);
      throw corrupt;
    }
    images.add(image);
    require(number, file, "length", image.lengthBytes(), expected.lengthBytes());
    require(
        number,
        file,
        "digest",
        EpochRecord.hex(image.digest()),
        EpochRecord.hex(expected.digest()));
    // The digest covers all of this: a wrong one shows that the program was wrong that wrote it.
    ImageHeader header = image.header();
    require(number, file, "job", header.job(), newest.header().job());
    require(number, file, "epoch", header.epoch(), expected.epoch());
    require(number, file, "rank", header.rank(), newest.header().rank());
    require(number, file, "block size", header.blockBytes(), newest.header().blockBytes());
  }

  private void require(int number, Path file, String what, Object found, Object expected)
      throws CorruptImageException {
    if (!found.equals(expected)) {
      throw images
          .get(0)
          .badAncestor(number, what + " of the ancestor", file + ": " + found, expected.toString());
    }
  }

  /** What an image takes from its parent, the parent must have. */
  private void requireLinks() throws CorruptImageException {
    for (int i = 0; i < images.size(); i++) {
      ImageReader image = images.get(i);
      List<Ancestor> older = images.get(0).ancestors();
      List<Ancestor> own = image.ancestors();
      List<Ancestor> rest = older.subList(i, older.size());
      if (!own.equals(rest)) {
        throw image.badAncestor(0, "ancestors", own.toString(), rest.toString());
      }
      for (Section section : image.sections()) {
        if (!image.blocks(section).containsKey(Codec.PARENT)) {
          continue;
        }
        Optional<Section> found =
            i + 1 < images.size()
                ? images.get(i + 1).find(section.kind(), section.name())
                : Optional.empty();
        if (found.isEmpty() || !section.matches(found.get())) {
          throw image.badAncestor(
              0,
              "parent's section",
              found.map(Section::toString).orElse("none"),
              section.toString());
        }
      }
    }
  }

  /** The image itself. */
  public ImageReader newest() {
    return images.get(0);
  }

  /** The image and its ancestors, newest first. */
  public List<ImageReader> images() {
    return List.copyOf(images);
  }

  /**
   * Reads a section of the newest image; what the sink got before an exception isn't to be used.
   */
  public void read(Section section, BlockSink sink) throws IOException {
    walker(section).read(0, section.lengthBytes(), sink);
  }

  /** Reads everything that a restore needs and checks its checksums. */
  public void verify() throws IOException {
    ByteBuffer scratch = ByteBuffer.allocateDirect(newest().header().blockBytes());
    for (Section section : newest().sections()) {
      read(section, (offset, length) -> scratch.clear().limit(length));
    }
  }

  /** What the blocks of which bytes are needed take in the files: about what a full image takes. */
  public long neededBytes() throws IOException {
    BlockSource needed = jobs(section -> (offset, length) -> ByteBuffer.allocate(0));
    BlockJob job = new BlockJob();
    long bytes = 0;
    while (needed.next(job)) {
      bytes += job.storedLength;
    }
    return bytes;
  }

  /**
   * All stored blocks of which bytes are needed, for a {@link BlockReader}: image by image, the
   * newest first, and each block once.
   *
   * @param sinks where the bytes of a section of the newest image go; null for nowhere
   */
  public BlockSource jobs(Function<Section, BlockSink> sinks) {
    return new Jobs(sinks);
  }

  /** Goes through all sections once for each image. */
  private final class Jobs implements BlockSource {
    private final Function<Section, BlockSink> sinks;
    private final List<ExtentCursor> cursors = new ArrayList<>();
    private int level;
    private int nextSection;

    // Of the section under way.
    private BlockSink sink;
    private long at;
    private long end;

    // Bytes that the level's image has, at its cursor.
    private boolean found;
    private long from;
    private long to;

    Jobs(Function<Section, BlockSink> sinks) {
      this.sinks = sinks;
    }

    @Override
    public boolean next(BlockJob job) {
      while (!found) {
        if (!nextSection()) {
          return false;
        }
        found = find();
      }
      ExtentCursor extent = cursors.get(level);
      job.begin(images.get(level).file(), extent, sink);
      long extentEnd = extent.to();
      do {
        job.add(from, to);
        found = find();
      } while (found && from < extentEnd);
      return true;
    }

    private boolean nextSection() {
      List<Section> sections = newest().sections();
      while (level < images.size()) {
        while (nextSection < sections.size()) {
          Section section = sections.get(nextSection++);
          if (begin(section)) {
            return true;
          }
        }
        level++;
        nextSection = 0;
      }
      return false;
    }

    private boolean begin(Section section) {
      cursors.clear();
      for (int i = 0; i <= level; i++) {
        Optional<Section> same = images.get(i).find(section.kind(), section.name());
        if (same.isEmpty() || !section.matches(same.get())) {
          return false; // nothing is taken from it, nor from what is behind
        }
        cursors.add(images.get(i).extents(same.get()));
      }
      sink = sinks.apply(section);
      at = 0;
      end = section.lengthBytes();
      return sink != null;
    }

    /** The next bytes of the section that this level's image has, and no newer one. */
    private boolean find() {
      while (at < end) {
        long until = end;
        int depth = -1;
        ExtentCursor cursor;
        do {
          cursor = cursors.get(++depth);
          cursor.seek(at);
          until = Math.min(until, cursor.to());
        } while (depth < level && cursor.codec() == Codec.PARENT);
        from = at;
        to = until;
        at = until;
        if (depth == level && cursor.codec() != Codec.PARENT) {
          return true;
        }
      }
      return false;
    }
  }

  /** For one thread to read some of a section's blocks. */
  public Walker walker(Section section) {
    return new Walker(section);
  }

  /**
   * Reads a section of the newest image, forward only. Several threads may each have one of their
   * own. No stored block reaches over a boundary of blocks, so that each is read once if each block
   * of the section is read by one of them.
   */
  public final class Walker {
    private final List<ExtentCursor> cursors = new ArrayList<>();
    private final List<Decoded> decoded = new ArrayList<>();
    private final BlockDecoder decoder = new BlockDecoder(newest().header().blockBytes());

    private Walker(Section section) {
      for (ImageReader image : images) {
        Optional<Section> found = image.find(section.kind(), section.name());
        if (found.isEmpty() || !section.matches(found.get())) {
          break; // nothing is taken from it, nor from what is behind
        }
        cursors.add(image.extents(found.get()));
        decoded.add(new Decoded());
      }
    }

    /**
     * Reads some bytes of the section, which are behind all that were read before.
     *
     * @param from where they begin in the section
     * @param to where they end
     */
    public void read(long from, long to, BlockSink sink) throws IOException {
      read(0, from, to, sink);
    }

    private void read(int level, long from, long to, BlockSink sink) throws IOException {
      ExtentCursor cursor = cursors.get(level);
      for (long at = from; at < to; ) {
        cursor.seek(at);
        long end = Math.min(to, cursor.to());
        if (cursor.codec() == Codec.PARENT) {
          read(level + 1, at, end, sink);
        } else {
          deliver(level, at, end, sink);
        }
        at = end;
      }
    }

    private void deliver(int level, long from, long to, BlockSink sink) throws IOException {
      ExtentCursor cursor = cursors.get(level);
      int length = (int) (to - from);
      ByteBuffer window = sink.window(from, length);
      int start = window.position();
      if (cursor.codec() == Codec.ZERO) {
        decoder.clear(window);
      } else if (length == cursor.lengthBytes()) {
        images.get(level).decode(decoder, cursor, window);
      } else {
        window.put(decoded(level).slice((int) (from - cursor.from()), length));
      }
      sink.filled(from, window.limit(start + length).position(start));
    }

    /** The whole extent that the level's cursor is at, of which only parts are needed. */
    private ByteBuffer decoded(int level) throws IOException {
      ExtentCursor cursor = cursors.get(level);
      Decoded block = decoded.get(level);
      if (block.bytes == null) {
        block.bytes = ByteBuffer.allocateDirect(newest().header().blockBytes());
      }
      if (block.from != cursor.from()) {
        block.from = -1;
        images.get(level).decode(decoder, cursor, block.bytes.clear().limit(cursor.lengthBytes()));
        block.from = cursor.from();
      }
      return block.bytes.clear();
    }
  }

  private static final class Decoded {
    private ByteBuffer bytes;
    private long from = -1;
  }

  @Override
  public void close() throws IOException {
    IOException failure = null;
    for (ImageReader image : images) {
      try {
        image.close();
      } catch (IOException e) {
        failure = e;
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.BiFunction;

/**
 * Reads a section that is a list of fields, block by block: however long it is, memory is needed
 * for one block and one field only. A subclass says how long the next field is, and decodes it.
 */
abstract class FieldReader implements BlockSink {
  private static final int LONGEST_FIELD_BYTES = 32;

  private final ImageReader image;
  private final Section section;
  private final ByteBuffer scratch;
  private final ByteBuffer field =
      ByteBuffer.allocate(LONGEST_FIELD_BYTES).order(ByteOrder.LITTLE_ENDIAN);
  private long skip;
  private long at;

  FieldReader(ImageReader image, Section section) {
    this.image = image;
    this.section = section;
    scratch =
        ByteBuffer.allocateDirect(
            (int) Math.min(section.lengthBytes(), image.header().blockBytes()));
  }

  /**
   * Reads all sections of a kind, each with a reader of its own.
   *
   * @throws CorruptImageException if one isn't what it should be
   */
  static void readAll(
      ImageReader image, SectionKind kind, BiFunction<ImageReader, Section, FieldReader> reader)
      throws IOException {
    for (Section section : image.sections()) {
      if (section.kind() == kind) {
        reader.apply(image, section).readAll();
      }
    }
  }

  /** Length of the field that comes next; 0 if none does. */
  abstract int nextBytes() throws IOException;

  /** Decodes a field; returns how many bytes behind it, 0 or more, are of no interest. */
  abstract long decode(ByteBuffer field) throws IOException;

  /** Reads the whole section; the fields must fill it. */
  private void readAll() throws IOException {
    if (section.lengthBytes() == 0) {
      return;
    }
    field.clear().limit(nextBytes());
    image.read(section, this);
    require(
        nextBytes() == 0 && field.position() == 0 && skip == 0,
        "end",
        section.lengthBytes() + " bytes",
        "more");
  }

  /** Bytes of the section behind the field that is being decoded. */
  final long left() {
    return section.lengthBytes() - at;
  }

  /** A number of things of so many bytes at least, each of which is behind it. */
  final long count(long found, int eachBytes, String what) throws CorruptImageException {
    long most = left() / eachBytes;
    require(found >= 0 && found <= most, what, found, "0 to " + most);
    return found;
  }

  /** A rank of the world. */
  final int rank(int found, String what) throws CorruptImageException {
    int worldSize = image.header().job().worldSize();
    require(found >= 0 && found < worldSize, what, found, "a rank below " + worldSize);
    return found;
  }

  final void require(boolean sound, String what, Object found, Object expected)
      throws CorruptImageException {
    if (!sound) {
      throw image.malformed(section, at, what, found, expected);
    }
  }

  @Override
  public final ByteBuffer window(long offset, int lengthBytes) {
    return scratch.clear().limit(lengthBytes);
  }

  @Override
  public final void filled(long offset, ByteBuffer window) throws IOException {
    while (window.hasRemaining()) {
      if (skip > 0) {
        int n = (int) Math.min(skip, window.remaining());
        window.position(window.position() + n);
        skip -= n;
        at += n;
        continue;
      }
      require(field.limit() > 0, "end", left() + " more bytes", "none");
      int n = Math.min(field.remaining(), window.remaining());
      field.put(window.slice(window.position(), n));
      window.position(window.position() + n);
      at += n;
      if (!field.hasRemaining()) {
        skip = decode(field.flip());
        field.clear().limit(nextBytes());
      }
    }
  }
}

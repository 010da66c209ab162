// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * The small files of a job's directory: lines of text that an operator can read, with a checksum.
 *
 * <pre>
 * StateFile --> "cairn-" Kind " 1\n", (Key "=" Value "\n")*, "crc32c=" 8 hexadecimal digits "\n"
 * </pre>
 *
 * The checksum covers all bytes before its line. Nothing follows it.
 */
public final class StateFile {
  /** What such a file may have; a record of 65,536 ranks fits. */
  public static final int MAX_BYTES = 8 << 20;

  private static final int VERSION = 1;
  private static final String CRC = "crc32c=";
  private static final int CRC_LINE_BYTES = CRC.length() + 8 + 1;
  private static final String DAMAGED = "damaged on disk, or truncated?";

  private final Path file;
  private final List<String[]> fields;
  private int next;

  private StateFile(Path file, List<String[]> fields) {
    this.file = file;
    this.fields = fields;
  }

  /** Starts a file of that kind. */
  public static Builder builder(String kind) {
    return new Builder(kind);
  }

  /** Reads a file and checks it. */
  public static StateFile read(FileOperations files, Path file, String kind) throws IOException {
    return parse(files.read(file, MAX_BYTES), file, kind);
  }

  /** Checks a file's bytes, which may have come from another node. */
  public static StateFile parse(byte[] bytes, Path file, String kind) throws IOException {
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    String magic = "cairn-" + kind + " ";
    if (!text.startsWith(magic)) {
      throw corrupt(file, 0, "first line", firstLine(text), magic + VERSION, DAMAGED);
    }
    int crcAt = bytes.length - CRC_LINE_BYTES;
    if (crcAt < magic.length() || !text.startsWith(CRC, crcAt) || text.charAt(crcAt - 1) != '\n') {
      throw corrupt(file, Math.max(crcAt, 0), "last line", "another", CRC + "...", DAMAGED);
    }
    String expected = CRC + crc(bytes, crcAt) + "\n";
    if (!text.substring(crcAt).equals(expected)) {
      throw corrupt(
          file, crcAt, "checksum", text.substring(crcAt).strip(), expected.strip(), DAMAGED);
    }
    String[] lines = new String(bytes, 0, crcAt, StandardCharsets.UTF_8).split("\n", -1);
    if (!lines[0].equals(magic + VERSION)) {
      throw new ForeignImageException(file, "format version", lines[0], magic + VERSION);
    }
    List<String[]> fields = new ArrayList<>();
    for (int i = 1; i < lines.length - 1; i++) {
      String[] field = lines[i].split("=", 2);
      if (field.length != 2) {
        throw corrupt(file, 0, "line " + (i + 1), lines[i], "key=value", DAMAGED);
      }
      fields.add(field);
    }
    return new StateFile(file, fields);
  }

  private static String firstLine(String text) {
    int end = text.indexOf('\n');
    String line = end < 0 ? text : text.substring(0, end);
    return line.length() > 40 ? line.substring(0, 40) + "..." : line;
  }

  private static String crc(byte[] bytes, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, length);
    return String.format("%08x", crc.getValue());
  }

  /** Whether the next field has that key. */
  public boolean hasNext(String key) {
    return next < fields.size() && fields.get(next)[0].equals(key);
  }

  /** Value of the next field, which must have that key. */
  public String text(String key) throws CorruptImageException {
    if (!hasNext(key)) {
      String found = next < fields.size() ? fields.get(next)[0] : "the end";
      throw corrupt(file, 0, "field", found, key, "written by a faulty program?");
    }
    return fields.get(next++)[1];
  }

  /** Value of the next field as a number in a range. */
  public long number(String key, long least, long most) throws CorruptImageException {
    return number(key, text(key), least, most);
  }

  /** A number out of a field's value. */
  public long number(String key, String value, long least, long most) throws CorruptImageException {
    try {
      long number = Long.parseLong(value);
      if (number >= least && number <= most) {
        return number;
      }
    } catch (NumberFormatException e) {
      // Said below.
    }
    throw invalid(key, value, "a number from " + least + " to " + most);
  }

  /** The exception to throw when a field's value makes no sense. */
  public CorruptImageException invalid(String key, String found, String expected) {
    return corrupt(file, 0, key, found, expected, "written by a faulty program?");
  }

  /** All fields must have been read. */
  public void end() throws CorruptImageException {
    if (next < fields.size()) {
      throw invalid("field", fields.get(next)[0], "the end");
    }
  }

  private static CorruptImageException corrupt(
      Path file, long offset, String what, String found, String expected, String cause) {
    return new CorruptImageException(file, offset, what, found, expected, cause);
  }

  /** Collects the fields of a file. */
  public static final class Builder {
    private final StringBuilder text;

    private Builder(String kind) {
      text = new StringBuilder("cairn-").append(kind).append(' ').append(VERSION).append('\n');
    }

    /** Adds a field. */
    public Builder field(String key, Object value) {
      String shown = value.toString().replace('\n', ' ');
      text.append(key).append('=').append(shown).append('\n');
      return this;
    }

    /** The file's bytes. */
    public byte[] toBytes() {
      byte[] body = text.toString().getBytes(StandardCharsets.UTF_8);
      return (text + CRC + crc(body, body.length) + "\n").getBytes(StandardCharsets.UTF_8);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads the grammar in the package's description, and images by it: knows nothing of the format but
 * what the grammar says.
 */
public final class Grammar {
  private static final Pattern PRODUCTION = Pattern.compile("^(\\w+)\\s+--> (.*)$");
  private static final Pattern FIELD =
      Pattern.compile("(\\w+):(u32|u64|utf8|zeros)( u64)?(?: \"(\\w+)\")?");
  private static final Pattern REPEATED = Pattern.compile("(\\w+)\\*");
  private static final Pattern CODE = Pattern.compile("(\\w+)\\((\\d+)\\)");
  private static final int BYTES_PER_LINE = 16;

  private final Map<String, String> productions = new LinkedHashMap<>();

  // Of the image being read.
  private ByteBuffer image;
  private final Map<String, Long> values = new LinkedHashMap<>();
  private final Map<Integer, List<String>> dump = new TreeMap<>();
  private final List<Payload> payloads = new ArrayList<>();

  private record Payload(String codec, int storedLength) {}

  /** The grammar in some lines of text, of a Java comment for example. */
  Grammar(List<String> lines) {
    String current = null;
    for (String line : lines) {
      String text = line.replaceFirst("^ \\* ?", "");
      Matcher production = PRODUCTION.matcher(text);
      if (production.matches()) {
        current = production.group(1);
        productions.put(current, production.group(2).strip());
      } else if (current != null && text.startsWith("  ")) {
        productions.merge(current, text.strip(), (a, b) -> a + " " + b);
      } else {
        current = null;
      }
    }
  }

  public static Grammar of(Path file) throws IOException {
    return new Grammar(Files.readAllLines(file));
  }

  public Map<String, String> productions() {
    return productions;
  }

  /** The codes of an enumeration, by name. */
  Map<String, Integer> codes(String name) {
    Map<String, Integer> codes = new LinkedHashMap<>();
    Matcher code = CODE.matcher(productions.get(name));
    while (code.find()) {
      codes.put(code.group(1), Integer.parseInt(code.group(2)));
    }
    return codes;
  }

  /** Reads an image, all of it, and returns it as annotated hexadecimal text. */
  String dump(byte[] bytes) {
    image = ImageFormat.littleEndian(bytes);
    int end = read("Header", "Header", 0);
    int footerBytes = size("Footer");
    read("Footer", "Footer", bytes.length - footerBytes);
    int indexOffset = values.get("IndexOffset").intValue();
    int indexEnd = read("Index", "Index", indexOffset);
    require(indexEnd == bytes.length - footerBytes, "index ends where the footer begins", indexEnd);
    for (Payload payload : payloads) {
      if (payload.codec().equals("RAW") && payload.storedLength() >= 65536) {
        int aligned = (end + 4095) / 4096 * 4096;
        requireZeros(end, aligned);
        end = aligned;
      }
      if (payload.storedLength() > 0) {
        line(end, payload.storedLength(), "Payload");
      }
      end += payload.storedLength();
    }
    require(end == indexOffset, "the index follows the last payload", end);
    StringBuilder text = new StringBuilder();
    dump.values().forEach(lines -> lines.forEach(line -> text.append(line).append('\n')));
    return text.toString();
  }

  private int read(String name, String path, int offset) {
    int at = offset;
    for (String item : productions.get(name).split(", ", -1)) {
      Matcher field = FIELD.matcher(item);
      Matcher repeated = REPEATED.matcher(item);
      if (field.matches()) {
        at = readField(field, path, at);
      } else if (repeated.matches()) {
        long count = values.get(repeated.group(1) + "Count");
        for (int i = 0; i < count; i++) {
          at = read(repeated.group(1), path + "." + repeated.group(1) + "[" + i + "]", at);
        }
      } else {
        throw new AssertionError("no field: " + item);
      }
    }
    if (name.equals("Extent")) {
      payloads.add(
          new Payload(nameOf("Codec", values.get("Codec")), values.get("StoredLength").intValue()));
    }
    return at;
  }

  private int readField(Matcher field, String path, int at) {
    String name = field.group(1);
    String label = path + "." + name;
    if (field.group(2).equals("utf8")) {
      int length = values.get(name + "Length").intValue();
      byte[] text = new byte[length];
      image.get(at, text);
      if (length > 0) {
        line(at, length, label + " \"" + new String(text, StandardCharsets.UTF_8) + "\"");
      }
      return at + length;
    }
    if (field.group(2).equals("zeros")) {
      // The only one: up to the checksum at the end of the header.
      int end = values.get("HeaderLength").intValue() - 4;
      requireZeros(at, end);
      return end;
    }
    int length = size(field);
    long value = length == 4 ? image.getInt(at) : image.getLong(at);
    values.put(name, value);
    if (field.group(4) != null) {
      byte[] magic = new byte[8];
      image.get(at, magic);
      String found = new String(magic, StandardCharsets.US_ASCII);
      require(found.equals(field.group(4)), label + " is " + field.group(4), at);
      line(at, length, label + " \"" + found + "\"");
    } else if (productions.containsKey(name)) {
      line(at, length, label + " " + nameOf(name, value));
    } else if (name.endsWith("Crc")
        || name.endsWith("Digest")
        || length == 16
        || name.endsWith("Mark")) {
      line(at, length, label);
    } else {
      line(at, length, label + " " + value);
    }
    return at + length;
  }

  private void requireZeros(int from, int to) {
    for (int at = from; at < to; at++) {
      require(image.get(at) == 0, "padding is zero", at);
    }
  }

  private String nameOf(String enumeration, long value) {
    return codes(enumeration).entrySet().stream()
        .filter(entry -> entry.getValue() == value)
        .findFirst()
        .orElseThrow(() -> new AssertionError(enumeration + " has no " + value))
        .getKey();
  }

  private static int size(Matcher field) {
    return field.group(3) != null ? 16 : field.group(2).equals("u64") ? 8 : 4;
  }

  /** Size of a production that has fields of fixed size only. */
  private int size(String name) {
    int size = 0;
    for (String item : productions.get(name).split(", ", -1)) {
      Matcher field = FIELD.matcher(item);
      require(field.matches() && !field.group(2).equals("utf8"), "fixed size: " + item, 0);
      size += size(field);
    }
    return size;
  }

  private void line(int at, int length, String label) {
    List<String> lines = new ArrayList<>();
    for (int from = at; from < at + length; from += BYTES_PER_LINE) {
      StringBuilder hex = new StringBuilder();
      for (int i = from; i < Math.min(at + length, from + BYTES_PER_LINE); i++) {
        hex.append(String.format("%02x ", image.get(i)));
      }
      String shown = from == at ? label : "";
      lines.add(String.format(Locale.ROOT, "%04x  %-48s %s", from, hex, shown).stripTrailing());
    }
    require(dump.put(at, lines) == null, label + " is the only one at its offset", at);
  }

  private static void require(boolean holds, String what, int at) {
    if (!holds) {
      throw new AssertionError(what + ", at offset " + at);
    }
  }
}

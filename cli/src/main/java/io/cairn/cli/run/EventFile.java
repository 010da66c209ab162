// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A line of JSON for each event, appended as it happens. Where the file is to be is known only when
 * the job has told its directory: lines wait until then.
 */
final class EventFile {
  private static final int MOST_WAITING = 10_000;

  private final String run;
  private final List<String> waiting = new ArrayList<>();
  private Path file;
  private String problem = "";

  /**
   * @param run an id that all lines of this run have
   */
  EventFile(String run) {
    this.run = run;
  }

  boolean isPlaced() {
    return file != null;
  }

  /** Why lines could not be written; empty if they were. Asked once. */
  String takeProblem() {
    String told = problem;
    problem = "";
    return told;
  }

  /** Lines go there from now on. */
  void place(Path file) {
    this.file = file;
    List<String> lines = List.copyOf(waiting);
    waiting.clear();
    lines.forEach(this::append);
  }

  void write(Instant time, String event, Map<String, Object> fields) {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = new JsonFactory().createGenerator(text)) {
      json.writeStartObject();
      json.writeStringField("time", time.toString());
      json.writeStringField("run", run);
      json.writeStringField("event", event);
      for (Map.Entry<String, Object> field : fields.entrySet()) {
        json.writeFieldName(field.getKey());
        value(json, field.getValue());
      }
      json.writeEndObject();
    } catch (IOException e) {
      throw new AssertionError("into memory", e);
    }
    String line = text + "\n";
    if (isPlaced()) {
      append(line);
    } else if (waiting.size() < MOST_WAITING) {
      waiting.add(line);
    }
  }

  private static void value(JsonGenerator json, Object value) throws IOException {
    if (value instanceof Number number) {
      if (number instanceof Double real) {
        json.writeNumber(real);
      } else {
        json.writeNumber(number.longValue());
      }
    } else if (value instanceof List<?> list) {
      json.writeStartArray();
      for (Object element : list) {
        json.writeString(element.toString());
      }
      json.writeEndArray();
    } else {
      json.writeString(value.toString());
    }
  }

  /** As the job's other files: its owner's only. */
  private void append(String line) {
    try (FileChannel channel =
        FileChannel.open(
            file,
            Set.of(
                StandardOpenOption.CREATE,
                StandardOpenOption.WRITE,
                StandardOpenOption.APPEND,
                LinkOption.NOFOLLOW_LINKS),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
      ByteBuffer bytes = ByteBuffer.wrap(line.getBytes(StandardCharsets.UTF_8));
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
    } catch (IOException e) {
      problem = file + ": " + e;
    }
  }

  /** A directory that can be written to from here. */
  static boolean isUsable(Path directory) {
    return Files.isDirectory(directory) && Files.isWritable(directory);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.cairn.image.FileOperations;
import io.cairn.image.SystemFiles;
import io.cairn.natives.NativeErasureCode;
import io.cairn.store.ErasureCode;
import io.cairn.store.Launch;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The tool as it ran: exit code and what it printed. */
record Ran(int exitCode, String out, String err) {

  static Ran tool(Object... args) {
    return run(false, new SystemFiles(), NativeErasureCode::new, args);
  }

  static Ran atTerminal(Object... args) {
    return run(true, new SystemFiles(), NativeErasureCode::new, args);
  }

  static Ran with(FileOperations files, Object... args) {
    return run(false, files, NativeErasureCode::new, args);
  }

  static Ran with(Supplier<ErasureCode> erasureCode, Object... args) {
    return run(false, new SystemFiles(), erasureCode, args);
  }

  private static Ran run(
      boolean terminal, FileOperations files, Supplier<ErasureCode> erasureCode, Object... args) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Surroundings surroundings =
        new Surroundings(
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            terminal,
            Map.of("COLUMNS", "100"),
            files,
            () -> new Launch("login", 1, "2026-01-01T00:00:00Z", UUID.randomUUID()),
            erasureCode);
    List<String> words = new ArrayList<>();
    for (Object arg : args) {
      words.add(arg.toString());
    }
    int exitCode = Tool.run(surroundings, words.toArray(new String[0]));
    return new Ran(
        exitCode, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }

  Ran require(int expectedExitCode, String... parts) {
    assertEquals(expectedExitCode, exitCode, this::toString);
    for (String part : parts) {
      assertTrue((out + err).contains(part), () -> "no \"" + part + "\" in " + this);
    }
    return this;
  }

  /** All fields that {@code --json} wrote are in docs/cli.md. */
  void requireDocumented() throws IOException {
    String schema = Files.readString(Path.of("..", "docs", "cli.md"));
    Set<String> undocumented = new TreeSet<>();
    Matcher field = Pattern.compile("\"([A-Za-z0-9]+)\" :").matcher(out);
    while (field.find()) {
      if (!schema.contains("`" + field.group(1) + "`")) {
        undocumented.add(field.group(1));
      }
    }
    assertEquals(Set.of(), undocumented);
    assertTrue(schema.contains("`" + at("format") + "`"), this::toString);
  }

  /** What {@code --json} wrote. */
  Map<String, Object> json() {
    try (JsonParser parser = new JsonFactory().createParser(out)) {
      parser.nextToken();
      @SuppressWarnings("unchecked")
      Map<String, Object> all = (Map<String, Object>) value(parser);
      assertTrue(parser.nextToken() == null, () -> "more than one value: " + this);
      return all;
    } catch (IOException e) {
      throw new UncheckedIOException(this.toString(), e);
    }
  }

  private static Object value(JsonParser parser) throws IOException {
    switch (parser.currentToken()) {
      case START_OBJECT -> {
        Map<String, Object> fields = new LinkedHashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String name = parser.currentName();
          parser.nextToken();
          fields.put(name, value(parser));
        }
        return fields;
      }
      case START_ARRAY -> {
        List<Object> elements = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          elements.add(value(parser));
        }
        return elements;
      }
      case VALUE_NUMBER_INT -> {
        return parser.getLongValue();
      }
      case VALUE_TRUE, VALUE_FALSE -> {
        return parser.getBooleanValue();
      }
      case VALUE_NULL -> {
        return null;
      }
      default -> {
        return parser.getText();
      }
    }
  }

  /** A value by its path, such as {@code jobs.0.epochs.1.state}. */
  Object at(String path) {
    Object at = json();
    for (String step : path.split("\\.", -1)) {
      if (at instanceof List<?> list) {
        assertTrue(Integer.parseInt(step) < list.size(), () -> "no " + path + " in " + this);
        at = list.get(Integer.parseInt(step));
      } else {
        Map<?, ?> fields = (Map<?, ?>) at;
        assertTrue(fields.containsKey(step), () -> "no " + path + " in " + this);
        at = fields.get(step);
      }
    }
    return at;
  }
}

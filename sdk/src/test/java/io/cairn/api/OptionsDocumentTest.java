// SPDX-License-Identifier: Apache-2.0
package io.cairn.api;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** Renders the table of options; {@code -Ddocs.update=true} writes it. */
class OptionsDocumentTest {

  private static final Path DOCUMENT = Path.of("..", "docs", "options.md");

  @Test
  void shouldBeDocumentedAsTheyAre() throws IOException {
    String rendered = render();
    if (Boolean.getBoolean("docs.update")) {
      Files.writeString(DOCUMENT, rendered);
    }
    assertEquals(
        rendered,
        Files.readString(DOCUMENT),
        "docs/options.md is behind the table in Option.java; run this test with -Ddocs.update=true");
  }

  private static String render() {
    StringBuilder text =
        new StringBuilder(
            """
            # Options

            <!-- Rendered from Option.java by OptionsDocumentTest; change it there. -->

            Each option is taken from the first of: the system property, the environment variable, what the program
            set with `CairnOptions.builder()`, the default. So an operator overrides the program without touching it.
            A `cairn.*` property or `CAIRN_*` variable that isn't listed here is an error, and so is a value that an
            option can't take; names that begin with `cairn.test.`, `cairn.internal.`, `CAIRN_TEST_` or
            `CAIRN_INTERNAL_` are the SDK's own. The variable `CAIRN_DRAIN` isn't an option either: with `always` it puts
            the MPI shim into a [debug mode](protocol.md#draining-always).

            Give all ranks the same options. `mpirun` passes system properties on as part of the command line, and
            environment variables with `-x CAIRN_INTERVAL`.

            | property | variable | values | default | what it does |
            |---|---|---|---|---|
            """);
    for (Option<?> option : Option.ALL) {
      text.append(
          "| `%s` | `%s` | %s | %s | %s |%n"
              .formatted(
                  option.property(),
                  option.variable(),
                  option.type().expected(),
                  option.defaultText().isEmpty() ? "see right" : "`" + option.defaultText() + "`",
                  option.description()));
    }
    return text.toString();
  }
}

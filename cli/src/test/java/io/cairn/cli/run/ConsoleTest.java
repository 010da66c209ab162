// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class ConsoleTest {
  private final ByteArrayOutputStream screen = new ByteArrayOutputStream();
  private final PrintStream stream = new PrintStream(screen, true, StandardCharsets.UTF_8);

  private String shown() {
    return screen.toString(StandardCharsets.UTF_8);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void shouldPassOutputOnAsItIsWithoutATerminal() {
    Console console = new Console(stream, stream, false, 80);
    console.status("[running]");
    console.out(bytes("half"));
    console.out(bytes(" a line"));
    console.status("");
    assertEquals("half a line", shown());
  }

  @Test
  void shouldKeepTheStatusInTheLastLineOfATerminal() {
    Console console = new Console(stream, stream, true, 80);
    console.status("[one]");
    console.out(bytes("a line\n"));
    console.out(bytes("half"));
    console.status("[two]");
    console.out(bytes(" and half\n"));
    console.say("told");
    console.status("");
    String wipe = "\r\033[K";
    assertEquals(
        "\r[one]"
            + wipe
            + "a line\n\r[one]"
            + wipe
            + "half and half\n\r[two]"
            + wipe
            + "cairn: told\n\r[two]"
            + wipe,
        shown());
  }

  @Test
  void shouldShortenTheStatusToTheWidth() {
    new Console(stream, stream, true, 20).status("x".repeat(50));
    assertEquals("\r" + "x".repeat(19), shown());
  }
}

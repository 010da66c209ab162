// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.cli.run.Report.Phase;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class ListenerTest {
  private final BlockingQueue<Map.Entry<Integer, Report>> heard = new LinkedBlockingQueue<>();
  private final BlockingQueue<String> stranded = new LinkedBlockingQueue<>();
  private Listener listener;

  @BeforeEach
  void listen() throws IOException {
    listener =
        new Listener(
            List.of(),
            new SecureRandom(),
            (launch, report) -> heard.add(Map.entry(launch, report)),
            (launch, who) -> stranded.add(launch + ": " + who));
  }

  @AfterEach
  void close() throws IOException {
    listener.close();
  }

  private Socket send(String text) throws IOException {
    String address = listener.address();
    Socket socket =
        new Socket(
            InetAddress.getLoopbackAddress(),
            Integer.parseInt(address.substring(address.lastIndexOf(':') + 1)));
    socket.getOutputStream().write(text.getBytes(StandardCharsets.UTF_8));
    return socket;
  }

  @Test
  void shouldHearTheLaunchThatKnowsTheToken() throws Exception {
    String old = listener.expect(1);
    String token = listener.expect(2);
    assertNotEquals(old, token);
    assertEquals(32, token.length());
    String line =
        "phase=running generation=3 ranks=4 directory=%2Fa+b restored=2-7 from=60 pulses=5 lowest=61 highest=62 new=1"
            + " every-set=312.5+that%0Acosts every-none=5\n";
    try (Socket hungUpOn = send("cairn-reports 1 " + old + "\n" + line);
        Socket nonsense = send("GET / HTTP/1.1\n" + line);
        Socket endless = send("x".repeat(100_000))) {
      // Hung up on: the stream ends, or is reset because there was more to read.
      for (Socket socket : new Socket[] {hungUpOn, nonsense, endless}) {
        try {
          assertEquals(-1, socket.getInputStream().read());
        } catch (IOException e) {
          assertTrue(e.getMessage().contains("reset"), e::toString);
        }
      }
    }
    try (Socket socket = send("cairn-reports 1 " + token + "\nnonsense\n" + line)) {
      Map<String, Report.Choice> chosen = Map.of("set", new Report.Choice(312.5, "that?costs"));
      assertEquals(
          Map.entry(2, new Report(Phase.RUNNING, 3, "/a b", "2-7", 60, 5, 61, 62, "", 0, chosen)),
          heard.take());
      assertTrue(heard.isEmpty());
      assertTrue(socket.isConnected());
    }
  }

  /** Asks whether a launch is wanted, and says a word more. */
  private String ask(String token) throws IOException {
    try (Socket socket = send("cairn-current 1 " + token + "\nrank 3 on \u0007node\n")) {
      return new String(socket.getInputStream().readNBytes(8), StandardCharsets.US_ASCII);
    } catch (IOException e) {
      return ""; // Hung up on with more to read.
    }
  }

  @Test
  void shouldTellWhoAsksWhetherItsLaunchIsWanted() throws Exception {
    String old = listener.expect(1);
    assertTrue(ask(old).startsWith("current"));
    String token = listener.expect(2);
    assertEquals("over\n", ask(old));
    assertEquals("1: rank 3 on ?node", stranded.take());
    assertTrue(ask(token).startsWith("current"));
    listener.disown(1);
    assertTrue(ask(token).startsWith("current"));
    listener.disown(2);
    assertEquals("over\n", ask(token));
    assertEquals("2: rank 3 on ?node", stranded.take());
    assertEquals("", ask("0".repeat(32)));
    assertTrue(stranded.isEmpty());
  }

  @Test
  void shouldMakeNothingOfLinesThatMakeNoSense() {
    for (String line :
        new String[] {
          "",
          "phase=flying pulses=1",
          "pulses=1",
          "phase=running pulses=x",
          "phase=running epoch=../../etc",
          "phase=running directory=%zz",
        }) {
      assertEquals(Optional.empty(), Report.parse(line), line);
    }
  }
}

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
  private Listener listener;

  @BeforeEach
  void listen() throws IOException {
    listener =
        new Listener(
            true, new SecureRandom(), (launch, report) -> heard.add(Map.entry(launch, report)));
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
        "phase=running generation=3 ranks=4 directory=%2Fa+b restored=2-7 from=60 pulses=5 lowest=61 highest=62 new=1\n";
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
      assertEquals(
          Map.entry(2, new Report(Phase.RUNNING, 3, "/a b", "2-7", 60, 5, 61, 62, "", 0)),
          heard.take());
      assertTrue(heard.isEmpty());
      assertTrue(socket.isConnected());
    }
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

// SPDX-License-Identifier: Apache-2.0
package io.cairn.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.image.EpochId;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class ProgressReporterTest {
  private static final Path DIRECTORY = Path.of("/tmp/with space=/job");

  private static Optional<ProgressReporter> reporter(String listener) {
    return ProgressReporter.wanted(
        Map.of(ProgressReporter.LISTENER_VARIABLE, listener, ProgressReporter.TOKEN_VARIABLE, "t0"),
        DIRECTORY,
        3,
        4);
  }

  private static long threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(t -> t.getName().equals("cairn-reports"))
        .count();
  }

  /** Reads until a line has all the words. */
  private static void await(BufferedReader in, String... words) throws IOException {
    String line = in.readLine();
    while (!Set.of(line.split(" ", -1)).containsAll(Set.of(words))) {
      line = in.readLine();
    }
  }

  private static BufferedReader reader(Socket socket) throws IOException {
    return new BufferedReader(
        new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
  }

  @Test
  void shouldSendNothingUnlessItIsAskedTo() {
    long before = threads();
    assertTrue(ProgressReporter.wanted(Map.of(), DIRECTORY, 1, 1).isEmpty());
    for (String nonsense : new String[] {"", ":", "host", "host:", "host:x", ":1", "h:99999"}) {
      assertTrue(reporter(nonsense).isEmpty(), nonsense);
    }
    assertEquals(before, threads());
  }

  @Test
  void shouldTellHowFarTheLaunchIsToAListenerThatComesAndGoes() throws Exception {
    int port;
    ProgressReporter reporter;
    try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = server.getLocalPort();
      // Nobody is at the first one.
      try (ServerSocket nobody = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
        assertFalse(nobody.getLocalPort() == port);
      }
      reporter = reporter("no-such-host.invalid,127.0.0.1:" + port).orElseThrow();
      try (Socket socket = server.accept()) {
        BufferedReader in = reader(socket);
        assertEquals("cairn-reports 1 t0", in.readLine());
        assertEquals(
            "phase=starting generation=3 ranks=4 directory=%2Ftmp%2Fwith+space%3D%2Fjob pulses=0",
            in.readLine());
        reporter.running(Optional.of(new EpochId(2, 7)), 600);
        reporter.pulsed(12, 610, 611);
        await(in, "phase=running", "restored=2-7", "from=600", "pulses=12");
        await(in, "lowest=610", "highest=611");
        reporter.chosen("set", 3_000_000_000L, "as given");
        reporter.chosen("set", 61_500_000_000L, "50 % = a=b");
        reporter.chosen("interval", 1_000_000L, "as given");
        await(in, "every-set=61.500+50+%25+%3D+a%3Db", "every-interval=0.001+as+given");
      }
    }
    // The listener is gone: the job's side neither fails nor waits.
    for (int i = 0; i < 100_000; i++) {
      reporter.pulsed(13 + i, 620, 620);
    }
    reporter.committed(8, 615);
    try (ServerSocket server = new ServerSocket(port, 1, InetAddress.getLoopbackAddress());
        Socket socket = server.accept()) {
      BufferedReader in = reader(socket);
      assertEquals("cairn-reports 1 t0", in.readLine());
      await(in, "phase=running", "epoch=3-8", "at=615", "highest=620");
      reporter.done();
      await(in, "phase=done");
      reporter.closed();
      await(in, "phase=closed");
    }
  }
}

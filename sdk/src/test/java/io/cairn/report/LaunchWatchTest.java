// SPDX-License-Identifier: Apache-2.0
package io.cairn.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class LaunchWatchTest {
  private static final String SELF = "rank 2 on node7";

  private final List<String> left = new ArrayList<>();
  private String sign = "";
  private int signs;

  private LaunchWatch watch(String listener) {
    return new LaunchWatch(
        Map.of(ProgressReporter.LISTENER_VARIABLE, listener, ProgressReporter.TOKEN_VARIABLE, "t0"),
        SELF,
        this::waiting,
        left::add);
  }

  private String waiting() {
    return sign;
  }

  /** A launch that waits for the lock, and lives. */
  private void sign() {
    signs++;
    sign = signs + " 4711 on node8";
  }

  /** Answers each question, and keeps what it heard. */
  private static final class Answering implements AutoCloseable {
    final ServerSocket server = new ServerSocket(0, 9, InetAddress.getLoopbackAddress());
    final List<String> heard = Collections.synchronizedList(new ArrayList<>());
    final Thread thread;
    volatile String answer = "current\n";

    Answering() throws IOException {
      thread = new Thread(this::serve);
      thread.start();
    }

    private void serve() {
      while (true) {
        try (Socket socket = server.accept()) {
          BufferedReader in =
              new BufferedReader(
                  new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
          heard.add(in.readLine());
          socket.getOutputStream().write(answer.getBytes(StandardCharsets.US_ASCII));
          String more = in.readLine();
          if (more != null) {
            heard.add(more);
          }
        } catch (IOException e) {
          if (server.isClosed()) {
            return;
          }
        }
      }
    }

    String address() {
      return "127.0.0.1:" + server.getLocalPort();
    }

    @Override
    public void close() throws Exception {
      server.close();
      thread.join();
    }
  }

  private static boolean ticks(LaunchWatch watch, int count) {
    for (int i = 1; i <= count; i++) {
      if (watch.tick()) {
        assertEquals(count, i, "too soon");
        return true;
      }
    }
    return false;
  }

  @Test
  void shouldAskOnlyWhenNoPulseComes() throws Exception {
    try (Answering listener = new Answering()) {
      LaunchWatch watch = watch("no-such-host.invalid," + listener.address());
      for (int pulse = 1; pulse < 100; pulse++) {
        watch.pulsed(pulse, 0, 0);
        assertFalse(ticks(watch, LaunchWatch.ASK_TICKS));
      }
      assertEquals(List.of(), listener.heard);
      assertFalse(ticks(watch, 1));
      assertEquals(List.of("cairn-current 1 t0"), listener.heard);
      // And not all too often.
      assertFalse(ticks(watch, 10 * LaunchWatch.SELDOM_TICKS));
      assertTrue(listener.heard.size() < 15, listener.heard::toString);
    }
    assertEquals(List.of(), left);
  }

  @Test
  void shouldTellThatTheLaunchIsOverAndSayWhoItIs() throws Exception {
    try (Answering listener = new Answering()) {
      LaunchWatch watch = watch(listener.address());
      assertFalse(ticks(watch, 3 * LaunchWatch.ASK_TICKS));
      listener.answer = "over\n";
      assertTrue(ticks(watch, LaunchWatch.ASK_TICKS));
      listener.close();
      assertEquals(SELF, listener.heard.get(listener.heard.size() - 1));
    }
    assertEquals(1, left.size());
    assertTrue(left.get(0).contains("was given up"), left::toString);
  }

  @Test
  void shouldGoOnWhenNobodyOrSomebodyElseAnswers() throws Exception {
    LaunchWatch alone = watch("");
    assertFalse(ticks(alone, 100));
    try (Answering listener = new Answering()) {
      listener.answer = "HTTP/1.1 400 what do you want, I have never heard of you";
      assertFalse(ticks(watch(listener.address()), 100));
      assertFalse(listener.heard.isEmpty());
    }
    assertEquals(List.of(), left);
  }

  @Test
  void shouldMakeRoomForALaunchThatWaitsWhileNoPulseComes() {
    LaunchWatch watch = watch("");
    for (int i = 0; i < LaunchWatch.WAITED_FOR_TICKS - 1; i++) {
      sign();
      assertFalse(ticks(watch, 1));
    }
    for (int i = 0; i < LaunchWatch.SIGNS; i++) {
      sign();
      assertFalse(ticks(watch, 1));
    }
    sign();
    assertTrue(ticks(watch, 1));
    assertTrue(left.get(0).contains("another launch of the job waits"), left::toString);
  }

  @Test
  void shouldNotMakeRoomForTheDeadNorWhilePulsesCome() {
    LaunchWatch watch = watch("");
    sign();
    // What a launch left that died while it waited.
    assertFalse(ticks(watch, 100));
    for (int pulse = 1; pulse < 100; pulse++) {
      watch.pulsed(pulse, 0, 0);
      sign();
      // With the tick that sees the pulse: each time one sign is seen, and forgotten.
      assertFalse(ticks(watch, LaunchWatch.WAITED_FOR_TICKS + 1));
    }
    assertEquals(List.of(), left);
  }
}

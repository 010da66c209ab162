// SPDX-License-Identifier: Apache-2.0
package io.cairn.report;

import io.cairn.coordinate.PulseWatch;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Finds out that this process was left behind. A node that is cut off doesn't learn that its launch
 * was given up and the job launched again without it, so each rank looks into it when no pulse
 * comes:
 *
 * <ul>
 *   <li>it asks whoever started the launch whether it is still wanted;
 *   <li>it looks whether another launch waits for the job's lock, which this one may hold. The
 *       other's sign of life must change while no pulse comes here: one that is dead, or long gone,
 *       harms nobody.
 * </ul>
 *
 * While pulses come nothing is asked. Seconds are counted in which this thread ran, so that a
 * process that was stopped for an hour doesn't take the hour for silence.
 */
public final class LaunchWatch implements PulseWatch {
  private static final String QUESTION = "cairn-current 1 ";
  private static final int ANSWER_TIMEOUT_MILLIS = 2_000;
  private static final int LONGEST_ANSWER = 16;

  /** Ticks without a pulse, until somebody is asked, and from then on. */
  static final int ASK_TICKS = 5;

  /** The same, when it has lasted for long. */
  static final int SELDOM_TICKS = 20;

  /** Ticks without a pulse, until it matters that another launch waits. */
  static final int WAITED_FOR_TICKS = 10;

  /** So often the other's sign must have changed meanwhile. */
  static final int SIGNS = 2;

  private final List<InetSocketAddress> listeners;
  private final String token;
  private final String self;
  private final Supplier<String> waiting;
  private final Consumer<String> left;

  private volatile long pulses;

  // Of the thread.
  private long seen;
  private int still;
  private String lastSign = "";
  private int signs;

  /**
   * @param self who this is, for people
   * @param waiting a sign of life of a launch that waits for this one's lock, empty if there is
   *     none
   * @param left told why, once, when this process was left behind; on the thread that ticks
   */
  LaunchWatch(
      Map<String, String> environment,
      String self,
      Supplier<String> waiting,
      Consumer<String> left) {
    listeners =
        ListenerAddresses.parse(environment.getOrDefault(ProgressReporter.LISTENER_VARIABLE, ""));
    token = environment.getOrDefault(ProgressReporter.TOKEN_VARIABLE, "");
    this.self = self;
    this.waiting = waiting;
    this.left = left;
  }

  /** Watches from now on, from a thread of its own. */
  public static LaunchWatch start(
      Map<String, String> environment,
      String self,
      Supplier<String> waiting,
      Consumer<String> left,
      long tickMillis) {
    LaunchWatch watch = new LaunchWatch(environment, self, waiting, left);
    Thread thread = new Thread(() -> watch.run(tickMillis), "cairn-launch-watch");
    thread.setDaemon(true);
    thread.start();
    return watch;
  }

  @Override
  public void pulsed(long pulses, long lowestIndex, long highestIndex) {
    this.pulses = pulses;
  }

  @Override
  public void committed(long epoch, long safePoint) {}

  @SuppressWarnings("BusyWait") // a pace, not a wait for something
  private void run(long tickMillis) {
    try {
      boolean watching = true;
      while (watching) {
        Thread.sleep(tickMillis);
        watching = !tick();
      }
    } catch (InterruptedException e) {
      // Nobody does that; then nothing is watched.
    }
  }

  /** True when it was told. */
  boolean tick() {
    long now = pulses;
    if (now != seen) {
      seen = now;
      still = 0;
      signs = 0;
      return false;
    }
    still++;
    Optional<String> reason = isTimeToAsk() && isOver() ? Optional.of(OVER) : waitedFor();
    reason.ifPresent(left);
    return reason.isPresent();
  }

  private boolean isTimeToAsk() {
    return still <= SELDOM_TICKS ? still % ASK_TICKS == 0 : still % SELDOM_TICKS == 0;
  }

  private static final String OVER =
      "this launch was given up by whoever started it, while this process heard nothing of the other ranks";

  private Optional<String> waitedFor() {
    if (still < WAITED_FOR_TICKS) {
      return Optional.empty();
    }
    String sign = waiting.get();
    signs += sign.isEmpty() || sign.equals(lastSign) ? 0 : 1;
    lastSign = sign;
    // The first one may be old.
    return signs > SIGNS
        ? Optional.of(
            "another launch of the job waits for it, and nothing was heard of the other ranks of"
                + " this one for "
                + still
                + " s")
        : Optional.empty();
  }

  /** False if nobody can be reached. */
  private boolean isOver() {
    if (token.isEmpty()) {
      return false;
    }
    for (InetSocketAddress listener : listeners) {
      try (Socket socket = new Socket()) {
        ListenerAddresses.connect(socket, listener);
        socket.setSoTimeout(ANSWER_TIMEOUT_MILLIS);
        send(socket, QUESTION + token + "\n");
        String answer = line(socket.getInputStream());
        if (answer.equals("over")) {
          send(socket, self + "\n");
          return true;
        }
        if (answer.equals("current")) {
          return false;
        }
      } catch (IOException | RuntimeException e) {
        // Not there, or not from here: the next one, or another time.
      }
    }
    return false;
  }

  private static void send(Socket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(StandardCharsets.UTF_8));
  }

  private static String line(InputStream in) throws IOException {
    StringBuilder line = new StringBuilder();
    for (int c = in.read(); c >= 0 && c != '\n' && line.length() < LONGEST_ANSWER; c = in.read()) {
      line.append((char) c);
    }
    return line.toString();
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.report;

import io.cairn.coordinate.PulseWatch;
import io.cairn.image.EpochId;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Reports from a thread of its own, a few times a second. The agent only leaves numbers here. A
 * listener that is slow, lost or was never there costs the job nothing and is not mentioned: it is
 * tried again now and then.
 */
public final class ProgressReporter implements PulseWatch {

  /** Where to report to: {@code ADDRESS(,ADDRESS)*:PORT}; the first that answers is taken. */
  public static final String LISTENER_VARIABLE = "CAIRN_INTERNAL_LISTENER";

  /** What the listener knows the right program by. */
  public static final String TOKEN_VARIABLE = "CAIRN_INTERNAL_TOKEN";

  private static final long PACE_MILLIS = 200;
  private static final long RETRY_MILLIS = 1_000;

  private enum Phase {
    STARTING,
    RUNNING,
    DONE,
    CLOSED
  }

  private final List<InetSocketAddress> listeners;
  private final String greeting;
  private final String constant;
  private final long generation;
  private final Thread thread = new Thread(this::run, "cairn-reports");

  // Each is right by itself; a line that mixes two pulses misleads nobody.
  private volatile Phase phase = Phase.STARTING;
  private volatile String restored = "";
  private final Map<String, String> choices = new ConcurrentSkipListMap<>();
  private volatile long pulses;
  private volatile long lowest = -1;
  private volatile long highest = -1;
  private volatile long epoch = -1;
  private volatile long epochSafePoint;

  private ProgressReporter(
      List<InetSocketAddress> listeners, String token, Path directory, long generation, int ranks) {
    this.listeners = listeners;
    thread.setDaemon(true);
    this.generation = generation;
    greeting = "cairn-reports 1 " + token + "\n";
    constant =
        " generation=%d ranks=%d directory=%s"
            .formatted(
                generation,
                ranks,
                URLEncoder.encode(
                    directory.toAbsolutePath().normalize().toString(), StandardCharsets.UTF_8));
  }

  /**
   * Begins to report, if the environment says where to. Values that make no sense are nobody's
   * listener.
   *
   * @param directory the job's
   */
  public static Optional<ProgressReporter> wanted(
      Map<String, String> environment, Path directory, long generation, int ranks) {
    String token = environment.getOrDefault(TOKEN_VARIABLE, "");
    List<InetSocketAddress> listeners =
        ListenerAddresses.parse(environment.getOrDefault(LISTENER_VARIABLE, ""));
    if (token.isEmpty() || listeners.isEmpty()) {
      return Optional.empty();
    }
    ProgressReporter reporter =
        new ProgressReporter(listeners, token, directory, generation, ranks);
    reporter.thread.start();
    return Optional.of(reporter);
  }

  /** The main loop begins; the agent starts. */
  public void running(Optional<EpochId> from, long safePoint) {
    restored =
        from.map(id -> " restored=" + id.generation() + "-" + id.epoch() + " from=" + safePoint)
            .orElse("");
    enter(Phase.RUNNING);
  }

  /**
   * How much time passes between two epochs, or between two that a tier protects.
   *
   * @param what {@code interval}, or the tier's name
   * @param why for people
   */
  public void chosen(String what, long nanos, String why) {
    String value = String.format(Locale.ROOT, "%.3f %s", nanos / 1e9, why);
    choices.put(what, URLEncoder.encode(value, StandardCharsets.UTF_8));
  }

  /** The main loop is over. */
  public void done() {
    enter(Phase.DONE);
  }

  /** There are no agents any more. */
  public void closed() {
    enter(Phase.CLOSED);
  }

  private void enter(Phase next) {
    phase = next;
    reportNow();
  }

  /** The launch may not live for long. */
  private void reportNow() {
    LockSupport.unpark(thread);
  }

  @Override
  public void pulsed(long pulses, long lowestIndex, long highestIndex) {
    lowest = lowestIndex;
    highest = highestIndex;
    this.pulses = pulses;
  }

  @Override
  public void committed(long epoch, long safePoint) {
    epochSafePoint = safePoint;
    this.epoch = epoch;
    reportNow();
  }

  private String line() {
    StringBuilder line = new StringBuilder("phase=").append(phase.name().toLowerCase(Locale.ROOT));
    line.append(constant).append(restored);
    line.append(" pulses=").append(pulses);
    if (highest >= 0) {
      line.append(" lowest=").append(lowest).append(" highest=").append(highest);
    }
    long committed = epoch;
    if (committed >= 0) {
      line.append(" epoch=").append(generation).append('-').append(committed);
      line.append(" at=").append(epochSafePoint);
    }
    choices.forEach((what, value) -> line.append(" every-").append(what).append('=').append(value));
    return line.append('\n').toString();
  }

  @SuppressWarnings("BusyWait") // a pace, not a wait for something
  private void run() {
    try {
      while (true) {
        for (InetSocketAddress listener : listeners) {
          report(listener);
        }
        Thread.sleep(RETRY_MILLIS);
      }
    } catch (InterruptedException e) {
      // Nobody does that; then there are no reports.
    }
  }

  /** Returns when the listener is not there, or not any more. */
  private void report(InetSocketAddress listener) {
    try (Socket socket = new Socket()) {
      ListenerAddresses.connect(socket, listener);
      socket.setTcpNoDelay(true);
      OutputStream out = socket.getOutputStream();
      out.write(greeting.getBytes(StandardCharsets.US_ASCII));
      while (true) {
        out.write(line().getBytes(StandardCharsets.US_ASCII));
        LockSupport.parkNanos(this, TimeUnit.MILLISECONDS.toNanos(PACE_MILLIS));
      }
    } catch (IOException | RuntimeException e) {
      // Not there (any more), or not allowed. The job has other things to do.
    }
  }
}

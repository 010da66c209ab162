// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

import java.time.Duration;
import java.util.function.Consumer;

/**
 * When to checkpoint, how fast to agree, and how long to wait for what; the same on all ranks.
 *
 * @param intervalNanos time between the starts of two epochs, by rank 0's clock; 0 for none
 * @param everySafePoints safe points between two cuts; 0 for none
 * @param idlePaceNanos time between two steps of the agent while nothing is pending
 * @param fastPaceNanos time between two steps of the agent while ranks wait for each other's agents
 * @param waitPaceNanos time between two steps of the agent while it waits for disks or for the
 *     application
 * @param requestPollNanos time between two looks for an operator's request
 * @param cutTimeoutNanos how long an epoch waits for ranks to reach its safe point
 * @param holdTimeoutNanos how long a rank is held at a safe point whose vote is not known
 * @param drainDelayNanos how long late messages are left for the application to receive
 * @param sealTimeoutNanos how long an epoch waits for late messages
 * @param writeTimeoutNanos how long an epoch waits for an image or a record to be synced
 * @param reportTimeoutNanos how long the search for a straddling collective's culprit may take
 * @param free whether each rank cuts at its own next safe point, rather than all at an agreed one
 * @param holdLimitNanos how long a call of a free-running rank waits for the other ranks' cuts
 * @param channelsBeforeBareCut how many channels a rank remembers, at most, before it wishes for a
 *     bare cut; its own, ranks may differ
 */
public record EpochSettings(
    long intervalNanos,
    long everySafePoints,
    long idlePaceNanos,
    long fastPaceNanos,
    long waitPaceNanos,
    long requestPollNanos,
    long cutTimeoutNanos,
    long holdTimeoutNanos,
    long drainDelayNanos,
    long sealTimeoutNanos,
    long writeTimeoutNanos,
    long reportTimeoutNanos,
    boolean free,
    long holdLimitNanos,
    long channelsBeforeBareCut) {

  /**
   * A few megabytes. A program that uses its channels again and again has fewer of them, and never
   * needs a bare cut.
   */
  public static final long CHANNELS_BEFORE_BARE_CUT = 100_000;

  public EpochSettings {
    notNegative("intervalNanos", intervalNanos);
    notNegative("everySafePoints", everySafePoints);
    notNegative("idlePaceNanos", idlePaceNanos);
    notNegative("fastPaceNanos", fastPaceNanos);
    notNegative("waitPaceNanos", waitPaceNanos);
    notNegative("requestPollNanos", requestPollNanos);
    notNegative("cutTimeoutNanos", cutTimeoutNanos);
    notNegative("holdTimeoutNanos", holdTimeoutNanos);
    notNegative("drainDelayNanos", drainDelayNanos);
    notNegative("sealTimeoutNanos", sealTimeoutNanos);
    notNegative("writeTimeoutNanos", writeTimeoutNanos);
    notNegative("reportTimeoutNanos", reportTimeoutNanos);
    notNegative("holdLimitNanos", holdLimitNanos);
    notNegative("channelsBeforeBareCut", channelsBeforeBareCut);
  }

  /**
   * Checkpoints on request only. Safe points may be minutes apart, so the cut's timeout is long.
   */
  public static EpochSettings onRequest() {
    Copy c = new Copy();
    c.idlePaceNanos = Duration.ofMillis(5).toNanos();
    c.fastPaceNanos = Duration.ofNanos(200_000).toNanos();
    c.waitPaceNanos = Duration.ofMillis(1).toNanos();
    c.requestPollNanos = Duration.ofMillis(200).toNanos();
    c.cutTimeoutNanos = Duration.ofMinutes(60).toNanos();
    c.holdTimeoutNanos = Duration.ofSeconds(30).toNanos();
    c.drainDelayNanos = Duration.ofMillis(500).toNanos();
    c.sealTimeoutNanos = Duration.ofMinutes(10).toNanos();
    c.writeTimeoutNanos = Duration.ofMinutes(30).toNanos();
    c.reportTimeoutNanos = Duration.ofSeconds(10).toNanos();
    c.channelsBeforeBareCut = CHANNELS_BEFORE_BARE_CUT;
    return c.settings();
  }

  /** The same, with a checkpoint at every {@code interval}; {@link Duration#ZERO} for none. */
  public EpochSettings withInterval(Duration interval) {
    return with(c -> c.intervalNanos = interval.toNanos());
  }

  /** The same, with a checkpoint every {@code safePoints} safe points; 0 for none. */
  public EpochSettings withEverySafePoints(long safePoints) {
    return with(c -> c.everySafePoints = safePoints);
  }

  /**
   * The same, with other times between two steps of the agent (while nothing is pending, while
   * ranks wait for each other's agents, while it waits for disks or for the application), and
   * between two looks for an operator's request.
   */
  public EpochSettings withPaces(Duration idle, Duration fast, Duration wait, Duration poll) {
    return with(
        c -> {
          c.idlePaceNanos = idle.toNanos();
          c.fastPaceNanos = fast.toNanos();
          c.waitPaceNanos = wait.toNanos();
          c.requestPollNanos = poll.toNanos();
        });
  }

  /** The same, with other limits on what an epoch waits for. */
  public EpochSettings withTimeouts(
      Duration cut, Duration hold, Duration seal, Duration write, Duration report) {
    return with(
        c -> {
          c.cutTimeoutNanos = cut.toNanos();
          c.holdTimeoutNanos = hold.toNanos();
          c.sealTimeoutNanos = seal.toNanos();
          c.writeTimeoutNanos = write.toNanos();
          c.reportTimeoutNanos = report.toNanos();
        });
  }

  /** The same, leaving late messages to the application for {@code delay}. */
  public EpochSettings withDrainDelay(Duration delay) {
    return with(c -> c.drainDelayNanos = delay.toNanos());
  }

  /**
   * The same, for ranks that reach safe points different numbers of times: each cuts at its next
   * one, and its sends and collectives wait for the other ranks' cuts, for {@code limit} at most.
   */
  public EpochSettings withFreeRanks(Duration limit) {
    return with(
        c -> {
          c.free = true;
          c.holdLimitNanos = limit.toNanos();
        });
  }

  /** The same, with bare cuts when a rank remembers more than {@code channels}. */
  public EpochSettings withChannelsBeforeBareCut(long channels) {
    return with(c -> c.channelsBeforeBareCut = channels);
  }

  private EpochSettings with(Consumer<Copy> change) {
    Copy copy = new Copy();
    copy.intervalNanos = intervalNanos;
    copy.everySafePoints = everySafePoints;
    copy.idlePaceNanos = idlePaceNanos;
    copy.fastPaceNanos = fastPaceNanos;
    copy.waitPaceNanos = waitPaceNanos;
    copy.requestPollNanos = requestPollNanos;
    copy.cutTimeoutNanos = cutTimeoutNanos;
    copy.holdTimeoutNanos = holdTimeoutNanos;
    copy.drainDelayNanos = drainDelayNanos;
    copy.sealTimeoutNanos = sealTimeoutNanos;
    copy.writeTimeoutNanos = writeTimeoutNanos;
    copy.reportTimeoutNanos = reportTimeoutNanos;
    copy.free = free;
    copy.holdLimitNanos = holdLimitNanos;
    copy.channelsBeforeBareCut = channelsBeforeBareCut;
    change.accept(copy);
    return copy.settings();
  }

  private static void notNegative(String name, long value) {
    if (value < 0) {
      throw new IllegalArgumentException(name + " must not be negative: " + value);
    }
  }

  /** The components by name, for whoever changes some of them. */
  private static final class Copy {
    private long intervalNanos;
    private long everySafePoints;
    private long idlePaceNanos;
    private long fastPaceNanos;
    private long waitPaceNanos;
    private long requestPollNanos;
    private long cutTimeoutNanos;
    private long holdTimeoutNanos;
    private long drainDelayNanos;
    private long sealTimeoutNanos;
    private long writeTimeoutNanos;
    private long reportTimeoutNanos;
    private boolean free;
    private long holdLimitNanos;
    private long channelsBeforeBareCut;

    EpochSettings settings() {
      return new EpochSettings(
          intervalNanos,
          everySafePoints,
          idlePaceNanos,
          fastPaceNanos,
          waitPaceNanos,
          requestPollNanos,
          cutTimeoutNanos,
          holdTimeoutNanos,
          drainDelayNanos,
          sealTimeoutNanos,
          writeTimeoutNanos,
          reportTimeoutNanos,
          free,
          holdLimitNanos,
          channelsBeforeBareCut);
    }
  }
}

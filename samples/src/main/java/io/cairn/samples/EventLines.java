// SPDX-License-Identifier: Apache-2.0
package io.cairn.samples;

import io.cairn.api.CheckpointListener;
import java.util.concurrent.TimeUnit;

/**
 * Tells of every epoch on this rank's standard error, a line each, for programs to read.
 *
 * <pre>
 * Line --> "event" Kind "rank="Number (Name"="Number)* ("reason="Text)?
 * Kind --> "cut" | "captured" | "committed" | "abandoned" | "restored"
 * </pre>
 */
public final class EventLines implements CheckpointListener {

  private final int rank;

  public EventLines(int rank) {
    this.rank = rank;
  }

  @Override
  public void beforeCut(CutEvent event) {
    print("cut rank=%d epoch=%d safepoint=%d", rank, event.epoch(), event.safePoint());
  }

  @Override
  public void captured(CapturedEvent event) {
    print(
        "captured rank=%d epoch=%d safepoint=%d pauseMicros=%d bytes=%d",
        rank,
        event.epoch(),
        event.safePoint(),
        TimeUnit.NANOSECONDS.toMicros(event.pauseNanos()),
        event.capturedBytes());
  }

  @Override
  public void committed(CommittedEvent event) {
    print(
        "committed rank=%d epoch=%d safepoint=%d bytes=%d late=%d durableMicros=%d",
        rank,
        event.epoch(),
        event.safePoint(),
        event.imageBytes(),
        event.lateMessages(),
        TimeUnit.NANOSECONDS.toMicros(event.durableNanos()));
  }

  @Override
  public void abandoned(AbandonedEvent event) {
    print(
        "abandoned rank=%d epoch=%d reason=%s",
        rank, event.epoch(), event.reason().replace('\n', ' '));
  }

  @Override
  public void restored(RestoredEvent event) {
    print(
        "restored rank=%d generation=%d epoch=%d safepoint=%d bytes=%d queued=%d",
        rank,
        event.generation(),
        event.epoch(),
        event.safePoint(),
        event.restoredBytes(),
        event.queuedMessages());
  }

  /** In one piece, so that the lines of several ranks don't mix. */
  private static void print(String format, Object... values) {
    System.err.print("event " + String.format(format, values) + "\n");
    System.err.flush();
  }
}

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
    print("cut rank=%d epoch=%d safepoint=%d".formatted(rank, event.epoch(), event.safePoint()));
  }

  @Override
  public void captured(CapturedEvent event) {
    print(
        "captured rank=%d epoch=%d safepoint=%d pauseMicros=%d"
            .formatted(
                rank,
                event.epoch(),
                event.safePoint(),
                TimeUnit.NANOSECONDS.toMicros(event.pauseNanos())));
  }

  @Override
  public void committed(CommittedEvent event) {
    print(
        "committed rank=%d epoch=%d safepoint=%d pauseMicros=%d bytes=%d late=%d drained=%d durableMicros=%d heldMicros=%d"
            .formatted(
                rank,
                event.epoch(),
                event.safePoint(),
                TimeUnit.NANOSECONDS.toMicros(event.pauseNanos()),
                event.imageBytes(),
                event.lateMessages(),
                event.drainedMessages(),
                TimeUnit.NANOSECONDS.toMicros(event.durableNanos()),
                TimeUnit.NANOSECONDS.toMicros(event.heldNanos())));
  }

  @Override
  public void abandoned(AbandonedEvent event) {
    print(
        "abandoned rank=%d epoch=%d reason=%s"
            .formatted(rank, event.epoch(), event.reason().replace('\n', ' ')));
  }

  @Override
  public void restored(RestoredEvent event) {
    print(
        "restored rank=%d generation=%d epoch=%d safepoint=%d bytes=%d queued=%d"
            .formatted(
                rank,
                event.generation(),
                event.epoch(),
                event.safePoint(),
                event.restoredBytes(),
                event.queuedMessages()));
  }

  /** In one piece, so that the lines of several ranks don't mix. */
  private static void print(String line) {
    System.err.print("event " + line + "\n");
    System.err.flush();
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import io.cairn.api.CheckpointListener;
import io.cairn.api.CheckpointListener.AbandonedEvent;
import io.cairn.api.CheckpointListener.CapturedEvent;
import io.cairn.api.CheckpointListener.CommittedEvent;
import io.cairn.api.CheckpointListener.CutEvent;
import io.cairn.api.CheckpointListener.RestoredEvent;
import io.cairn.coordinate.EpochEvents;
import io.cairn.coordinate.EpochReport;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/** Passes epochs' events on to the program's listeners, on the application's thread. */
final class EpochListeners implements EpochEvents {

  private final List<CheckpointListener> listeners = new CopyOnWriteArrayList<>();
  private final EpochLogger log;

  EpochListeners(EpochLogger log) {
    this.log = log;
  }

  void add(CheckpointListener listener) {
    listeners.add(listener);
  }

  /** An exception of any listener gives the epoch up. */
  @Override
  public void beforeCut(long epoch, long safePoint) throws Exception {
    CutEvent event = new CutEvent(epoch, safePoint);
    for (CheckpointListener listener : listeners) {
      listener.beforeCut(event);
    }
  }

  @Override
  public void captured(long epoch, long safePoint, long pauseNanos) {
    CapturedEvent event = new CapturedEvent(epoch, safePoint, pauseNanos);
    tell(listener -> listener.captured(event));
  }

  @Override
  public void committed(EpochReport report) {
    CommittedEvent event =
        new CommittedEvent(
            report.epoch(),
            report.safePoint(),
            report.pauseNanos(),
            report.bytes(),
            report.lateMessages(),
            report.drainedMessages(),
            report.durableNanos(),
            report.heldNanos());
    tell(listener -> listener.committed(event));
  }

  @Override
  public void abandoned(EpochReport report) {
    AbandonedEvent event = new AbandonedEvent(report.epoch(), report.reason());
    tell(listener -> listener.abandoned(event));
  }

  void restored(RestoredEvent event) {
    tell(listener -> listener.restored(event));
  }

  /** What has happened can't be undone by an exception, and concerns the other listeners too. */
  private void tell(Consumer<CheckpointListener> event) {
    for (CheckpointListener listener : listeners) {
      try {
        event.accept(listener);
      } catch (RuntimeException e) {
        log.warning("a checkpoint listener threw: " + e, e);
      }
    }
  }
}

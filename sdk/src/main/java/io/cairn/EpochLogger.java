// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import io.cairn.api.CairnOptions.LogLevel;
import io.cairn.api.CheckpointListener.RestoredEvent;
import io.cairn.coordinate.AutomaticInterval;
import io.cairn.coordinate.BareCutReport;
import io.cairn.coordinate.EpochLog;
import io.cairn.coordinate.EpochReport;
import io.cairn.image.EpochId;
import io.cairn.tier.Tier;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;

/**
 * Says in the log {@code io.cairn} how epochs end. What all ranks know, rank 0 says; unless the
 * user wants to hear all.
 */
final class EpochLogger implements EpochLog {

  private static final System.Logger LOGGER = System.getLogger("io.cairn");

  private final boolean speaks;
  private final boolean informs;
  private final boolean tellsAll;
  private final int rank;
  private final Supplier<String> warnings;

  /**
   * Says what all ranks know on rank 0.
   *
   * @param warnings asked after each commit for what else there is to say; null if nothing
   */
  EpochLogger(LogLevel level, int rank, Supplier<String> warnings) {
    this.rank = rank;
    this.warnings = warnings;
    speaks = rank == 0 || level == LogLevel.VERBOSE;
    informs = speaks && level != LogLevel.QUIET;
    tellsAll = level == LogLevel.VERBOSE;
  }

  @Override
  public void settled(EpochReport report) {
    if (!report.committed()) {
      if (speaks) {
        LOGGER.log(
            Level.WARNING,
            "epoch "
                + report.epoch()
                + " abandoned: "
                + report.reason()
                + "; the program goes on, the last committed epoch stays");
      }
    } else if (informs) {
      LOGGER.log(
          Level.INFO,
          String.format(
              Locale.ROOT,
              "epoch %d committed at safe point %d: paused %.1f ms%s, %,d bytes, durable after %.0f ms, %d late messages (%d drained)%s",
              report.epoch(),
              report.safePoint(),
              report.pauseNanos() / 1e6,
              report.callbackNanos() == 0
                  ? ""
                  : String.format(
                      Locale.ROOT, " (callbacks %.1f ms)", report.callbackNanos() / 1e6),
              report.bytes(),
              report.durableNanos() / 1e6,
              report.lateMessages(),
              report.drainedMessages(),
              report.heldNanos() == 0
                  ? ""
                  : String.format(
                      Locale.ROOT, ", calls held for %.0f ms", report.heldNanos() / 1e6)));
    }
    String warning = report.committed() ? warnings.get() : null;
    if (warning != null) {
      warning(warning, null);
    }
  }

  @Override
  public void bareCut(BareCutReport report) {
    if (!tellsAll) {
      return;
    }
    LOGGER.log(
        Level.INFO,
        String.format(
            Locale.ROOT,
            "rank %d: bare cut %d %s: %,d channels before, %,d after, %.1f ms, of which %.1f ms of work%s",
            rank,
            report.number(),
            report.committed() ? "committed" : "abandoned",
            report.channelsBefore(),
            report.channelsAfter(),
            report.nanos() / 1e6,
            report.workNanos() / 1e6,
            report.committed() ? "" : "; " + report.reason()));
  }

  @Override
  public void warning(String text, Throwable cause) {
    LOGGER.log(Level.WARNING, "rank " + rank + ": " + text, cause);
  }

  /** How this rank's images are stored, and why. */
  void stored(String choice) {
    if (tellsAll) {
      LOGGER.log(Level.INFO, "rank " + rank + ": " + choice);
    }
  }

  /** How much time passes between epochs, and why. */
  void chosen(AutomaticInterval.Choice interval) {
    if (informs) {
      LOGGER.log(Level.INFO, interval.describe());
    }
  }

  /** How often a tier protects an epoch, and why. */
  void chosen(Tier tier, String choice) {
    if (informs) {
      LOGGER.log(Level.INFO, "the " + tier.word() + " tier " + choice);
    }
  }

  void restored(RestoredEvent event, long generation) {
    if (informs) {
      LOGGER.log(
          Level.INFO,
          "generation %d continues from epoch %d of generation %d, safe point %d, %d messages queued"
              .formatted(
                  generation,
                  event.epoch(),
                  event.generation(),
                  event.safePoint(),
                  event.queuedMessages()));
    }
  }

  void fresh(long generation, Path directory) {
    if (informs) {
      LOGGER.log(Level.INFO, "generation %d starts afresh in %s".formatted(generation, directory));
    }
  }

  void sharedIsOut(String problem) {
    if (rank == 0) {
      LOGGER.log(
          Level.WARNING,
          "the shared tier is left out in this launch, as its directory can't be used: " + problem);
    }
  }

  /** What slower tiers can't do. */
  void shortcomings(List<String> texts) {
    if (rank == 0) {
      texts.forEach(text -> LOGGER.log(Level.WARNING, text));
    }
  }

  void isProtected(Tier tier, EpochId epoch, double seconds) {
    if (informs) {
      LOGGER.log(
          Level.INFO,
          String.format(
              Locale.ROOT,
              "%s is protected by the %s tier, after %.1f s",
              epoch,
              tier.word(),
              seconds));
    }
  }

  void notProtected(Tier tier, EpochId epoch, Exception failure) {
    if (speaks) {
      LOGGER.log(
          Level.WARNING,
          "%s could not be protected by the %s tier: %s; it stays as it was"
              .formatted(epoch, tier.word(), failure.getMessage()));
    }
  }

  /** Which images were not where their ranks run. */
  void recovered(List<String> texts) {
    if (informs) {
      texts.forEach(text -> LOGGER.log(Level.INFO, text));
    }
  }

  /** Newer epochs were there and could not be used. */
  void fallenBack(List<String> reasons) {
    if (speaks) {
      for (String reason : reasons) {
        LOGGER.log(Level.WARNING, "not restored: " + reason);
      }
    }
  }
}

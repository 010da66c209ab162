// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import java.util.Locale;

/**
 * Whether the writes to one region are noticed: they are if the faults and scans that this takes
 * cost the application less than it is worth not to copy and store the other pages. Kept from cut
 * to cut.
 *
 * <pre>
 * RESTING -> GUESSING            [decide, after a pause]
 * GUESSING -> NOTICING | RESTING [decide, by what was written of the part that was looked at]
 * NOTICING -> RESTING            [decide, when it doesn't pay any more]
 * </pre>
 */
final class PageChoice {
  /** What is noticed from a cut on. */
  enum State {
    /** Nothing. */
    RESTING,
    /** The writes to a part of the region. */
    GUESSING,
    /** All writes. */
    NOTICING
  }

  /** The other choice must be better by this factor. */
  static final double MARGIN = 1.25;

  // Cuts from one guess to the next, while they say no.
  static final int FIRST_PAUSE = 2;
  static final int LONGEST_PAUSE = 64;

  private static final double MEMORY = 3;

  private final PageMode mode;
  private State state = State.RESTING;
  private int pause = FIRST_PAUSE;
  private int rested = FIRST_PAUSE;
  private double writtenShare = -1; // of the pages, an average over some cuts
  private double scanNanosPerPage;
  private boolean told;
  private boolean toldNoticing;

  PageChoice(PageMode mode) {
    this.mode = mode;
  }

  State state() {
    return state;
  }

  /**
   * What came out since the last cut; not to be called while nothing was noticed.
   *
   * @param watchedPages how many were looked at
   * @param writtenPages how many of these were written
   * @param scanNanos how long it took to find them
   */
  void found(long watchedPages, long writtenPages, long scanNanos) {
    double share = (double) writtenPages / Math.max(1, watchedPages);
    double scan = (double) scanNanos / Math.max(1, watchedPages);
    boolean first = writtenShare < 0 || state == State.GUESSING;
    writtenShare = first ? share : writtenShare + (share - writtenShare) / MEMORY;
    scanNanosPerPage = first ? scan : scanNanosPerPage + (scan - scanNanosPerPage) / MEMORY;
  }

  /** At a cut: what to do from here on. */
  State decide(PageCosts costs, long pageBytes) {
    if (mode != PageMode.AUTO) {
      state = mode == PageMode.WRITTEN ? State.NOTICING : State.RESTING;
      return state;
    }
    switch (state) {
      case RESTING -> {
        if (rested >= pause) {
          state = State.GUESSING;
        } else {
          rested++;
        }
      }
      case GUESSING -> {
        if (saves(costs, pageBytes) > MARGIN * takes(costs)) {
          state = State.NOTICING;
        } else {
          boolean again = writtenShare >= 0;
          rest(again ? Math.min(2 * pause, LONGEST_PAUSE) : pause);
        }
      }
      case NOTICING -> {
        if (saves(costs, pageBytes) * MARGIN < takes(costs)) {
          rest(FIRST_PAUSE);
        }
      }
    }
    return state;
  }

  private void rest(int cuts) {
    state = State.RESTING;
    pause = cuts;
    rested = 0;
  }

  /** Nanoseconds of the application for each page of the region. */
  private double takes(PageCosts costs) {
    return scanNanosPerPage + writtenShare * costs.faultNanos();
  }

  private double saves(PageCosts costs, long pageBytes) {
    return (1 - writtenShare) * pageBytes * costs.worthOfByte();
  }

  /** The system refuses to tell: as if it had been tried in vain. */
  void refused() {
    rest(Math.min(2 * pause, LONGEST_PAUSE));
  }

  /** Whether there is something new to be said of it since this was last asked. */
  boolean hasNews() {
    if (state == State.GUESSING || (mode == PageMode.AUTO && writtenShare < 0)) {
      return false;
    }
    boolean noticing = state == State.NOTICING;
    boolean news = !told || toldNoticing != noticing;
    told = true;
    toldNoticing = noticing;
    return news;
  }

  /** What was chosen, and why. */
  String describe(PageCosts costs, long pages, long pageBytes) {
    String what = state == State.NOTICING ? "written pages only" : "all pages";
    if (mode != PageMode.AUTO) {
      return what + ", as cairn.pages=" + mode.name().toLowerCase(Locale.ROOT) + " says";
    }
    return String.format(
        Locale.ROOT,
        "%s: %.1f%% of %,d were written from cut to cut; to notice that takes %.1f ms (%.0f ns for"
            + " a page that is written), and to leave the others out is worth %.1f ms",
        what,
        100 * writtenShare,
        pages,
        takes(costs) * pages / 1e6,
        costs.faultNanos(),
        saves(costs, pageBytes) * pages / 1e6);
  }
}

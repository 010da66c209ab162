// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import io.cairn.capture.PageChoice.State;
import java.util.function.LongSupplier;

/**
 * The written pages of one region, from cut to cut. What was written up to a cut counts until an
 * image of that cut, or of a later one, is committed; so that the pages of an abandoned epoch are
 * in the next one. Application's thread.
 */
final class RegionPages implements AutoCloseable {
  /** One of so many stretches is looked at for a guess. */
  static final int GUESSED_PART = 16;

  private static final long SMALL_BYTES = 32L << 20;

  private static final int RUNS = 512;

  private final Registry.RegionEntry entry;
  private final WrittenPages.Region region;
  private final PageChoice choice;
  private final PageCosts costs;
  private final long pageBytes;
  private final LongSupplier nanoClock;
  private final long[] bounds = new long[2 * RUNS];
  private int runs;
  private int run;
  private boolean lastRuns;
  private boolean known;
  private long from;
  private long to;

  RegionPages(
      Registry.RegionEntry entry,
      WrittenPages.Region region,
      PageChoice choice,
      PageCosts costs,
      long pageBytes,
      LongSupplier nanoClock) {
    this.entry = entry;
    this.region = region;
    this.choice = choice;
    this.costs = costs;
    this.pageBytes = pageBytes;
    this.nanoClock = nanoClock;
  }

  /**
   * A cut: finds what was written, and decides what is noticed from here on.
   *
   * @param saved whether the image of the last cut is committed
   */
  void cut(boolean saved) {
    State before = choice.state();
    long begin = nanoClock.getAsLong();
    known = false;
    if (before != State.RESTING) {
      if (saved) {
        region.clear();
      }
      long written = region.scan();
      if (!region.problem().isEmpty()) {
        choice.refused();
      } else if (saved) {
        // Else it is counted from the cut before.
        choice.found(region.watchedPages(), written, nanoClock.getAsLong() - begin);
      }
      known = before == State.NOTICING;
    }
    State now = choice.decide(costs, pageBytes);
    if (now == before) {
      return;
    }
    known &= now == State.NOTICING;
    region.end();
    if (now != State.RESTING && !region.begin(now == State.NOTICING ? 1 : part())) {
      choice.refused();
    }
  }

  // A small region is looked at as a whole.
  private int part() {
    return region.pageCount() * pageBytes < SMALL_BYTES ? 1 : GUESSED_PART;
  }

  /** Whether anything is known to be unwritten as of the last cut: else all counts as written. */
  boolean known() {
    return known;
  }

  /** Begins to go through the runs of bytes that were written. */
  void rewind() {
    from = 0;
    to = 0;
    runs = 0;
    run = 0;
    lastRuns = false;
  }

  /** The bytes of all runs. */
  long lengthBytes() {
    rewind();
    long bytes = 0;
    while (next()) {
      bytes += to - from;
    }
    return bytes;
  }

  /** Goes to the next run; false if there is none. */
  boolean next() {
    from = writtenFrom(to);
    if (from == entry.lengthBytes()) {
      return false;
    }
    to = endOf(from);
    while (to < entry.lengthBytes()) {
      long other = writtenFrom(to);
      // A page between two runs is as cheap to copy as to name.
      if (other == entry.lengthBytes() || other - to > pageBytes) {
        break;
      }
      to = endOf(other);
    }
    return true;
  }

  /** Where the run begins, in bytes from the region's start. */
  long from() {
    return from;
  }

  /** Where it ends. */
  long to() {
    return to;
  }

  /**
   * The first byte from {@code at} on that may have been written, or the region's length. Bytes of
   * pages that are not wholly the region's always may.
   */
  private long writtenFrom(long at) {
    long first = region.firstAddress() - entry.address();
    long pages = region.pageCount();
    if (at < first) {
      return at;
    }
    long page = (at - first) / pageBytes;
    long written = page < pages ? nextRun(page) : page;
    return Math.min(entry.lengthBytes(), Math.max(at, first + written * pageBytes));
  }

  /** The end of the written bytes that begin where {@link #writtenFrom} has just said. */
  private long endOf(long begin) {
    long first = region.firstAddress() - entry.address();
    if (begin < first) {
      return first;
    }
    boolean behind = (begin - first) / pageBytes >= region.pageCount();
    return behind ? entry.lengthBytes() : first + bounds[2 * run + 1] * pageBytes;
  }

  /** The first page that was written of {@code page} and those after it. */
  private long nextRun(long page) {
    while (true) {
      while (run < runs && bounds[2 * run + 1] <= page) {
        run++;
      }
      if (run < runs) {
        return Math.max(page, bounds[2 * run]);
      }
      if (lastRuns) {
        return region.pageCount();
      }
      runs = region.runs(page, bounds);
      run = 0;
      lastRuns = runs < RUNS;
    }
  }

  /** Whether no writes to it are noticed at present. */
  boolean rests() {
    return choice.state() == State.RESTING;
  }

  boolean hasNews() {
    return choice.hasNews();
  }

  String describe() {
    String problem = region.problem();
    return entry.describe()
        + ": "
        + choice.describe(costs, region.pageCount(), pageBytes)
        + (problem.isEmpty() ? "" : " (" + problem + ")");
  }

  @Override
  public void close() {
    region.close();
  }
}

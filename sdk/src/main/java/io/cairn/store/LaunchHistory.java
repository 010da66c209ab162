// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import io.cairn.image.CorruptImageException;
import io.cairn.image.FileOperations;
import io.cairn.image.StateFile;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Comparator;

/**
 * How the launches of a job have ended, and how long they computed: what its mean time between
 * failures is estimated from. Durations by clocks that nobody sets, so that it doesn't matter what
 * the nodes think the time is.
 *
 * <pre>
 * none | ended --&gt; running [begun] --&gt; running [computed] --&gt; ended [ended]
 * running --&gt; running, one failure more [begun]
 * </pre>
 *
 * A file {@value #FILE} in each store has the fields generation, state, failures, node-losses,
 * computed-ms.
 *
 * @param generation of the newest launch that has begun to compute
 * @param running whether that launch has not come to its end
 * @param failures launches before it that did not come to their end
 * @param nodeLosses those of them after which images had to be recovered from other stores
 * @param computedMillis how long all launches have computed, as far as that was noted
 */
public record LaunchHistory(
    long generation, boolean running, long failures, long nodeLosses, long computedMillis) {

  static final String FILE = "history";

  /** Of a job that is new, or whose history is lost. */
  public static final LaunchHistory NONE = new LaunchHistory(0, false, 0, 0, 0);

  private static final String RUNNING = "running";
  private static final String ENDED = "ended";

  // More makes no sense, and adds up without overflow.
  private static final long MOST_FAILURES = 1_000_000_000;
  private static final long MOST_MILLIS = 1_000_000_000_000L;

  /** Stores may have missed the last notes, or launches: this is about which knows most. */
  static final Comparator<LaunchHistory> BY_KNOWLEDGE =
      Comparator.comparingLong(LaunchHistory::generation)
          .thenComparing(h -> !h.running)
          .thenComparingLong(LaunchHistory::computedMillis)
          .thenComparingLong(LaunchHistory::failures)
          .thenComparingLong(LaunchHistory::nodeLosses);

  /**
   * A launch begins to compute; if the last one is still running as far as is known, it failed.
   *
   * @param recovered whether images had to be recovered from other stores
   */
  LaunchHistory begun(long newGeneration, boolean recovered) {
    return new LaunchHistory(
        newGeneration,
        true,
        Math.min(MOST_FAILURES, failuresSeen()),
        Math.min(MOST_FAILURES, nodeLosses + (running && recovered ? 1 : 0)),
        computedMillis);
  }

  /** Failures of which a launch that begins now knows. */
  long failuresSeen() {
    return failures + (running ? 1 : 0);
  }

  /** The launch has computed for so much longer. */
  LaunchHistory computed(long moreMillis) {
    return new LaunchHistory(
        generation,
        running,
        failures,
        nodeLosses,
        Math.min(MOST_MILLIS, computedMillis + moreMillis));
  }

  /** The launch has come to its end. */
  LaunchHistory ended() {
    return new LaunchHistory(generation, false, failures, nodeLosses, computedMillis);
  }

  byte[] toBytes() {
    return StateFile.builder(FILE)
        .field("generation", generation)
        .field("state", running ? RUNNING : ENDED)
        .field("failures", failures)
        .field("node-losses", nodeLosses)
        .field("computed-ms", computedMillis)
        .toBytes();
  }

  /**
   * Reads a store's history; {@link #NONE} if it has none.
   *
   * @throws CorruptImageException if the file is damaged
   */
  static LaunchHistory read(FileOperations files, Path directory) throws IOException {
    StateFile in;
    try {
      in = StateFile.read(files, directory.resolve(FILE), FILE);
    } catch (NoSuchFileException e) {
      return NONE;
    }
    long generation = in.number("generation", 1, Long.MAX_VALUE - 1);
    String state = in.text("state");
    if (!state.equals(RUNNING) && !state.equals(ENDED)) {
      throw in.invalid("state", state, RUNNING + " or " + ENDED);
    }
    LaunchHistory history =
        new LaunchHistory(
            generation,
            state.equals(RUNNING),
            in.number("failures", 0, MOST_FAILURES),
            // Not there in files of releases that didn't count them.
            in.hasNext("node-losses") ? in.number("node-losses", 0, MOST_FAILURES) : 0,
            in.number("computed-ms", 0, MOST_MILLIS));
    in.end();
    return history;
  }

  /** For the other ranks. */
  String toText() {
    return "%d %b %d %d %d".formatted(generation, running, failures, nodeLosses, computedMillis);
  }

  static LaunchHistory ofText(String text) {
    String[] parts = text.split(" ", -1);
    return new LaunchHistory(
        Long.parseLong(parts[0]),
        Boolean.parseBoolean(parts[1]),
        Long.parseLong(parts[2]),
        Long.parseLong(parts[3]),
        Long.parseLong(parts[4]));
  }
}

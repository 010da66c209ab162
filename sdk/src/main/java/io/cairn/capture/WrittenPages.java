// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import java.util.Optional;

/**
 * Which pages of the program's memory were written since it was last asked, as far as the system
 * tells. In doubt a page counts as written. Application's thread.
 */
public interface WrittenPages extends AutoCloseable {

  /** Where every page always counts as written. */
  WrittenPages NONE =
      new WrittenPages() {
        @Override
        public boolean available() {
          return false;
        }

        @Override
        public String describe() {
          return "nothing tells which pages were written";
        }

        @Override
        public void mayAsk(long[] bounds) {}

        @Override
        public Region region(long address, long lengthBytes) {
          throw new IllegalStateException(describe());
        }

        @Override
        public Optional<String> unnoticed() {
          return Optional.empty();
        }

        @Override
        public void beginCut() {}

        @Override
        public void endCut() {}

        @Override
        public void close() {}
      };

  /** Whether the system tells anything. */
  boolean available();

  /** How it tells, or why it doesn't. */
  String describe();

  /**
   * Says which memory may be asked about from now on, for writes that don't come from this
   * process's own instructions.
   *
   * @param bounds pairs of the first address and the first one after
   */
  void mayAsk(long[] bounds);

  /** The whole pages inside a piece of memory. Nothing is noticed yet. */
  Region region(long address, long lengthBytes);

  /** What may write to this process's memory without being noticed, such as a GPU, if anything. */
  Optional<String> unnoticed();

  /** A cut begins: before the first {@link Region#scan}. */
  void beginCut();

  /** A cut ends: after the last {@link Region#scan} and {@link Region#begin}. */
  void endCut();

  @Override
  void close();

  /** Some memory. Closed before what it is of. */
  interface Region extends AutoCloseable {

    /**
     * Notices writes from here on. Until {@link #clear} every page counts as written.
     *
     * @param every looks only at one of so many stretches of pages, for a guess; then all others
     *     count as written for ever
     * @return false if that isn't possible: see {@link #problem}
     */
    boolean begin(int every);

    /** Notices no more writes, and makes them cost nothing. Every page counts as written. */
    void end();

    /**
     * Adds what was written since the last time to what counts as written; returns how many pages
     * that were, all if it isn't known.
     */
    long scan();

    /** What counted as written is saved. */
    void clear();

    /** Pages that are looked at. */
    long watchedPages();

    /** All of its pages. */
    long pageCount();

    /** Where the first one begins. */
    long firstAddress();

    /** Why the last {@link #begin} or {@link #scan} couldn't do better; empty if it could. */
    String problem();

    /**
     * The runs of written pages from page {@code from} on, as pairs of the first page and the first
     * one after; returns the number of pairs, as many as there is room for.
     */
    int runs(long from, long[] bounds);

    @Override
    void close();
  }
}

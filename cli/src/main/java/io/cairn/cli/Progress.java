// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.image.CorruptImageException;
import io.cairn.image.ImageReader;
import io.cairn.image.Section;
import java.io.IOException;
import java.io.PrintStream;
import java.util.function.BiConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarConsumer;
import me.tongfei.progressbar.ProgressBarStyle;

/** Shows how many bytes are read, to somebody at a terminal; to nobody else. */
final class Progress implements AutoCloseable {
  private static final long MEBIBYTE = 1 << 20;

  private final ProgressBar bar;
  private final Line line;

  private Progress(ProgressBar bar, Line line) {
    this.bar = bar;
    this.line = line;
  }

  /** Shows nothing. */
  static Progress none() {
    return new Progress(null, null);
  }

  /** Begins a bar, if there is a terminal and enough to read for it to be of use. */
  static Progress begin(Surroundings surroundings, String task, long totalBytes) {
    if (!surroundings.terminal()) {
      return none();
    }
    Line line = new Line(surroundings.err(), surroundings.columns());
    ProgressBar bar =
        new ProgressBarBuilder()
            .setTaskName(task)
            .setInitialMax(totalBytes)
            .setUnit(" MiB", MEBIBYTE)
            .setStyle(ProgressBarStyle.ASCII)
            .showSpeed()
            .setConsumer(line)
            .build();
    return new Progress(bar, line);
  }

  /** So many more bytes are read. */
  void advance(long bytes) {
    if (bar != null) {
      bar.stepBy(bytes);
    }
  }

  /**
   * Reads all of an image's blocks, and tells of each that is damaged.
   *
   * @param image just opened
   */
  void examine(ImageReader image, BiConsumer<Section, CorruptImageException> damage)
      throws IOException {
    // The rest was read when it was opened.
    advance(image.lengthBytes() - image.storedBytes());
    image.examine(
        new ImageReader.Examiner() {
          @Override
          public void read(long storedBytes) {
            advance(storedBytes);
          }

          @Override
          public void damaged(Section section, CorruptImageException found) {
            damage.accept(section, found);
          }
        });
  }

  /** Takes the bar away. */
  @Override
  public void close() {
    if (bar != null) {
      bar.close();
      // The library's thread may still have something to say; what follows is the result's place.
      line.end();
    }
  }

  /** One line that is written over and over. (The library's own asks a terminal library.) */
  private static final class Line implements ProgressBarConsumer {
    private final PrintStream err;
    private final int columns;
    private boolean ended;

    Line(PrintStream err, int columns) {
      this.err = err;
      this.columns = Math.max(columns, 20);
    }

    @Override
    public int getMaxRenderedLength() {
      return columns - 1;
    }

    @Override
    public synchronized void accept(String text) {
      if (!ended) {
        err.print("\r" + text);
        err.flush();
      }
    }

    @Override
    public void clear() {
      accept(" ".repeat(columns - 1));
    }

    @Override
    public void close() {
      // end() does it, on the caller's thread.
    }

    synchronized void end() {
      clear();
      accept("");
      ended = true;
    }
  }
}

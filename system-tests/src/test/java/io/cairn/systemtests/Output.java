// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/** What a job prints, line by line, with the time of each. */
final class Output {

  /**
   * A line.
   *
   * @param error whether it came on standard error
   * @param millis since the job was started
   */
  record Line(boolean error, long millis, String text) {
    @Override
    public String toString() {
      return "%6d %s %s".formatted(millis, error ? "!" : "|", text);
    }
  }

  private final long startNanos = System.nanoTime();
  private final List<Line> lines = new ArrayList<>();
  private final List<Thread> readers = new ArrayList<>();
  private int open;

  void follow(InputStream stream, boolean error) {
    synchronized (lines) {
      open++;
    }
    Thread reader = new Thread(() -> read(stream, error), error ? "stderr" : "stdout");
    reader.setDaemon(true);
    readers.add(reader);
    reader.start();
  }

  private void read(InputStream stream, boolean error) {
    try (BufferedReader in =
        new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
      for (String text = in.readLine(); text != null; text = in.readLine()) {
        synchronized (lines) {
          lines.add(new Line(error, millis(), text));
          lines.notifyAll();
        }
      }
    } catch (IOException e) {
      // The process was killed; what was read is all there is.
    } finally {
      synchronized (lines) {
        open--;
        lines.notifyAll();
      }
    }
  }

  long millis() {
    return TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startNanos);
  }

  List<Line> lines() {
    synchronized (lines) {
      return List.copyOf(lines);
    }
  }

  /** Waits until {@code count} lines match, or the output has ended, or the time is over. */
  Optional<Line> await(Predicate<String> wanted, int count, long timeoutMillis)
      throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
    synchronized (lines) {
      while (true) {
        int found = 0;
        for (Line line : lines) {
          if (wanted.test(line.text()) && ++found == count) {
            return Optional.of(line);
          }
        }
        long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
        if (open == 0 || left <= 0) {
          return Optional.empty();
        }
        lines.wait(left);
      }
    }
  }

  /** Waits until both streams have ended; false if something keeps them open. */
  boolean awaitEnd(long timeoutMillis) throws InterruptedException {
    for (Thread reader : readers) {
      reader.join(timeoutMillis);
      if (reader.isAlive()) {
        return false;
      }
    }
    return true;
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.capture.WrittenPages;
import io.cairn.natives.NativeWrittenPages;
import java.util.BitSet;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What a cut takes to find the pages of a region that were written since the last one, and to
 * notice writes to them anew. Beside it, a copy of the whole region into warm memory, which is what
 * it may save.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 5)
@Measurement(iterations = 15)
public class ScanBenchmark {

  @Param("256")
  int mebibytes;

  /** Of the pages, spread at random, in percent. */
  @Param({"0", "1", "100"})
  int written;

  private Memory memory;
  private Memory warm;
  private NativeWrittenPages tracker;
  private WrittenPages.Region region;
  private final SplittableRandom random = new SplittableRandom(1);
  private long expected;

  @Setup
  public void start() {
    memory = new Memory((long) mebibytes << 20);
    warm = new Memory((long) mebibytes << 20);
    memory.fill(Content.RANDOM, 1);
    tracker = new NativeWrittenPages();
    if (!tracker.available()) {
      throw new IllegalStateException(tracker.describe());
    }
    region = tracker.region(memory.address, memory.lengthBytes);
    if (!region.begin(1)) {
      throw new IllegalStateException(region.problem());
    }
    // A first write splits a huge page; later cuts find small ones.
    memory.fill(Content.RANDOM, 2);
    region.scan();
  }

  @Setup(Level.Invocation)
  public void write() {
    region.clear();
    int pages = (int) region.pageCount();
    expected = (long) pages * written / 100;
    BitSet chosen = new BitSet(pages);
    if (written == 100) {
      chosen.set(0, pages);
    }
    while (chosen.cardinality() < expected) {
      chosen.set(random.nextInt(pages));
    }
    long pageBytes = memory.pages.pageSizeBytes();
    chosen.stream()
        .forEach(
            page ->
                memory
                    .pages
                    .view(memory.address + page * pageBytes, Long.BYTES)
                    .putLong(0, random.nextLong()));
  }

  @TearDown
  public void stop() {
    region.close();
    tracker.close();
    memory.close();
    warm.close();
  }

  @Benchmark
  public void referenceCopy() {
    memory.copyTo(warm);
  }

  @Benchmark
  public void scan() {
    tracker.beginCut();
    long found = region.scan();
    tracker.endCut();
    if (found < expected) {
      throw new IllegalStateException(
          found + " of " + expected + " written pages were found " + region.problem());
    }
  }
}

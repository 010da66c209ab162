// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.image.DirectMode;
import io.cairn.image.EncodeMode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
 * An image of random bits, from memory to a synced file: past the page cache, and by way of it.
 * Beside each, the same bytes written and synced in the same way by nothing but writes.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 1)
@Measurement(iterations = 7)
public class WriteBenchmark {

  @Param("512")
  int mebibytes;

  @Param({"AUTO", "OFF"})
  DirectMode direct;

  private ImageFile image;
  private Path raw;

  @Setup
  public void start() throws IOException {
    image = new ImageFile((long) mebibytes << 20, Content.RANDOM, EncodeMode.FAST, direct);
    raw = image.directory.resolve("raw");
  }

  @TearDown(Level.Invocation)
  public void remove() throws IOException {
    image.remove();
    Files.deleteIfExists(raw);
  }

  @TearDown
  public void stop() throws IOException {
    image.close();
  }

  @Benchmark
  public void referenceWriteAndSync() throws IOException {
    Memory region = image.region;
    if (direct == DirectMode.OFF) {
      RawWrite.writeAndSync(region.pages, region.address, region.lengthBytes, raw);
    } else {
      RawWrite.writeDirectAndSync(region.pages, region.address, region.lengthBytes, raw);
    }
  }

  @Benchmark
  public long writeImage() throws IOException {
    return image.write();
  }
}

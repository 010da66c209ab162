// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.image.EncodeMode;
import java.io.IOException;
import java.nio.file.Files;
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
 * From the beginning of the capture to a synced image. Beside it, the same bytes written as they
 * are, and synced.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 1)
@Measurement(iterations = 5)
public class ImageWriteBenchmark {

  @Param({"64", "512"})
  int mebibytes;

  @Param Content content;

  @Param({"AUTO", "FAST", "SMALL"})
  EncodeMode encode;

  /** Megabytes (of 2^20 bytes) a second that the image may take; 0 for no limit. */
  @Param("0")
  int bandwidth;

  private CaptureRig rig;

  @Setup
  public void start() throws IOException {
    rig = new CaptureRig((long) mebibytes << 20, content, encode, (long) bandwidth << 20);
  }

  @TearDown(Level.Invocation)
  public void remove() throws IOException {
    rig.remove();
    Files.deleteIfExists(rig.directory.resolve("raw"));
  }

  @TearDown
  public void stop() throws IOException {
    rig.close();
  }

  @Benchmark
  public void referenceWriteAndSync() throws IOException {
    RawWrite.writeAndSync(
        rig.region.pages, rig.region.address, rig.region.lengthBytes, rig.directory.resolve("raw"));
  }

  @Benchmark
  public void captureAndWriteImage() throws Exception {
    CaptureRig.seal(rig.capture());
  }
}

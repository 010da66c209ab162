// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.coordinate.Capture.PendingImage;
import java.io.IOException;
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
 * What the application waits for at a cut: its region is copied into the staging pool, on the one
 * core that it has, before the writer begins. Beside it, a copy of the same bytes into warm memory.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(2)
@Warmup(iterations = 2)
@Measurement(iterations = 7)
public class CaptureBenchmark {

  @Param("256")
  int mebibytes;

  private CaptureRig rig;
  private Memory warm;
  private PendingImage image;

  @Setup
  public void start() throws IOException {
    rig = new CaptureRig((long) mebibytes << 20, Content.RANDOM);
    warm = new Memory((long) mebibytes << 20);
  }

  /** The writer is idle again before the next one begins. */
  @TearDown(Level.Invocation)
  public void discard() throws Exception {
    if (image != null) {
      CaptureRig.seal(image);
      image = null;
      rig.remove();
    }
  }

  @TearDown
  public void stop() throws IOException {
    rig.close();
    warm.close();
  }

  @Benchmark
  public void referenceCopy() {
    rig.region.copyTo(warm);
  }

  @Benchmark
  public void capture() throws Exception {
    image = rig.capture();
  }
}

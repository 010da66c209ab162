// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.image.ImageHeader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** What is done with each block of an image. Beside it, a copy of that block. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 500, timeUnit = TimeUnit.MILLISECONDS)
public abstract class OneBlock {

  final ByteBuffer block =
      ByteBuffer.allocateDirect(ImageHeader.DEFAULT_BLOCK_BYTES).order(ByteOrder.LITTLE_ENDIAN);
  private final ByteBuffer copy = ByteBuffer.allocateDirect(ImageHeader.DEFAULT_BLOCK_BYTES);

  @Setup
  public void fill() {
    Content.RANDOM.fill(block, 1);
  }

  @Benchmark
  public ByteBuffer referenceCopy() {
    return copy.put(0, block, 0, block.capacity());
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.image.OffHeap;
import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import net.openhft.chronicle.bytes.BytesIn;
import net.openhft.chronicle.bytes.BytesMarshallable;
import net.openhft.chronicle.bytes.BytesOut;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
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
 * A callback that writes particles field by field, as the capture lets it. Beside it, the same
 * doubles put into a direct buffer.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 500, timeUnit = TimeUnit.MILLISECONDS)
public class CallbackBenchmark {

  @Param("10000")
  int particles;

  private Particles state;
  private OffHeap memory;
  private ByteBuffer direct;

  /** Structure of arrays, as a solver has it. */
  private static final class Particles implements BytesMarshallable {
    final double[] x;
    final double[] v;

    Particles(int count) {
      x = new double[count];
      v = new double[count];
      for (int i = 0; i < count; i++) {
        x[i] = i;
        v[i] = -i;
      }
    }

    @Override
    public void writeMarshallable(BytesOut<?> out) {
      for (int i = 0; i < x.length; i++) {
        out.writeDouble(x[i]).writeDouble(v[i]);
      }
    }

    @Override
    public void readMarshallable(BytesIn<?> in) {
      for (int i = 0; i < x.length; i++) {
        x[i] = in.readDouble();
        v[i] = in.readDouble();
      }
    }
  }

  @Setup
  public void start() {
    Quiet.ensure();
    state = new Particles(particles);
    memory = new OffHeap(64 << 10);
    direct = ByteBuffer.allocateDirect(particles * 2 * Double.BYTES);
  }

  @TearDown
  public void stop() {
    memory.close();
  }

  @Benchmark
  public ByteBuffer referenceDirectBuffer() {
    direct.clear();
    for (int i = 0; i < particles; i++) {
      direct.putDouble(state.x[i]).putDouble(state.v[i]);
    }
    return direct;
  }

  @Benchmark
  public long callback() {
    memory.clear();
    state.writeMarshallable(memory.bytes());
    return memory.lengthBytes();
  }
}

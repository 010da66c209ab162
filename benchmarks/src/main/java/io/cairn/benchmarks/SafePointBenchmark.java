// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.coordinate.Agent;
import io.cairn.coordinate.EpochCoordinator;
import io.cairn.coordinate.EpochSettings;
import io.cairn.coordinate.Origin;
import io.cairn.coordinate.SafePointGate;
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
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A safe point with nothing due, while an idle agent runs beside it; the least that agents and
 * application can agree by is a volatile store and a volatile load.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(3)
@Warmup(iterations = 3, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 500, timeUnit = TimeUnit.MILLISECONDS)
public class SafePointBenchmark {

  private LonelyRank world;
  private SafePointGate gate;
  private Agent agent;

  private volatile long index;
  private volatile long target;

  @Setup
  public void start() {
    world = new LonelyRank();
    EpochCoordinator coordinator =
        new EpochCoordinator(
            world,
            world,
            world,
            world,
            world,
            world,
            System::nanoTime,
            EpochSettings.onRequest(),
            Origin.fresh(1));
    gate = coordinator.gate();
    agent = new Agent(coordinator, world);
    agent.start();
    target = Long.MAX_VALUE;
  }

  @TearDown
  public void stop() {
    gate.close();
    agent.join();
    // An agent that did nothing would cost nothing.
    world.requirePulses();
  }

  @Benchmark
  // One writer, as in the gate.
  public boolean referenceVolatileStoreAndLoad() {
    long next = index + 1;
    index = next;
    return target > next;
  }

  @Benchmark
  public void safePoint() {
    gate.safePoint();
  }
}

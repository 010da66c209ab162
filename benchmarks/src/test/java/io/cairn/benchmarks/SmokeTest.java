// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.natives.NativeWrittenPages;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/** Every benchmark still runs; what it measures here means nothing. */
@Tag("one-jdk") // takes long, and asks nothing of the JDK
class SmokeTest {

  static final List<Class<?>> BENCHMARKS =
      List.of(
          CallbackBenchmark.class,
          CaptureBenchmark.class,
          ChecksumBenchmark.class,
          CompressBenchmark.class,
          HashBenchmark.class,
          ImageWriteBenchmark.class,
          ReadBenchmark.class,
          SafePointBenchmark.class,
          ScanBenchmark.class,
          WriteBenchmark.class);

  /** Whether this kernel tells which pages were written. */
  private static boolean tellsWrittenPages() {
    try (NativeWrittenPages pages = new NativeWrittenPages()) {
      return pages.available();
    }
  }

  @Test
  void shouldMeasureEveryStageBesideItsReference() throws Exception {
    OptionsBuilder options = new OptionsBuilder();
    options.include("io\\.cairn\\.benchmarks\\..*");
    options
        .forks(0)
        .warmupIterations(0)
        .measurementIterations(1)
        .measurementTime(TimeValue.milliseconds(20))
        .param("mebibytes", "1")
        .param("particles", "100")
        .verbosity(VerboseMode.SILENT)
        .shouldFailOnError(true);
    Collection<RunResult> results = new Runner(JmhBenchmarks.measurable(options.build())).run();

    TreeSet<String> measured = new TreeSet<>();
    for (RunResult result : results) {
      assertTrue(result.getPrimaryResult().getScore() > 0, result.getParams().getBenchmark());
      String name = result.getParams().getBenchmark();
      measured.add(name.substring(0, name.lastIndexOf('.')));
    }
    TreeSet<String> expected = new TreeSet<>(BENCHMARKS.stream().map(Class::getName).toList());
    if (!tellsWrittenPages()) {
      expected.remove(ScanBenchmark.class.getName());
    }
    assertEquals(expected, measured);

    // Half of the figures are references, and each of the others has found its own.
    Figures figures = new Figures();
    Table table = JmhBenchmarks.compare(results, figures);
    assertEquals(table.rowCount(), figures.all().size());
    assertEquals(results.size(), 2 * table.rowCount());
    assertEquals(0, table.rowsWithoutRatio());
  }

  @Test
  void shouldMeasureEncodingsInTurns() throws Exception {
    Table table = EncodeBenchmark.measure(1, 1, Content.HALF, 100, false);
    assertEquals(4, table.rowCount());
    assertEquals(0, table.rowsWithoutRatio());
  }

  @Test
  void shouldMeasureEpochsUnderMpirun(@TempDir Path directory) throws Exception {
    Map<String, Double> printed =
        new HashMap<>(EpochBenchmark.launch(true, directory, 4, 2, Content.RANDOM, 0));
    Map<String, Double> without = EpochBenchmark.launch(false, directory, 4, 2, Content.RANDOM, 0);
    Map<String, Double> slow = EpochBenchmark.launch(true, directory, 4, 2, Content.HALF, 200);
    List<Map<String, Double>> restored = EpochBenchmark.restore(directory, 4, 2);

    for (String name :
        List.of("pause", "copy", "durable", "raw", "raw-direct", "committed", "safe-point")) {
      assertTrue(printed.getOrDefault(name, 0.0) > 0, name + " in " + printed);
    }
    assertTrue(printed.get("durable") > printed.get("pause"), printed.toString());
    // Incompressible: both ranks' images hold all of it.
    assertTrue(printed.get("image-bytes") > 2 * (4 << 20), printed.toString());
    assertTrue(without.get("resident") > 4 << 20, without.toString());
    assertEquals(2, restored.size());
    assertTrue(slow.get("image-bytes") < 2 * (3 << 20), slow.toString());
    EpochBenchmark.addMemory(printed, without, 4);
    slow.forEach((name, value) -> printed.put("slow-" + name, value));
    printed.putAll(EpochBenchmark.medians(restored));
    // What `auto` does depends on times.
    printed.putAll(EpochBenchmark.launchWritten(directory, 4, 2, 1, "written"));
    if (tellsWrittenPages()) {
      requireFewBytes(printed);
    }
    Figures figures = new Figures();
    String size = EpochBenchmark.size(4, Content.RANDOM);
    int all = EpochFigure.values().length;
    assertEquals(all, EpochBenchmark.compare(printed, size, figures).rowCount());
    assertEquals(all, figures.all().size());
    assertTrue(figures.all().containsKey("epoch.pause/copy mebibytes=4"), figures.toJson());
  }

  private static void requireFewBytes(Map<String, Double> printed) {
    double pages = printed.get("written-page-bytes");
    assertEquals(2 * 10 * 4096, pages, "a hundredth of 1024 pages, in both ranks");
    // Image and index of both ranks, and here and there a page between two others.
    assertTrue(printed.get("written-bytes") >= pages, printed.toString());
    assertTrue(printed.get("written-bytes") < pages + 40_000, printed.toString());
    assertTrue(printed.get("unwritten-bytes") < 20_000, printed.toString());
    assertTrue(printed.get("full-bytes") > 2 * (4 << 20), printed.toString());
  }

  @Test
  void shouldMeasureParityBesideIsal() throws Exception {
    assertEquals(24, ParityBenchmark.measure(1, 1).rowCount());
  }

  @Test
  void shouldMeasureMessagesWithAndWithoutTheShim() throws Exception {
    MessagingBenchmark.run(List.of("--runs", "1", "--effort", "0.002"));
  }

  @Test
  void shouldMeasureWhatTiersCost() throws Exception {
    Table table = TierBenchmark.measure(1, 0.1, 20, 1, 1);
    assertEquals(4, table.rowCount());
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code ./cairn bench --check}, {@code --renew} and {@code chart}, with figures of before. */
@Timeout(60)
class BaselineTest {

  private static final Path SOURCES = Path.of("..");
  private static final String PAGE = "docs/performance.md";

  @TempDir Path directory;

  private record Ended(int code, String output) {}

  private Ended bench(String... words) throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Benchmarks.class.getName()));
    command.addAll(List.of(words));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("BENCHMARK_SOURCES", directory.toString());
    builder.directory(directory.toFile()).redirectOutput(directory.resolve("out").toFile());
    Process process = builder.start();
    if (!process.waitFor(50, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new IOException("no end: " + Files.readString(directory.resolve("out")));
    }
    return new Ended(process.exitValue(), Files.readString(directory.resolve("out")));
  }

  private Path figures(String name, double pause, double durable) throws IOException {
    Figures figures = new Figures("2026-11-22, 2 cores");
    figures.add("epoch.pause/copy mebibytes=512", pause, 60, "ms", 0.1);
    if (durable > 0) {
      figures.add("epoch.durable/raw mebibytes=512", durable, 700, "ms", 0.1);
    }
    Path file = directory.resolve(name);
    figures.write(file);
    return file;
  }

  @Test
  void shouldEndWithOneIfAFigureGotWorseOrIsMissing() throws Exception {
    String before = figures("before", 60, 600).toString();
    Ended same = bench("--check", before, "--measured", figures("same", 70, 620).toString());
    assertEquals(0, same.code(), same.output());
    assertTrue(same.output().contains("epoch.pause/copy mebibytes=512"), same.output());
    Ended slower = bench("--check", before, "--measured", figures("slow", 100, 620).toString());
    assertEquals(1, slower.code(), slower.output());
    assertTrue(slower.output().contains("epoch.pause/copy mebibytes=512: 1.67x"), slower.output());
    Ended missing = bench("--check", before, "--measured", figures("missing", 60, 0).toString());
    assertEquals(1, missing.code(), missing.output());
    assertTrue(
        missing.output().contains("epoch.durable/raw mebibytes=512: not measured any more"),
        missing.output());
  }

  @Test
  void shouldMakeBaselineTablesAndChartsFromOneRun() throws Exception {
    Files.createDirectories(directory.resolve("docs"));
    Files.createDirectories(directory.resolve("benchmarks/src/main/resources"));
    Files.copy(SOURCES.resolve(PAGE), directory.resolve(PAGE));
    Path measured = figures("measured", 66, 690);
    Ended renewed = bench("--renew", "--measured", measured.toString());
    assertEquals(0, renewed.code(), renewed.output());
    String page = Files.readString(directory.resolve(PAGE));
    assertTrue(
        page.contains("| pause; copy into warm memory | 66.0 ms | 60.0 ms | 1.10x | 1.3x: met |"),
        page);
    assertTrue(
        page.contains("| durable; write and fsync | 690 ms | 700 ms | 0.99x | 0.9x: missed |"),
        page);
    assertTrue(
        Files.readString(directory.resolve("docs/charts/epochs.svg"))
            .contains("1.10x (66.0 ms beside 60.0 ms), goal 1.3x"));
    assertEquals(
        Figures.read(measured).toJson(),
        Files.readString(directory.resolve("benchmarks/src/main/resources/baseline.json")));
    // And the same again from that file.
    Ended chart = bench("chart", measured.toString());
    assertEquals(0, chart.code(), chart.output());
    assertEquals(page, Files.readString(directory.resolve(PAGE)));
  }

  @Test
  void shouldRefuseWhatItDoesNotUnderstand() throws Exception {
    Ended elsewhere = bench("chart");
    assertEquals(2, elsewhere.code(), elsewhere.output());
    assertTrue(elsewhere.output().contains("docs/performance.md"), elsewhere.output());
    Ended two = bench("--check", "one", "two");
    assertEquals(2, two.code(), two.output());
    Ended none = bench("--renew", "--measured");
    assertEquals(2, none.code(), none.output());
  }

  /** Who renews the baseline renews what is made from it. */
  @Test
  void shouldHaveTablesAndChartsOfTheBaseline() throws Exception {
    Figures baseline = Figures.fromJson(NativeSources.text("baseline.json"));
    for (Map.Entry<String, String> file : PerformancePage.files(SOURCES, baseline).entrySet()) {
      assertTrue(
          file.getValue().equals(Files.readString(SOURCES.resolve(file.getKey()))),
          file.getKey() + " isn't of the baseline; make it with ./cairn bench chart");
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is worse is told, what may be noise isn't. */
class FiguresTest {

  private static Figures one(double ratio, double error) {
    Figures figures = new Figures();
    figures.add("epoch.pause", ratio * 8, 8, "ms", error);
    return figures;
  }

  private static List<String> worse(Figures now, Figures before) {
    return now.worseThan(before, new Table("figure", "before", "now", "at most", ""));
  }

  @Test
  void shouldTellWhatIsWorseBeyondItsError() {
    assertEquals(List.of(), worse(one(1.24, 0), one(1, 0)));
    assertEquals(1, worse(one(1.26, 0), one(1, 0)).size());
    // Each has its error.
    assertEquals(List.of(), worse(one(1.36, 0), one(1, 0.1)));
    assertEquals(1, worse(one(1.39, 0), one(1, 0.1)).size());
    assertEquals(List.of(), worse(one(1.38, 0.1), one(1, 0)));
    assertEquals(1, worse(one(1.40, 0.1), one(1, 0)).size());
    assertEquals(List.of(), worse(one(0.2, 0), one(1, 0)));
    assertEquals(1, worse(one(Double.NaN, 0), one(1, 0)).size());
  }

  @Test
  void shouldTellWhatIsNotMeasuredAnyMore() {
    List<String> worse = worse(new Figures(), one(1, 0));
    assertEquals(List.of("epoch.pause: not measured any more"), worse);
    assertEquals(List.of(), worse(one(1, 0), new Figures()));
  }

  @Test
  void shouldReadWhatItWrote(@TempDir Path directory) throws IOException {
    Figures figures = new Figures("2026-11-22, 2 cores");
    figures.add("epoch.pause", 12, 8, "ms", 0.07);
    figures.add("jmh.WriteBenchmark.writeImage direct=AUTO mebibytes=512", 271.25, 250, "ms/op", 2);
    figures.add("no error known", 1, 2, "us/op", Double.NaN);
    Path file = directory.resolve("figures.json");
    figures.write(file);
    assertEquals(figures.all(), Figures.read(file).all());
    assertEquals("2026-11-22, 2 cores", Figures.read(file).taken());
    Files.writeString(file, "{ \"figures\": [\n  {\"name\": \"x\", \"value\": 1}\n] }\n");
    IOException e = assertThrows(IOException.class, () -> Figures.read(file));
    assertTrue(e.getMessage().contains(file + ": no file of figures"), e.getMessage());
    Files.writeString(file, "");
    assertThrows(IOException.class, () -> Figures.read(file));
  }

  @Test
  void shouldHaveABaselineOfAllThatIsMeasured() throws IOException {
    Figures baseline = Figures.fromJson(NativeSources.text("baseline.json"));
    List<EpochFigure> epochs = new ArrayList<>();
    EpochFigure.each(baseline, (figure, measured) -> epochs.add(figure));
    assertEquals(List.of(EpochFigure.values()), epochs);
    TreeSet<String> stages = new TreeSet<>();
    for (String name : baseline.all().keySet()) {
      if (name.startsWith(JmhBenchmarks.PREFIX)) {
        stages.add(name.replaceAll("^jmh\\.|\\..*", ""));
      }
    }
    assertEquals(
        new TreeSet<>(SmokeTest.BENCHMARKS.stream().map(Class::getSimpleName).toList()), stages);
  }
}

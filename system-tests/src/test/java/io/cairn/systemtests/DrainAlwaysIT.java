// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * {@code CAIRN_DRAIN=always}: every program does what it does without, by queue and replay. (With
 * epochs and in a JVM: {@link FiveWaysIT}.)
 */
class DrainAlwaysIT {

  private static final String VARIABLE = "CAIRN_DRAIN";
  private static final Pattern SHIM =
      Pattern.compile(
          "shim drained=(?<drained>\\d+) replayed=(?<replayed>\\d+) queued=(?<queued>\\d+)");

  @RegisterExtension final Workbench bench = new Workbench();

  /** Order, wildcards, probes, truncation, datatypes, long messages, each kind of send, threads. */
  @ParameterizedTest
  @CsvSource({"4, 'vader,self'", "3, 'tcp,self'"})
  void shouldReplayAsMpiDelivers(int ranks, String transport) {
    Path program = CProgram.compile(bench.folder(), "everything", "-DWITH_CAIRN");
    List<String> alone = results(bench.executable(ranks, program).run().requireSuccess());
    MpiJob.Outcome drained =
        bench
            .executable(ranks, program)
            .mpirun(CProgram.preload())
            .environment(VARIABLE, "always")
            .environment("OMPI_MCA_btl", transport)
            .run()
            .requireSuccess();
    assertEquals(alone, results(drained), drained::text);
    Matcher shim = SHIM.matcher(drained.only("shim "));
    assertTrue(shim.matches(), drained::text);
    assertTrue(Long.parseLong(shim.group("drained")) > 0, drained::text);
    assertTrue(Long.parseLong(shim.group("replayed")) > 0, drained::text);
    assertEquals(0, Long.parseLong(shim.group("queued")), drained::text);
  }

  /** What the program counts, it counts in this mode as well. */
  @Test
  void shouldCountAsWithout() {
    Path program = CProgram.compile(bench.folder(), "counting");
    bench
        .executable(4, program)
        .mpirun(CProgram.preload())
        .environment(VARIABLE, "always")
        .run()
        .requireSuccess();
  }

  @Test
  void shouldRefuseAValueThatItDoesNotKnow() {
    Path program = CProgram.compile(bench.folder(), "everything");
    MpiJob.Outcome outcome =
        bench
            .executable(2, program)
            .mpirun(CProgram.preload())
            .environment(VARIABLE, "allways")
            .run()
            .requireFailure();
    outcome.line("cairn: rank 1: CAIRN_DRAIN: found \"allways\", expected \"always\" or \"late\"");
  }

  /** Permits come from the other end of a channel: half a job can't drain always. */
  @Test
  void shouldRefuseToRunOnSomeRanksOnly() {
    Path program = CProgram.compile(bench.folder(), "everything");
    String[] preload = CProgram.preload();
    MpiJob.Outcome outcome =
        bench
            .executable(1, program)
            .mpirun(preload)
            .mpirun("-x", VARIABLE + "=always", program.toString(), ":", "-n", "1")
            .mpirun(preload)
            .run()
            .requireFailure();
    outcome.line("cairn: rank 1: CAIRN_DRAIN is not \"always\" here");
  }

  private static List<String> results(MpiJob.Outcome outcome) {
    List<String> lines = outcome.all().stream().filter(l -> l.startsWith("result ")).toList();
    assertTrue(lines.size() >= 12, outcome::text);
    return lines;
  }
}

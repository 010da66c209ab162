// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The shim in programs without a JVM: it counts, answers through cairn.h, and changes nothing. */
class NativeProgramIT {

  @RegisterExtension final Workbench bench = new Workbench();

  /** The program compares the shim's counters with what it did, while another thread asks too. */
  @ParameterizedTest
  @ValueSource(ints = {2, 4})
  void shouldCountWhatTheProgramSendsAndReceives(int ranks) {
    Path program = CProgram.compile(bench.folder(), "counting");
    MpiJob.Outcome alone = bench.executable(ranks, program).run().requireSuccess();
    alone.requireNo("cairn");
    MpiJob.Outcome preloaded =
        bench.executable(ranks, program).mpirun(CProgram.preload()).run().requireSuccess();
    assertEquals(alone.only("result "), preloaded.only("result "), preloaded::text);
    requireDump(preloaded, ranks);
  }

  @Test
  void shouldWorkAsALinkedLibrary() {
    Path program = CProgram.compile(bench.folder(), "counting", CProgram.link());
    requireDump(bench.executable(2, program).run().requireSuccess(), 2);
  }

  private static void requireDump(MpiJob.Outcome outcome, int ranks) {
    // Dumped twice, by both functions.
    assertEquals(2, outcome.out(false).stream().filter(l -> l.contains("505 sent, 505")).count());
    outcome.line("MPI_COMM_WORLD: rank 0 of " + ranks);
    outcome.line("to 1, tag 0, MPI_COMM_WORLD: 500 sent");
    outcome.line("from " + (ranks - 1) + ", tag 0, MPI_COMM_WORLD: 500 received");
  }

  /** A release says the same name everywhere. */
  @Test
  void shouldTellTheProjectsVersion() throws IOException {
    Path program = CProgram.compile(bench.folder(), "counting");
    String told =
        bench
            .executable(1, program)
            .mpirun(CProgram.preload())
            .run()
            .requireSuccess()
            .only("cairn ")
            .substring("cairn ".length());
    Matcher version =
        Pattern.compile("<version>([^<]*)</version>")
            .matcher(Files.readString(Path.of("..", "pom.xml")));
    assertTrue(version.find());
    assertEquals(version.group(1).replace("-SNAPSHOT", ""), told);
  }

  /** One that has never heard of Cairn. */
  @Test
  void shouldChangeNothing() {
    int ranks = 3;
    Path program = CProgram.compile(bench.folder(), "everything");
    List<String> alone = bench.executable(ranks, program).run().requireSuccess().all();
    assertTrue(alone.size() >= 12, alone::toString);
    MpiJob.Outcome preloaded =
        bench.executable(ranks, program).mpirun(CProgram.preload()).run().requireSuccess();
    assertEquals(alone, preloaded.all());
  }
}

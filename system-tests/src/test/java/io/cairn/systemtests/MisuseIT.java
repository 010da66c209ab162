// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.systemtests.programs.Misuse;
import io.cairn.systemtests.programs.Ring;
import java.nio.file.Files;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Wrong calls and options: refused with a message that says what to do, never a hang. */
class MisuseIT {

  @RegisterExtension final Workbench bench = new Workbench();

  @Test
  void shouldRefuseCallsInTheWrongOrder() {
    MpiJob.Outcome outcome =
        bench.job(1, Misuse.class).arguments("registrations").run().requireSuccess();

    outcome.line("refused second: ", "has a Cairn already");
    outcome.line("refused safe-point-before-restore: ", "restore()");
    outcome.line("refused twice: ", "'u'", "twice");
    outcome.line("refused reflective: ", "Reflective", "writeMarshallable");
    outcome.line("refused negative: ", "'v'", "-2,147,483,648");
    outcome.line("refused late: ", "'w'", "after restore()");
    outcome.line("refused restore: ", "second time");
    outcome.line("refused safe-point-after-done: ", "done()");
    outcome.requireNo("accepted").requireNo("error ");
  }

  @Test
  void shouldRefuseToAttachWithoutLoad() {
    bench
        .job(1, Misuse.class)
        .arguments("attach-without-load")
        .run()
        .requireSuccess()
        .line("refused attach: ", "load()", "MPI.Init");
  }

  @Test
  void shouldRefuseToStartWhenMpiWasInitialisedFirst() {
    MpiJob.Outcome outcome = bench.job(1, Misuse.class).arguments("mpi-first").run();

    outcome.requireNo("accepted");
    outcome.line("mpi-first: ", "before");
  }

  @Test
  void shouldRefuseToStartWhenAllSymbolsAreBoundBeforeItIsLoaded() {
    MpiJob.Outcome outcome =
        bench.job(1, Misuse.class).environment("LD_BIND_NOW", "1").arguments("touch-first").run();

    outcome.requireNo("accepted");
    outcome.line("touch-first: ", "LD_BIND_NOW");
  }

  @Test
  void shouldAbortTheJobThatIsClosedWithoutDone() {
    bench
        .job(3, Misuse.class)
        .arguments("close-without-done")
        .run()
        .requireFailure()
        .line("rank 0 of 3", "closed without done()");
  }

  @Test
  void shouldNameTheNearestOptionToAnUnknownOne() {
    bench
        .job(1, Ring.class)
        .environment("CAIRN_INTERVALL", "5s")
        .run()
        .requireFailure()
        .line("CAIRN_INTERVALL", "CAIRN_INTERVAL");
    bench
        .job(1, Ring.class)
        .property("cairn.drain.deadlne", "5s")
        .run()
        .requireFailure()
        .line("cairn.drain.deadlne", "cairn.drain.deadline");
  }

  @Test
  void shouldEndTheJobAtOnceAndShowTheExceptionOfOneRank() {
    MpiJob.Outcome outcome =
        bench
            .job(4, Ring.class)
            .property("cairn.every", 10)
            .arguments("steps=100000", "fail=60", "rank=2")
            .run()
            .requireFailure();

    outcome.line("rank 2 of 4");
    outcome.line("IllegalStateException", "this rank fails in step 60");
    outcome.requireNo("result ");
  }

  @Test
  void shouldLeaveTheProgramAloneWhenDisabled() {
    MpiJob.Outcome with =
        bench
            .job(3, Ring.class)
            .property("cairn.every", 20)
            .arguments("maps=1")
            .run()
            .requireSuccess();
    assertTrue(Files.exists(bench.files(Ring.class).folder()), with::text);
    assertEquals(3, with.all().stream().filter("shim mapped: true"::equals).count(), with::text);

    bench.emptyFolder();
    MpiJob.Outcome without =
        bench
            .job(3, Ring.class)
            .property("cairn.every", 20)
            .property("cairn.enabled", false)
            .arguments("maps=1")
            .run()
            .requireSuccess();
    assertEquals(with.only("result "), without.only("result "));
    assertFalse(Files.exists(bench.folder().resolve("cairn-jobs")), without::text);
    assertEquals(
        3, without.all().stream().filter("shim mapped: false"::equals).count(), without::text);
    without.requireNo("event ");
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.systemtests.programs.Backlog;
import io.cairn.systemtests.programs.Collectives;
import io.cairn.systemtests.programs.Communicators;
import io.cairn.systemtests.programs.Consensus;
import io.cairn.systemtests.programs.Corners;
import io.cairn.systemtests.programs.Dropped;
import io.cairn.systemtests.programs.Intercommunicators;
import io.cairn.systemtests.programs.Persistent;
import io.cairn.systemtests.programs.Posted;
import io.cairn.systemtests.programs.Probes;
import io.cairn.systemtests.programs.Requests;
import io.cairn.systemtests.programs.Tags;
import io.cairn.systemtests.programs.Threads;
import io.cairn.systemtests.programs.Types;
import io.cairn.systemtests.programs.Wildcards;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * One program for each rule of what lies between a program and MPI: what it sees is the same
 * without Cairn, with it, cut again and again with messages in flight, with everything drained
 * always, and killed and restored. Which rule is proved by which program: docs/protocol.md, "One
 * program for each rule".
 */
class FiveWaysIT {

  private static final String SHARED = "vader,self";
  private static final String TCP = "tcp,self";

  private static final Pattern SHIM =
      Pattern.compile("shim drained=(?<drained>\\d+) replayed=(?<replayed>\\d+)");

  private static final Pattern CODE = Pattern.compile("`(\\w+)`");

  /** When the agent takes what the application didn't. */
  private static final String AT_ONCE = "1ms";

  /** Never: what was taken off the network was taken by the debug mode. */
  private static final String NEVER = "1h";

  /** What has come for a receive that is pending is the agent's to copy, in each mode. */
  private static final Set<Case> POSTING =
      EnumSet.of(Case.WILDCARDS, Case.REQUESTS, Case.PERSISTENT, Case.POSTED);

  /** A program, and how to run it. */
  enum Case {
    BACKLOG(Backlog.class, 2, SHARED, 4, "steps=48", "hold=12", "truncate=0"),
    TAGS(Tags.class, 2, TCP, 4),
    WILDCARDS(Wildcards.class, 3, TCP, 5),
    CONSENSUS(Consensus.class, 3, SHARED, 2),
    PROBES(Probes.class, 2, TCP, 4),
    REQUESTS(Requests.class, 2, SHARED, 4),
    PERSISTENT(Persistent.class, 2, TCP, 15, "rounds=9"),
    DROPPED(Dropped.class, 2, SHARED, 10, "rounds=3"),
    CORNERS(Corners.class, 2, TCP, 6, "steps=60"),
    TYPES(Types.class, 2, SHARED, 4),
    COMMUNICATORS(Communicators.class, 3, SHARED, 4, "steps=32"),
    INTERCOMMUNICATORS(Intercommunicators.class, 4, TCP, 4, "steps=40"),
    POSTED(Posted.class, 2, SHARED, 5, "rounds=3"),
    THREADS(Threads.class, 2, TCP, 4, "steps=32"),
    COLLECTIVES(Collectives.class, 3, SHARED, 4);

    private final Class<?> program;
    private final int ranks;
    private final String transport;
    private final int cuts;
    private final String arguments; // a line each

    /** The program waits for a cut after each {@code cuts}-th step. */
    Case(Class<?> program, int ranks, String transport, int cuts, String... arguments) {
      this.program = program;
      this.ranks = ranks;
      this.transport = transport;
      this.cuts = cuts;
      this.arguments = String.join("\n", arguments);
    }
  }

  @RegisterExtension final Workbench bench = new Workbench();

  @ParameterizedTest
  @EnumSource
  void shouldDoTheSame(Case of) {
    String alone = absent(of);
    requireSame("with Cairn", alone, present(of));
    requireSame("cut again and again", alone, cut(of));
    requireSame("drained always", alone, drained(of));
    requireSame("killed and restored", alone, restored(of));
  }

  /** The table names these programs, and no others; and tests that there are. */
  @Test
  void shouldBeListedWithTheRulesThatTheyProve() throws IOException {
    String document = Files.readString(Path.of("..", "docs", "protocol.md"));
    String table = document.split("\n### One program for each rule\n", -1)[1];
    Set<String> listed = new TreeSet<>();
    for (String line : table.split("\n##", -1)[0].split("\n", -1)) {
      String[] columns = line.split("\\|", -1);
      if (columns.length == 5) {
        CODE.matcher(columns[2]).results().forEach(name -> listed.add(name.group(1)));
        CODE.matcher(columns[3])
            .results()
            .map(name -> name.group(1))
            .filter(name -> name.endsWith("IT"))
            .forEach(name -> assertTrue(isTest(name), () -> "there is no " + name));
      }
    }
    Set<String> programs = new TreeSet<>();
    for (Case each : Case.values()) {
      programs.add(each.program.getSimpleName());
    }
    assertEquals(programs, listed);
  }

  private static boolean isTest(String name) {
    String folder = FiveWaysIT.class.getPackageName().replace('.', '/');
    return Files.exists(Path.of("src", "test", "java", folder, name + ".java"));
  }

  private static void requireSame(String way, String alone, MpiJob.Outcome outcome) {
    assertEquals(alone, outcome.only("result "), () -> way + ":\n" + outcome.text());
  }

  private String absent(Case of) {
    return launch(of).property("cairn.enabled", false).run().requireSuccess().only("result ");
  }

  private MpiJob.Outcome present(Case of) {
    MpiJob.Outcome outcome = launch(of).run().requireSuccess();
    assertTrue(outcome.events().all().isEmpty(), outcome::text);
    assertEquals("shim drained=0 replayed=0", outcome.only("shim "), outcome::text);
    return outcome;
  }

  private MpiJob.Outcome cut(Case of) {
    bench.emptyFolder();
    MpiJob.Outcome outcome = cutting(of, AT_ONCE).run().requireSuccess();
    requireLate(outcome);
    requireReplayed(outcome, true);
    return outcome;
  }

  private MpiJob.Outcome drained(Case of) {
    bench.emptyFolder();
    MpiJob.Outcome outcome =
        cutting(of, POSTING.contains(of) ? AT_ONCE : NEVER)
            .environment("CAIRN_DRAIN", "always")
            .run()
            .requireSuccess();
    requireLate(outcome);
    requireReplayed(outcome, true);
    return outcome;
  }

  private MpiJob.Outcome restored(Case of) {
    bench.emptyFolder();
    requireLate(
        cutting(of, AT_ONCE).property("systemtests.halt", "1:3:late").run().requireFailure());
    MpiJob.Outcome outcome = launch(of).property("cairn.every", 1).run().requireSuccess();
    outcome.events().requireHarmless();
    assertEquals(of.ranks, outcome.events().of("restored").size(), outcome::text);
    assertTrue(outcome.events().sum("restored", "queued") > 0, outcome::text);
    requireReplayed(outcome, false);
    return outcome;
  }

  /** Epochs were committed, with messages that had crossed their cuts. */
  private static void requireLate(MpiJob.Outcome outcome) {
    outcome.events().requireHarmless();
    assertTrue(outcome.events().sum("committed", "late") > 0, outcome::text);
  }

  /** Some messages came from the queue. */
  private static void requireReplayed(MpiJob.Outcome outcome, boolean drained) {
    Matcher shim = SHIM.matcher(outcome.only("shim "));
    assertTrue(shim.matches(), outcome::text);
    assertTrue(!drained || Long.parseLong(shim.group("drained")) > 0, outcome::text);
    assertTrue(Long.parseLong(shim.group("replayed")) > 0, outcome::text);
  }

  private MpiJob.Builder launch(Case of) {
    return bench
        .job(of.ranks, of.program)
        .property("cairn.log", "quiet")
        .environment("OMPI_MCA_btl", of.transport)
        .arguments(of.arguments.lines().toArray())
        .arguments("millis=0", "cuts=0");
  }

  private MpiJob.Builder cutting(Case of, String drainDeadline) {
    return launch(of)
        .property("cairn.every", 1)
        .property("cairn.drain.deadline", drainDeadline)
        .arguments("cuts=" + of.cuts, "settle=2");
  }
}

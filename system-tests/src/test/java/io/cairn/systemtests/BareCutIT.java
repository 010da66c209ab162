// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cairn.systemtests.programs.NewTags;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A program with a new tag for each message: its ledger forgets what is settled. */
class BareCutIT {

  /** What of the channels comes between two looks at their number, at both ends. */
  private static final long SLACK = 4_000;

  private static final long MESSAGES = 300_000;
  private static final long BOUND = 20_000;

  private static final Pattern NUMBERS =
      Pattern.compile("rank \\d most=(\\d+) bare=(\\d+) resident=(\\d+) more=(-?\\d+)");

  @RegisterExtension final Workbench bench = new Workbench();

  private MpiJob.Builder job(long messages, long bound) {
    return bench
        .job(2, NewTags.class)
        .property("cairn.interval", "off")
        .arguments("messages=" + messages, "bound=" + bound);
  }

  private String reference(long messages) {
    return job(messages, 0).property("cairn.enabled", false).run().requireSuccess().only("result ");
  }

  /** Without epochs, only a bare cut makes room. */
  @Test
  void shouldKeepTheLedgerSmallWithATagForEachMessage() {
    MpiJob.Outcome outcome =
        job(MESSAGES, BOUND)
            .property("cairn.log", "verbose")
            .environment("CAIRN_TEST_CHANNELS", "5000")
            .run()
            .requireSuccess();
    for (int rank = 0; rank < 2; rank++) {
      Matcher numbers = numbers(outcome, rank);
      assertTrue(Long.parseLong(numbers.group(1)) <= BOUND + SLACK, outcome::text);
      assertTrue(Long.parseLong(numbers.group(2)) >= MESSAGES / (BOUND + SLACK) - 1, outcome::text);
      outcome.line("rank " + rank + ": bare cut 1 committed: ");
    }
    outcome.requireNo("abandoned");
    assertEquals(0, outcome.events().of("committed").size(), outcome::text);
    assertEquals(reference(MESSAGES), outcome.only("result "), outcome::text);
  }

  /** Messages are always on their way, and each launch has moved its base before its epochs. */
  @Test
  void shouldRestoreEpochsThatCountFromABareCut() {
    long messages = 60_000;
    MpiJob.Outcome first = withEpochs(messages, "1:2:late").run().requireFailure();
    MpiJob.Outcome second = withEpochs(messages, "0:1:late").run().requireFailure();
    MpiJob.Outcome third = withEpochs(messages, "").run().requireSuccess();
    for (MpiJob.Outcome outcome : new MpiJob.Outcome[] {first, second}) {
      assertTrue(outcome.events().sum("committed", "late") > 0, outcome::text);
      outcome.line("bare cut 1 committed: ");
    }
    for (MpiJob.Outcome outcome : new MpiJob.Outcome[] {second, third}) {
      assertEquals(2, outcome.events().of("restored").size(), outcome::text);
      assertTrue(outcome.events().sum("restored", "queued") > 0, outcome::text);
    }
    assertEquals(reference(messages), third.only("result "), third::text);
  }

  private MpiJob.Builder withEpochs(long messages, String halt) {
    return job(messages, BOUND)
        .property("cairn.log", "verbose")
        .property("cairn.every", 5)
        .property("cairn.drain.deadline", "1ms")
        .property("systemtests.halt", halt)
        .arguments("bare=1", "commits=1")
        .environment("CAIRN_TEST_CHANNELS", "1500");
  }

  /**
   * The same at length, with the limit that users have: {@code -Dsystemtests.tags=10000000} says
   * how many messages. Without bare cuts each costs some 100 bytes for ever.
   */
  @Test
  void shouldStayFlatInMemoryOverMillionsOfTags() {
    long messages = Long.getLong("systemtests.tags", 0);
    assumeTrue(messages > 0, "-Dsystemtests.tags=N wasn't given");
    MpiJob.Outcome outcome = job(messages, 1_000_000).timeoutSeconds(600).run().requireSuccess();
    for (int rank = 0; rank < 2; rank++) {
      String line = numbers(outcome, rank).group();
      System.out.println(line);
      long moreKilobytes = Long.parseLong(numbers(outcome, rank).group(4));
      assertTrue(moreKilobytes < 200_000, line);
    }
  }

  private static Matcher numbers(MpiJob.Outcome outcome, int rank) {
    Matcher numbers = NUMBERS.matcher(outcome.only("rank " + rank + " most="));
    assertTrue(numbers.matches(), outcome::text);
    return numbers;
  }
}

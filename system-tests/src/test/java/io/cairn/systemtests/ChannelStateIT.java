// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.systemtests.programs.Backlog;
import io.cairn.systemtests.programs.Communicators;
import io.cairn.systemtests.programs.Dropped;
import io.cairn.systemtests.programs.Intercommunicators;
import io.cairn.systemtests.programs.Persistent;
import io.cairn.systemtests.programs.Posted;
import io.cairn.systemtests.programs.Wildcards;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Messages in flight at the cut: captured, restored, and received in every way as if nothing had
 * happened. Each test proves that there were some.
 */
class ChannelStateIT {

  private static final int EVERY = 9;

  @RegisterExtension final Workbench bench = new Workbench();

  /** Drained at once, late over several cuts, and over two restores. */
  @Test
  void shouldServeMessagesThatNobodyTookForLong() {
    requireSameAfterHalts(3, Backlog.class, "1ms", true);
  }

  /**
   * The same, but left to the application for longer than it needs. (A receive that is too short
   * would lose the rest of its message for the image: such an epoch is abandoned.)
   */
  @Test
  void shouldServeMessagesThatWereRecordedWhenTheApplicationTookThem() {
    requireSameAfterHalts(3, Backlog.class, "30s", false, "truncate=0");
  }

  @Test
  void shouldServeWildcardReceivesInTheOrderOfSending() {
    requireSameAfterHalts(4, Wildcards.class, "1ms", true);
  }

  @Test
  void shouldServeReceivesThatWerePostedBeforeTheCut() {
    requireSameAfterHalts(3, Posted.class, "1ms", false);
  }

  @Test
  void shouldServeMessagesInTheProgramsOwnCommunicators() {
    requireSameAfterHalts(5, Communicators.class, "1ms", false);
  }

  @Test
  void shouldServePersistentReceivesAndCountEachStart() {
    requireSameAfterHalts(3, Persistent.class, "1ms", true);
  }

  @Test
  void shouldGoOnWithoutReceivesThatWereCancelledOrFreed() {
    requireSameAfterHalts(3, Dropped.class, "1ms", true);
  }

  @Test
  void shouldServeMessagesBetweenGroupsAndInCommunicatorsThatAreMadeAnew() {
    requireSameAfterHalts(5, Intercommunicators.class, "1ms", true);
  }

  private void requireSameAfterHalts(
      int ranks, Class<?> program, String drainDeadline, boolean drained, String... arguments) {
    String reference =
        bench
            .job(ranks, program)
            .property("cairn.enabled", false)
            .arguments("millis=0")
            .arguments((Object[]) arguments)
            .run()
            .requireSuccess()
            .only("result ");

    // Killed after its second commit, restored, killed after its first, restored again; each time
    // with late messages, so that there are some to restore.
    MpiJob.Outcome first =
        launch(ranks, program, drainDeadline, arguments)
            .arguments("millis=5")
            .property("systemtests.halt", "1:2:late")
            .run()
            .requireFailure();
    MpiJob.Outcome second =
        launch(ranks, program, drainDeadline, arguments)
            .arguments("millis=5")
            .property("systemtests.halt", "0:1:late")
            .run()
            .requireFailure();
    MpiJob.Outcome third =
        launch(ranks, program, drainDeadline, arguments)
            .arguments("millis=1")
            .run()
            .requireSuccess();

    assertEquals(reference, third.only("result "), third::text);
    for (MpiJob.Outcome outcome : new MpiJob.Outcome[] {first, second}) {
      assertTrue(
          outcome.events().sum("committed", "late") > 0,
          () -> "no late message was captured\n" + outcome.text());
    }
    // In the second launch all may have been restored ones.
    assertTrue(
        !drained || first.events().sum("committed", "drained") > 0,
        () -> "no message was drained\n" + first.text());
    for (MpiJob.Outcome outcome : new MpiJob.Outcome[] {second, third}) {
      assertEquals(ranks, outcome.events().of("restored").size(), outcome::text);
      assertTrue(
          outcome.events().sum("restored", "queued") > 0,
          () -> "no message was restored\n" + outcome.text());
    }
  }

  private MpiJob.Builder launch(
      int ranks, Class<?> program, String drainDeadline, String... arguments) {
    return bench
        .job(ranks, program)
        .property("cairn.every", EVERY)
        .property("cairn.drain.deadline", drainDeadline)
        .arguments((Object[]) arguments);
  }
}

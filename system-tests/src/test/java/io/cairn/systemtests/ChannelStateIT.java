// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cairn.systemtests.programs.Backlog;
import io.cairn.systemtests.programs.Communicators;
import io.cairn.systemtests.programs.Corners;
import io.cairn.systemtests.programs.Dropped;
import io.cairn.systemtests.programs.Huge;
import io.cairn.systemtests.programs.Intercommunicators;
import io.cairn.systemtests.programs.Persistent;
import io.cairn.systemtests.programs.Posted;
import io.cairn.systemtests.programs.Threads;
import io.cairn.systemtests.programs.Wildcards;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Messages in flight at the cut: captured, restored, and received in every way as if nothing had
 * happened. Each test proves that there were some.
 */
class ChannelStateIT {

  private static final int EVERY = 9;

  /** The message in the queue, in its image, and where it goes. */
  private static final long HUGE_NEEDS_BYTES = 8L << 30;

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
  void shouldServeEmptyAndTruncatedAndPartialMessagesAndThoseToSelf() {
    requireSameAfterHalts(3, Corners.class, "1ms", true);
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

  /** As many epochs as there can be: the next one begins when the last is settled. */
  @Test
  void shouldServeThreadsThatAreInsideMpiTogether() {
    requireSameAfterHalts(1, 2, Threads.class, "1ms", false);
  }

  /**
   * With derived types, because counts are 31 bits. Takes up to a minute and much memory, so it has
   * to be asked for: {@code -Dsystemtests.huge=true}.
   */
  @Test
  void shouldServeAMessageOfMoreThan2GiB() throws IOException {
    assumeTrue(Boolean.getBoolean("systemtests.huge"), "-Dsystemtests.huge=true wasn't given");
    assumeTrue(
        freeMemoryBytes() > HUGE_NEEDS_BYTES,
        () -> "less than " + HUGE_NEEDS_BYTES + " bytes free");
    MpiJob.Outcome first =
        bench
            .job(2, Huge.class)
            .property("cairn.channel.limit", "4GiB")
            .property("cairn.drain.deadline", "1ms")
            .property("systemtests.halt", "1:1")
            .timeoutSeconds(180)
            .run()
            .requireFailure();
    assertTrue(first.events().sum("committed", "late") > 0, first::text);
    assertTrue(first.events().sum("committed", "drained") > 0, first::text);
    MpiJob.Outcome second =
        bench
            .job(2, Huge.class)
            .property("cairn.channel.limit", "4GiB")
            .timeoutSeconds(180)
            .run()
            .requireSuccess();
    second.only("result ");
    assertEquals(1, second.events().sum("restored", "queued"), second::text);
  }

  private static long freeMemoryBytes() throws IOException {
    String line =
        Files.readAllLines(Path.of("/proc/meminfo")).stream()
            .filter(l -> l.startsWith("MemAvailable:"))
            .findFirst()
            .orElse("0");
    return Long.parseLong(line.replaceAll("\\D", "")) << 10;
  }

  private void requireSameAfterHalts(
      int ranks, Class<?> program, String drainDeadline, boolean drained, String... arguments) {
    requireSameAfterHalts(EVERY, ranks, program, drainDeadline, drained, arguments);
  }

  private void requireSameAfterHalts(
      int every,
      int ranks,
      Class<?> program,
      String drainDeadline,
      boolean drained,
      String... arguments) {
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
        launch(every, ranks, program, drainDeadline, arguments)
            .arguments("millis=5")
            .property("systemtests.halt", "1:2:late")
            .run()
            .requireFailure();
    MpiJob.Outcome second =
        launch(every, ranks, program, drainDeadline, arguments)
            .arguments("millis=5")
            .property("systemtests.halt", "0:1:late")
            .run()
            .requireFailure();
    MpiJob.Outcome third =
        launch(every, ranks, program, drainDeadline, arguments)
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
      int every, int ranks, Class<?> program, String drainDeadline, String... arguments) {
    return bench
        .job(ranks, program)
        .property("cairn.every", every)
        .property("cairn.drain.deadline", drainDeadline)
        .arguments((Object[]) arguments);
  }
}

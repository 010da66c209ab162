// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cairn.systemtests.programs.Backlog;
import io.cairn.systemtests.programs.Huge;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Messages that are in flight for long: over several cuts and several restores; recorded as the
 * application takes them; longer than a call can say. Each test proves that there were some. (In
 * every way there is to send and receive: {@link FiveWaysIT}.)
 */
class ChannelStateIT {

  private static final int RANKS = 3;
  private static final int EVERY = 9;

  /** The message in the queue, in its image, and where it goes. */
  private static final long HUGE_NEEDS_BYTES = 8L << 30;

  @RegisterExtension final Workbench bench = new Workbench();

  /** Drained at once, late over several cuts, and over two restores. */
  @Test
  void shouldServeMessagesThatNobodyTookForLong() {
    requireSameAfterHalts("1ms", true);
  }

  /**
   * The same, but left to the application for longer than it needs. (A receive that is too short
   * would lose the rest of its message for the image: such an epoch is abandoned.)
   */
  @Test
  void shouldServeMessagesThatWereRecordedWhenTheApplicationTookThem() {
    requireSameAfterHalts("30s", false, "truncate=0");
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

  private void requireSameAfterHalts(String drainDeadline, boolean drained, String... arguments) {
    String reference =
        bench
            .job(RANKS, Backlog.class)
            .property("cairn.enabled", false)
            .arguments("millis=0")
            .arguments((Object[]) arguments)
            .run()
            .requireSuccess()
            .only("result ");

    // Killed after its second commit, restored, killed after its first, restored again; each time
    // with late messages, so that there are some to restore.
    MpiJob.Outcome first =
        launch(drainDeadline, arguments)
            .arguments("millis=5")
            .property("systemtests.halt", "1:2:late")
            .run()
            .requireFailure();
    MpiJob.Outcome second =
        launch(drainDeadline, arguments)
            .arguments("millis=5")
            .property("systemtests.halt", "0:1:late")
            .run()
            .requireFailure();
    MpiJob.Outcome third =
        launch(drainDeadline, arguments).arguments("millis=1").run().requireSuccess();

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
      assertEquals(RANKS, outcome.events().of("restored").size(), outcome::text);
      assertTrue(
          outcome.events().sum("restored", "queued") > 0,
          () -> "no message was restored\n" + outcome.text());
    }
  }

  private MpiJob.Builder launch(String drainDeadline, String... arguments) {
    return bench
        .job(RANKS, Backlog.class)
        .property("cairn.every", EVERY)
        .property("cairn.drain.deadline", drainDeadline)
        .arguments((Object[]) arguments);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cairn.systemtests.programs.SparseWrites;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * What the system refuses a rank on an image's way from memory to disk: the epoch takes another
 * way, or is abandoned with the reason; those that are committed stay, and the program comes to its
 * result.
 */
class RefusalsIT {

  private static final int RANKS = 2;
  private static final int EVERY = 10;
  private static final long REGION_BYTES = 64L << 20;
  private static final long LIMIT_BYTES = 300L << 20;
  private static final long USED_BYTES = 100L << 20;

  /** What the program prints to which nothing is refused. */
  private static String reference;

  @RegisterExtension final Workbench bench = new Workbench();

  private MpiJob.Builder job() {
    return bench.job(RANKS, SparseWrites.class).arguments("steps=120", "mebibytes=8", "commits=4");
  }

  private MpiJob.Builder checkpointed() {
    return job()
        .property("cairn.every", EVERY)
        .property("cairn.encode", "fast")
        .property("cairn.store.direct", "auto")
        .property("cairn.log", "verbose")
        .property("cairn.keep", 3);
  }

  private MpiJob.Builder refusing(String refusals) {
    Path library =
        CProgram.compile(bench.folder(), "refusals", "-shared", "-fPIC", "-ldl").toAbsolutePath();
    return checkpointed()
        .mpirun("-x", "LD_PRELOAD=" + library)
        .environment("REFUSALS", refusals)
        .mpirun("-x", "REFUSALS");
  }

  @BeforeEach
  void runOnceWithoutARefusal() {
    if (reference == null) {
      reference = checkpointed().run().requireSuccess().only("result ");
      bench.emptyFolder();
    }
  }

  /**
   * The next launch, to which nothing is refused, goes on from the newest epoch to the result; that
   * may be one that was decided and not yet published.
   */
  private void requireGoesOn() {
    List<JobFiles.Epoch> committed = bench.files(SparseWrites.class).committed();
    MpiJob.Outcome again = checkpointed().run().requireSuccess();
    List<EventLog.Event> restored = again.events().of("restored");
    assertEquals(RANKS, restored.size(), again::text);
    long newest = committed.get(committed.size() - 1).number();
    assertTrue(restored.get(0).epoch() >= newest, again::text);
    assertEquals(reference, again.only("result "), again::text);
  }

  @Test
  void shouldCommitWhereWritesAreShortAndInterrupted() {
    MpiJob.Outcome killed =
        refusing("short interrupted").property("systemtests.halt", "1:4").run().requireFailure();
    killed.events().requireHarmless();
    requireGoesOn();
  }

  @Test
  void shouldAbandonAnEpochAtAnErrorInMidImageAndKeepTheOthers() {
    MpiJob.Outcome outcome =
        refusing(
                "no-space=epoch-1-2/rank-0.image io-error=epoch-1-3/rank-1.image"
                    + " io-error=epoch-1-5/rank-0.image")
            // Each is large enough to come to the error.
            .property("cairn.full.every", 1)
            .run()
            .requireSuccess();
    assertEquals(reference, outcome.only("result "), outcome::text);
    List<EventLog.Event> abandoned =
        outcome.events().of("abandoned").stream()
            .filter(event -> !EventLog.isHarmless(event.text("reason")))
            .toList();
    assertAbandoned(abandoned, 2, "rank 0", "No space left on device", outcome);
    assertAbandoned(abandoned, 3, "rank 1", "Input/output error", outcome);
    assertAbandoned(abandoned, 5, "rank 0", "Input/output error", outcome);
    assertEquals(3 * RANKS, abandoned.size(), outcome::text);
    requireGoesOn();
  }

  private static void assertAbandoned(
      List<EventLog.Event> abandoned, long epoch, String rank, String error, MpiJob.Outcome all) {
    List<String> reasons =
        abandoned.stream()
            .filter(event -> event.epoch() == epoch)
            .map(event -> event.text("reason"))
            .distinct()
            .toList();
    assertEquals(1, reasons.size(), all::text);
    String reason = reasons.get(0);
    assertTrue(reason.contains(rank) && reason.contains(error), reason);
    assertTrue(reason.contains("epoch-1-" + epoch), reason);
  }

  @Test
  void shouldDoWithoutWhatTheKernelDoesNotGive() {
    MpiJob.Outcome killed =
        refusing("userfaultfd huge-pages direct fallocate")
            .property("cairn.pages", "written")
            .property("cairn.full.every", 100)
            .property("systemtests.halt", "1:4")
            .run()
            .requireFailure();
    killed.events().requireHarmless();
    for (int rank = 0; rank < RANKS; rank++) {
      String said = "rank " + rank;
      // Or by soft-dirty bits, and then for the same reason.
      assertSaidOnce(killed, said, "userfaultfd: Operation not permitted");
      assertSaidOnce(killed, said, "0% in huge pages");
      assertSaidOnce(killed, said, "takes no direct I/O", "Invalid argument");
    }
    requireGoesOn();
  }

  /** What the control groups say is made up, for these ranks alone: the kernel enforces nothing. */
  @Test
  void shouldStageNoMoreThanALimitOfMemoryLeavesBesideTheRegions() throws IOException {
    String said = Processes.output(List.of("unshare", "--mount", "true"), 30);
    assumeTrue(said.isEmpty(), "a limit of memory needs root, to mount files: " + said);
    Path groups = Files.createDirectories(bench.folder().resolve("groups"));
    Path version1 = Files.createDirectory(groups.resolve("memory"));
    Files.writeString(groups.resolve("memory.max"), LIMIT_BYTES + "\n");
    Files.writeString(groups.resolve("memory.current"), USED_BYTES + "\n");
    Files.writeString(version1.resolve("memory.limit_in_bytes"), LIMIT_BYTES + "\n");
    Files.writeString(version1.resolve("memory.usage_in_bytes"), USED_BYTES + "\n");
    String mount = "mount --bind " + groups.toAbsolutePath() + " /sys/fs/cgroup && exec \"$@\"";
    MpiJob.Outcome outcome =
        checkpointed()
            .mpirun("unshare", "--mount", "sh", "-c", mount, "sh")
            .arguments("mebibytes=" + (REGION_BYTES >> 20), "steps=40", "commits=2")
            .run()
            .requireSuccess();
    outcome.events().requireHarmless();
    long left = (LIMIT_BYTES - USED_BYTES) / RANKS - REGION_BYTES;
    for (int rank = 0; rank < RANKS; rank++) {
      assertSaidOnce(outcome, "rank " + rank, String.format(Locale.ROOT, "(budget %,d)", left / 2));
    }
  }

  /** Pools for all that is registered would be more than the limit: the kernel would kill ranks. */
  @Test
  void shouldLiveWithinALimitOfMemoryOfTheKernel() throws IOException {
    long region = 256L << 20;
    long limit = 1000L << 20;
    try (MemoryGroup group = memoryGroup(limit)) {
      MpiJob.Outcome outcome =
          checkpointed()
              .mpirun(group.enter())
              .property("cairn.full.every", 1)
              .arguments("mebibytes=" + (region >> 20), "steps=40", "commits=2")
              .run();
      assertEquals(0, group.killed(), outcome::text);
      outcome.requireSuccess();
      outcome.events().requireHarmless();
      assertTrue(outcome.events().newestCommitted() >= 2, outcome::text);
      // That limit is what they lived in.
      assertTrue(group.mostBytes() > RANKS * region, group.mostBytes() + " bytes");
    }
  }

  private static MemoryGroup memoryGroup(long limitBytes) {
    try {
      return new MemoryGroup(limitBytes);
    } catch (IOException e) {
      String why = "a limit of memory needs root, and control groups that can be made: " + e;
      System.out.println("skipped: " + why);
      return abort(why);
    }
  }

  private static void assertSaidOnce(MpiJob.Outcome outcome, String... parts) {
    long lines =
        outcome.all().stream()
            .filter(line -> List.of(parts).stream().allMatch(line::contains))
            .count();
    assertEquals(1, lines, () -> List.of(parts) + "\n" + outcome.text());
  }
}

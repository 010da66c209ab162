// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The promise: a job that is killed, however often and whenever, comes back from its last committed
 * epoch, and its answer is the same to the last bit.
 */
class KillsIT {

  /**
   * For each sample on 2 and on 4 ranks, and half as many on 7, which start slowly on few cores;
   * {@code ./cairn test --long} asks for many more.
   */
  private static final int KILLS = Integer.getInteger("systemtests.kills", 8);

  private static final int MANY_RANKS = 7;

  private static final int SHARES = 3;

  @RegisterExtension final Workbench bench = new Workbench();

  /** Sample, ranks, and which fault points to begin with: so that each sample comes to most. */
  static Stream<Arguments> jobs() {
    return Stream.of(
            arguments(Sample.HEAT2D, 2, 0),
            arguments(Sample.HEAT2D, 4, 1),
            arguments(Sample.HEAT2D, 7, 2),
            arguments(Sample.CG, 2, 0),
            arguments(Sample.CG, 4, 2),
            arguments(Sample.CG, 7, 1),
            arguments(Sample.PIPELINE, 2, 1),
            arguments(Sample.PIPELINE, 4, 0),
            arguments(Sample.PIPELINE, 7, 2),
            arguments(Sample.TASKFARM, 2, 2),
            arguments(Sample.TASKFARM, 4, 1),
            arguments(Sample.TASKFARM, 7, 0))
        // One round is for a second JDK, to which the number of ranks is nothing new.
        .filter(job -> KILLS > 1 || job.get()[1].equals(4));
  }

  @ParameterizedTest(name = "{0} on {1} ranks")
  @MethodSource("jobs")
  void shouldComeBackFromTheLastCommittedEpochWithTheSameAnswer(
      Sample sample, int ranks, int share) {
    SplittableRandom random = Seed.random(sample + " " + ranks);
    int kills = ranks < MANY_RANKS ? KILLS : Math.max(1, KILLS / 2);
    List<Kill> plan = new ArrayList<>();
    if (kills == 1) {
      // After a commit: else nothing would be restored.
      plan.add(new Kill.AtTime(Optional.of(random.nextInt(ranks)), 1, random.nextInt(120)));
    }
    for (int round = share; plan.size() < kills; round++) {
      int more = Math.min(8, kills - plan.size());
      plan.addAll(Kill.plan(random, ranks, more, round % SHARES, SHARES));
    }
    new Story(sample, ranks, new ArrayDeque<>(plan)).run();
  }

  /** The jobs of one test: each launched again after every kill until it has finished. */
  private final class Story {
    private final Sample sample;
    private final int ranks;
    private final Deque<Kill> plan;
    private final int wanted;
    private final String reference;
    private final StringBuilder log = new StringBuilder();
    private int kills;
    private int launches;
    private long announced;
    private long lateMessages;
    private long queuedMessages;

    Story(Sample sample, int ranks, Deque<Kill> plan) {
      this.sample = sample;
      this.ranks = ranks;
      this.plan = plan;
      this.wanted = plan.size();
      this.reference = sample.reference(bench, ranks);
    }

    void run() {
      try {
        while (!plan.isEmpty()) {
          bench.emptyFolder();
          runJob();
        }
      } catch (AssertionError e) {
        throw new AssertionError(
            "seed " + Seed.value() + ", " + kills + " kills:\n" + log + e.getMessage(), e);
      }
      System.out.printf(
          "%s on %d ranks: %d kills, %d launches, %d late messages captured, %d restored%n%s",
          sample, ranks, kills, launches, lateMessages, queuedMessages, log);
      assertTrue(kills >= wanted, () -> kills + " of " + wanted + " kills");
      if (sample == Sample.PIPELINE || sample == Sample.TASKFARM) {
        // It has messages in flight at each cut: else capture and replay were not tested.
        assertTrue(lateMessages > 0, "no late message was captured");
        assertTrue(queuedMessages > 0, "no message was restored");
      }
    }

    private void runJob() {
      JobFiles files = bench.files(sample.program());
      boolean finished = false;
      announced = 0;
      while (!finished) {
        assertTrue(launches < 4 * wanted + 4, "no end after " + launches + " launches");
        Optional<JobFiles.Epoch> expected = files.newestDecided();
        Kill kill = next(expected.isPresent());
        long begin = System.nanoTime();
        MpiJob.Outcome outcome = launch(kill);
        log.append("  ").append((System.nanoTime() - begin) / 1_000_000).append(" ms, ");
        log.append(kill).append(": exit code ").append(outcome.exitCode());
        log.append(", from ").append(expected.map(this::name).orElse("the start"));
        log.append(", newest ").append(files.newestDecided().map(this::name).orElse("none"));
        log.append('\n');
        requireRestored(outcome, files, expected);
        announced = Math.max(announced, outcome.events().newestCommitted());
        count(outcome.events());
        finished = outcome.succeeded();
        if (finished) {
          assertEquals(reference, outcome.only("result "), outcome::text);
          if (kill != null) {
            plan.addLast(kill); // it came too late; a job of its own, then
          }
        } else {
          if (kill == null) {
            throw outcome.failure("failed, and nobody killed it");
          }
          outcome.requireNo("the program failed");
          outcome.requireNo("Exception");
          kills++;
        }
      }
    }

    private Kill next(boolean committed) {
      for (int i = plan.size(); i > 0; i--) {
        Kill kill = plan.removeFirst();
        if (kill.isPossible(committed)) {
          return kill;
        }
        plan.addLast(kill);
      }
      // What is left needs an epoch to come back to.
      return plan.isEmpty() ? null : new Kill.AtTime(Optional.empty(), 1, 0);
    }

    private MpiJob.Outcome launch(Kill kill) {
      launches++;
      MpiJob.Builder launch = sample.checkpointed(bench, ranks);
      if (kill == null) {
        return launch.run();
      }
      kill.prepare(launch);
      MpiJob job = launch.start();
      kill.strike(job);
      return job.finish();
    }

    /**
     * Every rank that came so far has restored the same epoch: the last committed one. Where the
     * job died between its decision and the record's renaming, that is the one whose record was
     * still pending; never one older than what any rank was told to be committed.
     */
    private void requireRestored(
        MpiJob.Outcome outcome, JobFiles files, Optional<JobFiles.Epoch> expected) {
      List<EventLog.Event> restored = outcome.events().of("restored");
      for (EventLog.Event event : restored) {
        if (expected.isEmpty()
            || event.number("generation") != expected.get().generation()
            || event.epoch() != expected.get().number()) {
          throw outcome.failure(
              "restored %s, expected %s of %s".formatted(event, expected, files.epochs()));
        }
        if (event.epoch() < announced) {
          throw outcome.failure(
              "restored %s, but a rank was told that epoch %d is committed"
                  .formatted(event, announced));
        }
      }
      if (outcome.succeeded() && restored.size() != (expected.isPresent() ? ranks : 0)) {
        throw outcome.failure(
            "%d of %d ranks restored %s".formatted(restored.size(), ranks, expected));
      }
    }

    private void count(EventLog events) {
      lateMessages += events.sum("committed", "late");
      queuedMessages += events.sum("restored", "queued");
    }

    private String name(JobFiles.Epoch epoch) {
      return "epoch " + epoch.generation() + "-" + epoch.number();
    }
  }
}

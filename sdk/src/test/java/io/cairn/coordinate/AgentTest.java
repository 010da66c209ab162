// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Gates, coordinators and agents together, on real threads. */
@Timeout(300)
class AgentTest {

  /** With limits so long that no busy machine decides a test. */
  private static final EpochSettings BRISK =
      EpochSettings.onRequest()
          .withTimeouts(
              Duration.ofMinutes(10),
              Duration.ofMinutes(10),
              Duration.ofMinutes(10),
              Duration.ofMinutes(10),
              Duration.ofMinutes(10));

  /** One rank of a world in this process. */
  private static final class Rank {
    final Stubs.QuietLedger ledger = new Stubs.QuietLedger();
    final Stubs.InstantStore store = new Stubs.InstantStore();
    final Stubs.Notes notes = new Stubs.Notes();
    final List<EpochReport> told = new ArrayList<>();
    final SafePointGate gate;
    final Agent agent;
    Throwable failure;

    Rank(Fabric fabric, EpochSettings settings, Capture capture) {
      EpochEvents events =
          new EpochEvents() {
            @Override
            public void committed(EpochReport report) {
              told.add(report);
            }

            @Override
            public void abandoned(EpochReport report) {
              told.add(report);
            }
          };
      EpochCoordinator coordinator =
          new EpochCoordinator(
              fabric,
              ledger,
              capture,
              store,
              events,
              notes,
              System::nanoTime,
              settings,
              Origin.fresh(1));
      gate = coordinator.gate();
      agent = new Agent(coordinator, notes);
    }
  }

  private interface Body {
    void run(Rank rank, int number) throws Exception;
  }

  private static List<Rank> run(
      int size, EpochSettings settings, IntFunction<Capture> captures, Body body)
      throws InterruptedException {
    Stubs.LocalWorld world = new Stubs.LocalWorld(size);
    List<Rank> ranks = new ArrayList<>();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < size; i++) {
      int number = i;
      Rank rank = new Rank(world.fabric(i), settings, captures.apply(i));
      ranks.add(rank);
      rank.agent.start();
      Thread thread =
          new Thread(
              () -> {
                try {
                  body.run(rank, number);
                  rank.gate.close();
                  rank.agent.join();
                } catch (Throwable e) {
                  rank.failure = e;
                  rank.agent.stop();
                }
              });
      threads.add(thread);
      thread.start();
    }
    for (Thread thread : threads) {
      thread.join();
    }
    for (Rank rank : ranks) {
      if (rank.failure != null) {
        throw new AssertionError("a rank failed", rank.failure);
      }
    }
    return ranks;
  }

  @Test
  void shouldCutAllRanksAtTheSameSafePointWhileTheyRaceThroughMillionsOfThem() throws Exception {
    List<Rank> ranks =
        run(
            4,
            BRISK,
            rank -> (epoch, safePoint) -> new Stubs.InstantImage(),
            (rank, number) -> {
              int asked = 0;
              while (rank.told.size() < 20) {
                if (number == 1 && asked == rank.told.size()) {
                  asked++;
                  rank.gate.requestCheckpoint();
                }
                rank.gate.safePoint();
              }
            });
    List<Long> committed = committedCuts(ranks.get(0));
    assertEquals(
        List.of(),
        ranks.get(0).notes.settled.stream().filter(report -> !report.committed()).toList());
    assertEquals(20, committed.size());
    for (Rank rank : ranks) {
      assertEquals(committed, committedCuts(rank));
      assertEquals(committed, rank.ledger.cutAt);
    }
  }

  private static List<Long> committedCuts(Rank rank) {
    return rank.notes.settled.stream()
        .filter(EpochReport::committed)
        .map(EpochReport::safePoint)
        .toList();
  }

  @Test
  void shouldWaitInCloseUntilThePendingEpochIsCommitted() throws Exception {
    CountDownLatch closing = new CountDownLatch(2);
    List<Rank> ranks =
        run(
            2,
            BRISK,
            rank ->
                (epoch, safePoint) ->
                    new Stubs.InstantImage() {
                      @Override
                      public Capture.Progress progress() {
                        return closing.getCount() == 0
                            ? super.progress()
                            : Capture.Progress.RUNNING;
                      }
                    },
            (rank, number) -> {
              rank.gate.requestCheckpoint();
              while (rank.ledger.cutAt.isEmpty()) {
                rank.gate.safePoint();
              }
              closing.countDown();
            });
    for (Rank rank : ranks) {
      assertEquals(1, rank.told.size());
      assertTrue(rank.told.get(0).committed(), rank.told.get(0).reason());
      assertEquals(List.of(1L), rank.store.committed);
    }
  }

  @Test
  void shouldGoOnAndTellAllRanksWhenACaptureFailsOnOne() throws Exception {
    List<Rank> ranks =
        run(
            3,
            BRISK,
            rank ->
                (epoch, safePoint) -> {
                  if (rank == 1 && epoch == 1) {
                    throw new java.io.IOException("the pool is on fire");
                  }
                  return new Stubs.InstantImage();
                },
            (rank, number) -> {
              while (rank.told.size() < 2) {
                if (number == 0 && rank.told.size() >= rank.notes.settled.size()) {
                  rank.gate.requestCheckpoint();
                }
                rank.gate.safePoint();
                Thread.sleep(1);
              }
              for (int i = 0; i < 3_000; i++) {
                rank.gate.safePoint();
              }
            });
    for (Rank rank : ranks) {
      EpochReport first = rank.told.get(0);
      assertFalse(first.committed());
      assertEquals(
          "rank 1 could not be captured at safe point "
              + first.safePoint()
              + ": java.io.IOException: the pool is on fire",
          first.reason());
      assertTrue(rank.told.get(1).committed(), rank.told.get(1).reason());
      assertEquals(List.of(1L), rank.store.abandoned.subList(0, 1));
    }
  }

  @Test
  void shouldThrowOnTheApplicationsThreadWhenTheAgentFails() throws Exception {
    Fabric broken =
        new Fabric() {
          private final Fabric good = new Stubs.LocalWorld(1).fabric(0);

          @Override
          public int rank() {
            return 0;
          }

          @Override
          public int size() {
            return 1;
          }

          @Override
          public void startPulse(long[] max, long[] sum) {
            throw new UnsupportedOperationException("no network");
          }

          @Override
          public boolean testPulse(long[] max, long[] sum) {
            return good.testPulse(max, sum);
          }

          @Override
          public void send(int destination, byte[] message) {}

          @Override
          public Message poll() {
            return null;
          }
        };
    Rank rank = new Rank(broken, BRISK, (epoch, safePoint) -> new Stubs.InstantImage());
    rank.agent.start();
    rank.agent.join();
    IllegalStateException thrown = assertThrows(IllegalStateException.class, rank.gate::safePoint);
    assertEquals("no network", thrown.getCause().getMessage());
    assertThrows(IllegalStateException.class, rank.gate::close);
  }

  @Test
  void shouldEndTheThreadWhenToldToStop() throws Exception {
    Rank rank =
        new Rank(
            new Stubs.LocalWorld(2).fabric(0),
            BRISK,
            (epoch, safePoint) -> new Stubs.InstantImage());
    rank.agent.start();
    AtomicReference<Throwable> thrown = new AtomicReference<>();
    Thread waiting =
        new Thread(
            () -> {
              try {
                rank.gate.close();
              } catch (IllegalStateException e) {
                thrown.set(e);
              }
            });
    waiting.start();
    rank.agent.stop();
    waiting.join(TimeUnit.SECONDS.toMillis(10));
    assertTrue(thrown.get() instanceof IllegalStateException, "close() should not wait any more");
  }
}

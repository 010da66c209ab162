// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;

/** The world around one rank, where nothing goes wrong unless a test says so. */
final class Stubs {

  private Stubs() {}

  /** All ranks of a world in one process, on real threads. */
  static final class LocalWorld {
    private final int size;
    private final List<Queue<Fabric.Message>> inboxes = new ArrayList<>();
    private final List<long[][]> pulses = new ArrayList<>();
    private final List<AtomicInteger> contributors = new ArrayList<>();

    LocalWorld(int size) {
      this.size = size;
      for (int i = 0; i < size; i++) {
        inboxes.add(new ConcurrentLinkedQueue<>());
      }
    }

    Fabric fabric(int rank) {
      return new Fabric() {
        private int pulse = -1;

        @Override
        public int rank() {
          return rank;
        }

        @Override
        public int size() {
          return size;
        }

        @Override
        public void startPulse(long[] max, long[] sum) {
          pulse++;
          synchronized (pulses) {
            if (pulses.size() == pulse) {
              pulses.add(new long[][] {max.clone(), sum.clone()});
              contributors.add(new AtomicInteger());
            } else {
              long[][] reduced = pulses.get(pulse);
              for (int i = 0; i < max.length; i++) {
                reduced[0][i] = Math.max(reduced[0][i], max[i]);
              }
              for (int i = 0; i < sum.length; i++) {
                reduced[1][i] += sum[i];
              }
            }
            contributors.get(pulse).incrementAndGet();
          }
        }

        @Override
        public boolean testPulse(long[] max, long[] sum) {
          synchronized (pulses) {
            if (contributors.get(pulse).get() < size) {
              return false;
            }
            System.arraycopy(pulses.get(pulse)[0], 0, max, 0, max.length);
            System.arraycopy(pulses.get(pulse)[1], 0, sum, 0, sum.length);
            return true;
          }
        }

        @Override
        public void send(int destination, byte[] message) {
          inboxes.get(destination).add(new Message(rank, message.clone()));
        }

        @Override
        public Message poll() {
          return inboxes.get(rank).poll();
        }
      };
    }
  }

  /** A rank that sends and receives nothing. */
  static class QuietLedger implements Ledger {
    final List<Long> cutAt = new ArrayList<>();
    final NotedHold hold = new NotedHold();
    String refusal;
    volatile String fault;

    @Override
    public List<OutgoingMarker> cut(long epoch, long safePoint) throws CutRefusedException {
      if (refusal != null) {
        throw new CutRefusedException(refusal);
      }
      cutAt.add(safePoint);
      return List.of();
    }

    @Override
    public void accept(int source, long epoch, byte[] marker) {}

    @Override
    public List<OutgoingMarker> bareCut() {
      return List.of();
    }

    @Override
    public void acceptBare(int source, byte[] marker) {}

    @Override
    public void markersClosed() {}

    @Override
    public long missing() {
      return 0;
    }

    @Override
    public void drain() {}

    @Override
    public Hold hold() {
      return hold;
    }

    @Override
    public String fault() {
      return fault;
    }

    @Override
    public long channelFingerprint() {
      return 0;
    }

    @Override
    public long collectiveFingerprint() {
      return 0;
    }

    @Override
    public List<CollectiveCount> collectiveCounts() {
      return List.of();
    }

    @Override
    public SealedChannels seal() {
      return new SealedChannels(0, 0, 0, 0, 0, () -> {});
    }

    @Override
    public void commit() {}

    @Override
    public void abandon() {}

    @Override
    public Statistics statistics() {
      return new Statistics(0, 0, 0, 0, 0);
    }

    @Override
    public long channels() {
      return 0;
    }
  }

  /** A hold in which nothing waits, unless a test says so. */
  static final class NotedHold implements Hold {
    volatile boolean held;
    volatile boolean waiting;
    volatile boolean synchronous;
    volatile String overdue;
    volatile long waitedNanos;
    int begun;
    int drained;
    volatile boolean known;
    volatile boolean stopped;

    @Override
    public void begin(long limitNanos) {
      held = true;
      overdue = null;
      begun++;
    }

    @Override
    public void end() {
      held = false;
      waiting = false;
    }

    @Override
    public String overdue() {
      return overdue;
    }

    @Override
    public boolean isWaiting() {
      return waiting;
    }

    @Override
    public long waitedNanos() {
      return waitedNanos;
    }

    @Override
    public void drain() {
      drained++;
    }

    @Override
    public void announce() {}

    @Override
    public boolean synchronousUsed() {
      return synchronous;
    }

    @Override
    public void synchronousKnown() {
      known = true;
    }

    @Override
    public void stop() {
      held = false;
      stopped = true;
    }
  }

  /** An image that is durable at once. */
  static class InstantImage implements Capture.PendingImage {
    volatile boolean sealed;
    volatile boolean discarded;

    @Override
    public void seal(SealedChannels channels) {
      sealed = true;
      channels.release().run();
    }

    @Override
    public Capture.Progress progress() {
      return sealed ? Capture.Progress.DONE : Capture.Progress.RUNNING;
    }

    @Override
    public Throwable failure() {
      return null;
    }

    @Override
    public long digest() {
      return 1;
    }

    @Override
    public long lengthBytes() {
      return 4096;
    }

    @Override
    public void discard() {
      discarded = true;
    }
  }

  /** A store whose records are durable at once. */
  static class InstantStore implements Store {
    final List<Long> committed = new ArrayList<>();
    final List<Long> abandoned = new ArrayList<>();

    @Override
    public void record(long epoch, long jobDigest) {}

    @Override
    public Capture.Progress recordProgress() {
      return Capture.Progress.DONE;
    }

    @Override
    public Throwable recordFailure() {
      return null;
    }

    @Override
    public long digestTerm(int rank, long imageDigest) {
      return rank + imageDigest;
    }

    @Override
    public void commit(long epoch) {
      committed.add(epoch);
    }

    @Override
    public void abandon(long epoch) {
      abandoned.add(epoch);
    }

    @Override
    public boolean takeRequest() {
      return false;
    }
  }

  /** Keeps what it is told. */
  static final class Notes implements EpochLog {
    final Queue<EpochReport> settled = new ConcurrentLinkedQueue<>();
    final Queue<BareCutReport> bareCuts = new ConcurrentLinkedQueue<>();
    final Queue<String> warnings = new ConcurrentLinkedQueue<>();

    @Override
    public void settled(EpochReport report) {
      settled.add(report);
    }

    @Override
    public void bareCut(BareCutReport report) {
      bareCuts.add(report);
    }

    @Override
    public void warning(String text, Throwable cause) {
      warnings.add(cause == null ? text : text + ": " + cause);
    }
  }
}

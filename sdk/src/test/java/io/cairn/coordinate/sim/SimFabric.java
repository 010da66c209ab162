// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate.sim;

import io.cairn.coordinate.Fabric;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The agents' network: pulses that take their time, frames in order per source. */
final class SimFabric {

  private static final class Reduction {
    long[] max;
    long[] sum;
    int started;
    long[] doneAt;
  }

  private final SimWorld world;
  private final int size;
  private final long delayNanos;
  private final List<Reduction> pulses = new ArrayList<>();
  private final List<Deque<Fabric.Message>> inboxes = new ArrayList<>();
  private final Map<Long, Long> lastArrival = new HashMap<>();
  private int inFlight;

  SimFabric(SimWorld world, int size, long delayNanos) {
    this.world = world;
    this.size = size;
    this.delayNanos = delayNanos;
    for (int i = 0; i < size; i++) {
      inboxes.add(new ArrayDeque<>());
    }
  }

  /** Frames that were sent and not taken by their receiver. */
  int inFlight() {
    return inFlight;
  }

  Fabric of(int rank) {
    return new Fabric() {
      private int current = -1;

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
        current++;
        if (pulses.size() == current) {
          Reduction fresh = new Reduction();
          fresh.max = max.clone();
          fresh.sum = sum.clone();
          pulses.add(fresh);
        } else {
          Reduction r = pulses.get(current);
          if (r.max.length != max.length || r.sum.length != sum.length) {
            throw world.failure("ranks start pulses of different lengths");
          }
          for (int i = 0; i < max.length; i++) {
            r.max[i] = Math.max(r.max[i], max[i]);
          }
          for (int i = 0; i < sum.length; i++) {
            r.sum[i] += sum[i];
          }
        }
        Reduction r = pulses.get(current);
        if (++r.started == size) {
          r.doneAt = new long[size];
          for (int i = 0; i < size; i++) {
            r.doneAt[i] = world.now() + world.dice.delay(delayNanos);
          }
        }
      }

      @Override
      public boolean testPulse(long[] max, long[] sum) {
        Reduction r = pulses.get(current);
        if (r.doneAt == null || world.now() < r.doneAt[rank]) {
          return false;
        }
        System.arraycopy(r.max, 0, max, 0, r.max.length);
        System.arraycopy(r.sum, 0, sum, 0, r.sum.length);
        return true;
      }

      @Override
      public void send(int destination, byte[] message) {
        inFlight++;
        long pair = (long) rank * size + destination;
        long at =
            Math.max(
                world.now() + world.dice.delay(delayNanos * 3), lastArrival.getOrDefault(pair, 0L));
        lastArrival.put(pair, at);
        Message copy = new Message(rank, message.clone());
        world.at(at, () -> inboxes.get(destination).add(copy));
      }

      @Override
      public Message poll() {
        Message next = inboxes.get(rank).poll();
        if (next != null) {
          inFlight--;
        }
        return next;
      }
    };
  }
}

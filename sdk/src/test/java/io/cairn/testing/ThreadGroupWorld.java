// SPDX-License-Identifier: Apache-2.0
package io.cairn.testing;

import io.cairn.coordinate.Group;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.IntFunction;

/** Ranks that are threads; a rank that waits for another one that never comes fails its test. */
public final class ThreadGroupWorld {
  private static final long TIMEOUT_SECONDS = 30;

  private final int size;
  private final CyclicBarrier barrier;
  private final byte[][] slots;

  public ThreadGroupWorld(int size) {
    this.size = size;
    barrier = new CyclicBarrier(size);
    slots = new byte[size][];
  }

  /** The group of that rank. */
  public Group group(int rank) {
    return new Group() {
      @Override
      public int rank() {
        return rank;
      }

      @Override
      public int size() {
        return size;
      }

      @Override
      public byte[][] allGather(byte[] mine) {
        slots[rank] = mine.clone();
        await();
        byte[][] all = slots.clone();
        await();
        return all;
      }
    };
  }

  private void await() {
    try {
      barrier.await(TIMEOUT_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException | BrokenBarrierException | TimeoutException e) {
      throw new AssertionError("a rank didn't come to the gathering", e);
    }
  }

  /** A rank's end: its result, or what it threw. */
  public record Outcome<T>(T result, Throwable failure) {

    /** The result; throws if there is none. */
    public T get() {
      if (failure != null) {
        throw new AssertionError("a rank failed", failure);
      }
      return result;
    }
  }

  /** Runs all ranks, each in a thread of its own, and returns how they ended. */
  public static <T> List<Outcome<T>> run(int size, IntFunction<Callable<T>> rank) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(size);
    try {
      List<Future<T>> futures = new ArrayList<>();
      for (int i = 0; i < size; i++) {
        futures.add(threads.submit(rank.apply(i)));
      }
      List<Outcome<T>> outcomes = new ArrayList<>();
      Throwable first = null;
      for (Future<T> future : futures) {
        try {
          outcomes.add(new Outcome<>(future.get(60, TimeUnit.SECONDS), null));
        } catch (ExecutionException e) {
          outcomes.add(new Outcome<>(null, e.getCause()));
          if (first == null) {
            first = e.getCause();
          } else if (e.getCause() != first) {
            // Most often one rank fails, and the others for want of it.
            first.addSuppressed(e.getCause());
          }
        }
      }
      return outcomes;
    } finally {
      threads.shutdownNow();
    }
  }
}

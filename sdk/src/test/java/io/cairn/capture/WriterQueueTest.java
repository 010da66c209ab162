// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class WriterQueueTest {
  private final EpochCapture epoch =
      new EpochCapture(null, 1, 1, 0, List.of(), OptionalLong.empty());
  private final WriterQueue.Item item = new WriterQueue.Item();

  private boolean put(WriterQueue queue, int number) throws InterruptedException {
    item.order = WriterQueue.Order.BLOCK;
    item.epoch = epoch;
    item.offset = number;
    return queue.put(item);
  }

  @Test
  void shouldFindPlacesForScatteredPagesWithoutAWaitForTheWriter() throws Exception {
    WriterQueue queue = new WriterQueue(4);
    WriterQueue.Item taken = new WriterQueue.Item();
    // So that the first place is in the middle when there come to be more.
    for (int i = 0; i < 3; i++) {
      assertTrue(put(queue, i));
      queue.take(taken);
    }
    queue.hold();
    int most = WriterQueue.MOST_PLACES / 2;
    for (int i = 0; i < most; i++) {
      assertTrue(put(queue, i));
    }
    queue.release();
    for (int i = 0; i < most; i++) {
      queue.take(taken);
      assertEquals(i, taken.offset);
    }
  }

  @Test
  void shouldWaitForTheWriterWhereThereAreTooMany() throws Exception {
    WriterQueue queue = new WriterQueue(4);
    queue.hold();
    int orders = 3 * WriterQueue.MOST_PLACES;
    AtomicInteger begun = new AtomicInteger();
    CountDownLatch done = new CountDownLatch(1);
    Thread application =
        new Thread(
            () -> {
              try {
                while (begun.get() < orders) {
                  put(queue, begun.getAndIncrement());
                }
                done.countDown();
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            });
    application.start();
    while (application.getState() != Thread.State.WAITING) {
      assertFalse(done.await(1, TimeUnit.MILLISECONDS), "it doesn't wait");
    }
    // It waits for a place, not for the end of the hold.
    assertTrue(begun.get() <= 2 * WriterQueue.MOST_PLACES, begun + " orders");
    WriterQueue.Item taken = new WriterQueue.Item();
    for (int i = 0; i < orders; i++) {
      queue.take(taken);
      assertEquals(i, taken.offset);
    }
    assertTrue(done.await(30, TimeUnit.SECONDS));
  }
}

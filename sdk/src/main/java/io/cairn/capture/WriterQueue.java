// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import io.cairn.image.ElementType;
import io.cairn.image.SectionKind;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * What the writer has to do, in order. Its items are made once; there come to be more of them when
 * the pages that were written are scattered, up to a bound.
 */
final class WriterQueue {
  /**
   * Orders that never wait have these places to themselves: a few per epoch, and an epoch starts
   * only below them.
   */
  private static final int RESERVE = 64;

  /** Places at most, unless more were asked for: some megabytes. */
  static final int MOST_PLACES = 1 << 16;

  /** What to do. */
  enum Order {
    BEGIN,
    SECTION,
    BLOCK,
    PARENT,
    RELEASE,
    CAPTURED,
    SEAL,
    DISCARD,
    STOP
  }

  /** An order and what belongs to it. */
  static final class Item {
    Order order;
    EpochCapture epoch;
    StagingPool.Chunk chunk;
    int offset;
    int lengthBytes;
    SectionKind kind;
    ElementType type;
    String name;
    long sectionBytes;

    void copyFrom(Item other) {
      order = other.order;
      epoch = other.epoch;
      chunk = other.chunk;
      offset = other.offset;
      lengthBytes = other.lengthBytes;
      kind = other.kind;
      type = other.type;
      name = other.name;
      sectionBytes = other.sectionBytes;
    }
  }

  private Item[] ring;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition notEmpty = lock.newCondition();
  private final Condition notFull = lock.newCondition();
  private int head;
  private int size;
  private boolean held;

  WriterQueue(int capacity) {
    ring = new Item[capacity + RESERVE];
    for (int i = 0; i < ring.length; i++) {
      ring[i] = new Item();
    }
  }

  /**
   * Appends an order; waits while the queue is full. Returns false, and appends nothing, if the
   * epoch has failed.
   */
  boolean put(Item item) throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (size >= ring.length - RESERVE && !item.epoch.ended()) {
        if (!grow()) {
          goOn();
          notFull.await();
        }
      }
      if (item.epoch.ended()) {
        return false;
      }
      append(item);
      return true;
    } finally {
      lock.unlock();
    }
  }

  /** Twice as many places; false if there are enough of them for anything. */
  private boolean grow() {
    if (ring.length >= MOST_PLACES) {
      return false;
    }
    Item[] more = new Item[2 * ring.length];
    for (int i = 0; i < more.length; i++) {
      more[i] = i < ring.length ? ring[(head + i) % ring.length] : new Item();
    }
    head = 0;
    ring = more;
    return true;
  }

  /** Appends an order that must not wait. */
  void putNow(Order order, EpochCapture epoch, StagingPool.Chunk chunk) {
    Item item = new Item();
    item.order = order;
    item.epoch = epoch;
    item.chunk = chunk;
    lock.lock();
    try {
      append(item);
    } finally {
      lock.unlock();
    }
  }

  private void append(Item item) {
    if (size == ring.length) {
      throw new AssertionError("the reserve of the writer's queue is used up");
    }
    ring[(head + size) % ring.length].copyFrom(item);
    size++;
    if (!held) {
      notEmpty.signal();
    }
  }

  /** From now on orders wait until {@link #release}, or until there is no place for more. */
  void hold() {
    lock.lock();
    try {
      held = true;
    } finally {
      lock.unlock();
    }
  }

  /** Ends a hold, if there is one. */
  void release() {
    lock.lock();
    try {
      goOn();
    } finally {
      lock.unlock();
    }
  }

  private void goOn() {
    if (held) {
      held = false;
      notEmpty.signal();
    }
  }

  void take(Item item) throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (size == 0 || held) {
        notEmpty.await();
      }
      item.copyFrom(ring[head]);
      head = (head + 1) % ring.length;
      size--;
      notFull.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** An epoch has failed: who waits for a place shall look again. */
  void wake() {
    lock.lock();
    try {
      notFull.signalAll();
    } finally {
      lock.unlock();
    }
  }
}

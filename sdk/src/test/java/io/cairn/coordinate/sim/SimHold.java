// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate.sim;

import io.cairn.coordinate.Hold;

/** The hold of one rank: its program's steps ask here before they send or enter a collective. */
final class SimHold implements Hold {

  private final SimWorld world;
  private final SimRank rank;
  private boolean held;
  private long limitNanos;
  private long hold;
  private boolean waiting;
  private long sinceNanos;
  private long longestNanos;
  private String overdue;
  private boolean announcing;
  private boolean used;
  private boolean known;

  SimHold(SimWorld world, SimRank rank) {
    this.world = world;
    this.rank = rank;
  }

  /** Whether a call has to wait; the rank is woken when it may ask again. */
  boolean waits(String call) {
    if (!held) {
      if (waiting) {
        longestNanos = waitedNanos();
        waiting = false;
      }
      return false;
    }
    if (!waiting) {
      waiting = true;
      sinceNanos = world.now();
      world.counts.heldCalls++;
      long mine = hold;
      world.after(limitNanos, () -> expire(mine, call));
    }
    return true;
  }

  private void expire(long mine, String call) {
    if (held && hold == mine) {
      overdue = call;
      held = false;
      rank.wake();
    }
  }

  /** Whether a synchronous send has to wait until all agents know of it. */
  boolean waitsForAnnouncement() {
    used = true;
    if (announcing && !known) {
      return true;
    }
    known = true;
    return false;
  }

  @Override
  public void begin(long limitNanos) {
    held = true;
    hold++;
    overdue = null;
    longestNanos = 0;
    this.limitNanos = limitNanos;
  }

  @Override
  public void end() {
    held = false;
    rank.wake();
  }

  @Override
  public String overdue() {
    return overdue;
  }

  @Override
  public boolean isWaiting() {
    return waiting && held;
  }

  @Override
  public long waitedNanos() {
    return Math.max(longestNanos, waiting ? world.now() - sinceNanos : 0);
  }

  @Override
  public void drain() {
    rank.ledger.drainHeld();
  }

  @Override
  public void announce() {
    announcing = true;
    known = used;
  }

  @Override
  public boolean synchronousUsed() {
    return used;
  }

  @Override
  public void synchronousKnown() {
    known = true;
    rank.wake();
  }

  @Override
  public void stop() {
    held = false;
    announcing = false;
    rank.wake();
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate.sim;

import io.cairn.coordinate.CutRefusedException;
import io.cairn.coordinate.Hold;
import io.cairn.natives.NativeLedger;
import java.util.List;

/** The real ledger, draining from the simulated network. */
final class SimLedger extends NativeLedger {

  private final SimWorld world;
  private final int rank;

  SimLedger(SimWorld world, int rank, long stateLimitBytes) {
    super(rank, stateLimitBytes);
    this.world = world;
    this.rank = rank;
  }

  @Override
  public Hold hold() {
    return world.rank(rank).hold;
  }

  /** What has arrived, from whom- and for whomsoever. */
  void drainHeld() {
    for (SimNetwork.Packet p : world.network.drainAll(rank)) {
      Program.Message m = p.message;
      drained(m.communicator().id(), m.source(), m.tag(), m.payload());
      world.counts.drainedWhileHeld++;
    }
  }

  @Override
  public List<OutgoingMarker> cut(long epoch, long safePoint) throws CutRefusedException {
    if (world.faults.refuses(world.dice)) {
      throw new CutRefusedException("a window of MPI_Win_create is open");
    }
    List<OutgoingMarker> markers = super.cut(epoch, safePoint);
    world.truth(epoch).cut(rank, world.tick(), world.rank(rank).collectives());
    return markers;
  }

  @Override
  public void drain() {
    SimRank mine = world.rank(rank);
    for (SimNetwork.Posted r : mine.posted()) {
      if (r.filled && !r.fromQueue && !r.peeked && r != mine.awaited() && mayBeLate(r.handle)) {
        Program.Message m = r.match.message;
        peeked(r.handle, m.source(), m.tag(), m.payload());
        r.peeked = true;
        world.counts.peeked++;
      }
    }
    for (boolean progress = true; progress; ) {
      progress = false;
      long[] wishes = drainable();
      for (int i = 0; i < wishes.length; i += 2) {
        SimNetwork.Packet p = world.network.drain(rank, wishes[i], (int) wishes[i + 1]);
        if (p != null) {
          drained(wishes[i], p.message.source(), p.message.tag(), p.message.payload());
          progress = true;
          mine.wake();
        }
      }
    }
  }
}

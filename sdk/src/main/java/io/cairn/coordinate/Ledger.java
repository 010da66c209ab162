// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

import java.util.List;

/**
 * One rank's account of its channels: how many messages were sent and received since the base (the
 * last committed cut, an epoch's or a bare one), and, while an epoch is pending, the late messages
 * recorded as its channel state. A channel is (communicator, source, destination, tag), ranks being
 * world ranks.
 *
 * <p>{@link #cut} is called by the application's thread, everything else by the agent;
 * implementations guard themselves.
 */
public interface Ledger {

  /**
   * Marks this rank's cut for an epoch and returns the markers to send, one for each peer (this
   * rank included) that it sent to since the base.
   *
   * @param epoch the epoch that is pending
   * @param safePoint index of the safe point at which the rank cuts
   * @throws CutRefusedException if the rank can't be captured here (for example an open window);
   *     names the call
   */
  List<OutgoingMarker> cut(long epoch, long safePoint) throws CutRefusedException;

  /**
   * Takes a marker that was sent for {@code epoch}. It may arrive before this rank's own cut, and
   * after the epoch was abandoned (then it is dropped).
   */
  void accept(int source, long epoch, byte[] marker);

  /**
   * All markers of the pending epoch have arrived: a peer that sent none has sent nothing since the
   * base.
   */
  void markersClosed();

  /**
   * Begins a bare cut, while no epoch is pending: notes for each channel how much this rank has
   * sent since the base, which both ends are to subtract, and returns the markers to send. The
   * application goes on, wherever it is; nothing is recorded.
   */
  List<OutgoingMarker> bareCut();

  /** Takes a marker of the bare cut that this rank has begun. */
  void acceptBare(int source, byte[] marker);

  /**
   * How many late messages are still to be recorded, at least; 0 only when the channel state is
   * complete. Meaningful after {@link #markersClosed}.
   */
  long missing();

  /**
   * Takes late messages off the network that the application has not received yet; called again and
   * again past the drain deadline while {@link #missing} isn't zero.
   */
  void drain();

  /** What makes calls wait while this rank is cut and others are not. */
  Hold hold();

  /** What makes the pending epoch impossible (an early message, a full memory limit), or null. */
  String fault();

  /**
   * This rank's term of the channels' fingerprint, modulo 2^64: over channels PRF(channel) x (sent
   * at cut) as the sender minus PRF(channel) x (received at cut + channel state) as the receiver.
   * The sum over all ranks is zero when the cut is consistent (C1). Valid when {@link #missing} is
   * zero. In a bare cut, when all markers are in: PRF(channel) x what this rank is about to
   * subtract; zero over all when both ends of each channel subtract the same.
   */
  long channelFingerprint();

  /**
   * This rank's term of the collectives' fingerprint, modulo 2^64: over its communicators [its rank
   * there is 0] x size x PRF(communicator, count at cut) - PRF(communicator, count at cut). The sum
   * over all ranks is zero when all members counted the same (C4). Valid after the cut.
   */
  long collectiveFingerprint();

  /**
   * What this rank counted at the cut, a line for each of its communicators, for finding a
   * straddling collective.
   */
  List<CollectiveCount> collectiveCounts();

  /**
   * The completed channel state and the counts of this cut, for the image. Valid when {@link
   * #missing} is zero.
   */
  SealedChannels seal();

  /** The epoch or the bare cut is committed: it becomes the base. */
  void commit();

  /**
   * The epoch or the bare cut is abandoned: the base stays, the pending cut is forgotten, no
   * message is.
   */
  void abandon();

  /** What this ledger has done so far, and how many messages it holds. */
  Statistics statistics();

  /** How many channels it remembers now, both directions. Never waits for the application. */
  long channels();

  /** A marker to send: {@code bytes} is the ledger's own encoding. */
  record OutgoingMarker(int destination, byte[] bytes) {}

  /**
   * A communicator's collective count at the cut.
   *
   * @param communicator stable identity, the same on all members
   * @param name for reports, such as {@code "MPI_COMM_WORLD"} or {@code "communicator 3 of ranks
   *     0,1,4"}
   * @param root world rank of the member whose rank there is 0
   * @param members number of members
   * @param count collective calls since the base
   * @param lastCall name of the last one, such as {@code MPI_Allreduce}; empty if none
   */
  record CollectiveCount(
      long communicator, String name, int root, int members, long count, String lastCall) {}

  /**
   * @param late messages recorded as channel state, over all epochs
   * @param drained of those, taken off the network by the agent rather than received by the
   *     application
   * @param replayed messages served from the queue
   * @param queued messages waiting in the queue now
   * @param bareCuts bare cuts that moved the base
   */
  record Statistics(long late, long drained, long replayed, long queued, long bareCuts) {}
}

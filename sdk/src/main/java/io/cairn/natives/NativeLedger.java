// SPDX-License-Identifier: Apache-2.0
package io.cairn.natives;

import io.cairn.coordinate.CutRefusedException;
import io.cairn.coordinate.Hold;
import io.cairn.coordinate.Ledger;
import io.cairn.coordinate.SealedChannels;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The ledger of {@code libcairn-core}. Under MPI it is the shim's own ({@link Shim#ledger});
 * created by {@link #create} it belongs to a program that tells it by hand what is sent and
 * received, as the simulation does.
 *
 * <p>Thread-safe: every call holds the ledger's lock.
 */
public class NativeLedger implements Ledger, AutoCloseable {

  /** Wildcard source or tag. */
  public static final int ANY = -1;

  private final long handle;
  private final boolean owned;

  NativeLedger(long handle, boolean owned) {
    this.handle = handle;
    this.owned = owned;
  }

  /** For subclasses that stand for a rank of a simulated world. */
  protected NativeLedger(int rank, long stateLimitBytes) {
    this(loadAndCreate(rank, stateLimitBytes), true);
  }

  /** A ledger of its own, to be closed. */
  public static NativeLedger create(int rank, long stateLimitBytes) {
    return new NativeLedger(loadAndCreate(rank, stateLimitBytes), true);
  }

  private static long loadAndCreate(int rank, long stateLimitBytes) {
    NativeLibraries.loadCore();
    return allocate(rank, stateLimitBytes);
  }

  @Override
  public List<OutgoingMarker> cut(long epoch, long safePoint) throws CutRefusedException {
    byte[][] framed = cut(handle, epoch, safePoint);
    if (framed == null) {
      throw new CutRefusedException(refusal(handle));
    }
    return outgoing(framed);
  }

  private static List<OutgoingMarker> outgoing(byte[][] framed) {
    List<OutgoingMarker> markers = new ArrayList<>(framed.length);
    for (byte[] marker : framed) {
      int destination = ByteBuffer.wrap(marker).order(ByteOrder.LITTLE_ENDIAN).getInt();
      markers.add(new OutgoingMarker(destination, Arrays.copyOfRange(marker, 4, marker.length)));
    }
    return markers;
  }

  @Override
  public void accept(int source, long epoch, byte[] marker) {
    accept(handle, source, epoch, marker);
  }

  @Override
  public List<OutgoingMarker> bareCut() {
    return outgoing(bareCut(handle));
  }

  @Override
  public void acceptBare(int source, byte[] marker) {
    acceptBare(handle, source, marker);
  }

  @Override
  public void markersClosed() {
    markersClosed(handle);
  }

  @Override
  public long missing() {
    return missing(handle);
  }

  @Override
  public void drain() {
    Shim.drain(handle);
  }

  @Override
  public Hold hold() {
    return Shim.hold();
  }

  @Override
  public String fault() {
    return fault(handle);
  }

  @Override
  public long channelFingerprint() {
    return channelFingerprint(handle);
  }

  @Override
  public long collectiveFingerprint() {
    return collectiveFingerprint(handle);
  }

  @Override
  public List<CollectiveCount> collectiveCounts() {
    List<CollectiveCount> counts = new ArrayList<>();
    collectiveCounts(handle)
        .lines()
        .forEach(
            line -> {
              String[] f = line.split("\t", 6);
              counts.add(
                  new CollectiveCount(
                      Long.parseUnsignedLong(f[0], 16),
                      f[5],
                      Integer.parseInt(f[1]),
                      Integer.parseInt(f[2]),
                      Long.parseLong(f[3]),
                      f[4].equals("-") ? "" : f[4]));
            });
    return counts;
  }

  @Override
  public SealedChannels seal() {
    long[] v = seal(handle);
    return new SealedChannels(v[0], v[1], v[2], v[3], v[4], () -> release(v[5], v[6]));
  }

  @Override
  public void commit() {
    commit(handle);
  }

  @Override
  public void abandon() {
    abandon(handle);
  }

  @Override
  public Statistics statistics() {
    long[] v = statistics(handle);
    return new Statistics(v[0], v[1], v[2], v[3], v[4]);
  }

  @Override
  public long channels() {
    return channels(handle);
  }

  /**
   * Which communicators the program has made again that must not be there yet, going by the counts
   * of an image. To be asked before {@link #restore}.
   */
  public Optional<String> surplus(long address, long lengthBytes) {
    return Optional.ofNullable(surplus(handle, address, lengthBytes));
  }

  /**
   * Puts a channel state back into the queue, from which receives and probes are served first. To
   * be called before the application sends or receives.
   *
   * @throws IllegalArgumentException if the bytes are no channel state; then nothing has changed
   */
  public void restore(long address, long lengthBytes) {
    String wrong = restore(handle, address, lengthBytes);
    if (wrong != null) {
      throw new IllegalArgumentException("channel state is malformed: " + wrong);
    }
  }

  // For a program that doesn't come through the shim. A receive is named by the number that post or
  // take returned.

  /** Counts a message that this rank sends. */
  public void sent(long communicator, int destination, int tag) {
    sent(handle, communicator, destination, tag);
  }

  /** A synchronous send has started ({@code +1}) or completed ({@code -1}). */
  public void synchronous(long communicator, int destination, int tag, int change) {
    synchronous(handle, communicator, destination, tag, change);
  }

  /** Posts a receive, after {@link #take} gave none. */
  public long post(long communicator, int source, int tag) {
    return post(handle, communicator, source, tag);
  }

  /** A receive that is served from the queue, or 0. */
  public long take(long communicator, int source, int tag) {
    return take(handle, communicator, source, tag);
  }

  /** Source, tag and length of the queued message that {@link #take} would take, or null. */
  public int[] probe(long communicator, int source, int tag) {
    return probe(handle, communicator, source, tag);
  }

  /** Source and tag of the message that a receive from the queue got. */
  public int[] envelopeOf(long receive) {
    return envelope(receive);
  }

  /** Its payload. */
  public byte[] payloadOf(long receive) {
    return payload(receive);
  }

  /** The application has the message now. */
  public void completed(long receive, int source, int tag, byte[] payload) {
    completed(handle, receive, source, tag, payload);
  }

  /** The receive was cancelled. */
  public void cancelled(long receive) {
    cancelled(handle, receive);
  }

  /** Whether a pending receive may hold a missing late message. */
  public boolean mayBeLate(long receive) {
    return mayBeLate(handle, receive);
  }

  /**
   * The network has put a message into a pending receive that the application hasn't asked about
   * yet.
   */
  public void peeked(long receive, int source, int tag, byte[] payload) {
    peeked(handle, receive, source, tag, payload);
  }

  /** A message was taken off the network. */
  public void drained(long communicator, int source, int tag, byte[] payload) {
    drained(handle, communicator, source, tag, payload);
  }

  /** Pairs of (communicator, source) whose next message may be drained. */
  public long[] drainable() {
    return drainable(handle);
  }

  /** Makes a communicator known. */
  public void communicator(long communicator, String name, int members, int rank, int root) {
    communicator(handle, communicator, name, members, rank, root);
  }

  /** Counts a collective call. */
  public void collective(long communicator) {
    collective(handle, communicator);
  }

  /** From now on no cut is possible, for this reason. */
  public void veto(String reason) {
    veto(handle, reason);
  }

  @Override
  public void close() {
    if (owned) {
      destroy(handle);
    }
  }

  private static native long allocate(int rank, long limitBytes);

  private static native void destroy(long ledger);

  private static native byte[][] cut(long ledger, long epoch, long safePoint);

  private static native String refusal(long ledger);

  private static native void accept(long ledger, int source, long epoch, byte[] marker);

  private static native byte[][] bareCut(long ledger);

  private static native void acceptBare(long ledger, int source, byte[] marker);

  private static native void markersClosed(long ledger);

  private static native long missing(long ledger);

  private static native String fault(long ledger);

  private static native long channelFingerprint(long ledger);

  private static native long collectiveFingerprint(long ledger);

  private static native String collectiveCounts(long ledger);

  private static native long[] seal(long ledger);

  private static native void release(long state, long counts);

  private static native void commit(long ledger);

  private static native void abandon(long ledger);

  private static native String surplus(long ledger, long address, long bytes);

  private static native String restore(long ledger, long address, long bytes);

  private static native long[] statistics(long ledger);

  private static native long channels(long ledger);

  private static native void sent(long ledger, long communicator, int destination, int tag);

  private static native void synchronous(
      long ledger, long communicator, int destination, int tag, int change);

  private static native long post(long ledger, long communicator, int source, int tag);

  private static native long take(long ledger, long communicator, int source, int tag);

  private static native int[] probe(long ledger, long communicator, int source, int tag);

  private static native int[] envelope(long receive);

  private static native byte[] payload(long receive);

  private static native void completed(
      long ledger, long receive, int source, int tag, byte[] payload);

  private static native void cancelled(long ledger, long receive);

  private static native boolean mayBeLate(long ledger, long receive);

  private static native void peeked(long ledger, long receive, int source, int tag, byte[] payload);

  private static native void drained(
      long ledger, long communicator, int source, int tag, byte[] payload);

  private static native long[] drainable(long ledger);

  private static native void communicator(
      long ledger, long communicator, String name, int members, int rank, int root);

  private static native void collective(long ledger, long communicator);

  private static native void veto(long ledger, String reason);
}

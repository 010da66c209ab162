// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.coordinate.BareCutReport;
import io.cairn.coordinate.Capture;
import io.cairn.coordinate.EpochEvents;
import io.cairn.coordinate.EpochLog;
import io.cairn.coordinate.EpochReport;
import io.cairn.coordinate.Fabric;
import io.cairn.coordinate.Hold;
import io.cairn.coordinate.Ledger;
import io.cairn.coordinate.SealedChannels;
import io.cairn.coordinate.Store;
import java.util.List;

/** The world around a rank that is alone in it, and that nobody asks for an epoch. */
final class LonelyRank implements Fabric, Ledger, Capture, Store, EpochEvents, EpochLog {

  private long[] pulseMax = {};
  private long[] pulseSum = {};
  private volatile long pulses;

  void requirePulses() {
    if (pulses == 0) {
      throw new IllegalStateException("the agent has not sent a single pulse");
    }
  }

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
    pulseMax = max.clone();
    pulseSum = sum.clone();
  }

  @Override
  @SuppressWarnings("NonAtomicVolatileUpdate") // the agent alone writes
  public boolean testPulse(long[] max, long[] sum) {
    System.arraycopy(pulseMax, 0, max, 0, max.length);
    System.arraycopy(pulseSum, 0, sum, 0, sum.length);
    pulses++;
    return true;
  }

  @Override
  public void send(int destination, byte[] message) {
    throw unasked();
  }

  @Override
  public Message poll() {
    return null;
  }

  @Override
  public List<OutgoingMarker> cut(long epoch, long safePoint) {
    throw unasked();
  }

  @Override
  public void accept(int source, long epoch, byte[] marker) {
    throw unasked();
  }

  @Override
  public List<OutgoingMarker> bareCut() {
    throw unasked();
  }

  @Override
  public void acceptBare(int source, byte[] marker) {
    throw unasked();
  }

  @Override
  public void markersClosed() {
    throw unasked();
  }

  @Override
  public long missing() {
    return 0;
  }

  @Override
  public void drain() {
    throw unasked();
  }

  @Override
  public Hold hold() {
    throw unasked();
  }

  @Override
  public String fault() {
    return null;
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
    throw unasked();
  }

  @Override
  public PendingImage capture(long epoch, long safePoint) {
    throw unasked();
  }

  @Override
  public void record(long epoch, long jobDigest) {
    throw unasked();
  }

  @Override
  public Progress recordProgress() {
    throw unasked();
  }

  @Override
  public Throwable recordFailure() {
    return null;
  }

  @Override
  public long digestTerm(int rank, long imageDigest) {
    throw unasked();
  }

  @Override
  public void commit() {
    throw unasked();
  }

  @Override
  public void commit(long epoch) {
    throw unasked();
  }

  @Override
  public void abandon() {
    throw unasked();
  }

  @Override
  public void abandon(long epoch) {
    throw unasked();
  }

  @Override
  public boolean takeRequest() {
    return false;
  }

  @Override
  public Statistics statistics() {
    return new Statistics(0, 0, 0, 0, 0);
  }

  @Override
  public long channels() {
    return 0;
  }

  @Override
  public void beforeCut(long epoch, long safePoint) {
    throw unasked();
  }

  @Override
  public void captured(long epoch, long safePoint, long pauseNanos) {
    throw unasked();
  }

  @Override
  public void committed(EpochReport report) {
    throw unasked();
  }

  @Override
  public void abandoned(EpochReport report) {
    throw unasked();
  }

  @Override
  public void bareCut(BareCutReport report) {
    throw unasked();
  }

  @Override
  public void settled(EpochReport report) {
    throw unasked();
  }

  @Override
  public void warning(String text, Throwable cause) {
    throw new IllegalStateException(text, cause);
  }

  private static IllegalStateException unasked() {
    return new IllegalStateException("an epoch was begun that nobody asked for");
  }
}

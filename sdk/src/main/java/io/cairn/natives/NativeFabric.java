// SPDX-License-Identifier: Apache-2.0
package io.cairn.natives;

import io.cairn.coordinate.Fabric;
import io.cairn.coordinate.Group;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/** The agents' own communication: PMPI calls on private duplicates of {@code MPI_COMM_WORLD}. */
public final class NativeFabric implements Fabric, Group, AutoCloseable {

  private final long handle;
  private final int rank;
  private final int size;
  private boolean closed;

  private NativeFabric(long handle) {
    this.handle = handle;
    this.rank = rank(handle);
    this.size = size(handle);
  }

  /** Collective over all ranks, after MPI was initialised under the shim. */
  public static NativeFabric open() {
    return new NativeFabric(open0());
  }

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
    startPulse(handle, max, sum);
  }

  @Override
  public boolean testPulse(long[] max, long[] sum) {
    return testPulse(handle, max, sum);
  }

  @Override
  public void send(int destination, byte[] message) {
    send(handle, destination, message);
  }

  @Override
  public Message poll() {
    byte[] framed = poll(handle);
    if (framed == null) {
      return null;
    }
    int source = ByteBuffer.wrap(framed).order(ByteOrder.LITTLE_ENDIAN).getInt();
    return new Message(source, Arrays.copyOfRange(framed, 4, framed.length));
  }

  @Override
  public byte[][] allGather(byte[] mine) {
    return allGather(handle, mine);
  }

  /** Collective over all ranks, with no pulse under way and every message received. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      close(handle);
    }
  }

  private static native long open0();

  private static native int rank(long fabric);

  private static native int size(long fabric);

  private static native void startPulse(long fabric, long[] max, long[] sum);

  private static native boolean testPulse(long fabric, long[] max, long[] sum);

  private static native void send(long fabric, int destination, byte[] message);

  private static native byte[] poll(long fabric);

  private static native byte[][] allGather(long fabric, byte[] mine);

  private static native void close(long fabric);
}

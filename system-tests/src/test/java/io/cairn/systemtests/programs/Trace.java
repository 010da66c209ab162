// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import mpi.Datatype;
import mpi.MPI;
import mpi.MPIException;
import mpi.Status;

/** Everything a program sees of MPI, in the order in which it sees it, in one number. */
final class Trace {

  /** What a buffer holds where nothing has been received. */
  static final long UNTOUCHED = -7;

  private final long[] digest;

  /**
   * @param digest registered, so that it is what it was at the cut
   */
  Trace(long[] digest) {
    this.digest = digest;
  }

  long digest() {
    return digest[0];
  }

  void see(long value) {
    digest[0] = Scene.mix(digest[0], value);
  }

  /** Source, tag, counts, whether it was cancelled. */
  void see(Status status, Datatype type) throws MPIException {
    see(status.getSource());
    see(status.getTag());
    see(status.getCount(type));
    see(status.getElements(type));
    see(status.isCancelled() ? 1 : 0);
  }

  void see(Status status) throws MPIException {
    see(status, MPI.LONG);
  }

  /** A buffer to its last place, and what the status says. */
  void see(LongBuffer buffer, Status status) throws MPIException {
    see(buffer);
    see(status);
  }

  void see(LongBuffer buffer) {
    for (int i = 0; i < buffer.capacity(); i++) {
      see(buffer.get(i));
    }
  }

  void see(MPIException error) {
    see(error.getErrorClass());
  }

  /** One for receiving. */
  static LongBuffer empty(int longs) {
    LongBuffer buffer =
        ByteBuffer.allocateDirect(longs * Long.BYTES).order(ByteOrder.nativeOrder()).asLongBuffer();
    for (int i = 0; i < longs; i++) {
      buffer.put(i, UNTOUCHED);
    }
    return buffer;
  }

  /** One for sending, with what only this message of this rank has in it. */
  static LongBuffer filled(int longs, long message, int rank) {
    LongBuffer buffer = empty(longs);
    for (int i = 0; i < longs; i++) {
      buffer.put(i, Scene.mix(message * 1_000 + i, rank));
    }
    return buffer;
  }
}

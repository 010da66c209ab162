// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import io.cairn.api.Region;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import mpi.Datatype;
import mpi.MPI;
import mpi.MPIException;
import mpi.Status;
import net.openhft.chronicle.bytes.BytesStore;

/**
 * One message of more than 2 GiB from rank 0 to rank 1, sent before the cut and received after a
 * restore. Its blocks overlap where they are sent from, so that only the receiver needs the memory.
 */
public final class Huge {

  private static final int TAG = 5;
  private static final int BLOCKS = 2100;
  private static final int BLOCK_BYTES = 1 << 20;
  private static final int BLOCK_LONGS = BLOCK_BYTES / Long.BYTES;

  /** From one block to the next, at the sender. */
  private static final int STRIDE_BYTES = 4096;

  private static final int STRIDE_LONGS = STRIDE_BYTES / Long.BYTES;

  /** Prime, so that all places in a block are looked at. */
  private static final int SAMPLE_LONGS = 67;

  /** Kept, because MPI may read it after the call. */
  private static LongBuffer out;

  private Huge() {}

  public static void main(String[] args) {
    Cairn.run(args, Huge::run);
  }

  private static void run(Cairn cairn) throws MPIException, InterruptedException {
    int rank = MPI.COMM_WORLD.getRank();
    Scene.watch(cairn);
    Scene.Told told = new Scene.Told();
    cairn.addListener(told);
    Region region = cairn.region("in", rank == 1 ? (long) BLOCKS * BLOCK_BYTES : Long.BYTES);
    Datatype block = Datatype.createContiguous(BLOCK_LONGS, MPI.LONG);
    block.commit();
    if (!cairn.restore()) {
      if (rank == 0) {
        Datatype overlapping = Datatype.createResized(block, 0, STRIDE_BYTES);
        overlapping.commit();
        out = out();
        MPI.COMM_WORLD.iSend(out, BLOCKS, overlapping, 1, TAG);
      }
      cairn.requestCheckpoint();
      Scene.safePointsUntil(cairn, 1, told::commits); // a rank halts then
      throw new IllegalStateException("the message was not captured");
    }
    if (rank == 1) {
      ByteBuffer start = region.byteBuffer(0, BLOCK_BYTES); // MPI wants to know where, not how much
      Status status = MPI.COMM_WORLD.recv(start, BLOCKS, block, 0, TAG);
      if (status.getCount(block) != BLOCKS) {
        throw new IllegalStateException(status.getCount(block) + " blocks, not " + BLOCKS);
      }
      check(region.bytes());
    }
    Scene.result(BLOCKS);
  }

  private static LongBuffer out() {
    int longs = BLOCKS * STRIDE_LONGS + BLOCK_LONGS;
    LongBuffer out =
        ByteBuffer.allocateDirect(longs * Long.BYTES).order(ByteOrder.nativeOrder()).asLongBuffer();
    for (int i = 0; i < longs; i++) {
      out.put(i, content(i));
    }
    return out;
  }

  /** Mostly zeros, which are quickly compressed. */
  private static long content(long index) {
    return index % 61 == 0 ? index + 1 : 0;
  }

  private static void check(BytesStore<?, ?> in) {
    long longs = (long) BLOCKS * BLOCK_LONGS;
    for (long i = 0; i < longs; i += SAMPLE_LONGS) {
      long expected = content(i / BLOCK_LONGS * STRIDE_LONGS + i % BLOCK_LONGS);
      long found = in.readLong(i * Long.BYTES);
      if (found != expected) {
        throw new IllegalStateException("long %,d: %d, not %d".formatted(i, found, expected));
      }
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.coordinate.Capture.PendingImage;
import io.cairn.image.FaultHook;
import io.cairn.image.SystemFiles;
import io.cairn.store.StoreSettings;
import io.cairn.testing.SimulatedRank;
import io.cairn.testing.ThreadGroupWorld;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Random;
import java.util.function.IntFunction;

/**
 * A job as the SDK's own writer leaves it, but for MPI: ranks in a ring, each of which has sent
 * {@link #SENT} messages to the next one, of which one was late.
 */
final class JobFixture {
  static final int RANKS = 4;
  static final int SENT = 5;
  static final int TAG = 7;
  static final long COMMUNICATOR = 0x1234;
  static final int LATE_BYTES = 13;

  /** A header is 92 bytes and the job's name; the first block is behind it. */
  static final int FIRST_BLOCK = 92 + "heat".length();

  private static final int REGION_BYTES = 3 * SimulatedRank.BLOCK_BYTES + 100;

  /** What a rank's ledger says of an epoch. */
  interface Ledger {
    byte[] counts(int rank);

    byte[] channelState(int rank);
  }

  private JobFixture() {}

  /** A ledger that is right. */
  static Ledger sound() {
    return ledger(SENT, SENT - 1, 1, 1, 3, rank -> 9L);
  }

  /**
   * A ledger of a ring.
   *
   * @param late how many messages the counts say are in the channel state
   * @param state how many really are
   * @param alone collectives of rank 0 on its own communicator; each next rank has one more
   * @param collectives each rank's number of them on the common communicator
   */
  static Ledger ledger(
      long sent, long received, long late, int state, int alone, IntFunction<Long> collectives) {
    return new Ledger() {
      @Override
      public byte[] counts(int rank) {
        ByteBuffer out = ByteBuffer.allocate(24 + 24 + 32 + 2 * 24).order(ByteOrder.LITTLE_ENDIAN);
        out.putLong(1).putLong(1).putLong(2);
        out.putLong(COMMUNICATOR).putInt((rank + 1) % RANKS).putInt(TAG).putLong(sent);
        out.putLong(COMMUNICATOR).putInt((rank + RANKS - 1) % RANKS).putInt(TAG);
        out.putLong(received).putLong(late);
        out.putLong(COMMUNICATOR).putInt(RANKS).putInt(rank).putLong(collectives.apply(rank));
        // Each rank's own: the same number everywhere, one member each.
        out.putLong(99).putInt(1).putInt(0).putLong(alone + rank);
        return out.array();
      }

      @Override
      public byte[] channelState(int rank) {
        int padded = (LATE_BYTES + 7) / 8 * 8;
        ByteBuffer out = ByteBuffer.allocate(8 + state * (24 + padded));
        out.order(ByteOrder.LITTLE_ENDIAN).putLong(state);
        for (int i = 0; i < state; i++) {
          out.putLong(COMMUNICATOR).putInt((rank + RANKS - 1) % RANKS).putInt(TAG);
          out.putLong(LATE_BYTES).position(out.position() + padded);
        }
        return out.array();
      }
    };
  }

  /** One launch: restores what is there, then commits epochs from 1 on, and dies. */
  static void launch(IntFunction<Path> directory, String job, int epochs) throws Exception {
    launch(directory, job, epochs, sound(), true);
  }

  /**
   * The same.
   *
   * @param lastCommitted whether the last epoch's record is published, or pending when it dies
   */
  static void launch(
      IntFunction<Path> directory, String job, int epochs, Ledger ledger, boolean lastCommitted)
      throws Exception {
    launch(directory, job, epochs, ledger, lastCommitted, true);
  }

  /** A launch that goes on from an epoch and saves just that again, as its epoch 1. */
  static void relaunchAndCommitWhatWasRestored(Path directory, String job) throws Exception {
    launch(rank -> directory, job, 1, sound(), true, false);
  }

  private static void launch(
      IntFunction<Path> directory,
      String job,
      int epochs,
      Ledger ledger,
      boolean lastCommitted,
      boolean fill)
      throws Exception {
    ThreadGroupWorld world = new ThreadGroupWorld(RANKS);
    ThreadGroupWorld.<Void>run(
            RANKS,
            rank ->
                () -> {
                  StoreSettings settings = new StoreSettings(directory.apply(rank), job, 10, 0, 0);
                  SimulatedRank self =
                      new SimulatedRank(
                          settings, world.group(rank), new SystemFiles(), FaultHook.NONE);
                  ByteBuffer region = self.region("u", REGION_BYTES);
                  self.registry.array("steps", new long[3]);
                  self.restore();
                  for (int epoch = 1; epoch <= epochs; epoch++) {
                    if (fill) {
                      fill(region, epoch, rank);
                    }
                    PendingImage image =
                        self.image(epoch, ledger.channelState(rank), ledger.counts(rank));
                    if (epoch < epochs || lastCommitted) {
                      self.commit(epoch, image);
                    } else {
                      self.record(epoch, image);
                    }
                  }
                  self.settle();
                  self.kill();
                  return null;
                })
        .forEach(ThreadGroupWorld.Outcome::get);
  }

  /** A block of noise, one of zeros, one that shrinks, and the rest. */
  private static void fill(ByteBuffer region, int epoch, int rank) {
    int block = SimulatedRank.BLOCK_BYTES;
    byte[] noise = new byte[block];
    new Random(31L * epoch + rank).nextBytes(noise);
    region.put(0, noise);
    for (int i = 2 * block; i < REGION_BYTES; i++) {
      region.put(i, (byte) (epoch + i / 64));
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.coordinate.Capture.PendingImage;
import io.cairn.image.FaultHook;
import io.cairn.image.SystemFiles;
import io.cairn.restore.NoUsableEpochException;
import io.cairn.restore.RestoredImage;
import io.cairn.store.StoreSettings;
import io.cairn.testing.LocalTransport;
import io.cairn.testing.SimulatedRank;
import io.cairn.testing.ThreadGroupWorld;
import io.cairn.tier.SetSize;
import io.cairn.tier.Tier;
import io.cairn.tier.TierSettings;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
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
  static final int FIRST_BLOCK = 4096;

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

  /**
   * What a launch with tiers does.
   *
   * @param partnerEvery every so many epochs are copied to partners; 0 for none
   * @param sharedEvery the same for the shared tier
   * @param sets how large redundancy sets are, if there are any
   * @param shared where the shared tier is, if there is one
   * @param stepBytes how much more each rank has than the one before
   */
  record Tiers(
      int partnerEvery,
      Optional<SetSize> sets,
      int sharedEvery,
      Optional<Path> shared,
      int stepBytes) {
    TierSettings settings(String failureGroup) {
      Map<Tier, Integer> every = new EnumMap<>(Tier.class);
      Map<Tier, Integer> kept = new EnumMap<>(Tier.class);
      if (partnerEvery > 0) {
        every.put(Tier.PARTNER, partnerEvery);
      }
      sets.ifPresent(size -> every.put(Tier.SET, 1));
      if (sharedEvery > 0) {
        every.put(Tier.SHARED, sharedEvery);
      }
      every.keySet().forEach(tier -> kept.put(tier, 10));
      return new TierSettings(failureGroup, every, kept, sets, shared, 0, Optional.empty(), 20_000);
    }
  }

  /** A launch whose ranks have images of different sizes; ends when all is protected. */
  static void protectedLaunch(IntFunction<Path> directory, String job, int epochs, Tiers tiers)
      throws Exception {
    withTiers(
        directory,
        job,
        tiers,
        (self, region) -> {
          self.restore();
          int rank = self.group.rank();
          for (int epoch = 1; epoch <= epochs; epoch++) {
            fill(region, epoch, rank);
            Ledger ledger = sound();
            PendingImage image = self.image(epoch, ledger.channelState(rank), ledger.counts(rank));
            self.commit(epoch, image);
            if (tiers.partnerEvery() > 0 && (epoch - 1) % tiers.partnerEvery() == 0) {
              self.news.await("protected partner " + epoch);
            }
            if (tiers.sets().isPresent()) {
              self.news.await("protected set " + epoch);
            }
            if (tiers.sharedEvery() > 0 && (epoch - 1) % tiers.sharedEvery() == 0 && rank == 0) {
              self.news.await("protected shared " + epoch);
            }
            self.group.allGather(new byte[0]);
          }
        });
  }

  /**
   * What a start of the job comes to: the epoch that it goes on from, {@code fresh} or an error.
   */
  static String start(IntFunction<Path> directory, String job, Optional<Path> shared, int stepBytes)
      throws Exception {
    String[] come = new String[RANKS];
    withTiers(
        directory,
        job,
        new Tiers(0, Optional.empty(), 0, shared, stepBytes),
        (self, region) -> {
          try (RestoredImage restored = self.restore()) {
            come[self.group.rank()] =
                restored == null
                    ? "fresh"
                    : restored.epoch().generation() + "-" + restored.epoch().epoch();
          } catch (NoUsableEpochException e) {
            come[self.group.rank()] = "refused";
          }
        });
    if (Arrays.stream(come).distinct().count() != 1) {
      throw new AssertionError("ranks came to different ends: " + Arrays.toString(come));
    }
    return come[0];
  }

  /** A rank's part of a launch. */
  @FunctionalInterface
  private interface Part {
    void run(SimulatedRank self, ByteBuffer region) throws Exception;
  }

  private static void withTiers(IntFunction<Path> directory, String job, Tiers tiers, Part part)
      throws Exception {
    ThreadGroupWorld world = new ThreadGroupWorld(RANKS);
    LocalTransport.World transports = new LocalTransport.World(RANKS, Duration.ofSeconds(30));
    ThreadGroupWorld.<Void>run(
            RANKS,
            rank ->
                () -> {
                  Path place = directory.apply(rank);
                  StoreSettings store = new StoreSettings(place, job, 10, 0, 0, tiers.shared());
                  try (SimulatedRank self =
                      new SimulatedRank(
                          store, world.group(rank), new SystemFiles(), FaultHook.NONE)) {
                    self.useTiers(
                        tiers.settings(place.getFileName().toString()), transports.transport(rank));
                    part.run(self, self.region("u", REGION_BYTES + rank * tiers.stepBytes()));
                    self.settle();
                  }
                  return null;
                })
        .forEach(ThreadGroupWorld.Outcome::get);
  }

  /** A block of noise, one of zeros, one that shrinks, and the rest; then noise again. */
  private static void fill(ByteBuffer region, int epoch, int rank) {
    int block = SimulatedRank.BLOCK_BYTES;
    byte[] noise = new byte[block];
    new Random(31L * epoch + rank).nextBytes(noise);
    region.put(0, noise);
    for (int i = 2 * block; i < REGION_BYTES; i++) {
      region.put(i, (byte) (epoch + i / 64));
    }
    byte[] more = new byte[region.capacity() - REGION_BYTES];
    new Random(31L * epoch + rank + 7).nextBytes(more);
    region.put(REGION_BYTES, more);
  }
}

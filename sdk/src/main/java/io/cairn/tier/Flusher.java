// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.image.CoreTimes;
import io.cairn.image.CorruptImageException;
import io.cairn.image.EpochId;
import io.cairn.image.FileOperations;
import io.cairn.image.ForeignImageException;
import io.cairn.image.ImageChain;
import io.cairn.image.ImageReader;
import io.cairn.image.InputFile;
import io.cairn.image.OutputFile;
import io.cairn.image.RateLimit;
import io.cairn.image.Threads;
import io.cairn.store.FencedException;
import io.cairn.store.SharedStore;
import io.cairn.store.StoreView;
import java.io.Closeable;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.LongSupplier;

/**
 * Copies this rank's images, with those that they take bytes from, to the shared tier, one at a
 * time and no faster than the limit; rank 0 then waits for the others' and publishes the record.
 * What an interrupted flush has written is used by the next one.
 */
final class Flusher implements Closeable {
  private static final int BUFFER_BYTES = 1 << 20;
  private static final long POLL_MILLIS = 200;

  private final TierSettings settings;
  private final Protector.Context context;
  private final SharedStore shared;
  private final Gauges gauges;
  private final LongSupplier nanoClock;
  private final Protector.Listener listener;
  private final RateLimit limit;

  // Guarded by this.
  private Thread thread;
  private EpochId epoch;
  private EpochId failedHere;
  private Protector.Outcome outcome;
  private EpochId failedAnywhere;
  private boolean closing;

  Flusher(
      TierSettings settings,
      Protector.Context context,
      SharedStore shared,
      Gauges gauges,
      Protector.Listener listener) {
    this.settings = settings;
    this.context = context;
    this.shared = shared;
    this.gauges = gauges;
    nanoClock = gauges.nanoClock();
    this.listener = listener;
    limit = RateLimit.of(settings.sharedBytesPerSecond());
  }

  /** Whether an epoch is being flushed. */
  synchronized boolean isBusy() {
    return epoch != null;
  }

  /** How the last flush ended here; empty if none has. */
  synchronized Optional<Protector.Outcome> outcome() {
    return Optional.ofNullable(outcome);
  }

  /** The epoch whose flush has failed at this rank last; null if none has. */
  synchronized EpochId failedHere() {
    return failedHere;
  }

  /** The flush of this epoch has failed at some rank: there is nothing to wait for. */
  synchronized void failedAnywhere(EpochId failed) {
    failedAnywhere = failed;
    notifyAll();
  }

  /** Begins, in a thread of its own. Only when idle. */
  synchronized void flush(EpochId next, long jobDigest) {
    if (closing) {
      return;
    }
    if (epoch != null) {
      throw new IllegalStateException(epoch + " is being flushed, no time for " + next);
    }
    epoch = next;
    thread = new Thread(() -> work(next, jobDigest), "cairn-flush");
    thread.setDaemon(true);
    thread.start();
  }

  private void work(EpochId next, long jobDigest) {
    long begin = nanoClock.getAsLong();
    CoreTimes before = gauges.coreTimes().get();
    Exception failure = null;
    boolean news = false;
    boolean published = false;
    try {
      news = !shared.isCommitted(next);
      published = news && flushNow(next, jobDigest);
    } catch (IOException | InterruptedException | RuntimeException e) {
      failure = e;
    }
    boolean tell;
    synchronized (this) {
      epoch = null;
      outcome =
          new Protector.Outcome(
              failure == null,
              news
                  ? OptionalLong.of(gauges.coreTimes().get().takenSince(before))
                  : OptionalLong.empty(),
              nanoClock.getAsLong() - begin);
      failedHere = failure == null ? failedHere : next;
      tell = !closing;
    }
    if (failure instanceof FencedException fenced) {
      listener.fenced(fenced);
    } else if (failure != null && tell) {
      listener.failed(Tier.SHARED, next, failure);
    } else if (published) {
      listener.isProtected(Tier.SHARED, next, (nanoClock.getAsLong() - begin) / 1e9);
    }
  }

  private boolean flushNow(EpochId next, long jobDigest) throws IOException, InterruptedException {
    int rank = context.directory().rank();
    StoreView own = context.directory().view();
    try (ImageChain chain =
        ImageChain.open(
            context.files(), own.imageFile(next, rank), older -> own.imageFile(older, rank))) {
      Set<EpochId> needed = new HashSet<>();
      chain.newest().ancestors().forEach(ancestor -> needed.add(ancestor.epoch()));
      shared.deleteUnfinished(next, needed, rank);
      // The oldest first: who sees an image there may rely on all that it takes bytes from.
      for (int i = chain.images().size() - 1; i >= 0; i--) {
        ImageReader image = chain.images().get(i);
        EpochId epoch = image.header().epoch();
        image.requireIdentity(context.directory().job(), epoch, rank);
        if (!isThere(image, shared.view().imageFile(epoch, rank))) {
          image.verify();
          copy(next, epoch, rank, own.imageFile(epoch, rank), image);
        }
      }
    }
    if (rank != 0) {
      return false;
    }
    while (!shared.hasAllImages(next)) {
      synchronized (this) {
        if (closing) {
          return false;
        }
        if (next.equals(failedAnywhere)) {
          throw new IOException(next + " could not be flushed by another rank");
        }
        wait(POLL_MILLIS);
      }
    }
    shared.publish(next, jobDigest);
    shared.prune(settings.kept().get(Tier.SHARED));
    return true;
  }

  /** Whether a file of the shared tier is the image, as far as its ends say. */
  private boolean isThere(ImageReader image, Path file) throws IOException {
    try (ImageReader there = ImageReader.open(context.files(), file)) {
      return there.digest() == image.digest() && there.lengthBytes() == image.lengthBytes();
    } catch (NoSuchFileException | CorruptImageException | ForeignImageException e) {
      return false;
    }
  }

  private void copy(EpochId next, EpochId of, int rank, Path source, ImageReader image)
      throws IOException {
    FileOperations files = context.files();
    Path partial = shared.prepare(of, rank);
    ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
    try (InputFile in = files.open(source)) {
      long length = in.lengthBytes();
      long done = resumeFrom(files, partial, source, in, buffer);
      try (OutputFile out = done > 0 ? files.append(partial) : files.create(partial)) {
        long unsynced = 0;
        while (done < length) {
          int piece = limit.piece((int) Math.min(buffer.capacity(), length - done));
          limit.await(piece, () -> isGivenUp(next));
          FileOperations.readFully(in, source, buffer.clear().limit(piece), done);
          write(out, partial, buffer.flip());
          done += piece;
          unsynced += piece;
          if (unsynced >= limit.syncEveryBytes()) {
            out.force();
            unsynced = 0;
          }
          if (isGivenUp(next)) {
            throw new InterruptedIOException(
                "the flush of " + next + " was given up, as the job ends or another rank's failed");
          }
        }
        out.force();
      } catch (IOException e) {
        throw FileOperations.failed(partial, "flush", e);
      }
    }
    if (!isThere(image, partial)) {
      files.delete(partial);
      throw new IOException(partial + ": what was written isn't what is there");
    }
    files.rename(partial, shared.view().imageFile(of, rank));
    files.syncDirectory(shared.view().directory(of));
  }

  private static void write(OutputFile out, Path file, ByteBuffer bytes) throws IOException {
    try {
      FileOperations.writeFully(out, bytes);
    } catch (IOException e) {
      throw FileOperations.failed(file, "write", e);
    }
  }

  /** How much of an interrupted flush is of use: all of it, if it is the source's beginning. */
  private long resumeFrom(
      FileOperations files, Path partial, Path source, InputFile in, ByteBuffer buffer)
      throws IOException {
    try (InputFile old = files.open(partial)) {
      long length = old.lengthBytes();
      ByteBuffer other = ByteBuffer.allocateDirect(buffer.capacity());
      boolean same = length <= in.lengthBytes();
      for (long at = 0; same && at < length; at += buffer.capacity()) {
        int piece = (int) Math.min(buffer.capacity(), length - at);
        FileOperations.readFully(in, source, buffer.clear().limit(piece), at);
        FileOperations.readFully(old, partial, other.clear().limit(piece), at);
        same = buffer.flip().equals(other.flip());
      }
      if (same) {
        return length;
      }
    } catch (NoSuchFileException e) {
      return 0;
    }
    files.delete(partial);
    return 0;
  }

  private synchronized boolean isGivenUp(EpochId next) {
    return closing || next.equals(failedAnywhere);
  }

  /** Gives up what is under way; a later launch goes on with it. */
  @Override
  public void close() {
    Thread last;
    synchronized (this) {
      closing = true;
      notifyAll();
      last = thread;
    }
    if (last != null) {
      Threads.awaitEnd(List.of(last));
    }
  }
}

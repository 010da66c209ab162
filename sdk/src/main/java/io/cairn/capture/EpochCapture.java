// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import io.cairn.coordinate.Capture.PendingImage;
import io.cairn.coordinate.Capture.Progress;
import io.cairn.coordinate.SealedChannels;
import io.cairn.image.Ancestor;
import io.cairn.image.CoreTimes;
import io.cairn.image.ElementType;
import io.cairn.image.FaultPoint;
import io.cairn.image.ImageHeader;
import io.cairn.image.ImageWriter;
import io.cairn.image.SectionKind;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;

/**
 * One epoch's image on its way to the disk.
 *
 * <pre>
 * CAPTURING -> CAPTURED [captured] -> SEALING [seal] -> DONE [writeSealed]
 * any -> FAILED [fail] | DISCARDED [discard]
 * </pre>
 *
 * <p>The application's thread hands over blocks, the agent seals or discards, the writer's thread
 * does the rest: the methods that are named after an order are called by it alone.
 */
final class EpochCapture implements PendingImage {
  /** How often other ranks may take the directory away before it is an error. */
  private static final int MOST_ATTEMPTS = 10;

  private final ImageCapture owner;
  private final long epoch;
  private final long safePoint;
  private final long beginNanos;
  private final List<Ancestor> mayRefer;
  private final OptionalLong lastCommitted;

  private volatile Progress progress = Progress.RUNNING;
  private volatile Throwable failure;
  private volatile boolean discarded;
  private volatile SealedChannels channels;
  private volatile long digest;
  private volatile long lengthBytes;
  private volatile long takenNanos;
  private long callbackNanos; // of the application's thread, until it hands the image over
  private volatile List<Ancestor> ancestors = List.of();
  private volatile boolean committed;
  private volatile long storedNanos;
  private long toCopyBytes; // of the application's thread, until the image begins
  private long capturedBytes; // of the application's thread

  // Of the writer's thread.
  private Path file;
  private ImageWriter writer;
  private CoreTimes begun;
  private long writeBeginNanos;
  private boolean inSection;

  /**
   * @param mayRefer what it may take bytes from: its parent first, or nothing if it is to be full
   * @param lastCommitted the launch's last epoch that is committed
   */
  EpochCapture(
      ImageCapture owner,
      long epoch,
      long safePoint,
      long beginNanos,
      List<Ancestor> mayRefer,
      OptionalLong lastCommitted) {
    this.mayRefer = mayRefer;
    this.lastCommitted = lastCommitted;
    this.owner = owner;
    this.epoch = epoch;
    this.safePoint = safePoint;
    this.beginNanos = beginNanos;
  }

  /** Whether nothing that is still handed over can be of use. */
  boolean ended() {
    return discarded || failure != null;
  }

  void begin() throws IOException {
    begun = owner.coreTimes();
    writeBeginNanos = owner.nanoTime();
    long expectedBytes = owner.sizes().next(mayRefer(), toCopyBytes);
    owner.requireSpace(expectedBytes);
    owner.buffers().expect(expectedBytes);
    if (owner.parentBlocks() != null) {
      owner.parentBlocks().begin(epoch, lastCommitted);
    }
    ImageHeader header =
        new ImageHeader(
            owner.target().job(),
            owner.target().epochId(epoch),
            safePoint,
            owner.target().rank(),
            owner.settings().blockBytes());
    for (int attempt = 1; writer == null; attempt++) {
      file = owner.target().prepare(epoch);
      try {
        writer =
            ImageWriter.create(
                owner.files(), file, header, mayRefer, owner.buffers(), owner.faults());
        writer.stopWhen(this::ended);
      } catch (NoSuchFileException e) {
        // A rank that has failed already took the directory away, because it was empty then. The
        // epoch is lost, but this rank's reason would hide the real one.
        if (attempt == MOST_ATTEMPTS) {
          throw e;
        }
      }
    }
  }

  void section(WriterQueue.Item item) {
    captured();
    writer.beginSection(item.kind, item.type, item.name, item.sectionBytes);
    inSection = true;
  }

  void block(WriterQueue.Item item) throws IOException {
    item.chunk.written.limit(item.offset + item.lengthBytes).position(item.offset);
    writer.write(item.chunk.written);
  }

  void parent(WriterQueue.Item item) {
    writer.parent(item.sectionBytes);
  }

  void captured() {
    if (inSection) {
      writer.endSection();
      inSection = false;
    }
  }

  @Override
  public void seal(SealedChannels sealed) {
    channels = sealed;
    owner.queue().putNow(WriterQueue.Order.SEAL, this, null);
  }

  void writeSealed() throws IOException {
    SealedChannels sealed = channels;
    writeMemory(SectionKind.COUNTS, sealed.countsAddress(), sealed.countsBytes());
    writeMemory(SectionKind.CHANNELS, sealed.stateAddress(), sealed.stateBytes());
    if (discarded) {
      return;
    }
    writer.finish();
    owner.faults().reached(FaultPoint.AFTER_SYNC);
    digest = writer.digest();
    lengthBytes = writer.lengthBytes();
    ancestors = writer.ancestors();
    storedNanos = owner.nanoTime() - writeBeginNanos;
    takenNanos = owner.coreTimes().takenSince(begun);
    owner.sizes().stored(mayRefer(), lengthBytes);
    owner.durable(epoch, beginNanos, writer.rawBytes(), lengthBytes);
    progress = Progress.DONE;
  }

  private void writeMemory(SectionKind kind, long address, long length) throws IOException {
    writer.beginSection(kind, ElementType.NONE, "", length);
    int block = owner.settings().blockBytes();
    for (long at = 0; at < length && !discarded; at += block) {
      writer.write(owner.pages().view(address + at, (int) Math.min(block, length - at)));
    }
    if (!discarded) {
      writer.endSection();
    }
  }

  /** Gives the channel state back; whatever became of the image. */
  void releaseChannels() {
    SealedChannels sealed = channels;
    if (sealed != null) {
      channels = null;
      sealed.release().run();
    }
  }

  void fail(Throwable cause) {
    if (failure == null) {
      failure = cause;
      progress = Progress.FAILED;
      remove();
      owner.pool().wake();
      owner.queue().wake();
    }
  }

  @Override
  public void discard() {
    discarded = true;
    owner.pool().wake();
    owner.queue().wake();
    owner.queue().putNow(WriterQueue.Order.DISCARD, this, null);
  }

  @Override
  public void committed() {
    committed = true;
  }

  /** Whether it may take bytes from its parent. */
  boolean mayRefer() {
    return !mayRefer.isEmpty();
  }

  /** About so many bytes are going to be copied. */
  void toCopy(long bytes) {
    toCopyBytes = bytes;
  }

  /** All is copied: so many bytes. */
  void captured(long bytes) {
    capturedBytes = bytes;
  }

  /** Bytes that were copied for it. */
  long capturedBytes() {
    return capturedBytes;
  }

  /** How long they took to be encoded and stored; once it is committed. */
  long storedNanos() {
    return storedNanos;
  }

  /** Whether its epoch is committed. */
  boolean isCommitted() {
    return committed;
  }

  long epoch() {
    return epoch;
  }

  /** What it takes bytes from, once it is durable. */
  List<Ancestor> ancestors() {
    return ancestors;
  }

  /** What another image needs to know to take bytes from it, once it is durable. */
  Ancestor asAncestor() {
    return new Ancestor(owner.target().epochId(epoch), lengthBytes, digest);
  }

  /** The epoch is abandoned on all ranks: nothing of it stays. */
  void abandoned() {
    remove();
    try {
      owner.target().leave(epoch);
    } catch (IOException e) {
      owner.log(
          System.Logger.Level.WARNING,
          "the directory of abandoned epoch " + epoch + " stays: " + e);
    }
  }

  /** Closes and deletes what was written. */
  private void remove() {
    if (writer == null) {
      return;
    }
    try {
      writer.close();
    } catch (IOException e) {
      owner.log(System.Logger.Level.DEBUG, file + " could not be closed: " + e);
    }
    try {
      owner.files().delete(file);
    } catch (IOException e) {
      owner.log(
          System.Logger.Level.WARNING,
          "the image of abandoned epoch " + epoch + " stays until a later one is committed: " + e);
    }
    writer = null;
  }

  @Override
  public Progress progress() {
    return progress;
  }

  @Override
  public Throwable failure() {
    return failure;
  }

  @Override
  public long takenNanos() {
    return takenNanos;
  }

  void callbackTook(long nanos) {
    callbackNanos += nanos;
  }

  @Override
  public long callbackNanos() {
    return callbackNanos;
  }

  @Override
  public long digest() {
    return digest;
  }

  @Override
  public long lengthBytes() {
    return lengthBytes;
  }
}

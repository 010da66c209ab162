// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import io.cairn.api.CheckpointListener;
import net.openhft.chronicle.bytes.BytesMarshallable;

/**
 * What stands behind a {@link Cairn}: with checkpoints or without. An abstract class rather than an
 * interface, so that {@link #safePoint} inlines: only one of the two is ever loaded.
 */
abstract class Session {

  /** Maps memory and registers it. */
  abstract MemoryRegion region(String name, long lengthBytes);

  /** Registers callbacks; the type has been checked. */
  abstract void state(String name, BytesMarshallable state);

  /** Registers a primitive array; the type has been checked. */
  abstract void array(String name, Object array);

  /** Whether there was something to restore. Called once, after the last registration. */
  abstract boolean restore();

  abstract void safePoint();

  /** A safe point, in a program whose ranks pass them as often as they like. */
  abstract void beginWaiting();

  /** The same one, again and again, while the program waits there. */
  abstract void goOnWaiting();

  abstract void requestCheckpoint();

  abstract void addListener(CheckpointListener listener);

  abstract boolean isEnabled();

  /** This process's rank in the world, for messages. */
  abstract int rank();

  /** How many ranks the world has. */
  abstract int size();

  /** The program says that it passes no safe point any more. */
  abstract void done();

  /** The program has come to its end on this rank; called before MPI is finalized. */
  abstract void close();

  /** Ends all ranks of the job at once, and doesn't return. */
  abstract void abort();
}

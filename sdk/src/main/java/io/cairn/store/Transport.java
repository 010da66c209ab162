// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import io.cairn.coordinate.Group;
import java.nio.ByteBuffer;

/**
 * Bulk data and agreement between the ranks' background threads, apart from the agents' fabric. One
 * thread at a time calls it; waiting costs no core, and each wait ends. As a wait asks only now and
 * then, messages should be long (a MiB or more), and several under way at once.
 *
 * <p>{@link #allGather} throws a {@link TransportException} if a rank doesn't come before the
 * deadline. From then on the ranks are out of step: further agreements throw at once, while
 * transfers still work.
 */
public interface Transport extends Group, AutoCloseable {

  /** Tags are 0 to this one; all MPIs have them. */
  int MAX_TAG = 32_767;

  /**
   * Sends what remains of the buffer, which is direct, belongs to the transport until the transfer
   * is done, and keeps its position. Messages between two ranks with the same tag arrive in the
   * order in which they were sent. One that nobody receives stays, and is what a later receive of
   * that source and tag gets.
   */
  Transfer send(int destination, int tag, ByteBuffer data);

  /**
   * Receives the next message from that rank with that tag into what remains of the buffer, which
   * is direct, belongs to the transport until the transfer is done, and keeps its position. A
   * message may be shorter than the room; one that is longer makes the transfer fail.
   */
  Transfer receive(int source, int tag, ByteBuffer room);

  /**
   * Waits until the transfer is done and returns its length. After the deadline it throws, and the
   * transfer goes on: its buffer still belongs to the transport.
   *
   * @throws TransportException if the transfer failed, or isn't done by the deadline, or if the
   *     thread is interrupted
   */
  int await(Transfer transfer);

  /**
   * Collective, with all transfers done that another rank knows of. Receives that nothing has come
   * for are taken back.
   *
   * @throws TransportException if sends are left that nobody has received by the deadline
   */
  @Override
  void close();

  /** A message under way. Goes on only while a rank calls its transport, so ask now and then. */
  interface Transfer {

    /**
     * Whether the message was received, or the buffer of a sent one may be used again.
     *
     * @throws TransportException if it failed; its buffer is the caller's again
     */
    boolean isDone();

    /** How long the message is; once it is done. */
    int lengthBytes();

    /**
     * Takes back a receive that no message has come for yet: true, and nothing will be written into
     * its buffer any more. False if one has come: it is received as if nothing had been said. Sends
     * can't be taken back.
     */
    boolean cancel();
  }
}

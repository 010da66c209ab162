// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * What a rank's ledger had counted at the cut, since the base: the section {@link
 * SectionKind#COUNTS}.
 *
 * <pre>
 * Counts       --> OutgoingCount:u64, IncomingCount:u64, CommunicatorCount:u64, Outgoing*, Incoming*, Communicator*
 * Outgoing     --> Communicator:u64, Destination:i32, Tag:i32, Sent:i64
 * Incoming     --> Communicator:u64, Source:i32, Tag:i32, Received:i64, Late:i64
 * Communicator --> Communicator:u64, Members:i32, Rank:i32, Collectives:i64
 * </pre>
 */
public final class LedgerCounts {

  /** Told of each count, in the order of the file. Ranks are those of the world. */
  public interface Visitor {

    /** Messages sent on a channel. */
    void sent(long communicator, int destination, int tag, long messages);

    /**
     * Messages received on a channel (negative: late messages of the base that are still to come),
     * and those that are in this very image.
     */
    void received(long communicator, int source, int tag, long messages, long late);

    /** Collectives begun on a communicator, of which this rank is number {@code rank}. */
    void collectives(long communicator, int members, int rank, long calls);
  }

  private static final int HEAD_BYTES = 24;
  private static final int OUTGOING_BYTES = 24;
  private static final int INCOMING_BYTES = 32;
  private static final int COMMUNICATOR_BYTES = 24;

  private LedgerCounts() {}

  /**
   * Reads an image's counts.
   *
   * @throws CorruptImageException if they aren't counts; what the visitor got is not to be used
   */
  public static void read(ImageReader image, Visitor visitor) throws IOException {
    FieldReader.readAll(
        image, SectionKind.COUNTS, (file, section) -> new Reader(file, section, visitor));
  }

  private static final class Reader extends FieldReader {
    private final Visitor visitor;
    private boolean begun;
    private long outgoing;
    private long incoming;
    private long communicators;

    Reader(ImageReader image, Section section, Visitor visitor) {
      super(image, section);
      this.visitor = visitor;
    }

    @Override
    int nextBytes() {
      if (!begun) {
        return HEAD_BYTES;
      }
      if (outgoing > 0) {
        return OUTGOING_BYTES;
      }
      if (incoming > 0) {
        return INCOMING_BYTES;
      }
      return communicators > 0 ? COMMUNICATOR_BYTES : 0;
    }

    @Override
    long decode(ByteBuffer field) throws IOException {
      if (!begun) {
        begun = true;
        outgoing = count(field.getLong(), OUTGOING_BYTES, "number of outgoing channels");
        incoming = count(field.getLong(), INCOMING_BYTES, "number of incoming channels");
        communicators = count(field.getLong(), COMMUNICATOR_BYTES, "number of communicators");
      } else if (outgoing > 0) {
        outgoing--;
        visitor.sent(
            field.getLong(), rank(field.getInt(), "destination"), field.getInt(), field.getLong());
      } else if (incoming > 0) {
        incoming--;
        visitor.received(
            field.getLong(),
            rank(field.getInt(), "source"),
            field.getInt(),
            field.getLong(),
            field.getLong());
      } else {
        communicators--;
        visitor.collectives(field.getLong(), field.getInt(), field.getInt(), field.getLong());
      }
      return 0;
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The late messages in an image: the section {@link SectionKind#CHANNELS}.
 *
 * <pre>
 * ChannelState --> Count:u64, Message*
 * Message      --> Communicator:u64, Source:i32, Tag:i32, Length:u64, Bytes, Padding
 * </pre>
 *
 * Padding is up to a multiple of 8.
 */
public final class ChannelState {

  /** Told of each message, in the order in which they are going to be received. */
  @FunctionalInterface
  public interface Visitor {

    /** A message from a rank of the world; its bytes are not shown. */
    void message(long communicator, int source, int tag, long lengthBytes);
  }

  private static final int HEAD_BYTES = 8;
  private static final int MESSAGE_BYTES = 24;

  private ChannelState() {}

  /**
   * Reads an image's channel state.
   *
   * @throws CorruptImageException if it isn't one; what the visitor got is not to be used
   */
  public static void read(ImageReader image, Visitor visitor) throws IOException {
    FieldReader.readAll(
        image, SectionKind.CHANNELS, (file, section) -> new Reader(file, section, visitor));
  }

  private static final class Reader extends FieldReader {
    private final Visitor visitor;
    private boolean begun;
    private long messages;

    Reader(ImageReader image, Section section, Visitor visitor) {
      super(image, section);
      this.visitor = visitor;
    }

    @Override
    int nextBytes() {
      if (!begun) {
        return HEAD_BYTES;
      }
      return messages > 0 ? MESSAGE_BYTES : 0;
    }

    @Override
    long decode(ByteBuffer field) throws IOException {
      if (!begun) {
        begun = true;
        messages = count(field.getLong(), MESSAGE_BYTES, "number of messages");
        return 0;
      }
      messages--;
      long communicator = field.getLong();
      int source = rank(field.getInt(), "source");
      int tag = field.getInt();
      long lengthBytes = field.getLong();
      require(
          lengthBytes >= 0 && lengthBytes <= left(),
          "length of a message",
          lengthBytes,
          "0 to " + left());
      visitor.message(communicator, source, tag, lengthBytes);
      return (lengthBytes + 7) / 8 * 8;
    }
  }
}

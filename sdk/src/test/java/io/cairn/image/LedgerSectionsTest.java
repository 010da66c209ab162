// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.testing.MemoryFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Counts and channel state, read over blocks that are shorter than some of their fields. */
final class LedgerSectionsTest {
  private final WriteBuffers buffers = new WriteBuffers(SampleImage.HEADER.blockBytes());

  @AfterEach
  void release() {
    buffers.close();
  }

  private static byte[] counts() {
    ByteBuffer out = ByteBuffer.allocate(24 + 2 * 24 + 32 + 24).order(ByteOrder.LITTLE_ENDIAN);
    out.putLong(2).putLong(1).putLong(1);
    out.putLong(11).putInt(3).putInt(-5).putLong(100);
    out.putLong(12).putInt(0).putInt(6).putLong(101);
    out.putLong(13).putInt(2).putInt(7).putLong(-2).putLong(4);
    out.putLong(14).putInt(4).putInt(1).putLong(9);
    return out.array();
  }

  private static byte[] channelState() {
    ByteBuffer out = ByteBuffer.allocate(8 + 3 * 24 + 304 + 8).order(ByteOrder.LITTLE_ENDIAN);
    out.putLong(3);
    out.putLong(21).putInt(1).putInt(2).putLong(300).position(out.position() + 304);
    out.putLong(22).putInt(2).putInt(3).putLong(0);
    out.putLong(23).putInt(3).putInt(4).putLong(8).putLong(-1);
    return out.array();
  }

  private ImageReader image(byte[] counts, byte[] channels) throws IOException {
    MemoryFiles files = new MemoryFiles();
    try (ImageWriter writer =
        ImageWriter.create(files, SampleImage.FILE, SampleImage.HEADER, buffers, FaultHook.NONE)) {
      section(writer, SectionKind.COUNTS, counts);
      section(writer, SectionKind.CHANNELS, channels);
      writer.finish();
    }
    return ImageReader.open(files, SampleImage.FILE);
  }

  private static void section(ImageWriter writer, SectionKind kind, byte[] bytes)
      throws IOException {
    int block = SampleImage.HEADER.blockBytes();
    ByteBuffer direct = ByteBuffer.allocateDirect(bytes.length).put(bytes);
    writer.beginSection(kind, ElementType.NONE, "", bytes.length);
    for (int at = 0; at < bytes.length; at += block) {
      writer.write(direct.limit(Math.min(bytes.length, at + block)).position(at));
    }
    writer.endSection();
  }

  private List<String> read(byte[] counts, byte[] channels) throws IOException {
    List<String> told = new ArrayList<>();
    try (ImageReader image = image(counts, channels)) {
      LedgerCounts.read(
          image,
          new LedgerCounts.Visitor() {
            @Override
            public void sent(long communicator, int destination, int tag, long messages) {
              told.add("sent " + communicator + " " + destination + " " + tag + " " + messages);
            }

            @Override
            public void received(long communicator, int source, int tag, long messages, long late) {
              told.add(
                  "received "
                      + communicator
                      + " "
                      + source
                      + " "
                      + tag
                      + " "
                      + messages
                      + " "
                      + late);
            }

            @Override
            public void collectives(long communicator, int members, int rank, long calls) {
              told.add("calls " + communicator + " " + members + " " + rank + " " + calls);
            }
          });
      ChannelState.read(
          image,
          (communicator, source, tag, lengthBytes) ->
              told.add("message " + communicator + " " + source + " " + tag + " " + lengthBytes));
    }
    return told;
  }

  @Test
  void shouldReadWhatTheGrammarSays() throws IOException {
    assertEquals(
        List.of(
            "sent 11 3 -5 100",
            "sent 12 0 6 101",
            "received 13 2 7 -2 4",
            "calls 14 4 1 9",
            "message 21 1 2 300",
            "message 22 2 3 0",
            "message 23 3 4 8"),
        read(counts(), channelState()));
    assertEquals(List.of(), read(new byte[0], new byte[0]));
    assertEquals(List.of(), read(new byte[24], new byte[8]));
  }

  @Test
  void shouldRefuseWhatIsTooShortOrTooLong() throws IOException {
    for (int length = 1; length < counts().length; length++) {
      byte[] cut = Arrays.copyOf(counts(), length);
      assertThrows(
          CorruptImageException.class, () -> read(cut, new byte[0]), () -> "" + cut.length);
    }
    for (int length = 1; length < channelState().length; length++) {
      byte[] cut = Arrays.copyOf(channelState(), length);
      assertThrows(
          CorruptImageException.class, () -> read(new byte[0], cut), () -> "" + cut.length);
    }
    byte[] longer = Arrays.copyOf(counts(), counts().length + 1);
    assertThrows(CorruptImageException.class, () -> read(longer, new byte[0]));
    byte[] more = Arrays.copyOf(channelState(), channelState().length + 8);
    assertThrows(CorruptImageException.class, () -> read(new byte[0], more));
  }

  @Test
  void shouldNameTheFieldAndWhereItIs() throws IOException {
    byte[] wrong = channelState();
    wrong[8 + 8] = 4; // source: there are 4 ranks
    String message =
        assertThrows(CorruptImageException.class, () -> read(new byte[0], wrong)).getMessage();
    assertTrue(
        message.contains("source, byte 32 of CHANNELS: found 4, expected a rank below 4"), message);
    assertTrue(message.contains(SampleImage.FILE.toString()), message);
  }

  @Test
  void shouldEndInNothingButTheExceptionForIt() throws IOException {
    Random random = new Random(7);
    int refused = 0;
    for (int i = 0; i < 1000; i++) {
      byte[] counts = counts();
      byte[] channels = channelState();
      counts[random.nextInt(counts.length)] = (byte) random.nextInt();
      channels[random.nextInt(channels.length)] = (byte) random.nextInt();
      try {
        read(counts, channels);
      } catch (CorruptImageException e) {
        refused++;
      }
    }
    assertTrue(refused > 100, "refused " + refused);
  }
}

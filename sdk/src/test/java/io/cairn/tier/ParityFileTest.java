// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.cairn.image.CorruptImageException;
import io.cairn.image.EpochId;
import io.cairn.image.ForeignImageException;
import io.cairn.image.Grammar;
import io.cairn.testing.MemoryFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Parity shards on disk: what they look like, and that no damage to them goes unseen. */
final class ParityFileTest {
  private static final Path FILE = Path.of("/store/job/epoch-3-7/set-2-stripe-5-1-by-4.parity");
  private static final Path GOLDEN = Path.of("src/test/resources/golden");
  private static final Path JAVADOC = Path.of("src/main/java/io/cairn/tier/package-info.java");
  private static final Path DOCUMENT = Path.of("../docs/image-format.md");
  private static final int PIECE = 4096;
  private static final int LENGTH = 2 * PIECE + 100;
  private static final int HEADER = 80;
  private static final int FOOTER = 24;
  private static final ShardId ID =
      new ShardId(
          UUID.fromString("00112233-4455-6677-8899-aabbccddeeff"), new EpochId(3, 7), 4, 2, 5, 1);

  private final MemoryFiles files = new MemoryFiles();

  private static byte[] parity() {
    byte[] bytes = new byte[LENGTH];
    new Random(7).nextBytes(bytes);
    return bytes;
  }

  private byte[] sample() throws IOException {
    return write(ID, parity(), PIECE);
  }

  private byte[] write(ShardId id, byte[] bytes, int pieceBytes) throws IOException {
    files.delete(FILE);
    try (ShardWriter writer = new ShardWriter(files, FILE, id, bytes.length, pieceBytes)) {
      for (int at = 0; at < bytes.length; at += pieceBytes) {
        writer.piece(ByteBuffer.wrap(bytes, at, Math.min(pieceBytes, bytes.length - at)));
      }
      writer.finish();
      assertEquals(writer.lengthBytes(), files.get(FILE).length);
      try (ShardReader reader = ShardReader.open(files, FILE)) {
        assertEquals(writer.digest(), reader.digest());
      }
    }
    return files.get(FILE);
  }

  private void verify(byte[] bytes) throws IOException {
    files.put(FILE, bytes);
    try (ShardReader reader = ShardReader.open(files, FILE)) {
      reader.verify();
    }
  }

  private byte[] read(int step) throws IOException {
    byte[] read = new byte[LENGTH];
    try (Outflow.Source source = ShardReader.source(files, FILE)) {
      for (int at = 0; at < LENGTH; at += step) {
        ByteBuffer part = ByteBuffer.allocateDirect(Math.min(step, LENGTH - at));
        source.read(at, part);
        part.flip().get(read, at, part.limit());
      }
    }
    return read;
  }

  @ParameterizedTest
  @ValueSource(ints = {1000, PIECE, 5000, LENGTH})
  void shouldGiveBackWhatWasWritten(int step) throws IOException {
    sample();
    assertArrayEquals(parity(), read(step));
    try (ShardReader reader = ShardReader.open(files, FILE)) {
      assertEquals(ID, reader.id());
      assertEquals(LENGTH, reader.shardBytes());
      reader.require(ID, LENGTH, reader.digest());
    }
  }

  @Test
  void shouldBeNoOtherShardThanTheOneRecorded() throws IOException {
    sample();
    try (ShardReader reader = ShardReader.open(files, FILE)) {
      ShardId other = new ShardId(ID.jobUuid(), ID.epoch(), 4, 2, 5, 0);
      assertForeign(() -> reader.require(other, LENGTH, reader.digest()));
      assertForeign(() -> reader.require(ID, LENGTH - 1, reader.digest()));
      assertForeign(() -> reader.require(ID, LENGTH, reader.digest() + 1));
    }
    byte[] changed = parity();
    changed[0]++;
    long digest = digest(write(ID, changed, PIECE));
    assertTrue(digest != digest(sample()), "another parity has another digest");
    ShardId elsewhere = new ShardId(ID.jobUuid(), new EpochId(3, 8), 4, 2, 5, 1);
    assertTrue(digest(write(elsewhere, parity(), PIECE)) != digest(sample()));
  }

  private long digest(byte[] bytes) throws IOException {
    files.put(FILE, bytes);
    try (ShardReader reader = ShardReader.open(files, FILE)) {
      return reader.digest();
    }
  }

  private static void assertForeign(org.junit.jupiter.api.function.Executable check) {
    String message = assertThrows(ForeignImageException.class, check).getMessage();
    assertTrue(message.contains(FILE.toString()) && message.contains("expected"), message);
  }

  @Test
  void shouldFindEveryFlippedBit() throws IOException {
    byte[] sound = sample();
    for (int at = 0; at < sound.length; at++) {
      // All bits of what has a meaning of its own, one of each byte of parity.
      boolean frame = at < HEADER || at >= HEADER + LENGTH;
      for (int bit = frame ? 0 : at % 8; bit < (frame ? 8 : at % 8 + 1); bit++) {
        byte[] damaged = sound.clone();
        damaged[at] ^= (byte) (1 << bit);
        int offset = at;
        IOException e =
            assertThrows(
                IOException.class, () -> verify(damaged), () -> "flip at offset " + offset);
        assertTrue(
            e instanceof CorruptImageException
                || (e instanceof ForeignImageException && offset >= 4 && offset < 8),
            () -> offset + ": " + e);
        assertTrue(e.getMessage().contains(FILE.toString()), e.getMessage());
      }
    }
  }

  @Test
  void shouldSendNoPieceThatWasDamagedAfterItWasChecked() throws IOException {
    byte[] damaged = sample().clone();
    damaged[HEADER + PIECE + 1] ^= 1;
    files.put(FILE, damaged);
    String message = assertThrows(CorruptImageException.class, () -> read(PIECE)).getMessage();
    assertTrue(message.contains("offset " + (HEADER + PIECE)), message);
  }

  @Test
  void shouldFindEveryTruncation() throws IOException {
    byte[] sound = sample();
    for (int length = 0; length < sound.length; length++) {
      byte[] damaged = Arrays.copyOf(sound, length);
      assertThrows(
          CorruptImageException.class, () -> verify(damaged), () -> damaged.length + " bytes left");
    }
    assertThrows(CorruptImageException.class, () -> verify(Arrays.copyOf(sound, sound.length + 1)));
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void shouldSurviveMutationsWithRightChecksums(long seed) throws IOException {
    byte[] sound = sample();
    Random random = new Random(seed);
    int accepted = 0;
    for (int i = 0; i < 3_000; i++) {
      byte[] mutant = mutate(sound, random);
      try {
        verify(mutant);
        accepted++;
      } catch (CorruptImageException | ForeignImageException e) {
        assertTrue(e.getMessage().contains(FILE.toString()), e.getMessage());
      } catch (IOException | RuntimeException | Error e) {
        fail("seed " + seed + ", mutation " + i, e);
      }
    }
    // If none were, the checksums would not have been recomputed, and the test would prove nothing.
    assertTrue(accepted > 0, "no mutant was accepted");
  }

  private static byte[] mutate(byte[] sound, Random random) {
    byte[] mutant = sound.clone();
    int footer = mutant.length - FOOTER;
    int index = HEADER + LENGTH;
    for (int n = random.nextInt(3); n >= 0; n--) {
      int at =
          random.nextInt(4) == 0 ? footer + random.nextInt(FOOTER) : 8 + random.nextInt(HEADER - 8);
      mutant[at] =
          switch (random.nextInt(5)) {
            case 0 -> (byte) 0xff;
            case 1 -> (byte) 0x7f;
            case 2 -> 0;
            case 3 -> (byte) (mutant[at] + 1);
            default -> (byte) random.nextInt();
          };
    }
    putCrc(mutant, 0, HEADER - 4, HEADER - 4);
    putCrc(mutant, index, footer - index, footer + 8);
    return mutant;
  }

  private static void putCrc(byte[] bytes, int from, int length, int at) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, from, length);
    little(bytes).putInt(at, (int) crc.getValue());
  }

  private static ByteBuffer little(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Test
  void shouldReadAndWriteTheSameBytesAsEver() throws IOException {
    byte[] written = sample();
    Files.createDirectories(Path.of("target"));
    Files.write(Path.of("target/shard-v1.parity"), written);
    byte[] golden = Files.readAllBytes(GOLDEN.resolve("shard-v1.parity"));
    assertArrayEquals(golden, written);
    files.put(FILE, golden);
    assertArrayEquals(parity(), read(PIECE));
    assertEquals(0xc11584ed6a8842beL, digest(golden));
  }

  @Test
  void shouldHaveTheBytesThatTheGrammarSays() throws IOException {
    String dump = dump(Grammar.of(JAVADOC).productions(), sample());
    Files.createDirectories(Path.of("target"));
    Files.writeString(Path.of("target/shard-v1.txt"), dump);
    assertEquals(Files.readString(GOLDEN.resolve("shard-v1.txt")), dump);
  }

  @Test
  void shouldBeDocumentedByTheSameGrammar() throws IOException {
    Map<String, String> documented = Grammar.of(DOCUMENT).productions();
    Map<String, String> grammar = Grammar.of(JAVADOC).productions();
    assertTrue(grammar.size() > 8, grammar.toString());
    grammar.forEach((name, production) -> assertEquals(production, documented.get(name), name));
  }

  @Test
  void shouldNoticeAGrammarThatIsNotWhatTheBytesAre() throws IOException {
    Map<String, String> wrong = new LinkedHashMap<>(Grammar.of(JAVADOC).productions());
    wrong.computeIfPresent("ParityHeader", (name, text) -> text.replace("Row:u32, ", ""));
    byte[] sample = sample();
    assertThrows(AssertionError.class, () -> dump(wrong, sample), "shorter header");
  }

  /** The file as annotated text, by the grammar and nothing else; pieces by their checksums. */
  private static String dump(Map<String, String> grammar, byte[] bytes) {
    StringBuilder text = new StringBuilder();
    Map<String, Long> values = new LinkedHashMap<>();
    int at = fields(grammar.get("ParityHeader"), bytes, 0, values, text);
    assertEquals(crc(bytes, 0, at - 4), values.get("HeaderCrc"), "checksum of the header");
    long piece = values.get("PieceBytes");
    int end = at + values.get("ShardBytes").intValue();
    int indexAt = end;
    for (; at < end; at += (int) Math.min(piece, end - at)) {
      int length = (int) Math.min(piece, end - at);
      text.append(String.format("%04x  %d bytes: Piece%n", at, length));
      assertEquals(
          crc(bytes, at, length),
          Integer.toUnsignedLong(little(bytes).getInt(indexAt)),
          "checksum of the piece");
      indexAt = fields("PieceCrc:u32", bytes, indexAt, values, text);
    }
    assertEquals("PieceCrc:u32 for each piece", grammar.get("ParityIndex"));
    int footerAt = indexAt;
    indexAt = fields(grammar.get("ParityFooter"), bytes, footerAt, values, text);
    assertEquals(bytes.length, indexAt, "the footer is the end");
    assertEquals(end, values.get("IndexOffset"));
    assertEquals(bytes.length, values.get("TotalLength"));
    assertEquals(crc(bytes, end, footerAt - end), values.get("IndexCrc"));
    return text.toString();
  }

  private static long crc(byte[] bytes, int from, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, from, length);
    return crc.getValue();
  }

  private static final Pattern FIELD =
      Pattern.compile("(\\w+):(u32|u64)( u64)?(?: \"(\\w+)\")?(?: for each piece)?");

  private static int fields(
      String production, byte[] bytes, int from, Map<String, Long> values, StringBuilder text) {
    int at = from;
    for (String item : production.split(", ", -1)) {
      Matcher field = FIELD.matcher(item);
      assertTrue(field.matches(), item);
      int length = field.group(3) != null ? 16 : field.group(2).equals("u64") ? 8 : 4;
      assertTrue(at + length <= bytes.length, "the file ends before " + item);
      long value =
          length == 4
              ? Integer.toUnsignedLong(little(bytes).getInt(at))
              : little(bytes).getLong(at);
      values.put(field.group(1), value);
      StringBuilder hex = new StringBuilder();
      for (int i = at; i < at + length; i++) {
        hex.append(String.format("%02x ", bytes[i]));
      }
      String shown = length == 16 || item.contains("Crc") ? "" : " " + value;
      if (field.group(4) != null) {
        assertEquals(field.group(4), new String(bytes, at, length, StandardCharsets.US_ASCII));
        shown = " \"" + field.group(4) + "\"";
      }
      text.append(String.format("%04x  %-48s %s%s%n", at, hex, field.group(1), shown));
      at += length;
    }
    return at;
  }
}

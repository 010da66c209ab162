// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.testing.MemoryFiles;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The small files: what they look like, and that no damage to them goes unseen. */
final class StateFileTest {
  private static final Path FILE = Path.of("/store/job/epoch-3-7/record");
  private static final UUID JOB = UUID.fromString("00112233-4455-6677-8899-aabbccddeeff");
  private static final EpochRecord RECORD =
      new EpochRecord(
          "heat",
          JOB,
          4,
          new EpochId(3, 7),
          0xfedcba9876543210L,
          List.of(new EpochId(3, 4), new EpochId(3, 6)),
          List.of(new EpochRecord.Image(0, 4096, 1), new EpochRecord.Image(2, 1L << 40, -1)));
  private static final String GOLDEN =
      """
      cairn-record 1
      job=heat
      uuid=00112233-4455-6677-8899-aabbccddeeff
      world=4
      generation=3
      epoch=7
      digest=fedcba9876543210
      refers=4
      refers=6
      image=0 4096 0000000000000001
      image=2 1099511627776 ffffffffffffffff
      crc32c=%s
      """;

  private final MemoryFiles files = new MemoryFiles();

  private EpochRecord read(byte[] bytes) throws IOException {
    files.put(FILE, bytes);
    return EpochRecord.read(files, FILE);
  }

  /** A record with right checksum and whatever body. */
  private static byte[] signed(String body) {
    byte[] bytes = body.getBytes(StandardCharsets.ISO_8859_1);
    CRC32C crc = new CRC32C();
    crc.update(bytes);
    String line = String.format("crc32c=%08x%n", crc.getValue());
    return (body + line).getBytes(StandardCharsets.ISO_8859_1);
  }

  private static String body() {
    return GOLDEN.substring(0, GOLDEN.indexOf("crc32c="));
  }

  @Test
  void shouldLookAsDocumented() throws IOException {
    String text = new String(RECORD.encode(), StandardCharsets.UTF_8);
    assertEquals(GOLDEN.formatted("01112e3d"), text);
    assertEquals(RECORD, read(RECORD.encode()));
  }

  @Test
  void shouldFindEveryFlippedBit() {
    byte[] sound = RECORD.encode();
    for (int at = 0; at < sound.length; at++) {
      for (int bit = 0; bit < 8; bit++) {
        byte[] damaged = sound.clone();
        damaged[at] ^= (byte) (1 << bit);
        int offset = at;
        Throwable e =
            assertThrows(CorruptImageException.class, () -> read(damaged), () -> "" + offset);
        assertTrue(e.getMessage().contains(FILE.toString()), e.getMessage());
      }
    }
  }

  @Test
  void shouldFindEveryTruncationAndEveryAddition() {
    byte[] sound = RECORD.encode();
    for (int length = 0; length < sound.length; length++) {
      byte[] damaged = Arrays.copyOf(sound, length);
      assertThrows(CorruptImageException.class, () -> read(damaged), () -> "" + damaged.length);
    }
    assertThrows(CorruptImageException.class, () -> read(Arrays.copyOf(sound, sound.length + 1)));
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2})
  void shouldSurviveMutationsWithRightChecksums(long seed) {
    Random random = new Random(seed);
    int refused = 0;
    for (int i = 0; i < 5_000; i++) {
      char[] body = body().toCharArray();
      int at = random.nextInt(body.length);
      body[at] = "0129-=\n xé".charAt(random.nextInt(10));
      try {
        read(signed(new String(body)));
      } catch (CorruptImageException | ForeignImageException e) {
        refused++;
        assertTrue(e.getMessage().contains(FILE.toString()), e.getMessage());
      } catch (IOException | RuntimeException e) {
        throw new AssertionError("seed " + seed + ", mutation " + i, e);
      }
    }
    assertTrue(refused > 1_000, refused + " refused");
  }

  @Test
  void shouldNameAnotherVersionAsSuch() {
    Throwable e =
        assertThrows(
            ForeignImageException.class,
            () -> read(signed(body().replace("cairn-record 1", "cairn-record 2"))));
    assertTrue(e.getMessage().contains("cairn-record 2"), e.getMessage());
    assertTrue(e.getMessage().contains("cairn-record 1"), e.getMessage());
  }

  @Test
  void shouldRefuseImagesOutOfOrderOrOutsideOfTheWorld() {
    for (String image : List.of("image=0 1 0000000000000001", "image=4 1 0000000000000001")) {
      assertThrows(CorruptImageException.class, () -> read(signed(body() + image + "\n")), image);
    }
    assertThrows(CorruptImageException.class, () -> read(signed(body() + "image=3 1\n")));
    assertThrows(CorruptImageException.class, () -> read(signed(body() + "image=3 1 ff\n")));
    assertThrows(CorruptImageException.class, () -> read(signed(body() + "more=1\n")));
  }

  @Test
  void shouldRefuseAFileThatIsTooBigBeforeReadingIt() {
    assertThrows(CorruptImageException.class, () -> read(new byte[StateFile.MAX_BYTES + 1]));
  }

  @Test
  void shouldTellAMissingFileFromADamagedOne() {
    assertThrows(NoSuchFileException.class, () -> EpochRecord.read(files, FILE));
  }

  @Test
  void shouldRefuseTheRecordOfAnotherJobOrEpochWithBothValues() {
    JobIdentity job = new JobIdentity("heat", JOB, 4, 4096);
    UUID other = UUID.fromString("ffffffff-4455-6677-8899-aabbccddeeff");
    assertForeign(new JobIdentity("cg", JOB, 4, 4096), RECORD.epoch(), "heat", "cg");
    assertForeign(new JobIdentity("heat", other, 4, 4096), RECORD.epoch(), "" + JOB, "" + other);
    assertForeign(new JobIdentity("heat", JOB, 5, 4096), RECORD.epoch(), "4", "5");
    assertForeign(job, new EpochId(3, 8), "epoch 7", "epoch 8");
  }

  private static void assertForeign(JobIdentity job, EpochId epoch, String found, String expected) {
    String message =
        assertThrows(ForeignImageException.class, () -> RECORD.requireIdentity(FILE, job, epoch))
            .getMessage();
    assertTrue(message.contains(found) && message.contains(expected), message);
  }

  @Test
  void shouldSumToAnotherDigestWhenImagesAreExchanged() {
    long inOrder = EpochRecord.digestTerm(0, 11) + EpochRecord.digestTerm(1, 22);
    long exchanged = EpochRecord.digestTerm(0, 22) + EpochRecord.digestTerm(1, 11);
    assertTrue(inOrder != exchanged);
  }
}

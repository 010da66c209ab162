// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.cairn.testing.MemoryFiles;
import java.io.IOException;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Whatever happens to an image's bytes is found, and never ends in anything but the two exceptions
 * meant for it.
 */
final class ImageDamageTest {
  private final MemoryFiles files = new MemoryFiles();
  private final MemoryFiles children = SampleImage.child();

  ImageDamageTest() throws IOException {}

  private void verify(byte[] bytes) throws IOException {
    files.put(SampleImage.FILE, bytes);
    try (ImageReader reader = ImageReader.open(files, SampleImage.FILE)) {
      reader.verify();
    }
  }

  private void verifyChild(byte[] bytes) throws IOException {
    children.put(SampleImage.CHILD_FILE, bytes);
    try (ImageChain chain = ImageChain.open(children, SampleImage.CHILD_FILE, SampleImage::file)) {
      chain.newest().verify();
      chain.verify();
    }
  }

  @Test
  void shouldAcceptTheSampleWithEveryCodec() throws IOException {
    verify(SampleImage.bytes());
    verifyChild(children.get(SampleImage.CHILD_FILE));
    Set<Codec> codecs = EnumSet.noneOf(Codec.class);
    try (ImageChain chain = ImageChain.open(children, SampleImage.CHILD_FILE, SampleImage::file)) {
      assertEquals(2, chain.images().size());
      for (ImageReader image : chain.images()) {
        assertEquals(6, image.sections().size());
        for (Section section : image.sections()) {
          codecs.addAll(image.blocks(section).keySet());
        }
      }
    }
    assertEquals(EnumSet.allOf(Codec.class), codecs);
  }

  @Test
  void shouldRefuseAnImageOfSomethingElseWithBothValues() throws IOException {
    files.put(SampleImage.FILE, SampleImage.bytes());
    UUID uuid = SampleImage.JOB.jobUuid();
    UUID other = new UUID(1, 2);
    EpochId epoch = SampleImage.EPOCH;
    try (ImageReader image = ImageReader.open(files, SampleImage.FILE)) {
      image.requireIdentity(SampleImage.JOB, epoch, 1);
      assertForeign(image, new JobIdentity("cg", uuid, 4, 4096), epoch, 1, "heat", "cg");
      assertForeign(
          image, new JobIdentity("heat", other, 4, 4096), epoch, 1, "" + uuid, "" + other);
      assertForeign(image, new JobIdentity("heat", uuid, 5, 4096), epoch, 1, "found 4", "5");
      assertForeign(image, new JobIdentity("heat", uuid, 4, 65536), epoch, 1, "4096", "65536");
      assertForeign(image, SampleImage.JOB, new EpochId(3, 8), 1, "epoch 7", "epoch 8");
      assertForeign(image, SampleImage.JOB, new EpochId(4, 7), 1, "generation 3", "generation 4");
      assertForeign(image, SampleImage.JOB, epoch, 2, "found 1", "expected 2");
    }
  }

  private static void assertForeign(
      ImageReader image, JobIdentity job, EpochId epoch, int rank, String found, String expected) {
    String message =
        assertThrows(ForeignImageException.class, () -> image.requireIdentity(job, epoch, rank))
            .getMessage();
    assertTrue(message.contains(found) && message.contains(expected), message);
    assertTrue(message.contains(SampleImage.FILE.toString()), message);
  }

  @Test
  void shouldFindEveryFlippedBit() throws IOException {
    byte[] sound = SampleImage.bytes();
    for (int at = 0; at < sound.length; at++) {
      // Of the header's padding one bit of each byte.
      for (int bit = 0; bit < (at > 128 && at < 4092 ? 1 : 8); bit++) {
        byte[] damaged = sound.clone();
        damaged[at] ^= (byte) (1 << bit);
        int offset = at;
        assertThrows(
            CorruptImageException.class, () -> verify(damaged), () -> "flip at offset " + offset);
      }
    }
  }

  @Test
  void shouldFindEveryFlippedBitOfAnImageWithAParent() throws IOException {
    byte[] sound = children.get(SampleImage.CHILD_FILE);
    for (int at = 0; at < sound.length; at++) {
      // Of the header's padding one bit of each byte.
      for (int bit = 0; bit < (at > 128 && at < 4092 ? 1 : 8); bit++) {
        byte[] damaged = sound.clone();
        damaged[at] ^= (byte) (1 << bit);
        int offset = at;
        assertThrows(
            CorruptImageException.class,
            () -> verifyChild(damaged),
            () -> "flip at offset " + offset);
      }
    }
  }

  @Test
  void shouldFindEveryTruncation() throws IOException {
    byte[] sound = SampleImage.bytes();
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
    mutate(seed, SampleImage.bytes(), this::verify);
  }

  @ParameterizedTest
  @ValueSource(longs = {5, 6, 7, 8})
  void shouldSurviveMutationsOfAnImageWithAParent(long seed) throws IOException {
    mutate(seed, children.get(SampleImage.CHILD_FILE), this::verifyChild);
  }

  private interface Verification {
    void run(byte[] image) throws IOException;
  }

  private static void mutate(long seed, byte[] sound, Verification verification) {
    Random random = new Random(seed);
    int accepted = 0;
    for (int i = 0; i < 5_000; i++) {
      byte[] mutant = mutate(sound, random);
      try {
        verification.run(mutant);
        accepted++;
      } catch (CorruptImageException | ForeignImageException e) {
        assertTrue(e.getMessage().contains("rank-1.image"), e.getMessage());
      } catch (IOException | RuntimeException | Error e) {
        fail("seed " + seed + ", mutation " + i, e);
      }
    }
    // If none were, the checksums would not have been recomputed, and the test would prove nothing.
    assertTrue(accepted > 0, "no mutant was accepted");
  }

  /** Changes some bytes of header, index or footer and makes all checksums right again. */
  private static byte[] mutate(byte[] sound, Random random) {
    byte[] mutant = sound.clone();
    int footer = mutant.length - ImageFormat.FOOTER_BYTES;
    int index = (int) ImageFormat.littleEndian(mutant).getLong(footer);
    int header = ImageFormat.littleEndian(mutant).getInt(12);
    for (int n = random.nextInt(3); n >= 0; n--) {
      int at =
          switch (random.nextInt(8)) {
            case 0 -> 8 + random.nextInt(random.nextBoolean() ? 96 : header - 12);
            case 1 -> footer + random.nextInt(24);
            default -> index + random.nextInt(footer - index);
          };
      mutant[at] =
          switch (random.nextInt(5)) {
            case 0 -> (byte) 0xff;
            case 1 -> (byte) 0x7f;
            case 2 -> 0;
            case 3 -> (byte) (mutant[at] + 1);
            default -> (byte) random.nextInt();
          };
    }
    putCrc(mutant, 0, header - 4, header - 4);
    putCrc(mutant, index, footer - index, footer + 24);
    putCrc(mutant, footer, 28, footer + 28);
    return mutant;
  }

  private static void putCrc(byte[] bytes, int from, int length, int at) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, from, length);
    ImageFormat.littleEndian(bytes).putInt(at, (int) crc.getValue());
  }
}

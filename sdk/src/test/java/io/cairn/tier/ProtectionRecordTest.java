// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.image.CorruptImageException;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord.Image;
import io.cairn.image.ForeignImageException;
import io.cairn.image.JobIdentity;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a store says that it holds for others: how it looks, and that no damage goes unseen. */
final class ProtectionRecordTest {
  private static final Path FILE = Path.of("/store/job/epoch-3-7/set-record");
  private static final UUID UUID_OF_JOB = UUID.fromString("00112233-4455-6677-8899-aabbccddeeff");
  private static final JobIdentity JOB = new JobIdentity("heat", UUID_OF_JOB, 4, 4096);
  private static final EpochId EPOCH = new EpochId(3, 7);
  private static final List<Image> MEMBERS =
      List.of(new Image(0, 5000, 1), new Image(3, 1L << 40, -1), new Image(2, 70, 0xabc));
  private static final ProtectionRecord SETS =
      new ProtectionRecord(
          Tier.SET,
          UUID_OF_JOB,
          4,
          EPOCH,
          4,
          0xfedcba9876543210L,
          List.of(),
          List.of(
              new ProtectionRecord.EncodedSet(
                  new RedundancySet(1, List.of(0, 3, 2), 1),
                  1L << 39,
                  MEMBERS,
                  List.of(new ProtectionRecord.Shard(2, 0, 4711, 0x10)))));
  private static final String GOLDEN_SETS =
      """
      cairn-protection 1
      tier=set
      uuid=00112233-4455-6677-8899-aabbccddeeff
      world=4
      generation=3
      epoch=7
      by=4
      digest=fedcba9876543210
      set=1 1 549755813888
      member=0 5000 0000000000000001
      member=3 1099511627776 ffffffffffffffff
      member=2 70 0000000000000abc
      shard=2 0 4711 0000000000000010
      """;

  private static ProtectionRecord parse(byte[] bytes, Tier tier) throws IOException {
    return ProtectionRecord.parse(bytes, FILE, JOB, EPOCH, tier);
  }

  /** A record with right checksum and whatever body. */
  private static byte[] signed(String body) {
    CRC32C crc = new CRC32C();
    crc.update(body.getBytes(StandardCharsets.UTF_8));
    return (body + String.format("crc32c=%08x\n", crc.getValue())).getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void shouldLookAsDocumented() throws IOException {
    assertEquals(
        new String(signed(GOLDEN_SETS), StandardCharsets.UTF_8),
        new String(SETS.encode(), StandardCharsets.UTF_8));
    assertEquals(SETS, parse(SETS.encode(), Tier.SET));
    ProtectionRecord copies =
        new ProtectionRecord(
            Tier.PARTNER, UUID_OF_JOB, 4, EPOCH, 3, 5, List.of(new Image(1, 4096, 2)), List.of());
    String text = new String(copies.encode(), StandardCharsets.UTF_8);
    assertTrue(text.contains("digest=0000000000000005\ncopy=1 4096 0000000000000002\ncrc32c="));
    assertEquals(copies, parse(copies.encode(), Tier.PARTNER));
  }

  @Test
  void shouldFindEveryFlippedBitAndEveryTruncation() {
    byte[] sound = SETS.encode();
    for (int at = 0; at < sound.length; at++) {
      for (int bit = 0; bit < 8; bit++) {
        byte[] damaged = sound.clone();
        damaged[at] ^= (byte) (1 << bit);
        int offset = at;
        CorruptImageException e =
            assertThrows(
                CorruptImageException.class,
                () -> parse(damaged, Tier.SET),
                () -> "flip at offset " + offset);
        assertTrue(e.getMessage().contains(FILE.toString()), e.getMessage());
      }
      byte[] shorter = Arrays.copyOf(sound, at);
      assertThrows(CorruptImageException.class, () -> parse(shorter, Tier.SET));
    }
    byte[] longer = Arrays.copyOf(sound, sound.length + 1);
    assertThrows(CorruptImageException.class, () -> parse(longer, Tier.SET));
  }

  @ParameterizedTest
  @CsvSource({
    "tier=set, tier=partner, expected set",
    "uuid=0011, uuid=1011, 10112233",
    "world=4, world=5, found 5",
    "epoch=7, epoch=8, epoch 8",
    "generation=3, generation=2, generation 2"
  })
  void shouldRefuseWhatBelongsElsewhere(String sound, String changed, String said) {
    ForeignImageException e =
        assertThrows(
            ForeignImageException.class,
            () -> parse(signed(GOLDEN_SETS.replace(sound, changed)), Tier.SET));
    assertTrue(e.getMessage().contains(said), e.getMessage());
    assertTrue(e.getMessage().contains(FILE.toString()), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource({
    "by=4, by=0",
    "set=1 1 549755813888, set=1 1",
    "set=1 1 549755813888, set=1 0 549755813888",
    "set=1 1 549755813888, set=1 3 549755813888",
    "set=1 1 549755813888, set=1 255 549755813888",
    "set=1 1 549755813888, set=1 1 0",
    "set=1 1 549755813888, set=-1 1 4096",
    "set=1 1 549755813888, set=1 1 9223372036854775807",
    "member=2, member=4",
    "member=2, member=3",
    "member=2 70, member=2 -70",
    "member=2 70 0000000000000abc, member=2 70 abc",
    "shard=2 0 4711, shard=3 0 4711",
    "shard=2 0 4711, shard=2 1 4711",
    "shard=2 0 4711, shard=2 0 -1",
    "shard=2 0 4711, shard=2 0",
    "shard=2, disc=2",
    "epoch=7, epoch=seven"
  })
  void shouldRefuseWhatMakesNoSense(String sound, String changed) {
    assertTrue(GOLDEN_SETS.contains(sound));
    CorruptImageException e =
        assertThrows(
            CorruptImageException.class,
            () -> parse(signed(GOLDEN_SETS.replace(sound, changed)), Tier.SET));
    assertTrue(e.getMessage().contains("expected"), e.getMessage());
  }

  @Test
  void shouldRefuseASetThatNoCodeHas() {
    StringBuilder members = new StringBuilder();
    for (int rank = 0; rank < 256; rank++) {
      members.append("member=").append(rank).append(" 70 0000000000000abc\n");
    }
    String body =
        GOLDEN_SETS.substring(0, GOLDEN_SETS.indexOf("member=")).replace("world=4", "world=300")
            + members;
    JobIdentity large = new JobIdentity("heat", UUID_OF_JOB, 300, 4096);
    CorruptImageException e =
        assertThrows(
            CorruptImageException.class,
            () -> ProtectionRecord.parse(signed(body), FILE, large, EPOCH, Tier.SET));
    assertTrue(e.getMessage().contains("255"), e.getMessage());
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import static io.cairn.cli.JobFixture.RANKS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.image.EpochRecord;
import io.cairn.image.SystemFiles;
import io.cairn.tier.SetSize;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A job on four nodes whose epochs are protected by every tier there is. */
final class TiersTest {
  private static final int SHARD_HEADER_BYTES = 80;
  private static final int SHARD_FOOTER_BYTES = 24;
  private static final int PIECE_BYTES = 256 << 10;
  private static final int STEP_BYTES = 3001;

  @TempDir static Path written;

  /** The same on two nodes with two ranks each. */
  @TempDir static Path pairs;

  @TempDir Path base;

  private Path shared;

  @BeforeAll
  static void writeALaunch() throws Exception {
    JobFixture.protectedLaunch(
        rank -> written.resolve("node" + rank),
        "heat",
        3,
        new JobFixture.Tiers(
            1,
            Optional.of(new SetSize(2, 2)),
            2,
            Optional.of(written.resolve("shared")),
            STEP_BYTES));
    JobFixture.protectedLaunch(
        rank -> pairs.resolve("node" + rank / 2),
        "heat",
        3,
        new JobFixture.Tiers(
            1,
            Optional.of(new SetSize(1, 1)),
            2,
            Optional.of(pairs.resolve("shared")),
            STEP_BYTES));
  }

  @BeforeEach
  void copyIt() throws IOException {
    base = base.resolve("job");
    VerifyTest.copyTree(written, base);
    shared = base.resolve("shared");
  }

  private Path node(int node) {
    return base.resolve("node" + node);
  }

  private Path epoch(int node, int epoch) {
    return node(node).resolve("heat/epoch-1-" + epoch);
  }

  /** All stores are here, with or without the shared tier. */
  private Ran tool(boolean withShared, String verb, Object... args) {
    return Ran.tool(words(withShared, verb, args));
  }

  private Object[] words(boolean withShared, String verb, Object... args) {
    List<Object> words = new ArrayList<>(List.of(verb));
    for (int node = 0; node < RANKS; node++) {
      words.addAll(List.of("--dir", node(node)));
    }
    if (withShared) {
      words.addAll(List.of("--dir", shared));
    }
    words.addAll(Arrays.asList(args));
    return words.toArray();
  }

  private Ran verify(int epoch, Object... args) {
    List<Object> all = new ArrayList<>(List.of("heat", "1-" + epoch));
    all.addAll(Arrays.asList(args));
    return tool(true, "verify", all.toArray());
  }

  /** The only parity shard of that stripe and row. */
  private Path shard(int node, int epoch, int stripe, int row) {
    return epoch(node, epoch).resolve("set-0-stripe-%d-%d-by-1.parity".formatted(stripe, row));
  }

  // Lists and shows.

  @Test
  void shouldListWhichTiersProtectAnEpoch() {
    tool(true, "list")
        .require(
            ExitCode.OK,
            "in 5 stores",
            "4/4    local, partner, set, shared",
            "shared tier " + shared.resolve("heat") + ": 1-1 (ranks 0-3), 1-3 (ranks 0-3)",
            "store " + node(1).resolve("heat") + ": 1-1 (ranks 1, copies of 0, 2 parity shards)");
    Ran list = tool(true, "list", "--json").require(ExitCode.OK);
    assertEquals(
        List.of("local", "partner", "set", "shared"), list.at("jobs.0.epochs.0.protection"));
    assertEquals(List.of("local", "partner", "set"), list.at("jobs.0.epochs.1.protection"));
    assertEquals(List.of(), list.at("jobs.0.epochs.1.partialProtection"));
    assertEquals("local", list.at("jobs.0.epochs.0.stores.1.tier"));
    assertEquals("shared", list.at("jobs.0.epochs.0.stores.4.tier"));
    assertEquals(List.of(0L), list.at("jobs.0.epochs.0.stores.1.protections.0.copies"));
    assertEquals("set", list.at("jobs.0.epochs.0.stores.1.protections.1.tier"));
    assertEquals(2L, list.at("jobs.0.epochs.0.stores.1.protections.1.parityShards"));
    Ran without = tool(false, "list", "--json").require(ExitCode.OK);
    assertEquals(List.of("local", "partner", "set"), without.at("jobs.0.epochs.0.protection"));
    Ran alone = Ran.tool("list", shared, "--json").require(ExitCode.OK);
    assertEquals(List.of("shared"), alone.at("jobs.0.epochs.0.protection"));
    assertEquals(2, ((List<?>) alone.at("jobs.0.epochs")).size());
  }

  @Test
  void shouldWriteOnlyDocumentedFields() throws IOException {
    VerifyTest.deleteTree(node(0).resolve("heat/epoch-1-3"));
    for (Ran ran :
        List.of(
            tool(true, "list", "--json"),
            tool(true, "show", "heat", "1-3", "--json"),
            tool(true, "recoverable", "--json"),
            tool(true, "prune", "heat", "--keep", "1", "--dry-run", "--json"),
            tool(true, "verify", "heat", "1-1", "--json"))) {
      ran.require(ExitCode.OK).requireDocumented();
    }
  }

  @Test
  void shouldSayWhereATierProtectsOnlyAPart() throws IOException {
    Files.delete(epoch(1, 2).resolve("partner-record"));
    Files.move(epoch(2, 2).resolve("set-record"), epoch(2, 2).resolve("pending-set-record"));
    Files.delete(epoch(3, 1).resolve("rank-2.image"));
    Files.delete(shard(0, 1, 0, 0));
    Ran list = tool(true, "list", "--json").require(ExitCode.OK);
    assertEquals(List.of("local"), list.at("jobs.0.epochs.1.protection"));
    assertEquals("partner", list.at("jobs.0.epochs.1.partialProtection.0.tier"));
    assertEquals(3L, list.at("jobs.0.epochs.1.partialProtection.0.storesWith"));
    assertEquals(4L, list.at("jobs.0.epochs.1.partialProtection.0.of"));
    tool(true, "list")
        .require(
            ExitCode.OK,
            "4/4    local, partner (3 of 4 stores), set (3 of 4 stores), shared",
            "4/4    local, partner (3 of 4 stores), set (3 of 4 stores)",
            "1-1: " + epoch(3, 1).resolve("rank-2.image") + ": missing",
            "1-1: " + shard(0, 1, 0, 0) + ": missing");
  }

  @Test
  void shouldShowCopiesAndSets() throws IOException {
    Ran show = tool(true, "show", "heat", "1-3", "--json").require(ExitCode.OK);
    assertEquals(RANKS, ((List<?>) show.at("images")).size());
    assertEquals(2 * RANKS, ((List<?>) show.at("copies")).size());
    Path copy = epoch(1, 3).resolve("rank-0.image");
    assertEquals("partner", show.at("copies.0.tier"));
    assertEquals(0L, show.at("copies.0.rank"));
    assertEquals(copy.toString(), show.at("copies.0.file"));
    assertEquals(Files.size(copy), show.at("copies.0.bytes"));
    assertEquals("shared", show.at("copies.4.tier"));
    assertEquals(1, ((List<?>) show.at("sets")).size());
    assertEquals(List.of(0L, 1L, 2L, 3L), show.at("sets.0.members"));
    assertEquals(2L, show.at("sets.0.dataShards"));
    assertEquals(2L, show.at("sets.0.parityShards"));
    assertEquals(List.of(3L, 0L), show.at("sets.0.stripes.1.data"));
    assertEquals(1L, show.at("sets.0.stripes.1.parity.0.rank"));
    assertEquals(shard(2, 3, 1, 1).toString(), show.at("sets.0.stripes.1.parity.1.file"));
    assertEquals(Files.size(shard(2, 3, 1, 1)), show.at("sets.0.stripes.1.parity.1.bytes"));
    tool(true, "show", "heat", "1-3")
        .require(
            ExitCode.OK,
            "protection: local, partner, set, shared",
            "   0   " + Units.bytes(Files.size(copy)) + "  " + node(1).resolve("heat"),
            "the shared tier, " + shared.resolve("heat"),
            "redundancy set 0, encoded by generation 1: 2+2, ranks 0-3, shards of ",
            "     1  3, 0           rank 1");

    // What is known of it, though the store that has a shard isn't here.
    Ran partial = Ran.tool("show", "--dir", node(0), "heat", "1-3", "--json").require(ExitCode.OK);
    assertEquals(null, partial.at("sets.0.stripes.1.parity.1.file"));
    assertEquals(List.of(0L, 3L), partial.at("epoch.ranks"));
    Ran.tool("show", "--dir", node(0), "heat", "1-3")
        .require(ExitCode.OK, "no store that was looked at", "rank 3: safe point 103");
  }

  // Verifies.

  @Test
  void shouldReadAllThatTiersHave() throws IOException {
    Ran all = tool(true, "verify", "--json").require(ExitCode.OK);
    for (int epoch = 0; epoch < 3; epoch++) {
      String path = "jobs.0.epochs." + epoch + ".";
      assertEquals("sound", all.at(path + "outcome"));
      assertEquals(epoch == 1 ? 4L : 8L, all.at(path + "images"));
      assertEquals(4L, all.at(path + "copies"));
      assertEquals(8L, all.at(path + "parityShards"));
      assertEquals(8L, all.at(path + "parityProved"));
      assertEquals(4L, all.at(path + "channels"));
      long bytes = 0;
      for (Path store : List.of(node(0), node(1), node(2), node(3), shared)) {
        Path directory = store.resolve("heat/epoch-1-" + (epoch + 1));
        if (Files.exists(directory)) {
          try (Stream<Path> files = Files.list(directory)) {
            for (Path file : files.toList()) {
              bytes += file.toString().endsWith("record") ? 0 : Files.size(file);
            }
          }
        }
      }
      assertEquals(bytes, all.at(path + "bytes"));
    }
    verify(3).require(ExitCode.OK, "sound: 8 images, 4 copies, 8 parity shards, ");
    // A copy stands for an image whose store isn't here, and proves its channels.
    Ran.tool("verify", "--dir", node(0), "--dir", node(1), "--dir", node(3), "heat", "1-2")
        .require(ExitCode.OK, "sound: 3 images, 3 copies, 6 parity shards, ", "4 channels");
    Ran.tool("verify", "--dir", node(0), "--dir", node(3), "heat", "1-2")
        .require(
            ExitCode.NOT_FOUND_OR_DAMAGED,
            "not whole",
            "4 parity shards (1 compared with images)",
            "ranks 1");
    Ran.tool("verify", shared.resolve("heat")).require(ExitCode.OK, "epoch 1-3: sound: 4 images");
  }

  @Test
  void shouldSayThatParityWasCheckedByItsChecksumsOnly() throws IOException {
    Ran blind =
        Ran.with(
            () -> {
              throw new UnsatisfiedLinkError("libcairn-core.so: no such machine");
            },
            words(true, "verify", "--json"));
    blind.require(
        ExitCode.OK,
        "cairn: parity was checked by its checksums only, not with the images: libcairn-core.so");
    assertEquals(1, blind.err().lines().count(), blind.err());
    assertEquals(8L, blind.at("jobs.0.epochs.0.parityShards"));
    assertEquals(0L, blind.at("jobs.0.epochs.0.parityProved"));
    Ran.with(
            () -> {
              throw new UncheckedIOException(new IOException("no space left"));
            },
            words(true, "verify"))
        .require(ExitCode.OK, "no space left", "8 parity shards (0 compared with images)");
    // Checksums still tell.
    VerifyTest.flip(shard(2, 3, 1, 1), SHARD_HEADER_BYTES + 5);
    Ran.with(
            () -> {
              throw new UnsatisfiedLinkError("no such machine");
            },
            words(true, "verify"))
        .require(ExitCode.NOT_FOUND_OR_DAMAGED, "checksum of a piece");
    // Where there is no parity nothing is loaded.
    Ran.with(
            () -> {
              throw new AssertionError("loaded");
            },
            "verify",
            "--dir",
            shared)
        .require(ExitCode.OK);
  }

  @Test
  void shouldCountAllItReadsOnTheBar() {
    Ran seen = Ran.atTerminal(words(true, "verify", "heat", "1-2")).require(ExitCode.OK);
    Matcher last = Pattern.compile("(\\d+)% .*?(\\d+)/(\\d+) MiB").matcher("");
    String line = "";
    for (String part : seen.err().split("\r", -1)) {
      last.reset(part);
      line = last.find() ? part : line;
    }
    assertTrue(line.contains("100%"), seen::err);
  }

  @Test
  void shouldProveParityOfManyPieces() throws Exception {
    Path large = base.resolve("large");
    JobFixture.protectedLaunch(
        rank -> large.resolve("node" + rank),
        "heat",
        1,
        new JobFixture.Tiers(0, Optional.of(new SetSize(2, 2)), 0, Optional.empty(), 300_001));
    base = large;
    tool(false, "verify").require(ExitCode.OK, "epoch 1-1: sound: 4 images, 8 parity shards, ");
    Path shard = shard(0, 1, 3, 1);
    int at = PIECE_BYTES + 1234;
    long before = shardDigest(shard);
    changeSoundly(shard, at);
    editText(
        epoch(0, 1).resolve("set-record"),
        EpochRecord.hex(before),
        EpochRecord.hex(shardDigest(shard)));
    tool(false, "verify")
        .require(
            ExitCode.NOT_FOUND_OR_DAMAGED,
            "DAMAGED, 1 finding",
            shard + " at offset " + (SHARD_HEADER_BYTES + at) + ": parity: found 0x");
  }

  /** What may be wrong with what tiers have of the newest epoch. */
  private enum Damage {
    BLOCK_OF_A_COPY {
      @Override
      String[] to(TiersTest test) throws IOException {
        Path copy = test.epoch(1, 3).resolve("rank-0.image");
        VerifyTest.flip(copy, JobFixture.FIRST_BLOCK + 7);
        return new String[] {
          copy + " at offset " + JobFixture.FIRST_BLOCK + ": block checksum", "region \"u\""
        };
      }
    },
    COPY_TRUNCATED {
      @Override
      String[] to(TiersTest test) throws IOException {
        Path copy = test.epoch(1, 3).resolve("rank-0.image");
        truncate(copy, 1);
        return new String[] {copy.toString(), "footer magic"};
      }
    },
    COPY_MISSING {
      @Override
      String[] to(TiersTest test) throws IOException {
        Path copy = test.epoch(1, 3).resolve("rank-0.image");
        Files.delete(copy);
        return new String[] {copy + ": missing"};
      }
    },
    COPY_OF_ANOTHER_RANK {
      @Override
      String[] to(TiersTest test) throws IOException {
        Path copy = test.epoch(1, 3).resolve("rank-0.image");
        Files.delete(copy);
        Files.copy(test.epoch(1, 3).resolve("rank-1.image"), copy);
        return new String[] {copy.toString(), "another rank", "found 1", "expected 0"};
      }
    },
    PIECE_OF_A_SHARD {
      @Override
      String[] to(TiersTest test) throws IOException {
        Path shard = test.shard(2, 3, 1, 1);
        VerifyTest.flip(shard, SHARD_HEADER_BYTES + 100);
        return new String[] {
          shard + " at offset " + SHARD_HEADER_BYTES + ": checksum of a piece: found 0x"
        };
      }
    },
    SHARD_TRUNCATED {
      @Override
      String[] to(TiersTest test) throws IOException {
        truncate(test.shard(2, 3, 1, 1), 8);
        return new String[] {test.shard(2, 3, 1, 1).toString(), "shard length: found"};
      }
    },
    SHARD_MISSING {
      @Override
      String[] to(TiersTest test) throws IOException {
        Files.delete(test.shard(2, 3, 1, 1));
        return new String[] {test.shard(2, 3, 1, 1) + ": missing"};
      }
    },
    SHARD_OF_AN_OLDER_EPOCH {
      @Override
      String[] to(TiersTest test) throws IOException {
        Path shard = test.shard(2, 3, 1, 1);
        Files.delete(shard);
        Files.copy(test.shard(2, 2, 1, 1), shard);
        return new String[] {shard.toString(), "another parity shard", "epoch 2", "epoch 3"};
      }
    },
    SHARD_WITH_OTHER_BYTES {
      @Override
      String[] to(TiersTest test) throws IOException {
        // Sound in itself: only the record tells.
        Path shard = test.shard(2, 3, 1, 1);
        changeSoundly(shard, 3);
        return new String[] {shard.toString(), "another parity shard than the one recorded"};
      }
    },
    PARITY_OF_SOMETHING_ELSE {
      @Override
      String[] to(TiersTest test) throws IOException {
        // Sound, and as the record says that is sound as well: only the images tell.
        Path shard = test.shard(2, 3, 1, 1);
        long before = shardDigest(shard);
        changeSoundly(shard, 2222);
        editText(
            test.epoch(2, 3).resolve("set-record"),
            EpochRecord.hex(before),
            EpochRecord.hex(shardDigest(shard)));
        return new String[] {
          shard + " at offset " + (SHARD_HEADER_BYTES + 2222) + ": parity: found 0x",
          "redundancy set [0, 1, 2, 3]"
        };
      }
    },
    SET_RECORD_DAMAGED {
      @Override
      String[] to(TiersTest test) throws IOException {
        VerifyTest.flip(test.epoch(2, 3).resolve("set-record"), 60);
        return new String[] {test.epoch(2, 3).resolve("set-record").toString(), "checksum"};
      }
    },
    SET_RECORD_MISSING {
      @Override
      String[] to(TiersTest test) throws IOException {
        Files.delete(test.epoch(2, 3).resolve("set-record"));
        return new String[] {test.epoch(2, 3).resolve("set-record") + ": missing"};
      }
    },
    PARTNER_RECORD_TRUNCATED {
      @Override
      String[] to(TiersTest test) throws IOException {
        truncate(test.epoch(1, 3).resolve("partner-record"), 5);
        return new String[] {test.epoch(1, 3).resolve("partner-record").toString()};
      }
    },
    PARTNER_RECORD_MISSING {
      @Override
      String[] to(TiersTest test) throws IOException {
        Files.delete(test.epoch(1, 3).resolve("partner-record"));
        return new String[] {test.epoch(1, 3).resolve("partner-record") + ": missing"};
      }
    },
    PARTNER_RECORD_OF_AN_OLDER_EPOCH {
      @Override
      String[] to(TiersTest test) throws IOException {
        Path record = test.epoch(1, 3).resolve("partner-record");
        Files.write(record, Files.readAllBytes(test.epoch(1, 2).resolve("partner-record")));
        return new String[] {record.toString(), "another epoch"};
      }
    },
    RECORD_OF_A_COPY_OF_ANOTHER_IMAGE {
      @Override
      String[] to(TiersTest test) throws IOException {
        // The copy is sound, and as its record says, but of an image that nobody committed.
        EpochRecord record =
            EpochRecord.read(new SystemFiles(), test.epoch(0, 3).resolve("record"));
        Path old = test.epoch(1, 3).resolve("partner-record");
        String digest = EpochRecord.hex(record.image(0).orElseThrow().digest());
        editText(old, digest, "00" + digest.substring(2));
        return new String[] {old + ": rank, length and digest of an image: found 0 ", "as in "};
      }
    },
    OTHER_JOB_WIDE_DIGEST {
      @Override
      String[] to(TiersTest test) throws IOException {
        EpochRecord record =
            EpochRecord.read(new SystemFiles(), test.epoch(0, 3).resolve("record"));
        Path old = test.epoch(1, 3).resolve("set-record");
        editText(old, EpochRecord.hex(record.jobDigest()), EpochRecord.hex(record.jobDigest() + 1));
        return new String[] {old + ": job-wide digest: found "};
      }
    },
    RECORD_MISSING {
      @Override
      String[] to(TiersTest test) throws IOException {
        Files.delete(test.epoch(1, 3).resolve("record"));
        return new String[] {test.epoch(1, 3).resolve("record") + ": missing"};
      }
    },
    BLOCK_IN_THE_SHARED_TIER {
      @Override
      String[] to(TiersTest test) throws IOException {
        Path image = test.shared.resolve("heat/epoch-1-3/rank-2.image");
        VerifyTest.flip(image, JobFixture.FIRST_BLOCK);
        return new String[] {image + " at offset " + JobFixture.FIRST_BLOCK};
      }
    };

    /** Does it, and returns what the finding says. */
    abstract String[] to(TiersTest test) throws IOException;
  }

  @ParameterizedTest
  @EnumSource(Damage.class)
  void shouldNameTheDamageOfOneTierAndStillGoOnFromTheEpoch(Damage damage) throws Exception {
    String[] expected = damage.to(this);
    verify(3).require(ExitCode.NOT_FOUND_OR_DAMAGED, expected);
    Ran json = verify(3, "--json").require(ExitCode.NOT_FOUND_OR_DAMAGED);
    assertEquals("damaged", json.at("jobs.0.epochs.0.outcome"));
    assertFalse(
        json.at("jobs.0.epochs.0.problems.0.found")
            .equals(json.at("jobs.0.epochs.0.problems.0.expected")),
        json::toString);
    verify(2).require(ExitCode.OK);
    // Enough else is left.
    tool(true, "recoverable").require(ExitCode.OK, "from epoch 1-3");
    assertEquals("1-3", start());
  }

  private String start() throws Exception {
    return JobFixture.start(this::node, "heat", Optional.of(shared), STEP_BYTES);
  }

  // What a start goes on from.

  @Test
  void shouldTellWhereImagesComeFrom() throws Exception {
    Files.delete(epoch(0, 3).resolve("rank-0.image"));
    VerifyTest.deleteTree(node(3));
    Files.createDirectories(node(3));
    // Rank 2's copy was on node 3, and goes with it.
    VerifyTest.flip(epoch(2, 3).resolve("rank-2.image"), JobFixture.FIRST_BLOCK);
    Ran without = tool(false, "recoverable", "--json").require(ExitCode.OK);
    assertEquals(3L, without.at("epoch.epoch"));
    assertEquals(
        List.of(0L, 2L, 3L),
        List.of(
            without.at("recovered.0.rank"),
            without.at("recovered.1.rank"),
            without.at("recovered.2.rank")));
    assertEquals("partner", without.at("recovered.0.tier"));
    assertEquals("set", without.at("recovered.1.tier"));
    assertEquals("partner", without.at("recovered.2.tier"));
    assertEquals(node(0).resolve("heat").toString(), without.at("recovered.2.from"));
    tool(false, "recoverable")
        .require(
            ExitCode.OK,
            "rank 0's image is got from its copy in " + node(1).resolve("heat"),
            "rank 2's image is rebuilt from redundancy set [0, 1, 2, 3]");
    Ran with = tool(true, "recoverable", "--json").require(ExitCode.OK);
    assertEquals("shared", with.at("recovered.1.tier"));
    assertEquals("1-3", JobFixture.start(this::node, "heat", Optional.empty(), STEP_BYTES));
    // It is whole again, and says so.
    assertEquals(
        List.of(), tool(false, "recoverable", "--json").require(ExitCode.OK).at("recovered"));
  }

  @Test
  void shouldPassOverWhatNoTierCanGiveBack() throws Exception {
    for (int rank = 0; rank < RANKS; rank++) {
      VerifyTest.flip(epoch((rank + 1) % RANKS, 3).resolve("rank-" + rank + ".image"), 200);
    }
    Path own = epoch(1, 3).resolve("rank-1.image");
    Path damaged = shard(3, 3, 3, 0);
    for (int rank = 0; rank < 3; rank++) {
      VerifyTest.flip(epoch(rank, 3).resolve("rank-" + rank + ".image"), 200);
    }
    VerifyTest.flip(damaged, SHARD_HEADER_BYTES);
    Ran passed =
        tool(false, "recoverable")
            .require(
                ExitCode.OK,
                "not epoch 1-3: rank 1: " + own + " at offset ",
                "not epoch 1-3: " + damaged + " at offset " + SHARD_HEADER_BYTES,
                "not epoch 1-3: rank 2: no sound image, copy or redundancy set is left",
                "from epoch 1-2");
    assertFalse(passed.out().contains("rank 3: "), passed::out);
    assertFalse(passed.out().contains("rank 0: no sound image"), passed::out);
    assertEquals("1-2", JobFixture.start(this::node, "heat", Optional.empty(), STEP_BYTES));
  }

  @Test
  void shouldFindWhatOnlyTheSharedTierHas() throws Exception {
    for (int node = 0; node < RANKS; node++) {
      VerifyTest.deleteTree(node(node));
      Files.createDirectories(node(node));
    }
    tool(true, "recoverable")
        .require(ExitCode.OK, "from epoch 1-3", "rank 3's image is got from the shared tier, ");
    tool(false, "recoverable").require(ExitCode.NOT_FOUND_OR_DAMAGED, "no jobs in");
    // Only what is committed there counts: a flush may have been interrupted.
    Path record = shared.resolve("heat/epoch-1-3/record");
    Files.move(record, record.resolveSibling("pending-record"));
    tool(true, "recoverable").require(ExitCode.OK, "from epoch 1-1");
    assertEquals("1-1", start());
  }

  @Test
  void shouldTakeAPendingEpochThoughANodeHasLostEverything() throws Exception {
    // Node 3 has been looked at since by a start that came to nothing: it says nothing.
    for (int epoch = 1; epoch <= 3; epoch++) {
      VerifyTest.deleteTree(epoch(3, epoch));
    }
    Files.delete(node(3).resolve("heat/committed"));
    for (int node = 0; node < 3; node++) {
      Path record = epoch(node, 3).resolve("record");
      Files.move(record, record.resolveSibling("pending-record"));
    }
    tool(false, "list").require(ExitCode.OK, "pending ");
    tool(false, "recoverable").require(ExitCode.OK, "from epoch 1-3 (pending");
    assertEquals("1-3", JobFixture.start(this::node, "heat", Optional.empty(), STEP_BYTES));
  }

  /** Whatever is damaged: the tool says beforehand what a start then does. */
  @Test
  void shouldComeToTheAnswerOfAStart() throws Exception {
    long seed = Long.getLong("tiers.seed", System.nanoTime());
    Random random = new Random(seed);
    List<String> answers = new ArrayList<>();
    for (int trial = 0; trial < 48; trial++) {
      int ranksPerNode = 1 + trial % 2;
      Path place = base.resolve("trial" + trial);
      VerifyTest.copyTree(ranksPerNode == 1 ? written : pairs, place);
      Optional<Path> there =
          random.nextInt(4) == 0 ? Optional.of(place.resolve("shared")) : Optional.empty();
      String told = damageAtRandom(place, RANKS / ranksPerNode, random, there.isPresent());
      if (trial == 0) {
        eraseNewerImages(place);
        told += ", erase all that is left of the images of epochs 2 and 3";
      }
      List<Object> words = new ArrayList<>(List.of("recoverable", "--json"));
      for (int node = 0; node < RANKS / ranksPerNode; node++) {
        words.addAll(List.of("--dir", place.resolve("node" + node)));
      }
      there.ifPresent(path -> words.addAll(List.of("--dir", path)));
      words.add("heat");
      Ran ran = Ran.tool(words.toArray());
      boolean restores = ran.at("start").equals("restores");
      String answer = restores ? "1-" + ran.at("epoch.epoch") : (String) ran.at("start");
      String what = "seed " + seed + ", trial " + trial + ", damage: " + told + "\n" + ran;
      String come;
      try {
        come =
            JobFixture.start(
                rank -> place.resolve("node" + rank / ranksPerNode), "heat", there, STEP_BYTES);
      } catch (AssertionError e) {
        throw new AssertionError(what, e);
      }
      assertEquals(come, answer, what);
      answers.add(answer);
      VerifyTest.deleteTree(place);
    }
    // It would prove nothing if all trials ended the same.
    assertTrue(answers.stream().distinct().count() >= 3, answers::toString);
  }

  /** Epoch 1 is the answer then, which is rare by chance. */
  private static void eraseNewerImages(Path place) throws IOException {
    try (Stream<Path> files = Files.walk(place)) {
      for (Path file :
          files.filter(file -> file.toString().matches(".*epoch-1-[23]/.*")).toList()) {
        if (file.toString().matches(".*\\.(image|parity)")) {
          Files.delete(file);
        }
      }
    }
  }

  /** Damages a good part of the newer epochs, and returns what it was. */
  private static String damageAtRandom(Path place, int nodes, Random random, boolean withShared)
      throws IOException {
    List<String> told = new ArrayList<>();
    if (random.nextInt(3) == 0) {
      int lost = random.nextInt(nodes);
      Path epoch = place.resolve("node" + lost + "/heat/epoch-1-3");
      VerifyTest.deleteTree(epoch);
      told.add("erase " + place.relativize(epoch));
    }
    List<Path> targets = new ArrayList<>();
    try (Stream<Path> files = Files.walk(place)) {
      files
          .filter(Files::isRegularFile)
          .filter(file -> file.toString().contains("epoch-1-"))
          .filter(file -> withShared || !file.toString().contains("shared"))
          .filter(file -> !file.toString().contains("epoch-1-1"))
          .sorted()
          .forEach(targets::add);
    }
    // Records are few, and say most.
    boolean recordsOnly = random.nextInt(4) == 0;
    targets.removeIf(file -> recordsOnly && !file.getFileName().toString().endsWith("record"));
    int wounds = random.nextInt(targets.size() / 2 + 1);
    for (int i = 0; i < wounds; i++) {
      Path file = targets.remove(random.nextInt(targets.size()));
      int kind = random.nextInt(3);
      switch (kind) {
        case 0 -> Files.delete(file);
        case 1 -> truncate(file, 1 + random.nextInt((int) Files.size(file)));
        default -> VerifyTest.flip(file, random.nextInt((int) Files.size(file)));
      }
      told.add(List.of("erase ", "truncate ", "flip ").get(kind) + place.relativize(file));
    }
    return told.toString();
  }

  // Prunes.

  private Ran prune(boolean withShared, Object... args) {
    List<Object> all = new ArrayList<>(List.of("heat"));
    all.addAll(Arrays.asList(args));
    return tool(withShared, "prune", all.toArray());
  }

  /** As with tiers that protect some epochs only: epoch 3 is protected by none. */
  private void strip(int epoch) throws IOException {
    for (int node = 0; node < RANKS; node++) {
      Path directory = epoch(node, epoch);
      for (String name : new SystemFiles().list(directory)) {
        if (!name.equals("record") && !name.equals("rank-" + node + ".image")) {
          Files.delete(directory.resolve(name));
        }
      }
    }
    if (Files.exists(shared.resolve("heat/epoch-1-" + epoch))) {
      VerifyTest.deleteTree(shared.resolve("heat/epoch-1-" + epoch));
    }
  }

  @Test
  void shouldKeepTheNewestEpochOfEachTier() throws Exception {
    strip(3);
    Ran dry = prune(true, "--keep", 1, "--dry-run", "--json").require(ExitCode.OK);
    assertEquals(List.of(), dry.at("deleted"));
    assertEquals(List.of("shared"), dry.at("kept.0.newestOf"));
    assertEquals(List.of("partner", "set"), dry.at("kept.1.newestOf"));
    assertEquals(List.of(), dry.at("kept.2.newestOf"));
    prune(true, "--keep", 1)
        .require(
            ExitCode.OK,
            "kept epoch 1-1: no newer sound epoch is protected by shared",
            "kept epoch 1-2: no newer sound epoch is protected by partner, nor by set",
            "deleted 0 epochs");
    // The shared tier isn't here: its epoch is none of this call's business.
    prune(false, "--keep", 1)
        .require(ExitCode.OK, "deleted epoch 1-1 (committed, local, partner, set", "kept 1-2, 1-3");
    assertFalse(Files.exists(epoch(0, 1)));
    assertTrue(Files.exists(shared.resolve("heat/epoch-1-1/record")));
  }

  @Test
  void shouldSayWhichTiersProtectNothingAnyMore() throws Exception {
    strip(3);
    Ran done = prune(true, "--keep", 1, "--even-the-last", "--json").require(ExitCode.OK);
    assertEquals(2, ((List<?>) done.at("deleted")).size());
    assertEquals(List.of("local", "partner", "set", "shared"), done.at("deleted.0.protection"));
    assertEquals(List.of("partner", "set", "shared"), done.at("unprotected"));
    for (int node = 0; node < RANKS; node++) {
      assertFalse(Files.exists(epoch(node, 1)), "copies and parity go with the epoch");
    }
    assertFalse(Files.exists(shared.resolve("heat/epoch-1-1")));
    tool(true, "recoverable").require(ExitCode.OK, "from epoch 1-3");
  }

  @Test
  void shouldSayItToThosePeopleToo() throws Exception {
    strip(3);
    prune(true, "--keep", 1, "--even-the-last")
        .require(ExitCode.OK, "no epoch that is left is protected by partner or set or shared");
  }

  @Test
  void shouldNotTrustATierUnread() throws Exception {
    strip(3);
    VerifyTest.flip(epoch(1, 2).resolve("rank-0.image"), JobFixture.FIRST_BLOCK);
    Ran done = prune(false, "--keep", 1, "--json").require(ExitCode.OK);
    assertEquals(List.of(), done.at("deleted"));
    assertEquals(List.of("partner", "set"), done.at("kept.0.newestOf"));
    assertEquals(List.of("partner", "set"), done.at("kept.1.newestOf"));
  }

  @Test
  void shouldCountWhatATierCanGiveBackAsSound() throws Exception {
    Files.delete(epoch(0, 3).resolve("rank-0.image"));
    prune(false, "--keep", 1).require(ExitCode.OK, "kept 1-2, 1-3");
    prune(false, "--keep", 1, "--even-the-last").require(ExitCode.OK, "kept 1-3");
    assertEquals("1-3", JobFixture.start(this::node, "heat", Optional.empty(), STEP_BYTES));
  }

  @Test
  void shouldPruneTheSharedTierAloneOnlyWhenToldSo() throws Exception {
    Ran.tool("prune", "--dir", shared, "heat", "--keep", 1)
        .require(ExitCode.FAILED, "only the shared tier", "--partial");
    assertTrue(Files.exists(shared.resolve("heat/epoch-1-1")));
    Ran.tool("prune", "--dir", shared, "heat", "--keep", 1, "--partial")
        .require(ExitCode.OK, "deleted epoch 1-1 (committed, shared, ");
    assertFalse(Files.exists(shared.resolve("heat/epoch-1-1")));
    assertTrue(Files.exists(epoch(0, 1)));
    tool(true, "list").require(ExitCode.OK, "shared tier " + shared.resolve("heat") + ": 1-3");
  }

  // Damage that checksums don't show.

  private static void truncate(Path file, long bytes) throws IOException {
    try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
      out.setLength(Math.max(0, out.length() - bytes));
    }
  }

  private static int crc(byte[] bytes, int from, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, from, length);
    return (int) crc.getValue();
  }

  /** Changes a byte of a shard and the checksums with it. */
  private static void changeSoundly(Path shard, int at) throws IOException {
    byte[] bytes = Files.readAllBytes(shard);
    ByteBuffer out = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int shardBytes = (int) out.getLong(64);
    bytes[SHARD_HEADER_BYTES + at] ^= 0x20;
    int indexAt = SHARD_HEADER_BYTES + shardBytes;
    int piece = at / PIECE_BYTES;
    int pieceAt = piece * PIECE_BYTES;
    int length = Math.min(PIECE_BYTES, shardBytes - pieceAt);
    out.putInt(indexAt + 4 * piece, crc(bytes, SHARD_HEADER_BYTES + pieceAt, length));
    int indexBytes = bytes.length - SHARD_FOOTER_BYTES - indexAt;
    out.putInt(bytes.length - SHARD_FOOTER_BYTES + 8, crc(bytes, indexAt, indexBytes));
    Files.write(shard, bytes);
  }

  private static long shardDigest(Path shard) throws IOException {
    byte[] bytes = Files.readAllBytes(shard);
    ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    long header = in.getInt(SHARD_HEADER_BYTES - 4);
    return header << 32 | (in.getInt(bytes.length - SHARD_FOOTER_BYTES + 8) & 0xffffffffL);
  }

  /** Changes a record's words and its checksum with them. */
  private static void editText(Path record, String from, String to) throws IOException {
    String text = Files.readString(record);
    assertTrue(text.contains(from), text);
    String body = text.substring(0, text.indexOf("crc32c=")).replace(from, to);
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    Files.writeString(record, body + "crc32c=%08x\n".formatted(crc(bytes, 0, bytes.length)));
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import static io.cairn.cli.JobFixture.RANKS;
import static io.cairn.cli.JobFixture.SENT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.ImageReader;
import io.cairn.image.SystemFiles;
import io.cairn.testing.FaultyFiles;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Whatever happens to a job's files is found, named, and kept out of a start. */
final class VerifyTest {
  @TempDir Path base;

  private Path job;
  private Path newest;
  private Path older;

  /** What may be wrong with the newest epoch's image of rank 1. */
  private enum Damage {
    HEADER {
      @Override
      String[] to(VerifyTest test, Path image) throws IOException {
        flip(image, 70);
        return new String[] {"at offset " + (JobFixture.FIRST_BLOCK - 4), "header checksum"};
      }
    },
    BLOCK {
      @Override
      String[] to(VerifyTest test, Path image) throws IOException {
        flip(image, JobFixture.FIRST_BLOCK + 1000);
        return new String[] {
          "at offset " + JobFixture.FIRST_BLOCK + ": block checksum", "region \"u\""
        };
      }
    },
    COMPRESSED_BLOCK {
      @Override
      String[] to(VerifyTest test, Path image) throws IOException {
        // Behind the block of noise; the block of zeros has no bytes.
        int offset = JobFixture.FIRST_BLOCK + 4096;
        flip(image, offset + 3);
        return new String[] {"at offset " + offset + ": stored block checksum"};
      }
    },
    INDEX {
      @Override
      String[] to(VerifyTest test, Path image) throws IOException {
        flip(image, Files.size(image) - 40 - 30);
        return new String[] {"index checksum"};
      }
    },
    FOOTER {
      @Override
      String[] to(VerifyTest test, Path image) throws IOException {
        flip(image, Files.size(image) - 40);
        return new String[] {"at offset " + (Files.size(image) - 12) + ": footer checksum"};
      }
    },
    MAGIC {
      @Override
      String[] to(VerifyTest test, Path image) throws IOException {
        flip(image, 0);
        return new String[] {"at offset 0: magic"};
      }
    },
    TRUNCATED {
      @Override
      String[] to(VerifyTest test, Path image) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
          file.setLength(file.length() - 1);
        }
        return new String[] {"footer magic"};
      }
    },
    EMPTY {
      @Override
      String[] to(VerifyTest test, Path image) throws IOException {
        Files.write(image, new byte[0]);
        return new String[] {"file length", "found 0"};
      }
    },
    MISSING {
      @Override
      String[] to(VerifyTest test, Path image) throws IOException {
        Files.delete(image);
        return new String[] {"missing"};
      }
    },
    OF_ANOTHER_RANK {
      @Override
      String[] to(VerifyTest test, Path image) throws IOException {
        replace(image, image.resolveSibling("rank-2.image"));
        return new String[] {"another rank", "found 2", "expected 1"};
      }
    },
    OF_AN_OLDER_EPOCH {
      @Override
      String[] to(VerifyTest test, Path image) throws IOException {
        replace(image, test.older.resolve("rank-1.image"));
        return new String[] {"another epoch", "found epoch 2", "expected epoch 3"};
      }
    },
    OF_A_STALE_GENERATION {
      @Override
      String[] to(VerifyTest test, Path image) throws IOException {
        replace(image, test.job.resolve("epoch-1-3").resolve("rank-1.image"));
        return new String[] {"another epoch", "generation 1", "generation 2"};
      }
    },
    OF_ANOTHER_JOB {
      @Override
      String[] to(VerifyTest test, Path image) throws Exception {
        JobFixture.launch(rank -> test.base.resolve("elsewhere"), "heat", 3);
        replace(image, test.base.resolve("elsewhere/heat/epoch-1-3/rank-1.image"));
        return new String[] {"another job of the same name"};
      }
    },
    OF_THE_SAME_EPOCH_WITH_OTHER_BYTES {
      @Override
      String[] to(VerifyTest test, Path image) throws Exception {
        // Sound in itself: only the record tells.
        Path copy = test.base.resolve("copy");
        copyTree(test.job, copy.resolve("heat"));
        deleteTree(copy.resolve("heat/epoch-2-3"));
        deleteTree(copy.resolve("heat/epoch-2-2"));
        deleteTree(copy.resolve("heat/epoch-2-1"));
        Files.delete(copy.resolve("heat/generation"));
        for (int epoch = 1; epoch <= 3; epoch++) {
          Path old = copy.resolve("heat/epoch-1-" + epoch);
          deleteTree(old);
        }
        Files.delete(copy.resolve("heat/committed"));
        Files.createDirectory(copy.resolve("heat/epoch-1-9"));
        JobFixture.launch(rank -> copy, "heat", 3, JobFixture.ledger(9, 9, 0, 0, 0, r -> 1L), true);
        replace(image, copy.resolve("heat/epoch-2-3/rank-1.image"));
        return new String[] {"another image than the one recorded"};
      }
    };

    /** Does it, and returns what the finding says. */
    abstract String[] to(VerifyTest test, Path image) throws Exception;
  }

  @BeforeEach
  void writeTwoLaunches() throws Exception {
    JobFixture.launch(rank -> base.resolve("jobs"), "heat", 3);
    JobFixture.launch(rank -> base.resolve("jobs"), "heat", 3);
    job = base.resolve("jobs/heat");
    older = job.resolve("epoch-2-2");
    newest = job.resolve("epoch-2-3");
  }

  private Ran tool(String verb, Object... args) {
    Object[] all = new Object[args.length + 3];
    all[0] = verb;
    all[1] = "--dir";
    all[2] = base.resolve("jobs");
    System.arraycopy(args, 0, all, 3, args.length);
    return Ran.tool(all);
  }

  @Test
  void shouldFindSoundEpochsSoundAndCountTheirMessages() {
    Ran all = tool("verify", "--json").require(ExitCode.OK);
    assertEquals(true, all.at("sound"));
    for (int epoch = 0; epoch < 6; epoch++) {
      String path = "jobs.0.epochs." + epoch + ".";
      assertEquals("sound", all.at(path + "outcome"));
      assertEquals((long) RANKS, all.at(path + "images"));
      assertEquals((long) RANKS, all.at(path + "channels"));
      assertEquals((long) RANKS, all.at(path + "lateMessages"));
      assertEquals((long) RANKS * JobFixture.LATE_BYTES, all.at(path + "lateBytes"));
    }
    tool("verify").require(ExitCode.OK, "heat, epoch 2-3: sound: 4 images");
    tool("recoverable")
        .require(ExitCode.OK, "heat goes on from epoch 2-3 (committed, safe point 103");
  }

  @ParameterizedTest
  @EnumSource(Damage.class)
  void shouldNameTheDamageAndFallBackToTheOlderEpoch(Damage damage) throws Exception {
    Path image = newest.resolve("rank-1.image");
    String[] expected = damage.to(this, image);

    Ran verified = tool("verify", "heat").require(ExitCode.NOT_FOUND_OR_DAMAGED, expected);
    verified.require(ExitCode.NOT_FOUND_OR_DAMAGED, image.toString(), "epoch 2-3: DAMAGED");
    verified.require(ExitCode.NOT_FOUND_OR_DAMAGED, "epoch 2-2: sound", "epoch 1-3: sound");
    Ran json = tool("verify", "heat", "2-3", "--json").require(ExitCode.NOT_FOUND_OR_DAMAGED);
    assertEquals(image.toString(), json.at("jobs.0.epochs.0.problems.0.file"));
    assertFalse(
        json.at("jobs.0.epochs.0.problems.0.found")
            .equals(json.at("jobs.0.epochs.0.problems.0.expected")),
        json::toString);

    Ran recoverable = tool("recoverable", "--json").require(ExitCode.OK);
    assertEquals("restores", recoverable.at("start"));
    assertEquals(2L, recoverable.at("epoch.generation"));
    assertEquals(2L, recoverable.at("epoch.epoch"));
    assertEquals(3L, recoverable.at("passedOver.0.epoch"));
    String reason = (String) recoverable.at("passedOver.0.reasons.0");
    assertTrue(reason.contains("rank 1") && reason.contains(image.toString()), reason);
  }

  @Test
  void shouldGoOnBehindADamagedBlock() throws IOException {
    Path image = newest.resolve("rank-0.image");
    flip(image, JobFixture.FIRST_BLOCK);
    flip(image, JobFixture.FIRST_BLOCK + 4096);
    flip(newest.resolve("rank-3.image"), JobFixture.FIRST_BLOCK);

    tool("verify", "heat", "2-3")
        .require(
            ExitCode.NOT_FOUND_OR_DAMAGED,
            image + " at offset " + JobFixture.FIRST_BLOCK + ":",
            image + " at offset " + (JobFixture.FIRST_BLOCK + 4096) + ":",
            newest.resolve("rank-3.image") + " at offset " + JobFixture.FIRST_BLOCK + ":");
  }

  @Test
  void shouldFindADamagedRecord() throws IOException {
    Path record = newest.resolve("record");
    byte[] sound = Files.readAllBytes(record);
    for (int length : new int[] {0, 1, sound.length / 2, sound.length - 1}) {
      Files.write(record, Arrays.copyOf(sound, length));
      tool("verify", "heat", "2-3").require(ExitCode.NOT_FOUND_OR_DAMAGED, record.toString());
      assertEquals(2L, tool("recoverable", "--json").require(ExitCode.OK).at("epoch.epoch"));
      tool("list").require(ExitCode.OK, "committed, damaged", record.toString());
    }
    Files.write(record, sound);
    flip(record, sound.length / 2);
    tool("verify", "heat", "2-3").require(ExitCode.NOT_FOUND_OR_DAMAGED, "checksum");
    Files.write(record, Files.readAllBytes(older.resolve("record")));
    tool("verify", "heat", "2-3")
        .require(ExitCode.NOT_FOUND_OR_DAMAGED, "another epoch", record.toString());
    tool("list").require(ExitCode.OK, "another epoch");
  }

  @Test
  void shouldFindImagesThatWereNotCommittedTogether() throws IOException {
    // All of them sound, and as a record says that is sound as well: only the sum differs.
    EpochRecord record = EpochRecord.read(new SystemFiles(), newest.resolve("record"));
    Files.write(
        newest.resolve("record"),
        new EpochRecord(
                record.jobId(),
                record.jobUuid(),
                record.worldSize(),
                record.epoch(),
                record.jobDigest() + 1,
                record.refersTo(),
                record.images())
            .encode());

    tool("verify", "heat", "2-3")
        .require(ExitCode.NOT_FOUND_OR_DAMAGED, "not those that were committed together");
    tool("recoverable")
        .require(ExitCode.OK, "not those that were committed together", "from epoch 2-2");
  }

  @Test
  void shouldRefuseWhenNothingCanBeRestoredAndBeginAnewWhenNothingEverWas() throws Exception {
    for (Path epoch : List.of(job.resolve("epoch-1-1"), job.resolve("epoch-1-2"))) {
      deleteTree(epoch);
    }
    for (String epoch : List.of("epoch-1-3", "epoch-2-1", "epoch-2-2", "epoch-2-3")) {
      flip(job.resolve(epoch).resolve("rank-0.image"), JobFixture.FIRST_BLOCK);
    }
    Ran refused = tool("recoverable", "--json").require(ExitCode.NOT_FOUND_OR_DAMAGED);
    assertEquals("refused", refused.at("start"));
    assertEquals(null, refused.at("epoch"));
    assertEquals(4, ((List<?>) refused.at("passedOver")).size());
    tool("recoverable").require(ExitCode.NOT_FOUND_OR_DAMAGED, "cairn.restore=fresh");
    // What isn't read isn't found.
    tool("recoverable", "--quick").require(ExitCode.OK, "from epoch 2-3");

    JobFixture.launch(rank -> base.resolve("jobs"), "new", 1, JobFixture.sound(), false);
    tool("recoverable", "new").require(ExitCode.OK, "from epoch 1-1 (pending");
    Files.delete(base.resolve("jobs/new/epoch-1-1/rank-2.image"));
    Ran fresh = tool("recoverable", "new", "--json").require(ExitCode.NOT_FOUND_OR_DAMAGED);
    assertEquals("fresh", fresh.at("start"));
  }

  @Test
  void shouldSkipWhatHasNoRecord() throws Exception {
    Files.delete(newest.resolve("record"));
    flip(newest.resolve("rank-0.image"), JobFixture.FIRST_BLOCK);
    tool("verify", "heat").require(ExitCode.OK, "epoch 2-3: skipped, it has no record");
    tool("verify", "heat", "2-3").require(ExitCode.NOT_FOUND_OR_DAMAGED, "no epoch with a record");
    tool("recoverable").require(ExitCode.OK, "from epoch 2-2");
  }

  @Test
  void shouldNotTrustAJobFile() throws Exception {
    flip(job.resolve("job"), 20);
    tool("verify", "heat").require(ExitCode.NOT_FOUND_OR_DAMAGED, job.resolve("job").toString());
    Ran refused = tool("recoverable", "--json").require(ExitCode.NOT_FOUND_OR_DAMAGED);
    assertEquals("refused", refused.at("start"));
    Files.delete(job.resolve("job"));
    tool("recoverable").require(ExitCode.NOT_FOUND_OR_DAMAGED, "job: missing");
  }

  @Test
  void shouldNameWhatCannotBeReadAndGoOn() {
    FaultyFiles files = new FaultyFiles();
    files.fail("Input/output error", operation -> operation.equals("read rank-2.image"));
    Ran verified =
        Ran.with(files, "verify", "--dir", base.resolve("jobs"), "heat", "2-3", "--json");
    verified.require(ExitCode.NOT_FOUND_OR_DAMAGED);
    assertEquals("unreadable", verified.at("jobs.0.epochs.0.problems.0.kind"));
    assertEquals(
        newest.resolve("rank-2.image").toString(), verified.at("jobs.0.epochs.0.problems.0.file"));
    assertEquals(3L, verified.at("jobs.0.epochs.0.images"));
    files.fail("Permission denied", operation -> operation.equals("open rank-2.image"));
    Ran.with(files, "list", base.resolve("jobs"))
        .require(ExitCode.OK, "committed, damaged", "rank-2.image: Permission denied");
  }

  @Test
  void shouldShowABarToSomebodyAtATerminalOnly() {
    Ran seen = Ran.atTerminal("verify", "--dir", base.resolve("jobs")).require(ExitCode.OK);
    assertTrue(seen.err().contains("verify") && seen.err().endsWith(" \r"), seen::err);
    for (String line : seen.err().split("\r", -1)) {
      assertTrue(line.length() < 100, line);
    }
    assertEquals("", tool("verify").err());
  }

  @Test
  void shouldAnswerAsTheStartItselfDoes() throws Exception {
    flip(newest.resolve("rank-3.image"), JobFixture.FIRST_BLOCK);
    flip(job.resolve("epoch-2-2/rank-0.image"), Files.size(newest.resolve("rank-0.image")) - 1);
    Ran answer = tool("recoverable", "--json").require(ExitCode.OK);
    EpochId told =
        new EpochId((Long) answer.at("epoch.generation"), (Long) answer.at("epoch.epoch"));
    assertEquals(new EpochId(2, 1), told);
    byte[] noise = firstBlock(job.resolve(told.directoryName()).resolve("rank-2.image"));

    // The next launch restores and writes what it restored as its first epoch, unchanged.
    JobFixture.relaunchAndCommitWhatWasRestored(base.resolve("jobs"), "heat");
    assertTrue(
        Arrays.equals(noise, firstBlock(job.resolve("epoch-3-1/rank-2.image"))),
        "the launch restored something else");
  }

  private static byte[] firstBlock(Path image) throws IOException {
    try (ImageReader reader = ImageReader.open(new SystemFiles(), image)) {
      reader.verify();
    }
    byte[] all = Files.readAllBytes(image);
    return Arrays.copyOfRange(all, JobFixture.FIRST_BLOCK, JobFixture.FIRST_BLOCK + 4096);
  }

  // The proof, channel by channel.

  private Ran verifyLedger(JobFixture.Ledger ledger) throws Exception {
    JobFixture.launch(rank -> base.resolve("other"), "heat", 1, ledger, true);
    Ran recoverable = Ran.tool("recoverable", "--dir", base.resolve("other"));
    recoverable.require(ExitCode.OK, "from epoch 1-1");
    return Ran.tool("verify", "--dir", base.resolve("other"), "heat");
  }

  @Test
  void shouldFindALostMessage() throws Exception {
    verifyLedger(JobFixture.ledger(SENT + 2, SENT - 1, 1, 1, 0, rank -> 9L))
        .require(
            ExitCode.NOT_FOUND_OR_DAMAGED,
            "from rank 0 to rank 1, tag 7, communicator 0000000000001234 don't add up: 7 sent",
            "4 received, 1 in the channel state: 2 lost",
            "from rank 3 to rank 0");
  }

  @Test
  void shouldFindAMessageThatNobodySent() throws Exception {
    verifyLedger(JobFixture.ledger(SENT, SENT - 1, 1, 3, 0, rank -> 9L))
        .require(ExitCode.NOT_FOUND_OR_DAMAGED, "3 in the channel state: 2 that nobody sent");
  }

  @Test
  void shouldFindAnEarlyMessage() throws Exception {
    verifyLedger(JobFixture.ledger(SENT, SENT + 1, -1, 0, 0, rank -> 9L))
        .require(
            ExitCode.NOT_FOUND_OR_DAMAGED,
            "0 in the channel state: 1 received before the cut and sent after it");
  }

  @Test
  void shouldFindALedgerThatContradictsItsOwnChannelState() throws Exception {
    verifyLedger(JobFixture.ledger(SENT, SENT - 1, 2, 1, 0, rank -> 9L))
        .require(ExitCode.NOT_FOUND_OR_DAMAGED, "the receiver's ledger counted 2 late ones");
  }

  @Test
  void shouldAcceptMessagesThatAreLateOverManyEpochs() throws Exception {
    verifyLedger(JobFixture.ledger(0, -2, 2, 2, 0, rank -> 9L)).require(ExitCode.OK, "8 messages");
  }

  @Test
  void shouldFindMembersThatCountedCollectivesDifferently() throws Exception {
    verifyLedger(JobFixture.ledger(SENT, SENT - 1, 1, 1, 0, rank -> rank == 2 ? 10L : 9L))
        .require(
            ExitCode.NOT_FOUND_OR_DAMAGED,
            "collectives begun on communicator 0000000000001234: 9 by ranks [0, 1, 3],"
                + " 10 by ranks [2]");
  }

  @Test
  void shouldAcceptACommunicatorThatOnlySomeHaveUsed() throws Exception {
    verifyLedger(JobFixture.ledger(SENT, SENT - 1, 1, 1, 0, rank -> 0L)).require(ExitCode.OK);
  }

  @Test
  void shouldRefuseCountsThatAreNoCounts() throws Exception {
    JobFixture.Ledger sound = JobFixture.sound();
    verifyLedger(
            new JobFixture.Ledger() {
              @Override
              public byte[] counts(int rank) {
                byte[] counts = sound.counts(rank);
                counts[6] = 1; // 2^48 channels
                return counts;
              }

              @Override
              public byte[] channelState(int rank) {
                return sound.channelState(rank);
              }
            })
        .require(
            ExitCode.NOT_FOUND_OR_DAMAGED,
            "number of outgoing channels, byte 24 of COUNTS: found 281474976710657");
  }

  static void flip(Path file, long offset) throws IOException {
    try (RandomAccessFile bytes = new RandomAccessFile(file.toFile(), "rw")) {
      bytes.seek(offset);
      int value = bytes.read();
      bytes.seek(offset);
      bytes.write(value ^ 0x10);
    }
  }

  private static void replace(Path image, Path by) throws IOException {
    Files.copy(by, image, StandardCopyOption.REPLACE_EXISTING);
  }

  static void deleteTree(Path directory) throws IOException {
    try (var all = Files.walk(directory)) {
      for (Path path : all.sorted(java.util.Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }

  static void copyTree(Path from, Path to) throws IOException {
    Files.createDirectories(to.getParent());
    try (var all = Files.walk(from)) {
      for (Path path : all.toList()) {
        Files.copy(path, to.resolve(from.relativize(path).toString()));
      }
    }
  }
}

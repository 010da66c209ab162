// SPDX-License-Identifier: Apache-2.0
package io.cairn.restore;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.cairn.coordinate.Capture.PendingImage;
import io.cairn.image.EpochRecord;
import io.cairn.testing.SimulatedRank;
import io.cairn.testing.ThreadGroupWorld;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A launch dies between the pending record and its rename, or while it gives an epoch up. */
final class PendingEpochTest {
  @TempDir Path base;

  private SimulatedRank launch() throws Exception {
    return new SimulatedRank(base, new ThreadGroupWorld(1).group(0));
  }

  /** The first launch of the job, which dies with its first epoch recorded and not committed. */
  private Path dieWithPendingRecord() throws Exception {
    SimulatedRank first = launch();
    ByteBuffer region = first.region("u", 5000);
    assertNull(first.restore());
    region.putInt(0, 42);
    PendingImage image = first.image(1, "");
    first.record(1, image);
    first.kill();
    try (var found = Files.walk(base)) {
      List<Path> pending = found.filter(p -> p.endsWith(EpochRecord.PENDING)).toList();
      assertEquals(1, pending.size(), pending::toString);
      return pending.get(0);
    }
  }

  @Test
  void shouldRestoreAnEpochThatIsPendingEverywhere() throws Exception {
    dieWithPendingRecord();
    try (SimulatedRank second = launch()) {
      ByteBuffer region = second.region("u", 5000);
      try (RestoredImage restored = second.restore()) {
        assertNotNull(restored);
        assertEquals(42, region.getInt(0));
      }
    }
  }

  @Test
  void shouldStartAfreshWhenTheOnlyEpochIsPendingAndTorn() throws Exception {
    Path pending = dieWithPendingRecord();
    byte[] whole = Files.readAllBytes(pending);
    for (int length : new int[] {0, 1, whole.length / 2, whole.length - 1}) {
      Files.write(pending, java.util.Arrays.copyOf(whole, length));
      try (SimulatedRank second = launch()) {
        second.region("u", 5000);
        assertNull(
            new RestoreAgreement(second.directory, second.group, second.files)
                .choose("start-afresh")
                .epoch()
                .orElse(null),
            "cut to " + length + " bytes");
      }
    }
  }

  @Test
  void shouldTouchNothingWhenTheOnlyEpochIsPendingAndDamaged() throws Exception {
    Path image = dieWithPendingRecord().resolveSibling(EpochRecord.imageName(0));
    byte[] bytes = Files.readAllBytes(image);
    // The last byte before the index, whose place the footer begins with: all else is sound.
    ByteBuffer whole = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    bytes[(int) whole.getLong(bytes.length - 40) - 1]++;
    Files.write(image, bytes);
    try (SimulatedRank second = launch()) {
      ByteBuffer region = second.region("u", 5000);
      region.putInt(0, 7);
      assertNull(second.restore());
      assertEquals(7, region.getInt(0), "the program starts with what it put there itself");
    }
  }

  @Test
  void shouldStartAfreshWhenTheOnlyEpochWasHalfAbandoned() throws Exception {
    Path pending = dieWithPendingRecord();
    Files.delete(pending.resolveSibling(EpochRecord.imageName(0)));
    try (SimulatedRank second = launch()) {
      second.region("u", 5000);
      assertNull(second.restore());
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.testing.FaultyFiles;
import io.cairn.testing.LocalTransport;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Nothing that a rank does for itself keeps others waiting for long. */
final class CopyFlowTest {
  private static final int LENGTH = 5 * Exchange.PIECE_BYTES + 123;

  @TempDir Path base;

  private final FaultyFiles files = new FaultyFiles();
  private final Exchange exchange =
      new Exchange(
          new LocalTransport.World(1, Duration.ofSeconds(1)).transport(0), System::nanoTime, 1000);
  private FileSink sink;

  private byte[] write(int lengthBytes) throws IOException {
    byte[] bytes = new byte[lengthBytes];
    new Random(1).nextBytes(bytes);
    Files.write(base.resolve("from"), bytes);
    return bytes;
  }

  private CopyFlow copy() {
    return new CopyFlow(
        exchange,
        "image",
        () -> FileSource.open(files, base.resolve("from"), 0),
        LENGTH,
        () -> sink = FileSink.create(files, base.resolve("to")));
  }

  private List<String> operations() {
    return files.takeLog().stream().filter(op -> op.matches("(write|force) .*")).toList();
  }

  @Test
  void shouldCopyOnePieceAtATime() throws IOException {
    byte[] bytes = write(LENGTH);
    CopyFlow copy = copy();
    for (int length : new int[] {1, 2, 3, 4, 5}) {
      assertTrue(copy.advance());
      assertFalse(copy.isDone());
      assertEquals(
          List.of("write " + Exchange.PIECE_BYTES + " to"), operations(), "piece " + length);
    }
    assertTrue(copy.advance());
    assertEquals(List.of("write 123 to"), operations());
    assertFalse(copy.isDone());
    assertTrue(copy.advance());
    assertEquals(List.of("force to"), operations());
    assertTrue(copy.isDone());
    assertFalse(copy.advance());
    assertNull(copy.failure());
    copy.close();
    sink.close();
    assertArrayEquals(bytes, Files.readAllBytes(base.resolve("to")));
  }

  @Test
  void shouldEndWhereTheSourceDoes() throws IOException {
    write(LENGTH - 1);
    CopyFlow copy = copy();
    while (copy.advance()) {
      assertTrue(copy.failure() == null || copy.isDone());
    }
    assertTrue(copy.isDone());
    assertTrue(
        copy.failure().getMessage().contains("" + base.resolve("from")), "" + copy.failure());
    copy.close();
    sink.close();
    Files.delete(base.resolve("from"));
    CopyFlow missing = copy();
    assertTrue(missing.advance());
    assertTrue(missing.isDone());
    assertTrue(missing.failure() != null);
    missing.close();
  }

  @Test
  void shouldSyncWhatIsWrittenAsItGrows() throws IOException {
    int piece = 1 << 20;
    ByteBuffer bytes = ByteBuffer.allocateDirect(piece);
    List<String> expected = new ArrayList<>();
    try (FileSink file = FileSink.create(files, base.resolve("to"))) {
      files.takeLog();
      for (int i = 0; i < 130; i++) {
        file.piece(bytes);
      }
      file.finish();
    }
    for (int pieces : new int[] {64, 64, 2}) {
      expected.addAll(Collections.nCopies(pieces, "write " + piece + " to"));
      expected.add("force to");
    }
    assertEquals(expected, operations());
  }
}

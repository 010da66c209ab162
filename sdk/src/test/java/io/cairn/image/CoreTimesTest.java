// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CoreTimesTest {

  @TempDir Path directory;

  private CoreTimes read(String text) throws IOException {
    return CoreTimes.read(Files.writeString(directory.resolve("schedstat"), text));
  }

  @Test
  void shouldReadWhatLinuxWrites() throws IOException {
    assertEquals(new CoreTimes(659731, 7469059), read("659731 7469059 2\n"));
  }

  @Test
  void shouldKnowNothingWhereLinuxDoesNotTell() throws IOException {
    CoreTimes unknown = new CoreTimes(0, 0);
    assertEquals(unknown, CoreTimes.read(directory.resolve("none")));
    assertEquals(unknown, read(""));
    assertEquals(unknown, read("12"));
    assertEquals(unknown, read("a b c"));
  }

  @Test
  void shouldTakeOnlyWhatItAlsoWaitedFor() {
    CoreTimes before = new CoreTimes(100, 1000);
    assertEquals(0, new CoreTimes(600, 1000).takenSince(before), "a core to spare");
    assertEquals(200, new CoreTimes(600, 1200).takenSince(before), "shared for a while");
    assertEquals(500, new CoreTimes(600, 9000).takenSince(before), "shared with many");
    assertEquals(0, new CoreTimes(0, 0).takenSince(before), "no longer known");
  }

  @Test
  void shouldFindTheThreadsOwnTimes() {
    CoreTimes before = CoreTimes.now();
    long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    while (CoreTimes.now().onCoreNanos() - before.onCoreNanos() < 1_000_000) {
      assertTrue(System.nanoTime() < end, "this thread computes, and has no core");
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import io.cairn.systemtests.programs.Ring;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What the disk can do to a job. */
class StoreIT {

  private static final int MEGABYTE = 1 << 20;

  private static final int STEPS = 700;

  @RegisterExtension final Workbench bench = new Workbench();

  @Test
  void shouldAbandonEpochsWhenTheDiskIsFullAndGoOn() throws IOException {
    // Two kept epochs of 2 x 4 MiB, full of numbers that can't be compressed; then no room for a
    // third.
    Path disk = smallFileSystem(64);
    launch(disk, 100_000).property("systemtests.halt", "0:4").run().requireFailure();
    // Once more without an epoch, for whatever that launch had not yet deleted.
    launch(disk, 1).property("cairn.every", "off").run().requireSuccess();
    JobFiles files = new JobFiles(disk.resolve("Ring"));
    List<JobFiles.Epoch> kept = files.committed();
    assertEquals(2, kept.size(), () -> files.epochs().toString());
    long free = disk.toFile().getUsableSpace();
    Path filler = disk.resolve("filler");
    fill(filler, free - MEGABYTE);

    String reference =
        bench
            .job(2, Ring.class)
            .property("cairn.enabled", false)
            .arguments("bytes=" + 4 * MEGABYTE, "random=1", "steps=" + STEPS)
            .run()
            .requireSuccess()
            .only("result ");
    MpiJob.Outcome full = launch(disk, STEPS).arguments("abandoned=3").run().requireSuccess();

    assertEquals(reference, full.only("result "), full::text);
    assertEquals(2, full.events().of("restored").size(), full::text);
    assertEquals(0, full.events().of("committed").size(), full::text);
    List<String> reasons =
        full.events().reasons().stream().filter(r -> !r.contains("the program ended")).toList();
    assertTrue(!reasons.isEmpty(), full::text);
    for (String reason : reasons) {
      assertTrue(reason.contains("No space left on device"), full::text);
      assertTrue(reason.contains(disk.toString()) && reason.contains("rank "), full::text);
    }
    assertEquals(kept, files.committed());

    // And it is what a later launch comes back to, with room again.
    Files.delete(filler);
    MpiJob.Outcome again = launch(disk, STEPS).arguments("commits=1").run().requireSuccess();
    assertEquals(reference, again.only("result "), again::text);
    assertEquals(kept.get(1).number(), again.events().of("restored").get(0).epoch(), again::text);
    assertTrue(!again.events().of("committed").isEmpty(), again::text);
  }

  @Test
  void shouldNameTheDirectoryItCannotWriteTo() throws IOException {
    Path directory;
    if ("root".equals(System.getProperty("user.name"))) {
      directory = smallFileSystem(1);
      Processes.output(List.of("mount", "-o", "remount,ro", directory.toString()), 30);
    } else {
      directory = Files.createDirectory(bench.folder().resolve("closed"));
      Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("r-x------"));
    }
    bench
        .job(2, Ring.class)
        .property("cairn.dir", directory)
        .run()
        .requireFailure()
        .line(directory.toString());

    Path file = Files.createFile(bench.folder().resolve("file"));
    bench
        .job(2, Ring.class)
        .property("cairn.dir", file)
        .run()
        .requireFailure()
        .line(file.toString());
  }

  @Test
  void shouldKeepTheLastEpochsAndNothingElseAndLetNobodyElseRead() throws IOException {
    MpiJob.Outcome outcome =
        bench
            .job(2, Ring.class)
            .property("cairn.every", 15)
            .property("cairn.keep", 3)
            .arguments("steps=50", "millis=2", "commits=5")
            .run()
            .requireSuccess();

    JobFiles files = bench.files(Ring.class);
    assertTrue(outcome.events().newestCommitted() > 3, outcome::text);
    List<JobFiles.Epoch> epochs = files.epochs();
    assertEquals(3, epochs.size(), epochs::toString);
    assertTrue(epochs.stream().allMatch(JobFiles.Epoch::committed), epochs::toString);
    assertEquals(outcome.events().newestCommitted(), epochs.get(2).number());
    try (Stream<Path> all = Files.walk(files.folder())) {
      for (Path path : all.toList()) {
        String expected = Files.isDirectory(path) ? "rwx------" : "rw-------";
        assertEquals(
            expected,
            PosixFilePermissions.toString(Files.getPosixFilePermissions(path)),
            path::toString);
      }
    }
  }

  private MpiJob.Builder launch(Path disk, int steps) {
    return bench
        .job(2, Ring.class)
        .property("cairn.dir", disk)
        .property("cairn.every", 8)
        // Each is as large as the others, and none keeps another.
        .property("cairn.full.every", 1)
        .arguments("bytes=" + 4 * MEGABYTE, "random=1", "millis=2", "steps=" + steps);
  }

  private Path smallFileSystem(int megabytes) {
    try {
      return bench.smallFileSystem(megabytes);
    } catch (IOException e) {
      return abort("a full disk needs root, to mount a small file system: " + e.getMessage());
    }
  }

  private static void fill(Path file, long lengthBytes) throws IOException {
    byte[] block = new byte[MEGABYTE];
    try (var out = Files.newOutputStream(file)) {
      for (long left = lengthBytes; left > 0; left -= block.length) {
        out.write(block, 0, (int) Math.min(block.length, left));
      }
    }
  }
}

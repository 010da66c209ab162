// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cairn.systemtests.programs.SparseWrites;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Images of the pages that were written only, and what is restored from them. */
class WrittenPagesIT {

  private static final int RANKS = 2;
  private static final int MEBIBYTES = 32;
  private static final long REGION_BYTES = (long) MEBIBYTES << 20;

  @RegisterExtension final Workbench bench = new Workbench();

  private MpiJob.Builder job(String pages) {
    return bench
        .job(RANKS, SparseWrites.class)
        .property("cairn.pages", pages)
        .property("cairn.full.every", 100)
        .property("cairn.encode", "fast")
        .property("cairn.every", 15)
        .property("cairn.log", "verbose")
        .property("cairn.keep", 10)
        .arguments("steps=1500", "mebibytes=" + MEBIBYTES, "commits=4");
  }

  @Test
  void shouldStoreAndRestoreOnePageInAHundred() throws IOException {
    String reference = job("all").run().requireSuccess().only("result ");
    bench.emptyFolder();

    MpiJob.Outcome killed = job("written").property("systemtests.halt", "1:4").run();
    killed.requireFailure();
    assumeTrue(
        killed.out(true).stream()
            .noneMatch(line -> line.contains("doesn't tell which were written")),
        "this kernel doesn't tell which pages were written");
    killed.line("written pages are found by");
    killed.line("region \"memory\": written pages only, as cairn.pages=written says");
    List<JobFiles.Epoch> epochs = bench.files(SparseWrites.class).committed();
    JobFiles.Epoch newest = epochs.get(epochs.size() - 1);
    assertTrue(epochs.size() > 2, epochs::toString);
    for (int rank = 0; rank < RANKS; rank++) {
      long length = Files.size(newest.image(rank));
      // Every hundredth page, what was received, and an extent for each run in the index.
      long pages = REGION_BYTES / SparseWrites.STRIDE_BYTES + 1 + 4;
      long most = pages * (4096 + 100) + SparseWrites.LARGE_BYTES + 2 * 4096 + 40_000;
      assertTrue(length <= most, "rank " + rank + ": " + length + " bytes, at most " + most);
      // The newest may be of the wait at the program's end, where nothing is written.
      long largest = 0;
      for (JobFiles.Epoch epoch : epochs.subList(2, epochs.size())) {
        largest = Math.max(largest, Files.size(epoch.image(rank)));
      }
      assertTrue(largest > pages / 2 * 4096 + SparseWrites.LARGE_BYTES, largest + " bytes");
    }

    MpiJob.Outcome restarted = job("written").run().requireSuccess();
    restarted.line("rank 0 goes on after step");
    assertEquals(reference, restarted.only("result "), restarted::text);
  }
}

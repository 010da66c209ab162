// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.Cairn;
import io.cairn.api.Region;
import io.cairn.natives.NativePages;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;
import mpi.MPI;
import mpi.MPIException;

/**
 * A program with one large region: the first launch commits an epoch of it, each later one measures
 * how long it takes to be there again, and to read the same bytes past the page cache.
 */
public final class RestoreProgram {

  private RestoreProgram() {}

  /** Arguments: bytes per rank, content, directory of jobs, whether to read the file first. */
  public static void main(String[] args) {
    Cairn.run(
        args,
        cairn -> {
          int rank = MPI.COMM_WORLD.getRank();
          long begin = System.nanoTime();
          Region region = cairn.region("region", Long.parseLong(args[0]));
          long beforeRestore = System.nanoTime() - begin;
          Path jobs = Path.of(args[2]);
          long raw = Boolean.parseBoolean(args[3]) ? rawRead(jobs, rank) : 0;
          MPI.COMM_WORLD.barrier();
          begin = System.nanoTime();
          if (!cairn.restore()) {
            Memory.fill(
                new NativePages(),
                region.address(),
                region.lengthBytes(),
                Content.valueOf(args[1]),
                rank);
            EpochProgram.commitOne(cairn);
            return;
          }
          long restore = beforeRestore + System.nanoTime() - begin;
          MPI.COMM_WORLD.barrier();
          raw = raw > 0 ? raw : rawRead(jobs, rank);
          long touch = touch(region.lengthBytes());
          long longestRestore = RankFigures.longest(restore);
          long longestRaw = RankFigures.longest(raw);
          long longestTouched = RankFigures.longest(raw + touch);
          if (rank == 0) {
            System.out.println("restore " + longestRestore);
            System.out.println("raw-read " + longestRaw);
            System.out.println("raw-read-and-touch " + longestTouched);
          }
        });
  }

  private static long rawRead(Path jobs, int rank) throws IOException, MPIException {
    Path image;
    try (Stream<Path> files = Files.walk(jobs)) {
      image =
          files
              .filter(file -> file.endsWith("rank-" + rank + ".image"))
              .max(Comparator.naturalOrder())
              .orElse(null);
    }
    MPI.COMM_WORLD.barrier();
    if (image == null) {
      return 0;
    }
    long begin = System.nanoTime();
    RawWrite.readDirect(image);
    return System.nanoTime() - begin;
  }

  /** What it takes until as much fresh memory as the region is there: no restore is without. */
  private static long touch(long lengthBytes) throws MPIException {
    MPI.COMM_WORLD.barrier();
    NativePages pages = new NativePages();
    long begin = System.nanoTime();
    long address = pages.allocate(lengthBytes);
    pages.prefault(address, lengthBytes);
    long nanos = System.nanoTime() - begin;
    pages.free(address, lengthBytes);
    return nanos;
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.image.EncodeMode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Images of one region, in turns: as it is, with LZ4, and as is measured to be better. From the
 * beginning of the capture until the image is durable. Beside them, the same bytes written and
 * synced, without a limit.
 */
final class EncodeBenchmark {

  static final String USAGE =
      """
      usage: ./cairn bench encode [options]
        --mib N          size of the region in MiB (512)
        --runs N         images of each kind that are counted, after two that aren't (7)
        --content WHAT   zero, half (LZ4 halves it) or random (half)
        --bandwidth N    most that images are written at, in 2^20 bytes a second (no limit)
        --verbose        says what was chosen, and why""";

  private static final double MILLI = 1e6;
  private static final int WARM_UP = 2;

  /** In 2^20 bytes a second: more than there is. */
  private static final int NO_LIMIT = Integer.MAX_VALUE;

  private EncodeBenchmark() {}

  static void run(List<String> arguments) throws Exception {
    Options options = new Options(USAGE, arguments);
    int mebibytes = options.integer("--mib", 512);
    int runs = options.integer("--runs", 7);
    Content content = options.content("--content", Content.HALF);
    int bandwidth = options.integer("--bandwidth", NO_LIMIT);
    boolean verbose = options.flag("--verbose");
    options.end();
    System.out.println(
        mebibytes
            + " MiB ("
            + content
            + "), "
            + runs
            + " images of each kind in turns, "
            + (bandwidth == NO_LIMIT ? "no limit" : bandwidth + " MiB/s"));
    measure(mebibytes, runs, content, bandwidth, verbose).print(System.out);
    System.out.println("\n  milliseconds; ratios of the medians");
  }

  static Table measure(int mebibytes, int runs, Content content, int bandwidth, boolean verbose)
      throws Exception {
    Map<EncodeMode, CaptureRig> rigs = new EnumMap<>(EncodeMode.class);
    Map<EncodeMode, List<Double>> times = new EnumMap<>(EncodeMode.class);
    Map<EncodeMode, Long> sizes = new EnumMap<>(EncodeMode.class);
    List<Double> plain = new ArrayList<>();
    try {
      for (EncodeMode mode : EncodeMode.values()) {
        rigs.put(
            mode,
            new CaptureRig(
                (long) mebibytes << 20,
                content,
                mode,
                bandwidth == NO_LIMIT ? 0 : (long) bandwidth << 20));
        times.put(mode, new ArrayList<>());
      }
      List<EncodeMode> modes = List.copyOf(rigs.keySet());
      int kinds = modes.size() + 1;
      for (int run = 0; run < WARM_UP + runs; run++) {
        // Another one begins each time: the disk may remember what came before.
        for (int i = 0; i < kinds; i++) {
          int kind = (run + i) % kinds;
          EncodeMode mode = kind == 0 ? null : modes.get(kind - 1);
          double millis =
              mode == null ? plainWrite(rigs.get(EncodeMode.FAST)) : image(rigs.get(mode));
          if (mode != null) {
            sizes.put(mode, rigs.get(mode).remove());
            say(verbose, mode, rigs.get(mode));
          }
          if (run >= WARM_UP) {
            (mode == null ? plain : times.get(mode)).add(millis);
          }
        }
      }
    } finally {
      for (CaptureRig rig : rigs.values()) {
        rig.close();
      }
    }
    Table table = new Table("encode", "MiB", "best", "median", "to fast", "to write and fsync");
    for (EncodeMode mode : EncodeMode.values()) {
      table.row(
          mode.name().toLowerCase(Locale.ROOT),
          Table.number((double) sizes.get(mode) / (1 << 20)),
          Table.number(Collections.min(times.get(mode))),
          Table.number(median(times.get(mode))),
          Table.ratio(median(times.get(mode)), median(times.get(EncodeMode.FAST))),
          Table.ratio(median(times.get(mode)), median(plain)));
    }
    table.row(
        "write and fsync",
        Integer.toString(mebibytes),
        Table.number(Collections.min(plain)),
        Table.number(median(plain)),
        Table.ratio(median(plain), median(times.get(EncodeMode.FAST))),
        "1.00x");
    return table;
  }

  private static void say(boolean verbose, EncodeMode mode, CaptureRig rig) {
    String choice = rig.takeChoice();
    if (verbose && !choice.isEmpty()) {
      System.out.println("  " + mode + ": " + choice);
    }
  }

  private static double image(CaptureRig rig) throws Exception {
    long begin = System.nanoTime();
    CaptureRig.seal(rig.capture());
    return (System.nanoTime() - begin) / MILLI;
  }

  private static double plainWrite(CaptureRig rig) throws IOException {
    Path file = rig.directory.resolve("raw");
    long begin = System.nanoTime();
    RawWrite.writeAndSync(rig.region.pages, rig.region.address, rig.region.lengthBytes, file);
    double millis = (System.nanoTime() - begin) / MILLI;
    Files.delete(file);
    return millis;
  }

  private static double median(List<Double> values) {
    List<Double> sorted = new ArrayList<>(values);
    Collections.sort(sorted);
    return sorted.get(sorted.size() / 2);
  }
}

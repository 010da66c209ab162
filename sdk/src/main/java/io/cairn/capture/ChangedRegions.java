// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/** Which bytes of the regions have to be copied at a cut. Application's thread. */
final class ChangedRegions implements AutoCloseable {
  // Pages that are written to measure what a fault takes.
  private static final int MEASURED_PAGES = 256;
  private static final int TURNS = 3;

  private final Pages pages;
  private final WrittenPages written;
  private final PageMode mode;
  private final LongSupplier nanoClock;
  private final PageCosts costs = new PageCosts();
  private final Map<Registry.RegionEntry, RegionPages> regions = new LinkedHashMap<>();
  private boolean used;

  ChangedRegions(Pages pages, WrittenPages written, PageMode mode, LongSupplier nanoClock) {
    this.pages = pages;
    this.written = written;
    this.mode = mode;
    this.nanoClock = nanoClock;
  }

  /**
   * Everything is registered, and counts as written.
   *
   * @param taken whether images can take from others what wasn't written
   */
  void prepare(Registry registry, boolean taken, Consumer<String> report) {
    used = taken && mode != PageMode.ALL && written.available();
    if (!used) {
      report.accept("all pages are copied: " + whyAll(taken));
      return;
    }
    List<Long> bounds = new ArrayList<>();
    for (Registry.Entry entry : registry.entries()) {
      if (entry instanceof Registry.RegionEntry region) {
        add(region, bounds);
      }
    }
    written.mayAsk(bounds.stream().mapToLong(Long::longValue).toArray());
    costs.fault(measureFault());
    report.accept(
        String.format(
            Locale.ROOT,
            "written pages are found by %s; the first write to a page takes %.0f ns more",
            written.describe(),
            costs.faultNanos()));
  }

  private String whyAll(boolean taken) {
    if (!taken) {
      return "every image is full (cairn.full.every=1)";
    }
    return mode == PageMode.ALL ? "cairn.pages=all" : written.describe();
  }

  private void add(Registry.RegionEntry entry, List<Long> bounds) {
    WrittenPages.Region region = written.region(entry.address(), entry.lengthBytes());
    if (region.pageCount() == 0) {
      region.close();
      return;
    }
    bounds.add(entry.address());
    bounds.add(entry.address() + entry.lengthBytes());
    regions.put(
        entry,
        new RegionPages(
            entry, region, new PageChoice(mode), costs, pages.pageSizeBytes(), nanoClock));
  }

  /** The median of a few turns, each minus what the same writes take without a fault. */
  private double measureFault() {
    long pageBytes = pages.pageSizeBytes();
    long length = MEASURED_PAGES * pageBytes;
    long address = pages.allocate(length);
    double[] turns = new double[TURNS];
    try (WrittenPages.Region region = written.region(address, length)) {
      pages.prefault(address, length);
      ByteBuffer view = pages.view(address, (int) length);
      write(view, pageBytes);
      for (int turn = 0; turn < TURNS; turn++) {
        if (!region.begin(1)) {
          return costs.faultNanos();
        }
        long with = write(view, pageBytes);
        turns[turn] = Math.max(0, (double) (with - write(view, pageBytes)) / MEASURED_PAGES);
        region.end();
      }
    } finally {
      pages.free(address, length);
    }
    java.util.Arrays.sort(turns);
    return turns[TURNS / 2];
  }

  private long write(ByteBuffer view, long pageBytes) {
    long begin = nanoClock.getAsLong();
    for (int page = 0; page < MEASURED_PAGES; page++) {
      view.put((int) (page * pageBytes), (byte) page);
    }
    return nanoClock.getAsLong() - begin;
  }

  /**
   * A cut.
   *
   * @param saved whether the image of the last one is committed
   */
  void cut(boolean saved, Consumer<String> report) {
    if (!used || isBlind(report)) {
      return;
    }
    written.beginCut();
    for (RegionPages region : regions.values()) {
      region.cut(saved);
      if (region.hasNews()) {
        report.accept(region.describe());
      }
    }
    written.endCut();
  }

  /**
   * Whether something writes to memory that isn't noticed, so that all has to be copied from now
   * on; if the program says that written pages are to be used, it knows better.
   */
  private boolean isBlind(Consumer<String> report) {
    if (mode != PageMode.AUTO || regions.values().stream().allMatch(RegionPages::rests)) {
      return false;
    }
    Optional<String> writer = written.unnoticed();
    writer.ifPresent(
        name -> {
          used = false;
          endRegions();
          report.accept(
              "all pages are copied from now on: this process uses "
                  + name
                  + ", and what that writes to memory isn't noticed"
                  + " (cairn.pages=written if it never writes to what is registered)");
        });
    return writer.isPresent();
  }

  private void endRegions() {
    written.mayAsk(new long[0]);
    for (RegionPages region : regions.values()) {
      region.close();
    }
    regions.clear();
  }

  /**
   * What was written of a region before the last cut, from its start; null if it isn't known, so
   * that all of it has to be copied.
   */
  RegionPages of(Registry.RegionEntry entry) {
    RegionPages region = regions.get(entry);
    if (region == null || !region.known()) {
      return null;
    }
    region.rewind();
    return region;
  }

  PageCosts costs() {
    return costs;
  }

  @Override
  public void close() {
    if (used) {
      endRegions();
    }
    written.close();
  }
}

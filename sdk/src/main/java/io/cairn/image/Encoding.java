// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/**
 * What is known about a rank's sections and its store, and so how the blocks are stored; kept from
 * image to image. One thread at a time.
 */
public final class Encoding {
  private final EncodeMode mode;
  private final LongSupplier nanoClock;
  private final LongSupplier coreClock;
  private final Consumer<String> report;
  private final StoreRate rate;
  private final CoreShare core = new CoreShare();
  private final Map<String, SectionCodec> sections = new HashMap<>();
  private final Map<String, SectionComparison> comparisons = new HashMap<>();

  /**
   * @param limit what the writer is held to
   * @param nanoClock a clock in nanoseconds, such as {@code System::nanoTime}
   * @param coreClock how long this thread has had a core, such as {@link #ownCoreClock}; asked only
   *     where there is a choice
   * @param report told what was chosen for a section, and why, whenever that changes
   */
  public Encoding(
      EncodeMode mode,
      RateLimit limit,
      LongSupplier nanoClock,
      LongSupplier coreClock,
      Consumer<String> report) {
    this.mode = mode;
    this.nanoClock = nanoClock;
    this.coreClock = mode == EncodeMode.AUTO ? coreClock : nanoClock;
    this.report = report;
    rate = new StoreRate(limit.nanosPerByte());
  }

  /** Without a limit, by the system's clocks, and silently. */
  public Encoding(EncodeMode mode) {
    this(mode, RateLimit.NONE, System::nanoTime, ownCoreClock(), text -> {});
  }

  /** The calling thread's time on a core; where the JVM can't tell, all time. */
  public static LongSupplier ownCoreClock() {
    return new OwnCoreClock();
  }

  /** Found when it is first asked: the JVM's first look takes many milliseconds. */
  private static final class OwnCoreClock implements LongSupplier {
    private LongSupplier found;

    @Override
    public long getAsLong() {
      if (found == null) {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        found =
            threads.isCurrentThreadCpuTimeSupported() && threads.isThreadCpuTimeEnabled()
                ? threads::getCurrentThreadCpuTime
                : System::nanoTime;
      }
      return found.getAsLong();
    }
  }

  /** An image begins. */
  void begin() {
    rate.begin();
    core.begin();
    for (SectionCodec section : sections.values()) {
      section.begin();
    }
    for (SectionComparison comparison : comparisons.values()) {
      comparison.begin();
    }
  }

  /** The image is durable. */
  void finish() {
    rate.finish();
    core.finish();
    for (SectionCodec section : sections.values()) {
      if (section.hasNews()) {
        report.accept(section.describe(rate.nanosPerByte(), core.slowdown()));
      }
    }
    comparisons.forEach(
        (title, comparison) -> {
          comparison.finish(sections.get(title).storingNanos(worthOfByte()));
          if (comparison.hasNews()) {
            report.accept(title + ": " + comparison.describe(core.slowdown()));
          }
        });
  }

  SectionCodec section(SectionKind kind, String name) {
    return sections.computeIfAbsent(title(kind, name), text -> new SectionCodec(text, mode));
  }

  SectionComparison comparison(SectionKind kind, String name) {
    return comparisons.computeIfAbsent(title(kind, name), text -> new SectionComparison(mode));
  }

  /** A section's name, for messages. */
  static String title(SectionKind kind, String name) {
    return kind.name().toLowerCase(Locale.ROOT) + (name.isEmpty() ? "" : " \"" + name + '"');
  }

  StoreRate rate() {
    return rate;
  }

  CoreShare core() {
    return core;
  }

  /** Time on a core, in nanoseconds, that it is worth to store a byte less. */
  double worthOfByte() {
    return rate.nanosPerByte() / core.slowdown();
  }

  long nanoTime() {
    return nanoClock.getAsLong();
  }

  long coreTime() {
    return coreClock.getAsLong();
  }
}

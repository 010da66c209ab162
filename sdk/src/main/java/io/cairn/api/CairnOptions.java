// SPDX-License-Identifier: Apache-2.0
package io.cairn.api;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;

/**
 * How Cairn behaves in one program. Immutable.
 *
 * <p>What a program sets here are its own wishes; an operator overrides them without touching the
 * program: each option is taken from the system property {@code cairn.NAME}, else from the
 * environment variable {@code CAIRN_NAME} (upper case, dots as underscores), else from the builder,
 * else its default applies. {@code docs/options.md} lists them all.
 *
 * <p>All ranks of a job need the same options.
 */
public final class CairnOptions {

  /** What to do with epochs that an earlier launch of the job has left. */
  public enum Restore {
    /**
     * Continue from the newest usable one; refuse to start if there are some and none is usable.
     */
    AUTO,
    /** Start afresh, whatever there is. */
    FRESH
  }

  /** How the ranks of a program pass safe points. */
  public enum SafePoints {
    /** All ranks the same ones, the same number of times. */
    ALIGNED,
    /** Each as often as it likes. */
    FREE
  }

  /** How state is stored. */
  public enum Encode {
    /** As it is, zeros excepted. */
    FAST,
    /** With LZ4 wherever that saves. */
    SMALL,
    /** As makes an epoch durable earlier, by what is measured. */
    AUTO
  }

  /** Whether images go past the system's page cache. */
  public enum Direct {
    /** Where the file system can. */
    AUTO,
    /** Always; where the file system refuses, no epoch is committed. */
    ON,
    /** Never. */
    OFF
  }

  /** Which pages of regions are copied and stored. */
  public enum Pages {
    /** As costs the program less, by what is measured. */
    AUTO,
    /** All. */
    ALL,
    /** Those that were written since the last committed epoch. */
    WRITTEN
  }

  /** What a commit waits for. */
  public enum Commit {
    /** The ranks' own stores. */
    LOCAL,
    /** Partner copies too. */
    PARTNER,
    /** Redundancy sets too. */
    SET
  }

  /**
   * How large redundancy sets are.
   *
   * @param data K, at least 1
   * @param parity M, at least 1: so many members of a set can be lost
   */
  public record SetSize(int data, int parity) {
    public SetSize {
      if (data < 1 || parity < 1 || data + parity > 255) {
        throw new IllegalArgumentException(
            data + "+" + parity + ": expected 1 or more of each, at most 255 together");
      }
    }

    @Override
    public String toString() {
      return data + "+" + parity;
    }
  }

  /** How much Cairn writes to its log (the system logger {@code io.cairn}). */
  public enum LogLevel {
    /** Warnings and errors only. */
    QUIET,
    /** What was restored, committed and abandoned. */
    INFO,
    /** Every rank, every phase. */
    VERBOSE
  }

  private record Setting(Object value, String text, String origin) {}

  /** What was set, and by whom; options that nobody set are absent. */
  private final Map<Option<?>, Setting> settings;

  private CairnOptions(Map<Option<?>, Setting> settings) {
    this.settings = Map.copyOf(settings);
  }

  /** The defaults, and nothing else. */
  public static CairnOptions defaults() {
    return builder().build();
  }

  /** Begins with the defaults. */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * These options as overridden by this process's system properties and environment.
   *
   * @throws OptionException for an unknown {@code cairn.*} property or {@code CAIRN_*} variable, or
   *     a value that an option can't take
   */
  public CairnOptions resolved() {
    Map<String, String> properties = new TreeMap<>();
    for (String key : System.getProperties().stringPropertyNames()) {
      properties.put(key, System.getProperty(key));
    }
    return resolved(properties, System.getenv());
  }

  CairnOptions resolved(Map<String, String> properties, Map<String, String> environment) {
    Map<Option<?>, Setting> result = new LinkedHashMap<>(settings);
    apply(environment, "environment variable", Option.VARIABLE_PREFIX, result);
    apply(properties, "system property", Option.PROPERTY_PREFIX, result);
    return new CairnOptions(result);
  }

  private static void apply(
      Map<String, String> source, String kind, String prefix, Map<Option<?>, Setting> result) {
    boolean environment = prefix.equals(Option.VARIABLE_PREFIX);
    Map<String, Option<?>> names = new TreeMap<>();
    for (Option<?> option : Option.ALL) {
      names.put(environment ? option.variable() : option.property(), option);
    }
    // Sorted, so that every rank reports the same of several errors.
    for (Map.Entry<String, String> entry : new TreeMap<>(source).entrySet()) {
      String name = entry.getKey();
      if (!name.startsWith(prefix)
          || (environment ? Option.isReservedVariable(name) : Option.isReservedProperty(name))) {
        continue;
      }
      Option<?> option = names.get(name);
      if (option == null) {
        throw new OptionException(unknown(kind, name, List.copyOf(names.keySet())));
      }
      String origin = kind + " " + name;
      result.put(
          option, new Setting(option.parse(entry.getValue(), origin), entry.getValue(), origin));
    }
  }

  private static String unknown(String kind, String name, List<String> known) {
    List<String> near = NearNames.of(name, known);
    String hint =
        near.isEmpty()
            ? "the options are " + String.join(", ", known)
            : "did you mean " + String.join(" or ", near) + "?";
    return "%s %s is not an option of Cairn; %s".formatted(kind, name, hint);
  }

  /** Whether Cairn does anything at all. */
  public boolean enabled() {
    return get(Option.ENABLED);
  }

  /** Directory in which jobs keep their epochs. */
  public Path dir() {
    return get(Option.DIR);
  }

  /** Id of the computation that survives restarts. */
  public String job() {
    Setting setting = settings.get(Option.JOB);
    return setting == null ? MainClass.name() : (String) setting.value();
  }

  /**
   * Time between the beginnings of two epochs; empty if time begins none, or {@link
   * #automaticInterval} chooses it.
   */
  public Optional<Duration> interval() {
    return get(Option.INTERVAL).fixed();
  }

  /** Whether the time between the beginnings of two epochs is chosen by what is measured. */
  public boolean automaticInterval() {
    return get(Option.INTERVAL).automatic();
  }

  /** Mean time between two failures of the job; empty if it is to be estimated. */
  public Optional<Duration> meanTimeBetweenFailures() {
    return get(Option.MTBF);
  }

  /**
   * Mean time between two failures in which a node is lost with its images; empty if it is to be
   * estimated.
   */
  public Optional<Duration> meanTimeBetweenNodeLosses() {
    return get(Option.MTBF_NODE);
  }

  /** Mean time between two failures in which more is lost than all tiers but the shared stand. */
  public Duration meanTimeBetweenTotalLosses() {
    return get(Option.MTBF_ALL);
  }

  /** Number of safe points between the beginnings of two epochs; empty if counting begins none. */
  public OptionalLong everySafePoints() {
    return get(Option.EVERY);
  }

  /** Whether all ranks pass the same safe points. */
  public SafePoints safePoints() {
    return get(Option.SAFE_POINTS);
  }

  /** How many committed epochs are kept. */
  public int keep() {
    return get(Option.KEEP);
  }

  /** What to do with epochs of earlier launches. */
  public Restore restore() {
    return get(Option.RESTORE);
  }

  /** Budget of the staging pool in bytes; empty for what the registered state needs. */
  public OptionalLong stagingBytes() {
    return get(Option.STAGING);
  }

  /** How state is stored. */
  public Encode encode() {
    return get(Option.ENCODE);
  }

  /** Which pages of regions are copied and stored. */
  public Pages pages() {
    return get(Option.PAGES);
  }

  /** Of how many images of a rank one is full, at least. */
  public int fullEvery() {
    return get(Option.FULL_EVERY);
  }

  /** Most that each rank writes to its images in a second, in bytes; empty for no limit. */
  public OptionalLong storeBandwidthBytes() {
    return get(Option.STORE_BANDWIDTH);
  }

  /** Whether images go past the system's page cache. */
  public Direct storeDirect() {
    return get(Option.STORE_DIRECT);
  }

  /**
   * Every how many committed epochs go to a partner; empty if none does, or {@link
   * #automaticPartner}.
   */
  public OptionalLong partner() {
    return get(Option.PARTNER).fixed();
  }

  /** Whether it is chosen by what is measured which epochs go to a partner. */
  public boolean automaticPartner() {
    return get(Option.PARTNER).automatic();
  }

  /** How many epochs with partner copies are kept. */
  public int partnerKeep() {
    return get(Option.PARTNER_KEEP);
  }

  /** How large redundancy sets are; empty if there are none. */
  public Optional<SetSize> set() {
    return get(Option.SET);
  }

  /**
   * Every how many committed epochs are encoded in redundancy sets; empty if that is chosen by what
   * is measured.
   */
  public OptionalLong setEvery() {
    return get(Option.SET_EVERY).fixed();
  }

  /** How many encoded epochs are kept. */
  public int setKeep() {
    return get(Option.SET_KEEP);
  }

  /** Directory that all nodes see, to which epochs are flushed; empty if there is none. */
  public Optional<Path> shared() {
    return get(Option.SHARED);
  }

  /** Every how many committed epochs are flushed; empty if that is chosen by what is measured. */
  public OptionalLong sharedEvery() {
    return get(Option.SHARED_EVERY).fixed();
  }

  /** How many flushed epochs are kept. */
  public int sharedKeep() {
    return get(Option.SHARED_KEEP);
  }

  /** Most that each rank flushes in a second, in bytes; empty for no limit. */
  public OptionalLong sharedBandwidthBytes() {
    return get(Option.SHARED_BANDWIDTH);
  }

  /** What a commit waits for. */
  public Commit commit() {
    return get(Option.COMMIT);
  }

  /** What this rank fails together with; empty for its node. */
  public Optional<String> failureGroup() {
    Setting setting = settings.get(Option.FAILURE_GROUP);
    return setting == null ? Optional.empty() : Optional.of((String) setting.value());
  }

  /** How long late messages are left for the application to receive. */
  public Duration drainDeadline() {
    return get(Option.DRAIN_DEADLINE);
  }

  /** How long a rank waits at a proposed safe point for the vote on it. */
  public Duration holdTimeout() {
    return get(Option.HOLD_TIMEOUT);
  }

  /** How long a call of a free-running rank waits for the other ranks' cuts. */
  public Duration holdLimit() {
    return get(Option.HOLD_LIMIT);
  }

  /** How long all ranks together may take to reach the agreed safe point; empty for no limit. */
  public Optional<Duration> cutTimeout() {
    return get(Option.CUT_TIMEOUT);
  }

  /** Memory for messages of an epoch's channel state, in bytes. */
  public long channelLimitBytes() {
    return get(Option.CHANNEL_LIMIT);
  }

  /** How long a launch waits for another one to let go of the job's directory. */
  public Duration lockWait() {
    return get(Option.LOCK_WAIT);
  }

  /** How much is logged. */
  public LogLevel log() {
    return get(Option.LOG);
  }

  /** A builder that begins with these options. */
  public Builder toBuilder() {
    return new Builder(settings);
  }

  /**
   * What isn't a default, and where it came from; one line for each option, in the order of the
   * table.
   */
  public List<String> describe() {
    List<String> lines = new ArrayList<>();
    for (Option<?> option : Option.ALL) {
      Setting setting = settings.get(option);
      // Failure groups differ from rank to rank.
      if (setting != null && option != Option.FAILURE_GROUP) {
        lines.add("%s=%s (%s)".formatted(option.property(), setting.text(), setting.origin()));
      }
    }
    return lines;
  }

  @Override
  public String toString() {
    return "CairnOptions" + describe();
  }

  @SuppressWarnings("unchecked") // a setting's value was parsed or checked by its own option
  private <T> T get(Option<T> option) {
    Setting setting = settings.get(option);
    return setting == null ? option.parse(option.defaultText(), "default") : (T) setting.value();
  }

  /**
   * Sets options. Each method throws {@link OptionException} at once for a value the option can't
   * take. Not for use by several threads.
   */
  public static final class Builder {
    private static final String ORIGIN = "set by the program";

    private final Map<Option<?>, Setting> settings;

    private Builder() {
      this(Map.of());
    }

    private Builder(Map<Option<?>, Setting> settings) {
      this.settings = new LinkedHashMap<>(settings);
    }

    /** Whether Cairn does anything at all. */
    public Builder enabled(boolean enabled) {
      return put(Option.ENABLED, Boolean.toString(enabled));
    }

    /** Directory in which jobs keep their epochs. */
    public Builder dir(Path dir) {
      return put(Option.DIR, Objects.requireNonNull(dir, "dir").toString());
    }

    /** Id of the computation that survives restarts. */
    public Builder job(String job) {
      return put(Option.JOB, Objects.requireNonNull(job, "job"));
    }

    /** Begin an epoch when this much time has passed since the last one began. */
    public Builder interval(Duration interval) {
      return put(Option.INTERVAL, new OptionType.Interval(false, Optional.of(interval)), interval);
    }

    /** Begin an epoch when as much time has passed as loses least, by what is measured. */
    public Builder automaticInterval() {
      return put(Option.INTERVAL, "auto");
    }

    /** Mean time between two failures of the job, all its nodes together. */
    public Builder meanTimeBetweenFailures(Duration time) {
      return put(Option.MTBF, Optional.of(time), time);
    }

    /** Time begins no epochs. */
    public Builder noInterval() {
      return put(Option.INTERVAL, "off");
    }

    /** Begin an epoch every so many safe points. */
    public Builder everySafePoints(long count) {
      return put(Option.EVERY, Long.toString(count));
    }

    /** Whether all ranks pass the same safe points. */
    public Builder safePoints(SafePoints safePoints) {
      return put(Option.SAFE_POINTS, safePoints.name());
    }

    /** How many committed epochs are kept. */
    public Builder keep(int epochs) {
      return put(Option.KEEP, Integer.toString(epochs));
    }

    /** What to do with epochs of earlier launches. */
    public Builder restore(Restore restore) {
      return put(Option.RESTORE, restore.name());
    }

    /** Budget of the staging pool, in bytes. */
    public Builder stagingBytes(long bytes) {
      return put(Option.STAGING, bytes + "B");
    }

    /** How state is stored. */
    public Builder encode(Encode encode) {
      return put(Option.ENCODE, encode.name());
    }

    /** Which pages of regions are copied and stored. */
    public Builder pages(Pages pages) {
      return put(Option.PAGES, pages.name());
    }

    /** Of how many images of a rank one is full, at least. */
    public Builder fullEvery(int images) {
      return put(Option.FULL_EVERY, Integer.toString(images));
    }

    /** Most that each rank writes to its images in a second, in bytes. */
    public Builder storeBandwidthBytes(long bytesPerSecond) {
      return put(Option.STORE_BANDWIDTH, bytesPerSecond + "B");
    }

    /** Whether images go past the system's page cache. */
    public Builder storeDirect(Direct direct) {
      return put(Option.STORE_DIRECT, direct.name());
    }

    /** Copies the images of every so many committed epochs to a partner, from 1. */
    public Builder partner(long everyEpochs) {
      return put(Option.PARTNER, Long.toString(everyEpochs));
    }

    /** Copies images to a partner as often as loses least, by what is measured. */
    public Builder automaticPartner() {
      return put(Option.PARTNER, "auto");
    }

    /** Encodes images in redundancy sets of this size. */
    public Builder set(int data, int parity) {
      return put(Option.SET, data + "+" + parity);
    }

    /** Flushes epochs to this directory, which all nodes see. */
    public Builder shared(Path directory) {
      return put(Option.SHARED, directory.toString());
    }

    /** What a commit waits for. */
    public Builder commit(Commit tier) {
      return put(Option.COMMIT, tier.name().toLowerCase(java.util.Locale.ROOT));
    }

    /** How long late messages are left for the application to receive. */
    public Builder drainDeadline(Duration deadline) {
      return put(Option.DRAIN_DEADLINE, deadline, deadline);
    }

    /** How long a rank waits at a proposed safe point for the vote on it. */
    public Builder holdTimeout(Duration timeout) {
      return put(Option.HOLD_TIMEOUT, timeout, timeout);
    }

    /** How long a call of a free-running rank waits for the other ranks' cuts. */
    public Builder holdLimit(Duration limit) {
      return put(Option.HOLD_LIMIT, limit, limit);
    }

    /** How long all ranks together may take to reach the agreed safe point. */
    public Builder cutTimeout(Duration timeout) {
      return put(Option.CUT_TIMEOUT, Optional.of(timeout), timeout);
    }

    /** Memory for messages of an epoch's channel state, in bytes. */
    public Builder channelLimitBytes(long bytes) {
      return put(Option.CHANNEL_LIMIT, bytes + "B");
    }

    /** How long a launch waits for another one to let go of the job's directory. */
    public Builder lockWait(Duration wait) {
      return put(Option.LOCK_WAIT, wait, wait);
    }

    /** How much is logged. */
    public Builder log(LogLevel level) {
      return put(Option.LOG, level.name());
    }

    /** The options as set so far; the builder can be used further. */
    public CairnOptions build() {
      return new CairnOptions(settings);
    }

    private Builder put(Option<?> option, String text) {
      settings.put(option, new Setting(option.parse(text, ORIGIN), text, ORIGIN));
      return this;
    }

    private <T> Builder put(Option<T> option, T value, Duration duration) {
      try {
        OptionType.positive(duration);
      } catch (IllegalArgumentException e) {
        throw new OptionException(
            "option %s: found %s (%s), expected %s"
                .formatted(option.property(), duration, ORIGIN, option.type().expected()));
      }
      settings.put(option, new Setting(value, duration.toString(), ORIGIN));
      return this;
    }
  }
}

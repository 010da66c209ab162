// SPDX-License-Identifier: Apache-2.0
package io.cairn.api;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The table of options: the single source of their names, types, defaults and descriptions, from
 * which {@code docs/options.md} is rendered.
 */
final class Option<T> {

  /** Properties that begin with this are options. */
  static final String PROPERTY_PREFIX = "cairn.";

  /** Environment variables that begin with this are options. */
  static final String VARIABLE_PREFIX = "CAIRN_";

  /** Names under which the SDK's own tests and tools pass values: never options, never errors. */
  private static final List<String> RESERVED = List.of("test.", "internal.");

  /** Read by the shim itself, before there is anything of Java; not an option. */
  private static final String SHIM_VARIABLE = "CAIRN_DRAIN";

  static final Option<Boolean> ENABLED =
      new Option<>(
          "enabled",
          OptionType.BOOLEAN,
          "true",
          "`false` runs the program as if Cairn weren't there: MPI is not intercepted, safe points do nothing, nothing"
              + " is saved or restored.");

  static final Option<Path> DIR =
      new Option<>(
          "dir",
          OptionType.PATH,
          "cairn-jobs",
          "Directory in which jobs keep their epochs; relative to the directory the program is started in. Created if"
              + " it doesn't exist.");

  static final Option<String> JOB =
      new Option<>(
          "job",
          OptionType.NAME,
          "",
          "Id of the computation that survives restarts, and the name of its subdirectory of `dir`. The default is the"
              + " simple name of the program's main class.");

  static final Option<OptionType.Interval> INTERVAL =
      new Option<>(
          "interval",
          OptionType.INTERVAL,
          "10m",
          "Begin an epoch when this much time has passed since the last one began. `auto`: as much as loses least, by"
              + " what an epoch costs the program and how often the job fails (`mtbf`); it is said in the log.");

  static final Option<Optional<Duration>> MTBF =
      new Option<>(
          "mtbf",
          OptionType.DURATION_OR_AUTO,
          "auto",
          "Mean time between two failures of the whole job, all its nodes together, for `interval=auto`. `auto`"
              + " estimates it from how many launches of the job did not come to their end and how long all have"
              + " computed, as if one failure in 24 hours had been seen before.");

  static final Option<Optional<Duration>> MTBF_NODE =
      new Option<>(
          "mtbf.node",
          OptionType.DURATION_OR_AUTO,
          "auto",
          "Mean time between two failures of the job in which a node is lost with its images, for `partner=auto` and"
              + " `set.every=auto`. `auto` estimates it as `mtbf` is, from the failures after which images had to be"
              + " recovered from other stores, as if one in 168 hours had been seen before.");

  static final Option<Duration> MTBF_ALL =
      new Option<>(
          "mtbf.all",
          OptionType.DURATION,
          "720h",
          "Mean time between two failures of the job in which more is lost than the other tiers can stand, for"
              + " `shared.every=auto`.");

  static final Option<OptionalLong> EVERY =
      new Option<>(
          "every",
          OptionType.COUNT_OR_OFF,
          "off",
          "Begin an epoch every so many safe points, besides what `interval` begins.");

  static final Option<CairnOptions.SafePoints> SAFE_POINTS =
      new Option<>(
          "safepoints",
          OptionType.SAFE_POINTS,
          "aligned",
          "`aligned`: all ranks pass the same safe points, the same number of times, and are cut at one that their"
              + " agents agree on; no call of the program waits. `free`: ranks pass safe points as often as they"
              + " like, as in a task farm; each is cut at its next one, and its sends and collectives wait inside"
              + " their call until all are. A property of the program: leave it as the program sets it.");

  static final Option<Integer> KEEP =
      new Option<>(
          "keep",
          OptionType.positive(1_000),
          "2",
          "How many committed epochs are kept. With one, there is nothing to fall back on when its images are damaged.");

  static final Option<OptionalLong> STAGING =
      new Option<>(
          "staging",
          OptionType.BYTES_OR_AUTO,
          "auto",
          "Memory per rank into which state is copied at a cut and from which it is written in the background. `auto`"
              + " takes what the registered state needs, but of the memory that the node has left beside the regions,"
              + " within the limits of its control groups, no more than half, shared among the ranks there. With less, the application waits"
              + " for the disk. With `log=verbose` each rank says what it took.");

  static final Option<CairnOptions.Encode> ENCODE =
      new Option<>(
          "encode",
          OptionType.ENCODE,
          "auto",
          "How state is stored; zeros are never written. `fast`: as it is. `small`: with LZ4 wherever that saves."
              + " `auto`: for each region as makes an epoch durable earlier, by how fast LZ4 and the storage turn"
              + " out to be and by how much is saved; with `log=verbose` each rank says what it chose and why.");

  static final Option<CairnOptions.Pages> PAGES =
      new Option<>(
          "pages",
          OptionType.PAGES,
          "auto",
          "Which pages of regions are copied and stored in an epoch that needn't be full (`full.every`). `all`: all."
              + " `written`: those that were written since the last committed epoch, where the kernel tells"
              + " (userfaultfd with PAGEMAP_SCAN, or soft-dirty bits). `auto`: for each region as costs the program"
              + " less, by what it takes to notice writes and what it saves; with `log=verbose` each rank says what it"
              + " chose and why.");

  static final Option<Integer> FULL_EVERY =
      new Option<>(
          "full.every",
          OptionType.positive(1_000),
          "8",
          "Of so many images of a rank one is full, at least; all others take what hasn't changed from the one before"
              + " them, and are small and quick to write where much stays as it is. To restore an epoch its images are"
              + " needed and all others that they take from; none of them is deleted before. `1`: all are full.");

  static final Option<OptionalLong> STORE_BANDWIDTH =
      new Option<>(
          "store.bandwidth",
          OptionType.BYTES_OR_OFF,
          "off",
          "Most that each rank writes to its images in a second. What is written is also synced every half second's"
              + " worth, so that the storage doesn't get it all at the end. An epoch takes longer, and the application"
              + " waits if the `staging` memory is too small for it.");

  static final Option<CairnOptions.Direct> STORE_DIRECT =
      new Option<>(
          "store.direct",
          OptionType.DIRECT,
          "auto",
          "Whether images are written and read past the system's page cache. `auto`: where the file system can,"
              + " else `log=verbose` has a line; pages that got into the cache are dropped where natives can."
              + " `on`: always, and no epoch is committed where the file system refuses. `off`: by way of the page cache,"
              + " where what was written stays, for tiers to read it from there.");

  static final Option<OptionType.Period> PARTNER =
      new Option<>(
          "partner",
          OptionType.PERIOD_OR_OFF,
          "off",
          "Copy the images of every so many committed epochs to a rank in another failure group, in the background:"
              + " a lost node's images are there. `1` copies all of them. `auto`: as often as loses least, by what the"
              + " copies cost the program and how often nodes are lost (`mtbf.node`); it is said in the log.");

  static final Option<Optional<CairnOptions.SetSize>> SET =
      new Option<>(
          "set",
          OptionType.SET_OR_OFF,
          "off",
          "Encode the images of each K+M ranks of different failure groups together (Reed-Solomon; with M=1 it is"
              + " XOR), in the background: the images of any M lost nodes of a set can be rebuilt, for M/K of the"
              + " images' size.");

  static final Option<OptionType.Period> SET_EVERY =
      new Option<>(
          "set.every",
          OptionType.PERIOD,
          "1",
          "With `set`: encode every so many committed epochs. `auto`: as often as loses least, by what the encoding costs"
              + " the program and how often nodes are lost (`mtbf.node`); it is said in the log.");

  static final Option<Optional<Path>> SHARED =
      new Option<>(
          "shared",
          OptionType.PATH_OR_OFF,
          "off",
          "Directory that all nodes see, to which epochs are flushed in the background: they survive the loss of all"
              + " nodes. Created if it doesn't exist.");

  static final Option<OptionType.Period> SHARED_EVERY =
      new Option<>(
          "shared.every",
          OptionType.PERIOD,
          "1",
          "With `shared`: flush every so many committed epochs. One that comes while another is being flushed is left"
              + " out. `auto`: as often as loses least, by what a flush costs the program and how often all nodes are"
              + " lost (`mtbf.all`); it is said in the log.");

  static final Option<OptionalLong> SHARED_BANDWIDTH =
      new Option<>(
          "shared.bandwidth",
          OptionType.BYTES_OR_OFF,
          "off",
          "With `shared`: most that each rank writes there in a second.");

  static final Option<Integer> PARTNER_KEEP =
      new Option<>(
          "partner.keep",
          OptionType.positive(1_000),
          "2",
          "With `partner`: how many epochs with partner copies are kept, however many newer ones have none.");

  static final Option<Integer> SET_KEEP =
      new Option<>(
          "set.keep",
          OptionType.positive(1_000),
          "2",
          "With `set`: how many encoded epochs are kept, however many newer ones aren't encoded.");

  static final Option<Integer> SHARED_KEEP =
      new Option<>(
          "shared.keep",
          OptionType.positive(1_000),
          "2",
          "With `shared`: how many epochs are kept there.");

  static final Option<CairnOptions.Commit> COMMIT =
      new Option<>(
          "commit",
          OptionType.COMMIT,
          "local",
          "What a commit waits for. `local`: all images are durable in the ranks' own stores. `partner`, `set`: every"
              + " epoch is protected by that tier too, so that a committed epoch survives the loss of a node.");

  static final Option<String> FAILURE_GROUP =
      new Option<>(
          "failure.group",
          OptionType.GROUP,
          "",
          "What this rank fails together with, such as its rack: copies and parity go to other groups. The default is"
              + " its node's host name. Give each rank its own, by the environment.");

  static final Option<Duration> DRAIN_DEADLINE =
      new Option<>(
          "drain.deadline",
          OptionType.DURATION,
          "1s",
          "How long after the cut late messages are left for the application to receive, before Cairn takes them off"
              + " the network itself and serves them to the application later.");

  static final Option<Duration> HOLD_TIMEOUT =
      new Option<>(
          "hold.timeout",
          OptionType.DURATION,
          "30s",
          "A rank that reaches a proposed safe point before the vote on it is known waits there, normally for"
              + " milliseconds. After this long the epoch is abandoned and the computation goes on.");

  static final Option<Duration> HOLD_LIMIT =
      new Option<>(
          "hold.limit",
          OptionType.DURATION,
          "5s",
          "With `safepoints=free`: how long a send or collective of a rank that is cut waits for the other ranks'"
              + " cuts. After this long it goes on and the epoch is abandoned, with the call's name; the next one is"
              + " tried later and later. Choose more than your longest stretch between two safe points takes.");

  static final Option<Optional<Duration>> CUT_TIMEOUT =
      new Option<>(
          "cut.timeout",
          OptionType.DURATION_OR_OFF,
          "10m",
          "How long all ranks together may take to reach the agreed safe point. After this long the epoch is"
              + " abandoned. Choose more than a few of your slowest steps take.");

  static final Option<Long> CHANNEL_LIMIT =
      new Option<>(
          "channel.limit",
          OptionType.BYTES,
          "1GiB",
          "Memory per rank for messages in flight that are part of an epoch. An epoch that needs more is abandoned.");

  static final Option<CairnOptions.Restore> RESTORE =
      new Option<>(
          "restore",
          OptionType.RESTORE,
          "auto",
          "`auto` continues from the newest committed epoch that is valid on all ranks, starts afresh if there never"
              + " was one, and refuses to start if there are committed epochs but none of them is usable. `fresh` starts"
              + " afresh whatever there is; existing epochs are kept until new ones have replaced them.");

  static final Option<Duration> LOCK_WAIT =
      new Option<>(
          "lock.wait",
          OptionType.DURATION,
          "10s",
          "How long a launch waits for another launch of the same job to let go of its directory before it refuses to"
              + " start.");

  static final Option<CairnOptions.LogLevel> LOG =
      new Option<>(
          "log",
          OptionType.LOG_LEVEL,
          "info",
          "`quiet`: warnings and errors only. `info`: what was restored, which epochs were committed or abandoned."
              + " `verbose`: every rank, every phase.");

  static final List<Option<?>> ALL =
      List.of(
          ENABLED,
          DIR,
          JOB,
          INTERVAL,
          MTBF,
          MTBF_NODE,
          MTBF_ALL,
          EVERY,
          SAFE_POINTS,
          KEEP,
          RESTORE,
          STAGING,
          ENCODE,
          PAGES,
          FULL_EVERY,
          STORE_BANDWIDTH,
          STORE_DIRECT,
          PARTNER,
          PARTNER_KEEP,
          SET,
          SET_EVERY,
          SET_KEEP,
          SHARED,
          SHARED_EVERY,
          SHARED_KEEP,
          SHARED_BANDWIDTH,
          COMMIT,
          FAILURE_GROUP,
          DRAIN_DEADLINE,
          HOLD_TIMEOUT,
          HOLD_LIMIT,
          CUT_TIMEOUT,
          CHANNEL_LIMIT,
          LOCK_WAIT,
          LOG);

  private final String name;
  private final OptionType<T> type;
  private final String defaultText;
  private final String description;

  private Option(String name, OptionType<T> type, String defaultText, String description) {
    this.name = name;
    this.type = type;
    this.defaultText = defaultText;
    this.description = description;
  }

  OptionType<T> type() {
    return type;
  }

  /** Empty if the default depends on the program. */
  String defaultText() {
    return defaultText;
  }

  String description() {
    return description;
  }

  /** As a system property, such as {@code cairn.drain.deadline}. */
  String property() {
    return PROPERTY_PREFIX + name;
  }

  /** As an environment variable, such as {@code CAIRN_DRAIN_DEADLINE}. */
  String variable() {
    return VARIABLE_PREFIX + name.toUpperCase(Locale.ROOT).replace('.', '_');
  }

  /** Reads a value; {@code origin} says where it came from, for the error. */
  T parse(String text, String origin) {
    try {
      return type.parse(text.strip());
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw new OptionException(
          "option %s: found \"%s\" (%s), expected %s"
              .formatted(property(), text, origin, type.expected()));
    }
  }

  static boolean isReservedProperty(String property) {
    return RESERVED.stream().anyMatch(r -> property.startsWith(PROPERTY_PREFIX + r));
  }

  static boolean isReservedVariable(String variable) {
    return variable.equals(SHIM_VARIABLE)
        || RESERVED.stream()
            .anyMatch(
                r ->
                    variable.startsWith(
                        VARIABLE_PREFIX + r.toUpperCase(Locale.ROOT).replace('.', '_')));
  }

  @Override
  public String toString() {
    return property();
  }
}

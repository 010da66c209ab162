// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.coordinate.Capture.Progress;
import io.cairn.image.CoreTimes;
import io.cairn.image.EpochId;
import io.cairn.image.FaultHook;
import io.cairn.image.FileOperations;
import io.cairn.image.Threads;
import io.cairn.store.ErasureCode;
import io.cairn.store.FencedException;
import io.cairn.store.JobDirectory;
import io.cairn.store.PeerFailureException;
import io.cairn.store.Protection;
import io.cairn.store.Together;
import io.cairn.store.Transport;
import io.cairn.store.TransportException;
import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;

/**
 * Protects committed epochs in the background, by the tiers that are enabled. One thread per rank;
 * those of all ranks do the same things in the same order.
 *
 * <p>Before each step the threads tell each other which epochs wait at their rank, and take the
 * newest that waits at all of them. So a protection that takes longer than the time between two
 * epochs leaves epochs out, the same ones on all ranks. At most two epochs wait at a rank. For a
 * tier whose period is automatic all committed epochs wait, and rank 0 tells which of its own the
 * tier protects, and which it leaves out; about others nothing is done.
 */
public final class Protector implements Protection, Closeable {
  private static final int MOST_WAITING = 2;
  private static final long FLUSH_LOOK_MILLIS = 200;

  /** What tasks need. */
  record Context(
      JobDirectory directory,
      Layout layout,
      Exchange exchange,
      ErasureCode code,
      FileOperations files,
      FaultHook faults) {}

  /** Told of what became of an epoch's protection. Called by the background thread. */
  public interface Listener {

    /** A tier protects the epoch from now on, on all ranks. */
    void isProtected(Tier tier, EpochId epoch, double seconds);

    /** A tier couldn't protect the epoch; the computation and older protection are untouched. */
    void failed(Tier tier, EpochId epoch, Exception failure);

    /** How often a tier protects an epoch from now on, and why, at rank 0. It must not wait. */
    void chosen(Tier tier, long nanos, String choice);

    /** Nothing is protected any more: the ranks have lost each other. */
    void ended(Exception failure);

    /** A newer launch has the job. */
    void fenced(FencedException fenced);
  }

  private final TierSettings settings;
  private final Context context;
  private final Gauges gauges;
  private final LongSupplier nanoClock;
  private final Listener listener;
  private final Optional<Flusher> flusher;
  private final Thread thread;

  // Guarded by this.
  private final Map<Tier, NavigableSet<EpochId>> waiting = new EnumMap<>(Tier.class);
  private final NavigableMap<EpochId, Long> digests = new TreeMap<>();
  private final Map<EpochId, Demand> demands = new TreeMap<>();
  private final Set<EpochId> underWay = new HashSet<>();
  private final Map<EpochId, Long> committedNanos = new TreeMap<>(); // of those in digests
  private final Map<Tier, AutomaticPeriod> periods = new EnumMap<>(Tier.class); // at rank 0
  private final Map<Tier, Outcome> outcomes = new EnumMap<>(Tier.class); // of the last, here
  private EpochId flushing; // by some rank, as far as is known here
  private boolean flushWaits;
  private Runnable whenProtected = () -> {};
  private long commits;
  private boolean closing;
  private boolean ended;

  /**
   * What became of a tier's last protection at this rank.
   *
   * @param costNanos empty if all was there already
   * @param takenNanos from its beginning to its end
   */
  record Outcome(boolean done, OptionalLong costNanos, long takenNanos) {}

  /** What a commit waits for. */
  private static final class Demand implements Vote {
    volatile Progress progress = Progress.RUNNING;
    volatile Throwable failure;

    @Override
    public Progress progress() {
      return progress;
    }

    @Override
    public Throwable failure() {
      return failure;
    }

    void fail(Throwable cause) {
      failure = cause;
      progress = Progress.FAILED;
    }
  }

  private Protector(TierSettings settings, Context context, Gauges gauges, Listener listener) {
    this.settings = settings;
    this.context = context;
    this.gauges = gauges;
    nanoClock = gauges.nanoClock();
    this.listener = listener;
    flusher =
        settings.tiers().contains(Tier.SHARED)
            ? context
                .directory()
                .shared()
                .map(shared -> new Flusher(settings, context, shared, gauges, listener))
            : Optional.empty();
    settings.tiers().stream()
        .filter(context.layout()::protects)
        .forEach(tier -> waiting.put(tier, new TreeSet<>()));
    if (context.directory().rank() == 0) {
      waiting.keySet().stream()
          .filter(settings::isAutomatic)
          .forEach(tier -> periods.put(tier, automatic(tier)));
    }
    thread = new Thread(this::work, "cairn-protect");
    thread.setDaemon(true);
  }

  private AutomaticPeriod automatic(Tier tier) {
    return new AutomaticPeriod(
        () -> gauges.failures().apply(tier),
        choice -> listener.chosen(tier, choice.nanos(), choice.describe()));
  }

  /** Lays the tiers out, together with all ranks. Nothing is done before {@link #start}. */
  public static Protector open(
      TierSettings settings,
      JobDirectory directory,
      Transport transport,
      ErasureCode code,
      FileOperations files,
      FaultHook faults,
      Gauges gauges,
      Listener listener)
      throws Exception {
    List<String> stores = new ArrayList<>();
    List<String> groups = new ArrayList<>();
    for (String text :
        Together.runText(transport, () -> directory.storeId() + " " + settings.failureGroup())) {
      String[] words = text.split(" ", 2);
      stores.add(words[0]);
      groups.add(words[1]);
    }
    Layout layout =
        Layout.of(stores, groups, settings.tiers().contains(Tier.PARTNER), settings.sets());
    if (settings.commit().isPresent() && !layout.protects(settings.commit().get())) {
      throw new IOException(
          "commits can't wait for the "
              + settings.commit().get().word()
              + " tier: "
              + String.join("; ", layout.shortcomings()));
    }
    Exchange exchange = new Exchange(transport, gauges.nanoClock(), settings.stallMillis());
    return new Protector(
        settings, new Context(directory, layout, exchange, code, files, faults), gauges, listener);
  }

  /** What the tiers can't do of what was asked for, for the user to hear of once. */
  public List<String> shortcomings() {
    return context.layout().shortcomings();
  }

  /** What to do when an epoch's protection has changed what may be deleted. Before the start. */
  public synchronized void whenProtected(Runnable action) {
    whenProtected = action;
  }

  /**
   * Begins, on all ranks.
   *
   * @param restored the epoch that all ranks have restored, if any: it is protected again where its
   *     protection isn't what this launch's placement of ranks asks for
   */
  public synchronized void start(Optional<EpochId> restored, long jobDigest) {
    if (restored.isPresent()) {
      digests.put(restored.get(), jobDigest);
      committedNanos.put(restored.get(), nanoClock.getAsLong());
      waiting.values().forEach(epochs -> epochs.add(restored.get()));
    }
    thread.start();
  }

  @Override
  public synchronized Vote beforeVote(EpochId epoch, long jobDigest) {
    if (settings.commit().isEmpty()) {
      return Vote.NOTHING_TO_DO;
    }
    Demand demand = new Demand();
    if (ended) {
      demand.fail(
          new TransportException("the " + settings.commit().get().word() + " tier has ended"));
      return demand;
    }
    digests.put(epoch, jobDigest);
    demands.put(epoch, demand);
    notifyAll();
    return demand;
  }

  @Override
  public synchronized void committed(EpochId epoch, long jobDigest) {
    demands.remove(epoch);
    digests.put(epoch, jobDigest);
    committedNanos.put(epoch, nanoClock.getAsLong());
    for (Tier tier : settings.due(commits)) {
      NavigableSet<EpochId> epochs = waiting.get(tier);
      if (epochs == null || settings.commit().equals(Optional.of(tier))) {
        continue; // it can't protect anything, or has done so before the vote
      }
      epochs.add(epoch);
      while (epochs.size() > MOST_WAITING) {
        epochs.pollFirst();
      }
    }
    commits++;
    forgetDigests();
    notifyAll();
  }

  private void forgetDigests() {
    Set<EpochId> needed = new HashSet<>(underWay);
    waiting.values().forEach(needed::addAll);
    needed.addAll(demands.keySet());
    digests.keySet().retainAll(needed);
    committedNanos.keySet().retainAll(needed);
  }

  @Override
  public synchronized void abandoned(EpochId epoch) {
    demands.remove(epoch);
    forgetDigests();
  }

  @Override
  public synchronized Set<EpochId> held() {
    Set<EpochId> held = new HashSet<>(underWay);
    if (!ended) {
      waiting.values().forEach(held::addAll);
    }
    if (flushing != null) {
      // Ranks that share this one's store may still read their images.
      held.add(flushing);
    }
    return held;
  }

  @Override
  public Map<String, Integer> kept() {
    // What the shared tier keeps is in its own directory.
    return settings.kept().entrySet().stream()
        .filter(entry -> entry.getKey() != Tier.SHARED)
        .collect(Collectors.toMap(entry -> entry.getKey().recordName(), Map.Entry::getValue));
  }

  private void work() {
    try {
      while (step()) {
        // On to the next.
      }
    } catch (InterruptedException e) {
      // Told to end.
    } catch (Throwable e) {
      // The ranks are out of step: nothing more can be done together.
      Exception failure = e instanceof Exception known ? known : new IllegalStateException(e);
      listener.ended(failure);
    } finally {
      end();
    }
  }

  private synchronized void end() {
    ended = true;
    underWay.clear();
    for (Demand demand : demands.values()) {
      demand.fail(new TransportException("the tiers have ended"));
    }
    demands.clear();
  }

  /** What all ranks do next. */
  private record Next(Tier tier, EpochId epoch, long jobDigest, Demand demand) {}

  private boolean step() throws Exception {
    String mine;
    synchronized (this) {
      long begin = nanoClock.getAsLong();
      for (long left = FLUSH_LOOK_MILLIS;
          flushWaits && left > 0 && !closing && demands.isEmpty(); ) {
        wait(left);
        left = FLUSH_LOOK_MILLIS - (nanoClock.getAsLong() - begin) / 1_000_000;
      }
      while (!closing && demands.isEmpty() && waiting.values().stream().allMatch(Set::isEmpty)) {
        wait();
      }
      mine = closing ? "closing" : describe();
    }
    List<String> all = Together.runText(context.exchange().transport(), () -> mine);
    if (all.contains("closing")) {
      return false;
    }
    Optional<Next> next = choose(all);
    if (next.isPresent()) {
      protect(next.get());
    }
    return true;
  }

  /**
   * What waits here: {@code idle|busy}, then whose flush failed, what a vote and what each tier
   * waits for. For tiers whose period is automatic, too, how the last protection ended, and at rank
   * 0 what is due and what is left out.
   */
  private String describe() {
    StringBuilder text =
        new StringBuilder(flusher.isPresent() && flusher.get().isBusy() ? "busy" : "idle");
    if (flusher.isPresent() && flusher.get().failedHere() != null) {
      append(text, "failed", flusher.get().failedHere());
    }
    demands.keySet().forEach(epoch -> append(text, "vote", epoch));
    waiting.forEach((tier, epochs) -> epochs.forEach(epoch -> append(text, tier.word(), epoch)));
    // After the flusher was looked at: of one that is idle the outcome is known.
    flusher.flatMap(Flusher::outcome).ifPresent(outcome -> outcomes.put(Tier.SHARED, outcome));
    outcomes.forEach(
        (tier, outcome) -> {
          if (settings.isAutomatic(tier)) {
            text.append(' ')
                .append(ended(tier))
                .append(':')
                .append(outcome.done() ? "done" : "failed");
            outcome
                .costNanos()
                .ifPresent(
                    nanos ->
                        text.append('.').append(nanos).append('.').append(outcome.takenNanos()));
          }
        });
    periods.forEach(
        (tier, period) -> {
          if (!period.isUnderWay()) {
            for (EpochId epoch : waiting.get(tier)) {
              append(text, period.isDue(committedNanos.get(epoch)) ? due(tier) : left(tier), epoch);
            }
          }
        });
    return text.toString();
  }

  private static String ended(Tier tier) {
    return "ended-" + tier.word();
  }

  private static String due(Tier tier) {
    return "due-" + tier.word();
  }

  private static String left(Tier tier) {
    return "left-" + tier.word();
  }

  private static void append(StringBuilder text, String what, EpochId epoch) {
    text.append(' ').append(what).append(':').append(epoch.generation());
    text.append('.').append(epoch.epoch());
  }

  private static NavigableSet<EpochId> parse(String text, String what) {
    NavigableSet<EpochId> epochs = new TreeSet<>();
    for (String word : text.split(" ", -1)) {
      if (word.startsWith(what + ":")) {
        String[] numbers = word.substring(what.length() + 1).split("\\.", -1);
        epochs.add(new EpochId(Long.parseLong(numbers[0]), Long.parseLong(numbers[1])));
      }
    }
    return epochs;
  }

  /** The newest epoch that waits everywhere; commits first. The same on all ranks. */
  private synchronized Optional<Next> choose(List<String> all) {
    Optional<EpochId> vote = newestCommon(all, "vote");
    if (vote.isPresent()) {
      Demand demand = demands.get(vote.get());
      // Abandoned here since: the others must not be left alone with it.
      long digest = digests.getOrDefault(vote.get(), 0L);
      return Optional.of(
          take(
              settings.commit().orElseThrow(),
              vote.get(),
              digest,
              demand == null ? new Demand() : demand));
    }
    for (String text : all) {
      parse(text, "failed").forEach(epoch -> flusher.ifPresent(f -> f.failedAnywhere(epoch)));
    }
    boolean flushersIdle = all.stream().noneMatch(text -> text.startsWith("busy"));
    if (flushersIdle) {
      flushing = null;
    }
    for (Map.Entry<Tier, AutomaticPeriod> entry : periods.entrySet()) {
      Tier tier = entry.getKey();
      if (entry.getValue().isUnderWay() && (tier != Tier.SHARED || flushersIdle)) {
        Outcome outcome = slowest(all, tier);
        entry.getValue().ended(outcome.done(), outcome.costNanos(), outcome.takenNanos());
      }
    }
    flushWaits = false;
    for (Tier tier : List.copyOf(waiting.keySet())) {
      Optional<EpochId> epoch = newestCommon(all, tier.word());
      if (epoch.isEmpty()) {
        continue;
      }
      if (tier == Tier.SHARED && !flushersIdle) {
        flushWaits = true;
        continue;
      }
      if (settings.isAutomatic(tier)) {
        boolean due = parse(all.get(0), due(tier)).contains(epoch.get());
        if (!due && !parse(all.get(0), left(tier)).contains(epoch.get())) {
          continue; // not decided yet
        }
        if (!due) {
          waiting.get(tier).headSet(epoch.get(), true).clear();
          continue;
        }
        AutomaticPeriod period = periods.get(tier);
        if (period != null) {
          period.taken(committedNanos.get(epoch.get()));
        }
      }
      waiting.get(tier).headSet(epoch.get(), true).clear();
      if (tier == Tier.SHARED) {
        if (flusher.isPresent()) {
          flushing = epoch.get();
          flusher.get().flush(epoch.get(), digests.get(epoch.get()));
        }
        continue;
      }
      return Optional.of(take(tier, epoch.get(), digests.get(epoch.get()), null));
    }
    return Optional.empty();
  }

  /** How a tier's last protection ended: done if at rank 0; what it cost and took at most. */
  private static Outcome slowest(List<String> all, Tier tier) {
    boolean done = false;
    OptionalLong cost = OptionalLong.empty();
    long taken = 0;
    String begin = ended(tier) + ":";
    for (int rank = 0; rank < all.size(); rank++) {
      for (String word : all.get(rank).split(" ", -1)) {
        if (word.startsWith(begin)) {
          String[] parts = word.substring(begin.length()).split("\\.", -1);
          done |= rank == 0 && parts[0].equals("done");
          if (parts.length > 1) {
            cost = OptionalLong.of(Math.max(cost.orElse(0), Long.parseLong(parts[1])));
            taken = Math.max(taken, Long.parseLong(parts[2]));
          }
        }
      }
    }
    return new Outcome(done, cost, taken);
  }

  private Next take(Tier tier, EpochId epoch, long digest, Demand demand) {
    underWay.add(epoch);
    return new Next(tier, epoch, digest, demand);
  }

  private static Optional<EpochId> newestCommon(List<String> all, String what) {
    NavigableSet<EpochId> common = parse(all.get(0), what);
    for (String text : all) {
      common.retainAll(parse(text, what));
    }
    return common.isEmpty() ? Optional.empty() : Optional.of(common.last());
  }

  private void protect(Next next) {
    long begin = nanoClock.getAsLong();
    CoreTimes before = gauges.coreTimes().get();
    Exception failure = null;
    boolean news = false;
    try {
      for (Ancestry.Older older : Ancestry.gather(context, next.epoch())) {
        task(next.tier(), older.epoch(), older.jobDigest()).run();
      }
      news = task(next.tier(), next.epoch(), next.jobDigest()).run();
    } catch (TransportException e) {
      finished(next, e);
      throw e;
    } catch (Exception e) {
      failure = e;
    }
    OptionalLong cost =
        news ? OptionalLong.of(gauges.coreTimes().get().takenSince(before)) : OptionalLong.empty();
    synchronized (this) {
      outcomes.put(next.tier(), new Outcome(failure == null, cost, nanoClock.getAsLong() - begin));
    }
    finished(next, failure);
    if (failure == null && news) {
      listener.isProtected(next.tier(), next.epoch(), (nanoClock.getAsLong() - begin) / 1e9);
    } else if (root(failure) instanceof FencedException fenced) {
      listener.fenced(fenced);
    } else if (failure != null) {
      listener.failed(next.tier(), next.epoch(), failure);
    }
  }

  private ProtectionTask task(Tier tier, EpochId epoch, long jobDigest) {
    return tier == Tier.PARTNER
        ? new PartnerTask(context, epoch, jobDigest)
        : new SetTask(context, epoch, jobDigest);
  }

  /** A launch that is fenced on one rank is fenced: that rank ends it. */
  private static Throwable root(Exception failure) {
    return failure instanceof PeerFailureException ? null : failure;
  }

  private void finished(Next next, Exception failure) {
    Runnable action;
    synchronized (this) {
      underWay.remove(next.epoch());
      if (next.demand() != null) {
        demands.remove(next.epoch());
        if (failure == null) {
          next.demand().progress = Progress.DONE;
        } else {
          next.demand().fail(failure);
        }
      }
      forgetDigests();
      action = whenProtected;
    }
    action.run();
  }

  /**
   * Ends, on all ranks: what is under way is finished, what waits is left. Returns when the thread
   * has ended and calls the transport no more.
   */
  @Override
  public void close() {
    synchronized (this) {
      closing = true;
      notifyAll();
    }
    flusher.ifPresent(Flusher::close);
    Threads.awaitEnd(List.of(thread));
  }
}

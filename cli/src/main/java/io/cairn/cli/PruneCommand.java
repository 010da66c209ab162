// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.cli.EpochLook.State;
import io.cairn.image.EpochId;
import io.cairn.store.Launch;
import io.cairn.store.StoreKeeper;
import io.cairn.store.StoreView;
import java.io.IOException;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code cairn prune}. */
@Command(
    name = "prune",
    header = "Deletes epochs of a job that isn't running.",
    description =
        "Never the newest one that the job can go on from, nor the newest that each tier "
            + "protects, unless --even-the-last is given; which these are, is found out by "
            + "reading them.")
final class PruneCommand implements Callable<Integer> {
  private final Surroundings surroundings;

  @Mixin private Where where;

  @Parameters(index = "0", paramLabel = "JOB", description = "A job's name or directory.")
  private String jobName;

  @ArgGroup(exclusive = true, multiplicity = "1")
  private What what;

  @Option(
      names = "--even-the-last",
      description =
          "Lets the newest epoch be deleted that the job can go on from, or that a tier protects.")
  private boolean evenTheLast;

  @Option(
      names = "--partial",
      description =
          "Some of the job's stores can't be seen from here (node-local disks): an epoch counts as "
              + "sound, and as protected, if what is here of it is. The others keep what they "
              + "have.")
  private boolean partial;

  @Option(names = "--dry-run", description = "Only says what would be deleted.")
  private boolean dryRun;

  @Option(names = "--json", description = "For programs; docs/cli.md has the schema.")
  private boolean json;

  /** What goes. */
  private static final class What {
    @Option(
        names = "--keep",
        paramLabel = "K",
        description = "Keeps the newest K committed epochs that are sound; what is older goes.")
    private Integer keep;

    @Option(
        names = "--leftovers",
        description = "Deletes what has no published record, left by launches that died.")
    private boolean leftovers;

    @Option(names = "--whole-job", description = "Deletes everything that the job has on disk.")
    private boolean wholeJob;
  }

  /** An epoch that goes, and why. */
  private record Doomed(EpochLook look, String reason) {}

  /**
   * What is to be done.
   *
   * @param doomed what goes
   * @param guarded what would go, but for the tiers of which it is the newest epoch
   */
  private record Choice(List<Doomed> doomed, Map<EpochId, List<String>> guarded) {}

  PruneCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws Exception {
    if (what.keep != null && what.keep < 1) {
      throw ToolException.usage(
          "--keep " + what.keep + ": expected 1 or more; --whole-job deletes everything");
    }
    Job job = where.job(surroundings, jobName);
    if (job.sharedTier().size() == job.stores().size() && !partial) {
      throw ToolException.refused(
          "only the shared tier of job %s is here (%s), and it doesn't tell whether a launch is alive:"
                  .formatted(job.id(), job.directories().get(0))
              + " give the ranks' own stores too (--dir), or --partial");
    }
    if (dryRun) {
      Optional<String> holder = job.holder();
      if (holder.isPresent()) {
        throw ToolException.refused(running(job, holder.get()));
      }
      return prune(job, List.of());
    }
    List<StoreKeeper> keepers = new ArrayList<>();
    try {
      Launch self = surroundings.self().get();
      for (StoreView store : job.stores()) {
        keepers.add(StoreKeeper.open(store, surroundings.files(), self));
      }
      return prune(job.whileLocked(), keepers);
    } finally {
      for (StoreKeeper keeper : keepers) {
        keeper.close();
      }
    }
  }

  private static String running(Job job, String holder) {
    return "job " + job.id() + " is running (" + holder + "): end that launch first";
  }

  /** Without keepers nothing is deleted. */
  private int prune(Job job, List<StoreKeeper> keepers) throws IOException, ToolException {
    NavigableMap<EpochId, EpochLook> looks = new TreeMap<>();
    for (EpochId id : job.epochs()) {
      EpochLook.of(surroundings.files(), job, id).ifPresent(look -> looks.put(id, look));
    }
    Choice choice = choose(job, looks);
    List<Doomed> doomed = choice.doomed();
    long freed = 0;
    // All records first: what is left of an epoch when this is interrupted is of no epoch then.
    for (StoreKeeper keeper : keepers) {
      for (Doomed one : doomed) {
        keeper.deleteRecord(one.look().id());
      }
    }
    for (Doomed one : doomed) {
      for (StoreKeeper keeper : keepers) {
        keeper.delete(one.look().id());
      }
      freed += one.look().bytes();
    }
    List<String> others = new ArrayList<>();
    if (what.wholeJob) {
      for (StoreKeeper keeper : keepers) {
        for (String name : keeper.deleteJob()) {
          others.add(keeper.store().directory().resolve(name).toString());
        }
      }
    }
    List<EpochLook> kept = new ArrayList<>(looks.values());
    kept.removeAll(doomed.stream().map(Doomed::look).toList());
    if (json) {
      print(job, choice, kept, freed, others);
    } else {
      print(choice, kept, freed, job, others);
    }
    return ExitCode.OK;
  }

  private Choice choose(Job job, NavigableMap<EpochId, EpochLook> looks)
      throws IOException, ToolException {
    List<Doomed> doomed = new ArrayList<>();
    Map<EpochId, List<String>> guarded = new TreeMap<>();
    if (what.wholeJob) {
      Optional<EpochLook> last = evenTheLast ? Optional.empty() : soundEpochs(job, looks, 1);
      if (last.isPresent()) {
        throw ToolException.refused(
            "job %s can go on from epoch %s; to delete that too, say --even-the-last"
                .formatted(job.id(), EpochLook.name(last.get().id())));
      }
      looks.values().forEach(look -> doomed.add(new Doomed(look, "the whole job goes")));
    } else if (what.leftovers) {
      Optional<EpochLook> last = evenTheLast ? Optional.empty() : soundEpochs(job, looks, 1);
      for (EpochLook look : looks.values()) {
        if (look.state() != State.COMMITTED && !last.filter(look::equals).isPresent()) {
          doomed.add(new Doomed(look, "it has no published record"));
        }
      }
    } else {
      Optional<EpochLook> oldestKept = soundEpochs(job, looks, what.keep);
      if (oldestKept.isPresent()) {
        NavigableMap<EpochId, EpochLook> older = looks.headMap(oldestKept.get().id(), false);
        if (!evenTheLast) {
          guard(job, looks, older, guarded);
        }
        for (EpochLook look : older.values()) {
          if (!guarded.containsKey(look.id())) {
            doomed.add(
                new Doomed(
                    look,
                    look.state() == State.COMMITTED
                        ? Units.count(what.keep, "newer sound epoch") + " kept"
                        : "it has no published record"));
          }
        }
      }
    }
    if (!what.wholeJob) {
      Set<EpochId> staying = new TreeSet<>(looks.keySet());
      doomed.forEach(one -> staying.remove(one.look().id()));
      Set<EpochId> needed = new TreeSet<>();
      for (StoreView store : job.stores()) {
        needed.addAll(store.referredToBy(staying));
      }
      // What stays can't be restored without those that its images take bytes from.
      doomed.removeIf(one -> needed.contains(one.look().id()));
    }
    return new Choice(doomed, guarded);
  }

  /**
   * For each tier, the newest epoch that it protects stays. One that says so and turns out not to
   * be sound stays too, with the next older one.
   */
  private void guard(
      Job job,
      NavigableMap<EpochId, EpochLook> looks,
      NavigableMap<EpochId, EpochLook> older,
      Map<EpochId, List<String>> guarded)
      throws IOException {
    Map<EpochId, Boolean> verified = new HashMap<>();
    long total = looks.values().stream().mapToLong(EpochLook::bytes).sum();
    try (Progress progress = Progress.begin(surroundings, "prune", total)) {
      Set<String> tiers = tiers(looks.values());
      // Of what ranks' own stores have, the newest are kept anyway.
      tiers.remove(EpochLook.LOCAL);
      for (String tier : tiers) {
        for (EpochLook look : looks.descendingMap().values()) {
          if (look.state() != State.COMMITTED || !look.protection().contains(tier)) {
            continue;
          }
          if (older.containsKey(look.id())) {
            guarded.computeIfAbsent(look.id(), id -> new ArrayList<>()).add(tier);
          }
          Boolean known = verified.get(look.id());
          boolean sound = known != null ? known : verifies(job, look, progress);
          verified.put(look.id(), sound);
          if (sound) {
            break;
          }
        }
      }
    }
  }

  /** The tiers that wholly protect one of these epochs. */
  private static Set<String> tiers(Collection<EpochLook> looks) {
    Set<String> tiers = new LinkedHashSet<>();
    looks.stream()
        .filter(look -> look.state() == State.COMMITTED)
        .forEach(look -> tiers.addAll(look.protection()));
    return tiers;
  }

  /** The tiers that protect an epoch that goes, and none that stays. */
  private static Set<String> ended(List<Doomed> doomed, List<EpochLook> kept) {
    Set<String> ended = tiers(doomed.stream().map(Doomed::look).toList());
    ended.removeAll(tiers(kept));
    return ended;
  }

  /**
   * The n-th newest epoch that a start could restore, if there are as many; for {@code --keep} only
   * committed ones count. All are read to the last byte: what is deleted can't be asked for again.
   */
  private Optional<EpochLook> soundEpochs(Job job, NavigableMap<EpochId, EpochLook> looks, int n)
      throws IOException {
    long total = looks.values().stream().mapToLong(EpochLook::bytes).sum();
    int found = 0;
    try (Progress progress = Progress.begin(surroundings, "prune", total)) {
      Recovery recovery = new Recovery(surroundings.files(), job, progress, false);
      for (Map.Entry<EpochId, EpochLook> entry : looks.descendingMap().entrySet()) {
        EpochLook look = entry.getValue();
        boolean counts =
            look.state() == State.COMMITTED || (what.keep == null && look.state() == State.PENDING);
        if (counts && isSound(job, look, recovery, progress) && ++found == n) {
          return Optional.of(look);
        }
      }
    }
    return Optional.empty();
  }

  private boolean isSound(Job job, EpochLook look, Recovery recovery, Progress progress)
      throws IOException {
    if (!partial) {
      return recovery.reasons(look).isEmpty();
    }
    return verifies(job, look, progress);
  }

  private boolean verifies(Job job, EpochLook look, Progress progress) throws IOException {
    ParityProof parityProof = new ParityProof(surroundings);
    return switch (EpochVerification.run(surroundings.files(), job, look, progress, parityProof)
        .outcome()) {
      case SOUND -> true;
      case PARTIAL -> partial;
      case DAMAGED, INCOMPLETE, GONE -> false;
    };
  }

  private void print(Job job, Choice choice, List<EpochLook> kept, long freed, List<String> others)
      throws IOException {
    try (Json out = new Json(surroundings.out(), "prune")) {
      out.text("job", job.id()).optional("uuid", job.uuid()).flag("dryRun", dryRun);
      out.objects(
          "deleted",
          choice.doomed(),
          one -> {
            out.epochId(one.look().id());
            out.text("state", one.look().state().code());
            out.number("bytes", one.look().bytes());
            out.texts("protection", one.look().protection());
            out.text("reason", one.reason());
          });
      out.objects(
          "kept",
          kept,
          look -> {
            out.epochId(look.id()).text("state", look.state().code());
            out.texts("newestOf", choice.guarded().getOrDefault(look.id(), List.of()));
          });
      out.texts("unprotected", ended(choice.doomed(), kept));
      out.number("bytes", freed);
      out.flag("jobDeleted", what.wholeJob && others.isEmpty() && !dryRun);
      out.texts("left", others);
    }
  }

  private static String describe(EpochLook look) {
    List<String> tiers = look.protection();
    // That it is in the ranks' own stores goes without saying.
    return tiers.isEmpty() || tiers.equals(List.of(EpochLook.LOCAL))
        ? look.state().code()
        : look.state().code() + ", " + String.join(", ", tiers);
  }

  private void print(
      Choice choice, List<EpochLook> kept, long freed, Job job, List<String> others) {
    PrintStream out = surroundings.out();
    String verb = dryRun ? "would delete" : "deleted";
    for (Doomed one : choice.doomed()) {
      out.printf(
          "%s epoch %s (%s, %s): %s%n",
          verb,
          EpochLook.name(one.look().id()),
          describe(one.look()),
          Units.bytes(one.look().bytes()),
          one.reason());
    }
    choice
        .guarded()
        .forEach(
            (id, tiers) ->
                out.printf(
                    "kept epoch %s: no newer sound epoch is protected by %s%n",
                    EpochLook.name(id), String.join(", nor by ", tiers)));
    Set<String> ended = ended(choice.doomed(), kept);
    if (!ended.isEmpty() && !kept.isEmpty()) {
      out.println("no epoch that is left is protected by " + String.join(" or ", ended));
    }
    String names = String.join(", ", kept.stream().map(look -> EpochLook.name(look.id())).toList());
    out.printf(
        "%s: %s %s, %s; %s%n",
        job.id(),
        verb,
        Units.count(choice.doomed().size(), "epoch"),
        Units.bytes(freed),
        kept.isEmpty() ? "no epoch is left" : "kept " + names);
    others.forEach(other -> out.println("not Cairn's, left there: " + other));
  }
}

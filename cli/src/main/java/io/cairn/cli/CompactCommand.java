// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.cli.EpochLook.Copy;
import io.cairn.cli.EpochLook.State;
import io.cairn.image.CorruptImageException;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FaultHook;
import io.cairn.image.ForeignImageException;
import io.cairn.image.ImageReader;
import io.cairn.image.JobIdentity;
import io.cairn.store.Compaction;
import io.cairn.store.FencedException;
import io.cairn.store.Standing;
import io.cairn.store.StoreKeeper;
import io.cairn.store.StoreView;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code cairn compact}. */
@Command(
    name = "compact",
    header =
        "Writes the newest epoch anew so that it needs no older one, of a job that isn't running.",
    description =
        "Where images take bytes from older ones (cairn.full.every), the epoch that a start would "
            + "go on from is written once more with full images, as the first epoch of the next "
            + "generation. All of it is read and checked; nothing that is there is changed or "
            + "deleted.")
final class CompactCommand implements Callable<Integer> {
  private final Surroundings surroundings;

  @Mixin private Where where;

  @Parameters(
      index = "0",
      arity = "0..*",
      paramLabel = "JOB",
      description = "Jobs' names or directories. Default: the only one there is.")
  private List<String> jobNames = new ArrayList<>();

  @Option(
      names = "--epoch",
      paramLabel = "EPOCH",
      description =
          "GENERATION-EPOCH, or the epoch's number, for when all newer ones are damaged; only with "
              + "one job. Default: the newest epoch that is committed.")
  private String epochName;

  @Option(names = "--dry-run", description = "Only says what would be written.")
  private boolean dryRun;

  @Option(names = "--json", description = "For programs; docs/cli.md has the schema.")
  private boolean json;

  /** Names are part of the JSON output. */
  private enum Outcome {
    /** It is written anew. */
    COMPACTED,
    /** Its images are full already. */
    FULL,
    /** It isn't sound. */
    DAMAGED;

    String code() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** What became of a job. */
  private static final class Report {
    final Job job;
    final EpochLook look;
    final List<Finding> findings = new ArrayList<>();
    final List<EpochId> leftovers = new ArrayList<>();
    final List<IOException> unpublished = new ArrayList<>();
    Outcome outcome = Outcome.FULL;
    int images;
    int ancestors;
    boolean published;
    Optional<EpochId> target = Optional.empty();
    long bytes;

    Report(Job job, EpochLook look) {
      this.job = job;
      this.look = look;
    }

    Report damaged(Collection<Finding> found) {
      outcome = Outcome.DAMAGED;
      findings.addAll(found);
      return this;
    }

    /** Slower tiers have something of the old epoch, and nothing of the new one. */
    List<String> unprotected() {
      return outcome != Outcome.COMPACTED
          ? List.of()
          : look.levels().stream()
              .map(EpochLook.Level::tier)
              .filter(tier -> !tier.equals(EpochLook.LOCAL))
              .toList();
    }
  }

  CompactCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws Exception {
    if (epochName != null && jobNames.size() > 1) {
      throw ToolException.usage("--epoch is one job's, and there are " + jobNames.size());
    }
    List<Job> jobs = new ArrayList<>();
    for (String name : jobNames) {
      jobs.add(where.job(surroundings, name));
    }
    if (jobs.isEmpty()) {
      jobs.add(where.job(surroundings, null));
    }
    List<Report> reports = new ArrayList<>();
    for (Job job : jobs) {
      Report report = dryRun ? compact(job, List.of()) : compactLocked(job);
      reports.add(report);
      if (!json) {
        print(report);
      }
    }
    if (json) {
      print(reports);
    }
    for (Report report : reports) {
      if (!report.unpublished.isEmpty()) {
        throw ToolException.refused(unpublished(report));
      }
    }
    return reports.stream().anyMatch(report -> report.outcome == Outcome.DAMAGED)
        ? ExitCode.NOT_FOUND_OR_DAMAGED
        : ExitCode.OK;
  }

  private static String unpublished(Report report) {
    return "epoch %s is written and a start goes on from it, but not all of its records could be published (the start, or another compact, does that): %s"
        .formatted(
            EpochLook.name(report.target.orElse(report.look.id())),
            String.join("; ", report.unpublished.stream().map(IOException::getMessage).toList()));
  }

  private Report compactLocked(Job job) throws Exception {
    List<StoreKeeper> keepers = new ArrayList<>();
    try {
      for (StoreView store : job.stores()) {
        keepers.add(StoreKeeper.open(store, surroundings.files(), surroundings.self().get()));
      }
      return compact(job.whileLocked(), keepers);
    } finally {
      for (StoreKeeper keeper : keepers) {
        keeper.close();
      }
    }
  }

  /** Without keepers nothing is changed. */
  private Report compact(Job job, List<StoreKeeper> keepers) throws IOException, ToolException {
    requireOwnStores(job);
    List<Leftover> leftovers = new ArrayList<>();
    Optional<EpochLook> chosen = choose(job, leftovers);
    if (chosen.isEmpty()) {
      throw ToolException.notFound("job " + job.id() + " has no committed epoch");
    }
    EpochLook look = chosen.get();
    Report report = new Report(job, look);
    if (!job.findings().isEmpty()) {
      return report.damaged(job.findings());
    }
    List<Compaction.Part> parts = parts(report);
    Optional<JobIdentity> identity = EpochVerification.identity(surroundings.files(), job, look);
    if (report.outcome == Outcome.DAMAGED || identity.isEmpty()) {
      return report.damaged(List.of());
    }
    Compaction compaction =
        new Compaction(identity.get(), look.id(), parts, surroundings.files(), FaultHook.NONE);
    Compaction.Outlook outlook = compaction.examine();
    report.images = outlook.images();
    report.ancestors = outlook.mostAncestors();
    if (!outlook.damages().isEmpty()) {
      return report.damaged(
          outlook.damages().stream().map(d -> Finding.of(file(d), d.cause())).toList());
    }
    // What an interrupted compaction has left may be what the disk is full of.
    delete(leftovers, Leftover::proven, report, keepers);
    if (outlook.mostAncestors() == 0) {
      publishPending(report, parts, keepers);
    } else {
      report.outcome = Outcome.COMPACTED;
      if (!dryRun) {
        write(report, compaction, outlook, keepers);
      }
    }
    if (report.outcome != Outcome.DAMAGED) {
      delete(leftovers, leftover -> !leftover.proven(), report, keepers);
    }
    return report;
  }

  /**
   * A newer epoch that a start passes over and deletes.
   *
   * @param proven whether nobody can have been told that it is committed; else it was pending, and
   *     isn't sound
   */
  private record Leftover(EpochId epoch, boolean proven) {}

  private static void delete(
      List<Leftover> leftovers, Predicate<Leftover> which, Report report, List<StoreKeeper> keepers)
      throws IOException {
    for (Leftover leftover : leftovers) {
      if (which.test(leftover)) {
        for (StoreKeeper keeper : keepers) {
          keeper.delete(leftover.epoch());
        }
        report.leftovers.add(leftover.epoch());
      }
    }
  }

  /** A chain's damage may be in an older image than the one that was opened. */
  private static Path file(Compaction.Damage damage) {
    return damage.cause() instanceof CorruptImageException corrupt ? corrupt.file() : damage.file();
  }

  private static void requireOwnStores(Job job) throws ToolException {
    if (job.sharedTier().size() == job.stores().size()) {
      throw ToolException.refused(
          "only the shared tier of job %s is here (%s), and it doesn't tell whether a launch is alive: give the ranks' own stores too (--dir)"
              .formatted(job.id(), job.directories().get(0)));
    }
    Optional<String> holder = job.holder();
    if (holder.isPresent()) {
      throw ToolException.refused(
          "job " + job.id() + " is running (" + holder.get() + "): end that launch first");
    }
  }

  /**
   * The epoch that a start would go on from, if it is sound; or the one that was named.
   *
   * @param leftovers gets newer epochs that a start passes over and deletes
   */
  private Optional<EpochLook> choose(Job job, List<Leftover> leftovers)
      throws IOException, ToolException {
    Optional<EpochId> named =
        epochName == null ? Optional.empty() : Optional.of(Where.epoch(job, epochName));
    List<EpochId> epochs = job.epochs();
    for (int i = epochs.size() - 1; i >= 0; i--) {
      Optional<EpochLook> look = EpochLook.of(surroundings.files(), job, epochs.get(i));
      if (look.isEmpty()) {
        continue;
      }
      boolean promised = mayBePromised(look.get());
      boolean committed = look.get().state() == State.COMMITTED;
      // One that is only pending counts if it is sound, as at a start.
      if (!promised || (!committed && !recoverable(job, look.get()))) {
        if (named.equals(Optional.of(epochs.get(i)))) {
          throw ToolException.refused(
              "epoch %s of job %s was never committed".formatted(epochName, job.id()));
        }
        leftovers.add(new Leftover(epochs.get(i), !promised));
      } else if (named.isEmpty() || named.get().equals(epochs.get(i))) {
        return look;
      } else if (!committed || recoverable(job, look.get())) {
        throw ToolException.refused(
            "a start of job %s goes on from epoch %s: epoch %s, written anew, would take its place, and what was computed since be lost"
                .formatted(job.id(), EpochLook.name(epochs.get(i)), epochName));
      }
    }
    return Optional.empty();
  }

  private boolean recoverable(Job job, EpochLook look) throws IOException {
    try (Progress progress = Progress.begin(surroundings, "compact", look.bytes())) {
      return new Recovery(surroundings.files(), job, progress, false).reasons(look).isEmpty();
    }
  }

  /**
   * Whether anybody may have been told that the epoch is committed: a launch commits when all
   * stores that have images of it have its pending record, and these are written when all images
   * are there.
   */
  private static boolean mayBePromised(EpochLook look) throws ToolException {
    if (look.state() != State.INCOMPLETE) {
      return true;
    }
    Set<Integer> ranks = new TreeSet<>();
    boolean everywhere = true;
    boolean anywhere = false;
    for (Copy copy : look.copies()) {
      if (!copy.shared() && !copy.ranks().isEmpty()) {
        ranks.addAll(copy.ranks());
        everywhere &= copy.standing().isPresent();
        anywhere |= copy.standing().isPresent();
      }
    }
    if (anywhere && ranks.size() < look.worldSize()) {
      throw ToolException.refused(
          "epoch %s is newer, and may be committed in stores that aren't here: the images of %d of %d ranks are. Give all stores of the job (--dir); if these are all, a start finds out which epoch it can go on from"
              .formatted(EpochLook.name(look.id()), ranks.size(), look.worldSize()));
    }
    return anywhere && everywhere;
  }

  /** What the ranks' own stores have of the epoch, which must be all images. */
  private List<Compaction.Part> parts(Report report) throws IOException, ToolException {
    EpochLook look = report.look;
    List<Compaction.Part> parts = new ArrayList<>();
    Set<Integer> missing = new TreeSet<>();
    for (int rank = 0; rank < look.worldSize(); rank++) {
      missing.add(rank);
    }
    boolean unreadable = false;
    for (Copy copy : look.copies()) {
      if (copy.shared()) {
        continue;
      }
      Optional<EpochRecord> record = copy.record();
      if (record.isEmpty() && look.state() != State.COMMITTED && !copy.ranks().isEmpty()) {
        // Its writer died. The images prove themselves by the job-wide digest, as at a start.
        record = recordOfImages(look, copy);
      }
      if (record.isPresent()) {
        parts.add(new Compaction.Part(copy.store(), record.get()));
        record.get().images().forEach(image -> missing.remove(image.rank()));
      }
      // Its record was lost, or can't be read.
      unreadable |= record.isEmpty() && !copy.ranks().isEmpty();
    }
    if (!missing.isEmpty() && unreadable) {
      report.damaged(look.findings());
    } else if (!missing.isEmpty()) {
      throw ToolException.refused(
          "epoch %s of job %s: the images of ranks %s are in no store that was given. Give all stores of the job (--dir); where they are lost, a start recovers what it can, and compact works on what that leaves"
              .formatted(EpochLook.name(look.id()), report.job.id(), Ranks.show(missing)));
    }
    return parts;
  }

  /** What the record would say that was to be written when all images were there. */
  private Optional<EpochRecord> recordOfImages(EpochLook look, Copy copy) throws IOException {
    Optional<EpochRecord> other =
        look.copies().stream().flatMap(any -> any.record().stream()).findFirst();
    if (other.isEmpty()) {
      return Optional.empty();
    }
    List<EpochRecord.Image> images = new ArrayList<>();
    Set<EpochId> refersTo = new TreeSet<>();
    for (int rank : copy.ranks()) {
      try (ImageReader image =
          ImageReader.open(surroundings.files(), copy.store().imageFile(look.id(), rank))) {
        images.add(new EpochRecord.Image(rank, image.lengthBytes(), image.digest()));
        image.ancestors().forEach(ancestor -> refersTo.add(ancestor.epoch()));
      }
    }
    return Optional.of(
        new EpochRecord(
            other.get().jobId(),
            other.get().jobUuid(),
            other.get().worldSize(),
            look.id(),
            other.get().jobDigest(),
            List.copyOf(refersTo),
            images));
  }

  /** Nobody was there to publish it, and a start would. */
  private static void publishPending(
      Report report, List<Compaction.Part> parts, List<StoreKeeper> keepers) throws IOException {
    for (Copy copy : report.look.copies()) {
      if (copy.shared() || !copy.standing().equals(Optional.of(Standing.PENDING))) {
        continue;
      }
      // One that isn't committed anywhere was found to be sound when it was chosen.
      report.published = true;
      for (Compaction.Part part : parts) {
        for (StoreKeeper keeper : keepers) {
          if (part.store() == copy.store() && keeper.store() == copy.store()) {
            keeper.publish(part.record());
          }
        }
      }
    }
  }

  private void write(
      Report report, Compaction compaction, Compaction.Outlook outlook, List<StoreKeeper> keepers)
      throws IOException, ToolException {
    try (Progress progress = Progress.begin(surroundings, "compact", 2 * outlook.rawBytes())) {
      Compaction.Result result =
          compaction.run(keepers, surroundings.self().get(), outlook, progress::advance);
      report.target = Optional.of(result.epoch());
      report.bytes = result.bytes();
      report.unpublished.addAll(result.unpublished());
    } catch (CorruptImageException | ForeignImageException | NoSuchFileException e) {
      requireUndone(report, e);
      report.damaged(verify(report));
      if (report.findings.isEmpty()) {
        report.findings.add(
            Finding.of(
                e instanceof CorruptImageException corrupt
                    ? corrupt.file()
                    : report.job.directories().get(0),
                e));
      }
    } catch (FencedException e) {
      throw e;
    } catch (IOException e) {
      requireUndone(report, e);
      throw ToolException.refused(
          e.getMessage()
              + "; epoch "
              + EpochLook.name(report.look.id())
              + " and all that it needs are as they were");
    }
  }

  private static void requireUndone(Report report, IOException e) throws ToolException {
    if (e.getSuppressed().length > 0) {
      throw ToolException.refused(
          "%s; epoch %s and all that it needs are as they were, but not all that was written could be deleted again (%s): a start does that, or another compact"
              .formatted(
                  e.getMessage(),
                  EpochLook.name(report.look.id()),
                  e.getSuppressed()[0].getMessage()));
    }
  }

  /** All that is wrong with the epoch, as verify tells it. */
  private List<Finding> verify(Report report) throws IOException {
    try (Progress progress = Progress.begin(surroundings, "verify", report.look.bytes())) {
      return EpochVerification.run(
              surroundings.files(),
              report.job,
              report.look,
              progress,
              new ParityProof(surroundings))
          .findings();
    }
  }

  private void print(List<Report> reports) throws IOException {
    try (Json out = new Json(surroundings.out(), "compact")) {
      out.flag("dryRun", dryRun);
      out.objects(
          "jobs",
          reports,
          report -> {
            out.text("job", report.job.id()).optional("uuid", report.job.uuid());
            out.text("outcome", report.outcome.code());
            out.object("from", () -> out.epochId(report.look.id()));
            if (report.target.isPresent()) {
              out.object("to", () -> out.epochId(report.target.get()));
            } else {
              out.none("to");
            }
            out.number("ancestors", report.ancestors);
            out.number("images", report.images);
            out.number("bytes", report.bytes);
            out.flag("published", report.published);
            out.texts("unprotected", report.unprotected());
            out.objects("leftovers", report.leftovers, out::epochId);
            out.findings("problems", report.findings);
          });
    }
  }

  private void print(Report report) {
    PrintStream out = surroundings.out();
    String job = report.job.id();
    String epoch = EpochLook.name(report.look.id());
    for (EpochId leftover : report.leftovers) {
      out.printf(
          "%s: %s epoch %s, which was never committed%n",
          job, dryRun ? "would delete" : "deleted", EpochLook.name(leftover));
    }
    switch (report.outcome) {
      case DAMAGED -> {
        out.printf(
            "%s, epoch %s: DAMAGED, %s; nothing is written%n",
            job, epoch, Units.count(report.findings.size(), "finding"));
        report.findings.forEach(finding -> out.println("  " + finding.message()));
      }
      case FULL ->
          out.printf(
              "%s: epoch %s needs no older one: nothing to do%s%n",
              job,
              epoch,
              !report.published
                  ? ""
                  : dryRun ? ", but to publish its record" : ", but its record is published now");
      case COMPACTED -> {
        String needs = "needs " + Units.count(report.ancestors, "older one");
        if (dryRun) {
          out.printf("%s: would write epoch %s anew, which %s%n", job, epoch, needs);
          return;
        }
        String target = EpochLook.name(report.target.orElseThrow());
        out.printf(
            "%s: epoch %s, which %s, is written anew as %s, which needs none: %s, %s%n",
            job,
            epoch,
            needs,
            target,
            Units.count(report.images, "image"),
            Units.bytes(report.bytes));
        if (!report.unprotected().isEmpty()) {
          out.printf(
              "%s isn't protected by %s until a launch has restored it; %s stays protected%n",
              target, String.join(", ", report.unprotected()), epoch);
        }
      }
    }
  }
}

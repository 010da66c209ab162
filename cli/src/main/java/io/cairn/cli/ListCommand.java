// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.cli.EpochLook.Copy;
import io.cairn.cli.EpochLook.Level;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.store.StoreView;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code cairn list}. */
@Command(
    name = "list",
    header = "Lists jobs and their epochs.",
    description =
        "A cheap look: records are read, images and parity are only measured; verify reads "
            + "everything.")
final class ListCommand implements Callable<Integer> {
  private final Surroundings surroundings;

  @Mixin private Where where;

  @Parameters(paramLabel = "DIR", arity = "0..*", description = "The same as --dir.")
  private List<Path> more = new ArrayList<>();

  @Option(names = "--json", description = "For programs; docs/cli.md has the schema.")
  private boolean json;

  ListCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws Exception {
    List<Path> directories = new ArrayList<>(more);
    if (more.isEmpty()) {
      directories.addAll(where.directories(surroundings));
    } else {
      directories.addAll(0, where.given());
    }
    Inventory inventory = Inventory.of(surroundings.files(), directories);
    Map<Job, List<EpochLook>> looks = new LinkedHashMap<>();
    for (Job job : inventory.jobs()) {
      List<EpochLook> epochs = new ArrayList<>();
      for (EpochId id : job.epochs()) {
        EpochLook.of(surroundings.files(), job, id).ifPresent(epochs::add);
      }
      looks.put(job, epochs);
    }
    if (json) {
      try (Json out = new Json(surroundings.out(), "list")) {
        out.texts("directories", directories);
        out.objects(
            "jobs",
            looks.keySet(),
            job -> out.job(job).objects("epochs", looks.get(job), out::epoch));
        out.findings("unreadable", inventory.unreadable());
      }
    } else {
      looks.forEach(this::print);
      inventory.unreadable().forEach(f -> surroundings.err().println("cairn: " + f.message()));
      if (looks.isEmpty() && inventory.unreadable().isEmpty()) {
        surroundings
            .err()
            .println(
                "cairn: no jobs in "
                    + String.join(", ", directories.stream().map(Path::toString).toList()));
      }
    }
    if (looks.isEmpty()) {
      return inventory.unreadable().isEmpty() ? ExitCode.NOT_FOUND_OR_DAMAGED : ExitCode.FAILED;
    }
    return ExitCode.OK;
  }

  private void print(Job job, List<EpochLook> epochs) {
    PrintStream out = surroundings.out();
    out.println(headline(job));
    if (epochs.isEmpty()) {
      out.println("  no epochs");
    } else {
      Table table =
          new Table(
              Set.of(0, 1, 3, 5),
              "GENERATION",
              "EPOCH",
              "STATE",
              "SAFE POINT",
              "WRITTEN (UTC)",
              "SIZE",
              "RANKS",
              "PROTECTION");
      for (EpochLook look : epochs) {
        table.row(
            Long.toString(look.id().generation()),
            Long.toString(look.id().epoch()),
            look.state().code() + (look.findings().isEmpty() ? "" : ", damaged"),
            look.safePoint().isPresent() ? Long.toString(look.safePoint().getAsLong()) : "-",
            Units.time(look.written()),
            Units.bytes(look.bytes()),
            look.ranks().size() + "/" + (look.worldSize() == 0 ? "?" : look.worldSize()),
            look.levels().isEmpty()
                ? "-"
                : String.join(", ", look.levels().stream().map(Level::show).toList()));
      }
      table.print(out, "  ");
    }
    if (job.stores().size() > 1) {
      for (StoreView store : job.stores()) {
        out.println(
            (job.isShared(store) ? "  shared tier " : "  store ")
                + store.directory()
                + ": "
                + holds(store, epochs));
      }
    }
    job.findings().forEach(finding -> out.println("  " + finding.message()));
    for (EpochLook look : epochs) {
      look.findings()
          .forEach(f -> out.println("  " + EpochLook.name(look.id()) + ": " + f.message()));
    }
  }

  private static String headline(Job job) {
    StringBuilder line = new StringBuilder(job.id()).append(": ");
    line.append(job.worldSize() == 0 ? "ranks unknown" : Units.count(job.worldSize(), "rank"));
    job.newest().ifPresent(newest -> line.append(", generation ").append(newest.generation()));
    line.append(job.holder().map(holder -> ", running (" + holder + ")").orElse(", not running"));
    line.append(", in ")
        .append(
            job.stores().size() == 1
                ? job.directories().get(0).toString()
                : Units.count(job.stores().size(), "store"));
    return line.toString();
  }

  /** Such as {@code 3-6 (ranks 0-1), 3-7 (ranks 0-1, copies of 2-3, 4 parity shards)}. */
  private static String holds(StoreView store, List<EpochLook> epochs) {
    List<String> parts = new ArrayList<>();
    for (EpochLook look : epochs) {
      for (Copy copy : look.copies()) {
        if (copy.store() == store) {
          parts.add(EpochLook.name(look.id()) + " (" + holds(copy) + ")");
        }
      }
    }
    return parts.isEmpty() ? "no epochs" : String.join(", ", parts);
  }

  private static String holds(Copy copy) {
    List<String> parts = new ArrayList<>();
    parts.add(copy.ranks().isEmpty() ? "no images" : "ranks " + Ranks.show(copy.ranks()));
    List<Integer> copies = copy.partnerCopies().stream().map(EpochRecord.Image::rank).toList();
    if (!copies.isEmpty()) {
      parts.add("copies of " + Ranks.show(copies));
    }
    if (!copy.parity().isEmpty()) {
      parts.add(Units.count(copy.parity().size(), "parity shard"));
    }
    return String.join(", ", parts);
  }
}

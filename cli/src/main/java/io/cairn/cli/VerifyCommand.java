// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.cli.EpochLook.State;
import io.cairn.cli.EpochVerification.Outcome;
import io.cairn.cli.EpochVerification.Result;
import io.cairn.image.EpochId;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code cairn verify}. */
@Command(
    name = "verify",
    header = "Checks every byte, and that no message is missing or double.",
    description =
        "Of one epoch, of all epochs of a job, or of all jobs: checksums of records and "
            + "of every block, that images belong together, and that on each channel what was "
            + "sent and not received by the cut is in the channel state. Of slower tiers: every "
            + "copy, and that parity is that of the images.")
final class VerifyCommand implements Callable<Integer> {
  private final Surroundings surroundings;

  @Mixin private Where where;

  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "JOB",
      description = "A job's name or directory. Default: all jobs.")
  private String jobName;

  @Parameters(
      index = "1",
      arity = "0..1",
      paramLabel = "EPOCH",
      description = "GENERATION-EPOCH, or the epoch's number. Default: all epochs with a record.")
  private String epochName;

  @Option(names = "--json", description = "For programs; docs/cli.md has the schema.")
  private boolean json;

  VerifyCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws Exception {
    Map<Job, List<EpochLook>> looks = looks();
    long total =
        looks.values().stream()
            .flatMap(List::stream)
            .mapToLong(look -> look.bytes() + look.parityProofBytes())
            .sum();
    ParityProof parityProof = new ParityProof(surroundings);
    Map<Job, List<Result>> results = new LinkedHashMap<>();
    try (Progress progress = Progress.begin(surroundings, "verify", total)) {
      for (Map.Entry<Job, List<EpochLook>> entry : looks.entrySet()) {
        List<Result> ofJob = new ArrayList<>();
        for (EpochLook look : entry.getValue()) {
          ofJob.add(
              EpochVerification.run(
                  surroundings.files(), entry.getKey(), look, progress, parityProof));
        }
        results.put(entry.getKey(), ofJob);
      }
    }
    parityProof.obstacle().ifPresent(this::printObstacle);
    boolean sound = !results.isEmpty();
    boolean any = false;
    for (Map.Entry<Job, List<Result>> entry : results.entrySet()) {
      sound &= entry.getKey().findings().isEmpty();
      for (Result result : entry.getValue()) {
        any |= result.outcome() != Outcome.INCOMPLETE && result.outcome() != Outcome.GONE;
        sound &= result.outcome() != Outcome.DAMAGED && result.outcome() != Outcome.PARTIAL;
      }
    }
    if (json) {
      print(results, sound && any);
    } else {
      results.forEach(this::print);
      if (!any) {
        surroundings.err().println("cairn: there is no epoch with a record to verify");
      }
    }
    return sound && any ? ExitCode.OK : ExitCode.NOT_FOUND_OR_DAMAGED;
  }

  private void printObstacle(String obstacle) {
    surroundings
        .err()
        .println(
            "cairn: parity was checked by its checksums only, not with the images: " + obstacle);
  }

  private Map<Job, List<EpochLook>> looks() throws IOException, ToolException {
    List<Job> jobs = new ArrayList<>();
    if (jobName != null) {
      jobs.add(where.job(surroundings, jobName));
    } else {
      List<Path> directories = where.directories(surroundings);
      Inventory inventory = Inventory.of(surroundings.files(), directories);
      if (inventory.jobs().isEmpty()) {
        inventory.require(null, directories);
      }
      inventory.unreadable().forEach(f -> surroundings.err().println("cairn: " + f.message()));
      jobs.addAll(inventory.jobs());
    }
    Map<Job, List<EpochLook>> looks = new LinkedHashMap<>();
    for (Job job : jobs) {
      List<EpochId> epochs =
          epochName == null ? job.epochs() : List.of(Where.epoch(job, epochName));
      List<EpochLook> ofJob = new ArrayList<>();
      for (EpochId id : epochs) {
        EpochLook.of(surroundings.files(), job, id).ifPresent(ofJob::add);
      }
      looks.put(job, ofJob);
    }
    return looks;
  }

  private void print(Map<Job, List<Result>> results, boolean sound) throws IOException {
    try (Json out = new Json(surroundings.out(), "verify")) {
      out.flag("sound", sound);
      out.objects(
          "jobs",
          results.keySet(),
          job -> {
            out.text("job", job.id()).optional("uuid", job.uuid());
            out.findings("problems", job.findings());
            out.objects(
                "epochs",
                results.get(job),
                result -> {
                  out.epochId(result.look().id());
                  out.text("state", result.look().state().code());
                  out.text("outcome", result.outcome().code());
                  out.number("images", result.images());
                  out.number("copies", result.copies());
                  out.number("parityShards", result.parityShards());
                  out.number("parityProved", result.parityProved());
                  out.number("bytes", result.bytes());
                  out.number("channels", result.channels());
                  out.number("lateMessages", result.lateMessages());
                  out.number("lateBytes", result.lateBytes());
                  out.numbers("elsewhere", result.look().elsewhere());
                  out.findings("problems", result.findings());
                });
          });
    }
  }

  private void print(Job job, List<Result> results) {
    PrintStream out = surroundings.out();
    job.findings().forEach(finding -> out.println(job.id() + ": " + finding.message()));
    for (Result result : results) {
      out.println(job.id() + ", epoch " + EpochLook.name(result.look().id()) + ": " + say(result));
      result.findings().forEach(finding -> out.println("  " + finding.message()));
    }
  }

  private static String tiers(Result result) {
    StringBuilder text = new StringBuilder();
    if (result.copies() > 0) {
      text.append(", ").append(result.copies()).append(result.copies() == 1 ? " copy" : " copies");
    }
    if (result.parityShards() > 0) {
      text.append(", ").append(Units.count(result.parityShards(), "parity shard"));
      if (result.parityProved() < result.parityShards()) {
        text.append(" (").append(result.parityProved()).append(" compared with images)");
      }
    }
    return text.toString();
  }

  private static String say(Result result) {
    String read =
        "%s%s, %s, %s with %s in flight"
            .formatted(
                Units.count(result.images(), "image"),
                tiers(result),
                Units.bytes(result.bytes()),
                Units.count(result.channels(), "channel"),
                Units.count(result.lateMessages(), "message"));
    String pending = result.look().state() == State.PENDING ? " (its record is pending)" : "";
    return switch (result.outcome()) {
      case SOUND -> "sound" + pending + ": " + read;
      case DAMAGED ->
          "DAMAGED"
              + pending
              + ", "
              + Units.count(result.findings().size(), "finding")
              + ": "
              + read;
      case PARTIAL ->
          "not whole"
              + pending
              + ", what is here is sound: "
              + read
              + "; in no store that was looked at: ranks "
              + Ranks.show(result.look().elsewhere())
              + " (give each store's directory)";
      case INCOMPLETE -> "skipped, it has no record (being written, or left by a dead launch)";
      case GONE -> "skipped, it was deleted meanwhile";
    };
  }
}

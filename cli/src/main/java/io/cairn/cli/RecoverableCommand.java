// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.cli.Recovery.Answer;
import io.cairn.cli.Recovery.PassedOver;
import io.cairn.cli.Recovery.Source;
import io.cairn.cli.Recovery.Start;
import io.cairn.image.EpochId;
import io.cairn.tier.Tier;
import java.io.IOException;
import java.io.PrintStream;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code cairn recoverable}. */
@Command(
    name = "recoverable",
    header = "Tells the epoch that a start would go on from.",
    description =
        "And why not a newer one. Checks what a start checks, all bytes of the images. "
            + "Exit code 0: there is one; 1: there is none.")
final class RecoverableCommand implements Callable<Integer> {
  private final Surroundings surroundings;

  @Mixin private Where where;

  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "JOB",
      description = "A job's name or directory; the only one, if there is one.")
  private String jobName;

  @Option(
      names = "--quick",
      description = "Believes that the images' blocks are sound; reads records and indexes only.")
  private boolean quick;

  @Option(names = "--json", description = "For programs; docs/cli.md has the schema.")
  private boolean json;

  RecoverableCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws Exception {
    Job job = where.job(surroundings, jobName);
    Answer answer;
    try (Progress progress = Progress.begin(surroundings, "recoverable", candidateBytes(job))) {
      answer = new Recovery(surroundings.files(), job, progress, quick).answer();
    }
    if (json) {
      print(job, answer);
    } else {
      print(answer, job);
    }
    return answer.start() == Start.RESTORES ? ExitCode.OK : ExitCode.NOT_FOUND_OR_DAMAGED;
  }

  /** Of the first candidate: the others are read only if it is damaged. */
  private long candidateBytes(Job job) throws IOException {
    for (EpochId id : job.candidates().keySet()) {
      return EpochLook.of(surroundings.files(), job, id).map(EpochLook::bytes).orElse(0L);
    }
    return 0;
  }

  private void print(Job job, Answer answer) throws IOException {
    try (Json out = new Json(surroundings.out(), "recoverable")) {
      out.job(job);
      out.text("start", answer.start().code());
      if (answer.epoch().isPresent()) {
        out.object("epoch", () -> out.epoch(answer.epoch().get()));
      } else {
        out.none("epoch");
      }
      out.objects(
          "recovered",
          answer.recovered(),
          source ->
              out.number("rank", source.rank())
                  .text("tier", source.tier())
                  .text("from", source.from()));
      out.objects(
          "passedOver",
          answer.passedOver(),
          passedOver -> {
            out.epochId(passedOver.id());
            out.text("state", passedOver.state().code());
            out.texts("reasons", passedOver.reasons());
          });
    }
  }

  private void print(Answer answer, Job job) {
    PrintStream out = surroundings.out();
    for (PassedOver passedOver : answer.passedOver()) {
      for (String reason : passedOver.reasons()) {
        out.println("not epoch " + EpochLook.name(passedOver.id()) + ": " + reason);
      }
    }
    job.findings().forEach(finding -> out.println(finding.message()));
    for (Source source : answer.recovered()) {
      out.printf(
          "rank %d's image is %s %s%n",
          source.rank(),
          source.tier().equals(Tier.SET.word()) ? "rebuilt from" : "got from",
          switch (source.tier()) {
            case "shared" -> "the shared tier, " + source.from();
            case "partner" -> "its copy in " + source.from();
            default -> source.from();
          });
    }
    out.println(
        switch (answer.start()) {
          case RESTORES -> {
            EpochLook look = answer.epoch().orElseThrow();
            yield "%s goes on from epoch %s (%s, safe point %s, written %s UTC)"
                .formatted(
                    job.id(),
                    EpochLook.name(look.id()),
                    look.state().code(),
                    look.safePoint().isPresent()
                        ? Long.toString(look.safePoint().getAsLong())
                        : "unknown",
                    Units.time(look.written()));
          }
          case FRESH -> job.id() + " has no committed epoch yet; a start begins anew";
          case REFUSED ->
              job.id()
                  + " can't go on: none of its epochs can be restored. A start refuses; with"
                  + " cairn.restore=fresh it begins anew";
        });
  }
}

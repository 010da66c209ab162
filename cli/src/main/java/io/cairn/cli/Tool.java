// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.api.NearNames;
import io.cairn.store.JobLockedException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/** All verbs together. */
@Command(
    name = "cairn",
    description =
        "Looks after the checkpoints that jobs keep on disk, and launches jobs. Only run needs MPI.",
    synopsisSubcommandLabel = "VERB",
    versionProvider = Tool.Version.class,
    footer = {
      "",
      "Exit codes: 0 done, and all is well; 1 nothing found, or damage found; "
          + "2 the command line makes no sense; 3 it could not be done; 4 run gave up."
    })
final class Tool implements Runnable {
  @Spec private CommandSpec spec;

  private Tool() {}

  /** What the jar's manifest says. */
  static final class Version implements CommandLine.IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = Tool.class.getPackage().getImplementationVersion();
      return new String[] {"cairn " + (version == null ? "(not packaged)" : version)};
    }
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "which verb?");
  }

  /** Runs a command line and returns the exit code. */
  static int run(Surroundings surroundings, String... args) {
    CommandLine line = commandLine(surroundings);
    int exitCode = line.execute(args);
    surroundings.out().flush();
    surroundings.err().flush();
    return exitCode;
  }

  static CommandLine commandLine(Surroundings surroundings) {
    CommandLine line =
        new CommandLine(new Tool())
            .addSubcommand(new ListCommand(surroundings))
            .addSubcommand(new ShowCommand(surroundings))
            .addSubcommand(new VerifyCommand(surroundings))
            .addSubcommand(new RecoverableCommand(surroundings))
            .addSubcommand(new PruneCommand(surroundings))
            .addSubcommand(new CompactCommand(surroundings))
            .addSubcommand(new RunCommand(surroundings));
    // What follows the program is the program's.
    line.getSubcommands().get("run").setStopAtPositional(true);
    line.getCommandSpec().mixinStandardHelpOptions(true);
    line.getSubcommands()
        .values()
        .forEach(verb -> verb.getCommandSpec().mixinStandardHelpOptions(true));
    line.getSubcommands()
        .values()
        .forEach(verb -> verb.getCommandSpec().versionProvider(new Version()));
    line.setOut(new PrintWriter(surroundings.out(), true, StandardCharsets.UTF_8));
    line.setErr(new PrintWriter(surroundings.err(), true, StandardCharsets.UTF_8));
    line.setParameterExceptionHandler((e, args) -> misused(surroundings, e));
    line.setExecutionExceptionHandler((e, command, parsed) -> failed(surroundings, e));
    return line;
  }

  private static int misused(Surroundings surroundings, ParameterException e) {
    CommandLine command = e.getCommandLine();
    String message = e.getMessage();
    if (e instanceof UnmatchedArgumentException unmatched && !unmatched.getUnmatched().isEmpty()) {
      message = unmatched(command, unmatched.getUnmatched().get(0));
    }
    surroundings.err().println("cairn: " + message);
    surroundings.err().println("try: " + command.getCommandSpec().qualifiedName() + " --help");
    return ExitCode.USAGE;
  }

  private static String unmatched(CommandLine command, String word) {
    CommandSpec spec = command.getCommandSpec();
    List<String> known = new ArrayList<>();
    String kind;
    if (word.startsWith("-")) {
      kind = "option";
      spec.options().forEach(option -> known.addAll(List.of(option.names())));
      known.removeIf(name -> !name.startsWith("--"));
    } else if (!spec.subcommands().isEmpty()) {
      kind = "verb";
      known.addAll(spec.subcommands().keySet());
    } else {
      return "'" + word + "' is one argument too many for " + spec.qualifiedName();
    }
    String name = word.contains("=") ? word.substring(0, word.indexOf('=')) : word;
    List<String> near = NearNames.of(name, known);
    return "unknown %s '%s'%s (known: %s)"
        .formatted(
            kind,
            name,
            near.isEmpty() ? "" : "; did you mean " + String.join(" or ", near) + "?",
            String.join(", ", known));
  }

  private static int failed(Surroundings surroundings, Exception e) throws Exception {
    if (e instanceof ToolException told) {
      surroundings.err().println("cairn: " + told.getMessage());
      return told.exitCode();
    }
    if (e instanceof JobLockedException) {
      surroundings.err().println("cairn: " + e.getMessage());
      return ExitCode.FAILED;
    }
    if (e instanceof AccessDeniedException denied) {
      surroundings
          .err()
          .println(
              "cairn: " + denied.getFile() + ": access denied; a job's files are its owner's only");
      return ExitCode.FAILED;
    }
    if (e instanceof NoSuchFileException gone) {
      surroundings
          .err()
          .println("cairn: " + gone.getFile() + " is gone; deleted meanwhile? Try again");
      return ExitCode.FAILED;
    }
    if (e instanceof IOException) {
      surroundings.err().println("cairn: " + e.getMessage());
      return ExitCode.FAILED;
    }
    throw e;
  }
}

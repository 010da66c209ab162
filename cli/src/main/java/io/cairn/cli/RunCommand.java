// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.cli.run.Action;
import io.cairn.cli.run.Action.Outcome;
import io.cairn.cli.run.Event;
import io.cairn.cli.run.Host;
import io.cairn.cli.run.Hostfile;
import io.cairn.cli.run.Hostfile.BadHostfileException;
import io.cairn.cli.run.Mpirun;
import io.cairn.cli.run.RunSettings;
import io.cairn.cli.run.Runner;
import io.cairn.cli.run.Times;
import io.cairn.image.EpochId;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.TypeConversionException;

/** {@code cairn run}. */
@Command(
    name = "run",
    header = "Launches a job under mpirun, watches it, and launches it again when it dies.",
    description =
        "Each launch goes on from the newest epoch. Exit code 0: the job is done; 3: it can't be "
            + "started; 4: it can't be done, the last line says why; 130: interrupted.",
    synopsisHeading = "%nUsage: ",
    customSynopsis = "cairn run -n RANKS [options] -- PROGRAM [ARGUMENT...]")
final class RunCommand implements Callable<Integer> {
  private static final String AGENT_VARIABLE = "OMPI_MCA_plm_rsh_agent";
  private static final String OVERSUBSCRIBE_VARIABLE = "OMPI_MCA_rmaps_base_oversubscribe";
  private static final String DEFAULT_AGENT = "ssh -x -o BatchMode=yes -o ConnectTimeout=5";

  private final Surroundings surroundings;

  /** A length of time in nanoseconds. */
  static final class Time implements ITypeConverter<Long> {
    @Override
    public Long convert(String value) {
      try {
        return Times.nanos(value);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }

  @Option(
      names = {"-n", "-np", "--ranks"},
      required = true,
      paramLabel = "RANKS",
      description = "Number of ranks.")
  private int ranks;

  @Option(
      names = "--hostfile",
      paramLabel = "FILE",
      description =
          "Hosts, one a line: NAME [slots=N] [weight=W]. Those beyond the slots that are needed are "
              + "spares. Default: this machine alone.")
  private Path hostfile;

  @Option(
      names = "--oversubscribe",
      description = "More ranks than slots, if there are no more slots.")
  private boolean oversubscribe;

  @Option(
      names = "--max-restarts",
      paramLabel = "N",
      defaultValue = "20",
      description = "How many restarts, in all. Default: ${DEFAULT-VALUE}.")
  private int maxRestarts;

  @Option(
      names = "--stall",
      paramLabel = "TIME",
      defaultValue = "30m",
      converter = Time.class,
      description =
          "No safe point for so long, though all ranks are alive: the program hangs, and is "
              + "launched again. Default: ${DEFAULT-VALUE}.")
  private long stall;

  @Option(
      names = "--start",
      paramLabel = "TIME",
      defaultValue = "5m",
      converter = Time.class,
      description = "Until the first report of a launch. Default: ${DEFAULT-VALUE}.")
  private long start;

  @Option(
      names = "--silence",
      paramLabel = "TIME",
      defaultValue = "60s",
      converter = Time.class,
      description =
          "No pulse of the ranks' agents for so long, though all hosts answer. Default: "
              + "${DEFAULT-VALUE}.")
  private long silence;

  @Option(
      names = "--suspect",
      paramLabel = "TIME",
      defaultValue = "5s",
      converter = Time.class,
      description =
          "No pulse for so long: look whether all hosts answer. Default: ${DEFAULT-VALUE}.")
  private long suspect;

  @Option(
      names = "--dump",
      paramLabel = "TIME",
      defaultValue = "2s",
      converter = Time.class,
      description =
          "For the ranks of a launch that hangs to print where their threads stand (SIGQUIT), before "
              + "it is ended. Default: ${DEFAULT-VALUE}.")
  private long dump;

  @Option(
      names = "--backoff",
      paramLabel = "TIME",
      defaultValue = "1s",
      converter = Time.class,
      description =
          "Before a restart after a launch that committed no epoch; doubles, up to a minute. "
              + "Default: ${DEFAULT-VALUE}.")
  private long backoff;

  @Option(
      names = "--grace",
      paramLabel = "TIME",
      defaultValue = "5s",
      converter = Time.class,
      description = "For mpirun to end when it is asked to. Default: ${DEFAULT-VALUE}.")
  private long grace;

  @Option(
      names = "--host-timeout",
      paramLabel = "TIME",
      defaultValue = "8s",
      converter = Time.class,
      description = "For a host to answer. Default: ${DEFAULT-VALUE}.")
  private long hostTimeout;

  @Option(
      names = "--host-wait",
      paramLabel = "TIME",
      defaultValue = "10m",
      converter = Time.class,
      description = "For hosts to come back when too few are left. Default: ${DEFAULT-VALUE}.")
  private long hostWait;

  @Option(
      names = "--agent",
      paramLabel = "COMMAND",
      description =
          "Runs a command on a host: COMMAND HOST WORDS. Default: $OMPI_MCA_plm_rsh_agent, else "
              + "ssh.")
  private String agent;

  @Option(
      names = "--dir",
      paramLabel = "DIR",
      description = "Where jobs keep their epochs; sets CAIRN_DIR.")
  private Path directory;

  @Option(names = "--job", paramLabel = "JOB", description = "The job's name; sets CAIRN_JOB.")
  private String job;

  @Option(
      names = "--events",
      paramLabel = "FILE",
      description = "Where to write what happens. Default: events.jsonl in the job's directory.")
  private Path events;

  @Option(
      names = "--mca",
      arity = "2",
      paramLabel = "KEY VALUE",
      hideParamSyntax = true,
      description = "As mpirun's.")
  private List<String> mca = new ArrayList<>();

  @Option(
      names = "--mpirun-option",
      paramLabel = "WORD",
      description = "A word of mpirun's command line; as often as needed.")
  private List<String> mpirunOptions = new ArrayList<>();

  @Option(
      names = "--mpirun",
      paramLabel = "PATH",
      defaultValue = "mpirun",
      description = "Default: the one on the PATH.")
  private String mpirun;

  @Parameters(
      arity = "1..*",
      paramLabel = "PROGRAM",
      description = "The ranks' program and its arguments, as mpirun takes them.")
  private List<String> command;

  RunCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws Exception {
    if (ranks < 1) {
      throw ToolException.usage("-n " + ranks + ": expected at least one rank");
    }
    if (maxRestarts < 0) {
      throw ToolException.usage("--max-restarts " + maxRestarts + ": expected 0 or more");
    }
    Map<String, String> environment = new TreeMap<>(surroundings.environment());
    if (directory != null) {
      environment.put("CAIRN_DIR", directory.toString());
    }
    if (job != null) {
      environment.put("CAIRN_JOB", job);
    }
    String agentText =
        agent != null ? agent : environment.getOrDefault(AGENT_VARIABLE, DEFAULT_AGENT);
    List<String> agentWords = List.of(agentText.strip().split("\\s+"));
    boolean more =
        oversubscribe
            || List.of("1", "true", "yes")
                .contains(environment.getOrDefault(OVERSUBSCRIBE_VARIABLE, ""));
    List<String> options = new ArrayList<>();
    for (int i = 0; i < mca.size(); i += 2) {
      options.addAll(List.of("--mca", mca.get(i), mca.get(i + 1)));
    }
    options.addAll(mpirunOptions);
    RunSettings settings =
        new RunSettings(
            ranks,
            hosts(),
            more,
            maxRestarts,
            start,
            stall,
            suspect,
            silence,
            dump,
            grace,
            backoff,
            hostWait);
    Outcome outcome =
        new Runner(
                settings,
                new Mpirun(mpirun, options, agent == null ? "" : agent, command),
                agentWords,
                hostTimeout,
                events == null ? null : events.toAbsolutePath(),
                this::older,
                new Runner.World(
                    surroundings.out(),
                    surroundings.err(),
                    surroundings.terminal(),
                    surroundings.columns(),
                    environment))
            .run();
    return switch (outcome) {
      case DONE -> ExitCode.OK;
      case GAVE_UP -> ExitCode.GAVE_UP;
      case REFUSED -> ExitCode.FAILED;
      case INTERRUPTED -> ExitCode.INTERRUPTED;
    };
  }

  private List<Host> hosts() throws IOException, ToolException {
    if (hostfile == null) {
      return List.of(Host.local(Runtime.getRuntime().availableProcessors()));
    }
    if (!Files.isReadable(hostfile)) {
      throw ToolException.usage("--hostfile " + hostfile + ": no such file, or not readable");
    }
    try {
      return Hostfile.parse(hostfile.toString(), Files.readAllLines(hostfile));
    } catch (BadHostfileException e) {
      throw ToolException.usage(e.getMessage());
    }
  }

  /** By the rules of a start, but for the blocks of images, which the start itself reads. */
  private Event.Older older(Action.AskOlder ask) throws IOException {
    List<Path> places = List.of(Path.of(ask.directory()));
    if (!Files.isDirectory(places.get(0))) {
      // On rank 0's own disk: only a start can tell.
      return new Event.Older(false, ask.epoch());
    }
    try {
      Job found = Inventory.of(surroundings.files(), places).require(null, places);
      Recovery recovery = new Recovery(surroundings.files(), found, Progress.none(), true);
      String avoided = ask.epoch();
      for (EpochId id : found.candidates().keySet()) {
        Optional<EpochLook> look = EpochLook.of(surroundings.files(), found, id);
        if (look.isEmpty() || !recovery.reasons(look.get()).isEmpty()) {
          continue;
        }
        if (id.generation() >= ask.generation()) {
          return new Event.Older(true, "");
        }
        int order = avoided.isEmpty() ? 0 : id.compareTo(epochId(avoided));
        if (order > 0) {
          // Avoided already.
          continue;
        }
        if (order < 0) {
          return new Event.Older(false, avoided);
        }
        avoided = EpochLook.name(id);
      }
    } catch (ToolException e) {
      // Nothing of a job is there yet.
    }
    return new Event.Older(false, "");
  }

  private static EpochId epochId(String name) {
    return EpochId.ofDirectoryName("epoch-" + name).orElseThrow();
  }
}

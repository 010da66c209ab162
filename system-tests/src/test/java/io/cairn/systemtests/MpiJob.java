// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** One real {@code mpirun} and its ranks. Every wait is bounded. */
final class MpiJob {

  /** Far more than anything here takes, even on a busy machine. */
  static final int DEFAULT_TIMEOUT_SECONDS = 300;

  /** How a launch is put together. */
  static final class Builder {
    private final Workbench workbench;
    private final int ranks;
    private final String program;
    private final List<String> jvmOptions = new ArrayList<>();
    private final List<String> arguments = new ArrayList<>();
    private final Map<String, String> environment = new TreeMap<>();
    private final List<String> mpirunOptions = new ArrayList<>();
    private final List<String> runOptions = new ArrayList<>();
    private Nodes nodes; // null for this machine alone
    private Path hostfile;
    private boolean isSupervised;
    private boolean isJava = true;
    private int timeoutSeconds = DEFAULT_TIMEOUT_SECONDS;

    Builder(Workbench workbench, int ranks, String program) {
      this.workbench = workbench;
      this.ranks = ranks;
      this.program = program;
    }

    Builder jvm(String... options) {
      jvmOptions.addAll(List.of(options));
      return this;
    }

    /** A system property of the ranks. */
    Builder property(String name, Object value) {
      jvmOptions.add("-D" + name + "=" + value);
      return this;
    }

    Builder arguments(Object... values) {
      for (Object value : values) {
        arguments.add(value.toString());
      }
      return this;
    }

    /** The program is an executable file. */
    Builder executable() {
      isJava = false;
      return this;
    }

    Builder mpirun(String... options) {
      mpirunOptions.addAll(List.of(options));
      return this;
    }

    /** Started and watched by the tool; options of {@code cairn run}. */
    Builder supervised(String... options) {
      isSupervised = true;
      runOptions.addAll(List.of(options));
      return this;
    }

    /** On these nodes instead of this machine, as the hostfile has them. */
    Builder on(Nodes nodes, Path hostfile) {
      this.nodes = nodes;
      this.hostfile = hostfile;
      nodes.mpiEnvironment(environment);
      return this;
    }

    Builder environment(String name, String value) {
      environment.put(name, value);
      return this;
    }

    Builder timeoutSeconds(int seconds) {
      timeoutSeconds = seconds;
      return this;
    }

    /** Starts the job. */
    MpiJob start() {
      return new MpiJob(this);
    }

    /** Starts it, and waits for its end. */
    Outcome run() {
      return start().finish();
    }

    private List<String> command() {
      List<String> command = new ArrayList<>(List.of("setsid"));
      if (isSupervised) {
        Path tool = Path.of("..", "cli", "target", "cairn", "bin", "cairn").toAbsolutePath();
        command.addAll(List.of("sh", tool.normalize().toString(), "run"));
        command.addAll(List.of("-n", Integer.toString(ranks)));
        if (nodes != null) {
          command.addAll(List.of("--hostfile", hostfile.toString()));
          command.addAll(List.of("--agent", nodes.agent().toString()));
        }
        command.addAll(runOptions);
        command.add("--");
      } else if (ranks > 0) {
        command.addAll(List.of("mpirun", "-n", Integer.toString(ranks)));
        if (nodes != null) {
          command.addAll(List.of("--hostfile", hostfile.toString()));
          command.addAll(List.of("--mca", "plm_rsh_agent", nodes.agent().toString()));
          environment.keySet().stream()
              .filter(name -> !name.startsWith("OMPI_"))
              .forEach(name -> command.addAll(List.of("-x", name)));
        }
        command.addAll(mpirunOptions);
      }
      if (isJava) {
        command.addAll(QuickStart.command(jvmOptions));
      }
      command.add(program);
      command.addAll(arguments);
      return command;
    }
  }

  /**
   * What a job has left.
   *
   * @param exitCode mpirun's
   * @param lines what it printed
   */
  record Outcome(String what, int exitCode, List<Output.Line> lines) {

    /** The lines of one stream. */
    List<String> out(boolean error) {
      return lines.stream().filter(l -> l.error() == error).map(Output.Line::text).toList();
    }

    List<String> all() {
      return lines.stream().map(Output.Line::text).toList();
    }

    boolean succeeded() {
      return exitCode == 0;
    }

    /** Fails unless the job came to a good end. */
    Outcome requireSuccess() {
      if (exitCode != 0) {
        throw failure("ended with exit code " + exitCode);
      }
      return this;
    }

    /** Fails unless the job ended with an error. */
    Outcome requireFailure() {
      if (exitCode == 0) {
        throw failure("ended well, which it should not");
      }
      return this;
    }

    /** The only line that begins like this. */
    String only(String beginning) {
      List<String> found = all().stream().filter(l -> l.startsWith(beginning)).toList();
      if (found.size() != 1) {
        throw failure(
            "printed %d lines that begin with '%s', expected 1".formatted(found.size(), beginning));
      }
      return found.get(0);
    }

    /** The first line that has all these parts. */
    String line(String... parts) {
      return find(parts)
          .orElseThrow(() -> failure("printed no line with all of " + List.of(parts)));
    }

    /** Fails if a line has all these parts. */
    Outcome requireNo(String... parts) {
      find(parts)
          .ifPresent(
              line -> {
                throw failure("printed a line it should not: " + line);
              });
      return this;
    }

    Optional<String> find(String... parts) {
      return all().stream().filter(line -> has(line, parts)).findFirst();
    }

    EventLog events() {
      return EventLog.of(all());
    }

    AssertionError failure(String problem) {
      return new AssertionError(what + " " + problem + "; it printed:\n" + text());
    }

    String text() {
      return lines.stream().map(Output.Line::toString).collect(Collectors.joining("\n"));
    }

    private static boolean has(String line, String... parts) {
      for (String part : parts) {
        if (!line.contains(part)) {
          return false;
        }
      }
      return true;
    }
  }

  private final Workbench workbench;
  private final String what;
  private final int timeoutSeconds;
  private final Process mpirun;
  private final Output output = new Output();
  private final String mark;

  private MpiJob(Builder builder) {
    workbench = builder.workbench;
    timeoutSeconds = builder.timeoutSeconds;
    what =
        "%s %s on %d ranks"
            .formatted(
                builder.program.replaceAll(".*[./]", ""),
                String.join(" ", builder.arguments),
                builder.ranks);
    mark = workbench.newMark();
    ProcessBuilder process = new ProcessBuilder(builder.command());
    process.directory(workbench.folder().toFile());
    Map<String, String> environment = process.environment();
    environment.keySet().removeIf(name -> name.startsWith("CAIRN_"));
    environment.put(Processes.MARK, mark);
    workbench.mpiEnvironment(environment);
    environment.put("JAVA_HOME", System.getProperty("java.home"));
    environment.putAll(builder.environment);
    try {
      mpirun = process.start();
      mpirun.getOutputStream().close();
    } catch (IOException e) {
      throw new AssertionError("can't start mpirun", e);
    }
    output.follow(mpirun.getInputStream(), false);
    output.follow(mpirun.getErrorStream(), true);
    workbench.started(this);
  }

  /** The job's working directory. */
  Path folder() {
    return workbench.folder();
  }

  /** Waits for a line that contains all these parts. */
  Output.Line awaitLine(String... parts) {
    return awaitLines(1, parts);
  }

  /** Waits for the n-th line that contains all these parts. */
  Output.Line awaitLines(int count, String... parts) {
    return within(
        "a line with " + List.of(parts),
        () -> output.await(all(parts), count, timeoutSeconds * 1_000L));
  }

  /** Waits for the n-th such line, or the job's end; empty if that came first. */
  Optional<Output.Line> awaitLinesOrEnd(int count, String... parts) {
    try {
      return output.await(all(parts), count, timeoutSeconds * 1_000L);
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  /** Sleeps, but no longer than the job lives. Returns whether it still lives. */
  boolean livesFor(long millis) {
    try {
      return !mpirun.waitFor(millis, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  /** Waits until this job or the other has ended; true if it was this one. */
  boolean endsBefore(MpiJob other) {
    for (long left = timeoutSeconds * 1_000L; left > 0; left -= 20) {
      if (!livesFor(10)) {
        return true;
      }
      if (!other.livesFor(10)) {
        return false;
      }
    }
    throw hangs("did not end, nor did the other, within " + timeoutSeconds + " s");
  }

  private interface Wait<T> {
    T get() throws InterruptedException;
  }

  private static Predicate<String> all(String... parts) {
    return line -> {
      for (String part : parts) {
        if (!line.contains(part)) {
          return false;
        }
      }
      return true;
    };
  }

  /** Waits for mpirun's end and what it printed; a job that hangs is shown and killed. */
  Outcome finish() {
    try {
      if (!mpirun.waitFor(timeoutSeconds, TimeUnit.SECONDS)) {
        throw hangs("did not end within " + timeoutSeconds + " s");
      }
      awaitNoRanks();
      if (!output.awaitEnd(TimeUnit.SECONDS.toMillis(timeoutSeconds))) {
        throw hangs("keeps its output open after mpirun's end");
      }
      return new Outcome(what, mpirun.exitValue(), output.lines());
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  /**
   * The end of a job without {@code cairn run} that has lost a node, as soon as mpirun has noticed.
   * It isn't waited for: in some of these cases Open MPI 4.1.4's never ends.
   */
  Outcome finishAfterALoss() {
    awaitLinesOrEnd(1, "ORTE has lost communication with a remote daemon");
    killAll();
    return finish();
  }

  /** Ranks may outlive mpirun by a moment when it was killed; not longer. */
  private void awaitNoRanks() throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(timeoutSeconds);
    while (!Processes.withMark(mark).isEmpty()) {
      if (System.nanoTime() > deadline) {
        throw hangs("has processes left after mpirun's end");
      }
      Thread.sleep(10);
    }
  }

  /** Its ranks that are alive, in order. */
  List<Processes.Marked> ranks() {
    return Processes.withMark(mark).stream()
        .filter(Processes.Marked::isRank)
        .sorted(Comparator.comparingInt(Processes.Marked::rank))
        .toList();
  }

  /** SIGKILL for one rank; false if it isn't alive (yet, or any more). */
  boolean kill(int rank) {
    for (Processes.Marked process : Processes.withMark(mark)) {
      if (process.rank() == rank) {
        process.kill();
        return true;
      }
    }
    return false;
  }

  /** SIGTERM for mpirun, or the tool that has started it. */
  void terminate() {
    // Process.destroy would close the pipes, and what is printed last be lost.
    mpirun.toHandle().destroy();
  }

  /** SIGKILL for mpirun and all ranks, as a power cut would. False if nothing was alive. */
  boolean killAll() {
    boolean any = false;
    // mpirun first: it would have the time to say goodbye to the ranks.
    if (mpirun.isAlive()) {
      mpirun.destroyForcibly();
      any = true;
    }
    for (List<Processes.Marked> left = Processes.withMark(mark);
        !left.isEmpty();
        left = Processes.withMark(mark)) {
      left.forEach(Processes.Marked::kill);
      any = true;
    }
    return any;
  }

  List<Processes.Marked> processes() {
    return Processes.withMark(mark);
  }

  /** Since it was started; lines have the same time. */
  long millis() {
    return output.millis();
  }

  /** What it has printed so far. */
  List<String> printed() {
    return output.lines().stream().map(Output.Line::text).toList();
  }

  private Output.Line within(String wanted, Wait<Optional<Output.Line>> wait) {
    try {
      return wait.get()
          .orElseThrow(() -> mpirun.isAlive() ? hangs("has not printed " + wanted) : ended(wanted));
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  private AssertionError ended(String wanted) {
    return new Outcome(what, finish().exitCode(), output.lines())
        .failure("ended without " + wanted);
  }

  /** Shows where every thread of every rank stands, then kills them. */
  private AssertionError hangs(String problem) {
    String threads =
        Processes.withMark(mark).stream().map(Processes::threads).collect(Collectors.joining("\n"));
    killAll();
    return new AssertionError(
        what
            + " "
            + problem
            + "; it printed:\n"
            + output.lines().stream().map(Output.Line::toString).collect(Collectors.joining("\n"))
            + "\n"
            + threads);
  }

  private AssertionError interrupted(InterruptedException e) {
    killAll();
    Thread.currentThread().interrupt();
    return new AssertionError("interrupted", e);
  }
}

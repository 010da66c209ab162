// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import io.cairn.cli.run.Action.Outcome;
import io.cairn.store.StoreView;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Does what a {@link Supervisor} wants, and tells it what happens. */
public final class Runner {
  private static final long TICK_MILLIS = 200;
  private static final long STATUS_MILLIS = 1_000;

  /** For what processes have printed just before their end. */
  private static final long OUTPUT_MILLIS = 2_000;

  /** For mpirun to start next to nothing. */
  private static final long TRIAL_MILLIS = 30_000;

  private static final String PREFIX = "CAIRN_";
  private static final String INTERNAL_PREFIX = "CAIRN_INTERNAL_";

  private final RunSettings settings;
  private final Mpirun mpirun;
  private final Map<String, String> environment;
  private final Path eventFile;
  private final Epochs epochs;
  private final Supervisor supervisor;
  private final RemoteShell shell;
  private final Console console;
  private final EventFile events;
  private final Random random = new SecureRandom();
  private final String mark = hex(16);
  private final BlockingQueue<Event> queue = new LinkedBlockingQueue<>();
  private final CountDownLatch ended = new CountDownLatch(1);
  private final boolean local;

  /** Of all launches so far, as far as they are known. */
  private final Set<Integer> families = ConcurrentHashMap.newKeySet();

  private Listener listener;
  private volatile Process process;
  private final AtomicInteger noted = new AtomicInteger();
  private List<Thread> readers = List.of();
  private Path hostfile;
  private String jobDirectory = "";
  private Outcome outcome;
  private long begunNanos;

  /** What the runner gets from outside. */
  public record World(
      PrintStream out,
      PrintStream err,
      boolean terminal,
      int columns,
      Map<String, String> environment) {}

  /**
   * @param agent the remote agent and its first words, for scripts on hosts
   * @param hostTimeoutNanos for a host to answer
   * @param eventFile where events are written; null for the job's directory
   */
  public Runner(
      RunSettings settings,
      Mpirun mpirun,
      List<String> agent,
      long hostTimeoutNanos,
      Path eventFile,
      Epochs epochs,
      World world) {
    this.settings = settings;
    this.mpirun = mpirun;
    this.eventFile = eventFile;
    this.epochs = epochs;
    environment = world.environment();
    supervisor = new Supervisor(settings);
    shell = new RemoteShell(agent, TimeUnit.NANOSECONDS.toMillis(hostTimeoutNanos));
    console = new Console(world.out(), world.err(), world.terminal(), world.columns());
    events = new EventFile(mark.substring(0, 12));
    local = settings.hosts().stream().allMatch(Host::isLocal);
  }

  private String hex(int bytes) {
    byte[] drawn = new byte[bytes];
    random.nextBytes(drawn);
    return HexFormat.of().formatHex(drawn);
  }

  /** Blocks until the job is done, or can't be. */
  public Outcome run() throws IOException, InterruptedException {
    begunNanos = System.nanoTime();
    Thread hook = new Thread(this::interruptAndWait, "interrupt");
    Runtime.getRuntime().addShutdownHook(hook);
    try (Listener open = new Listener(hostNames(), random, this::reported, this::stranded)) {
      listener = open;
      if (eventFile != null) {
        events.place(eventFile);
      }
      record("run", Map.of("ranks", settings.ranks(), "command", mpirun.command(), "pid", pid()));
      queue.add(new Event.Begun());
      loop();
    } finally {
      console.status("");
      if (hostfile != null) {
        Files.deleteIfExists(hostfile);
      }
      ended.countDown();
    }
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // It is what ended this run.
    }
    return outcome;
  }

  private static long pid() {
    return ProcessHandle.current().pid();
  }

  /** The JVM ends by a signal: not before the launch has. */
  private void interruptAndWait() {
    queue.add(new Event.Interrupted());
    try {
      ended.await(1, TimeUnit.MINUTES);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void loop() throws InterruptedException, IOException {
    long tickedNanos = System.nanoTime();
    long shownNanos = tickedNanos;
    while (outcome == null) {
      Event event = queue.poll(TICK_MILLIS, TimeUnit.MILLISECONDS);
      if (event != null) {
        perform(supervisor.on(event, System.nanoTime()));
      }
      long now = System.nanoTime();
      if (outcome == null && now - tickedNanos >= TimeUnit.MILLISECONDS.toNanos(TICK_MILLIS)) {
        tickedNanos = now;
        perform(supervisor.on(new Event.Tick(), now));
      }
      if (now - shownNanos >= TimeUnit.MILLISECONDS.toNanos(STATUS_MILLIS)) {
        shownNanos = now;
        console.status(StatusLine.of(supervisor.status(), local, now - begunNanos));
      }
    }
  }

  // ---- what happens

  private void noteFamily(Process mpirun) {
    JobFamily.of(JobFamily.sessions(environment), mpirun.pid()).ifPresent(families::add);
  }

  private void reported(int launch, Report report) {
    if (noted.getAndSet(launch) != launch) {
      noteFamily(process); // when the launch ends it may have deleted what tells
    }
    queue.add(new Event.Reported(launch, report));
    placeEvents(report.directory());
  }

  private void stranded(int launch, String who) {
    queue.add(new Event.Stranded(launch, who));
  }

  /** Of the hosts that are to report; none if it is this machine alone. */
  private List<String> hostNames() {
    return local ? List.of() : settings.hosts().stream().map(Host::name).toList();
  }

  private synchronized void placeEvents(String directory) {
    if (!directory.equals(jobDirectory) && !directory.isEmpty()) {
      jobDirectory = directory;
      if (eventFile == null && !events.isPlaced()) {
        Path path = Path.of(directory);
        // A disk of rank 0's node isn't seen from here.
        events.place(
            EventFile.isUsable(path)
                ? path.resolve(StoreView.EVENTS)
                : Path.of(path.getFileName() + "-" + StoreView.EVENTS).toAbsolutePath());
      }
    }
  }

  private synchronized void record(String event, Map<String, Object> fields) {
    events.write(Instant.now(), event, fields);
    String problem = events.takeProblem();
    if (!problem.isEmpty()) {
      console.say("warning: events can't be written to " + problem);
    }
  }

  // ---- what is to be done

  private void perform(List<Action> actions) throws InterruptedException, IOException {
    for (Action action : actions) {
      if (action instanceof Action.Look look) {
        look(look);
      } else if (action instanceof Action.Launch launch) {
        launch(launch);
      } else if (action instanceof Action.Terminate) {
        // Not Process.destroy: it closes the pipes, and what is printed last is lost.
        process.toHandle().destroy();
      } else if (action instanceof Action.Kill) {
        process.toHandle().destroyForcibly();
      } else if (action instanceof Action.Disown disown) {
        listener.disown(disown.launch());
      } else if (action instanceof Action.Dump dump) {
        dump(dump);
      } else if (action instanceof Action.AskOlder ask) {
        older(ask);
      } else if (action instanceof Action.Tell tell) {
        if (!tell.text().isEmpty()) {
          console.say(tell.text());
        }
        record(tell.event(), tell.fields());
      } else if (action instanceof Action.Finish finish) {
        finish(finish);
      }
    }
  }

  private static void inBackground(String name, Runnable work) {
    Thread thread = new Thread(work, name);
    thread.setDaemon(true);
    thread.start();
  }

  /** All at once; each is told of when it has answered. */
  private void look(Action.Look look) {
    for (Host host : look.hosts()) {
      inBackground(
          "host " + host.shown(),
          () -> {
            HostState state;
            try {
              state = shell.look(host, mark, look.clearUpTo(), families);
              if (state.isThere() && look.trials().contains(host)) {
                state = trial(state, look.clearUpTo());
              }
            } catch (Throwable e) {
              state = HostState.gone(host, e.toString());
            }
            queue.add(new Event.Looked(look.look(), List.of(state)));
          });
    }
  }

  /** Whether mpirun can start something there, and finds the program. */
  private HostState trial(HostState host, int launch) throws IOException, InterruptedException {
    Path file = Files.createTempFile("cairn-hosts", "");
    try {
      Mpirun.writeHostfile(file, Placement.one(host.host()));
      ProcessBuilder builder =
          new ProcessBuilder(mpirun.trial(file, HostScript.mark(mark, launch)));
      setEnvironment(builder.environment(), Map.of(), true);
      Optional<String> problem = RemoteShell.problem(builder, TRIAL_MILLIS);
      return problem
          .map(p -> HostState.unusable(host.host(), "mpirun can't start the program there: " + p))
          .orElse(host);
    } finally {
      Files.deleteIfExists(file);
    }
  }

  private void dump(Action.Dump dump) {
    for (Host host : dump.placement().hosts()) {
      inBackground(
          "dump " + host.shown(),
          () -> {
            try {
              shell.run(host, HostScript.dump(mark, dump.launch()));
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
            }
          });
    }
  }

  private void launch(Action.Launch launch) throws IOException {
    if (!local) {
      if (hostfile == null) {
        hostfile = Files.createTempFile("cairn-hosts", "");
      }
      Mpirun.writeHostfile(hostfile, launch.placement());
    }
    Map<String, String> own = new TreeMap<>();
    own.put(Mpirun.LISTENER_VARIABLE, listener.address());
    own.put(Mpirun.TOKEN_VARIABLE, listener.expect(launch.launch()));
    if (!environment.containsKey(Mpirun.LOCK_WAIT_VARIABLE)) {
      own.put(Mpirun.LOCK_WAIT_VARIABLE, Mpirun.LOCK_WAIT);
    }
    if (!launch.avoid().isEmpty()) {
      own.put(Mpirun.AVOID_VARIABLE, String.join(",", new TreeSet<>(launch.avoid())));
    }
    TreeSet<String> passedOn = new TreeSet<>(own.keySet());
    environment.keySet().stream()
        .filter(name -> name.startsWith(PREFIX) && !name.startsWith(INTERNAL_PREFIX))
        .forEach(passedOn::add);
    ProcessBuilder builder =
        new ProcessBuilder(
            mpirun.commandLine(
                settings.ranks(), hostfile, HostScript.mark(mark, launch.launch()), passedOn));
    setEnvironment(builder.environment(), own, launch.placement().oversubscribed());
    builder.redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()));
    try {
      process = builder.start();
    } catch (IOException e) {
      queue.add(
          new Event.NotStarted(launch.launch(), "mpirun can't be started: " + e.getMessage()));
      return;
    }
    readers =
        List.of(
            Pipes.follow(process.getInputStream(), console::out, "out"),
            Pipes.follow(process.getErrorStream(), console::err, "err"));
    Process started = process;
    inBackground(
        "mpirun",
        () -> {
          try {
            int exitCode = started.waitFor();
            noteFamily(started);
            queue.add(new Event.Exited(launch.launch(), exitCode));
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
        });
  }

  private void setEnvironment(
      Map<String, String> variables, Map<String, String> own, boolean oversubscribed) {
    variables.clear();
    environment.forEach(
        (name, value) -> {
          // Of a run that this one is part of.
          if (!name.startsWith(INTERNAL_PREFIX)) {
            variables.put(name, value);
          }
        });
    Mpirun.defaults(oversubscribed).forEach(variables::putIfAbsent);
    variables.putAll(own);
  }

  /** Reads images' indexes: on a thread of its own, it may take a while. */
  private void older(Action.AskOlder ask) {
    inBackground(
        "epochs",
        () -> {
          Event.Older answer = new Event.Older(false, "");
          try {
            answer = epochs.older(ask);
          } catch (IOException | RuntimeException e) {
            console.say("no older epoch can be looked for: " + e.getMessage());
          }
          queue.add(answer);
        });
  }

  private void finish(Action.Finish finish) throws InterruptedException {
    for (Thread reader : readers) {
      reader.join(OUTPUT_MILLIS);
    }
    console.status("");
    List<String> summary = new ArrayList<>();
    summary.add(finish.verdict());
    Supervisor.Status last = supervisor.status();
    summary.add(
        "%s in all, %d %s, last epoch %s"
            .formatted(
                Times.show(System.nanoTime() - begunNanos),
                last.restarts(),
                last.restarts() == 1 ? "restart" : "restarts",
                last.epoch().isEmpty() ? "none" : last.epoch()));
    console.say(String.join("; ", summary));
    outcome = finish.outcome();
  }
}

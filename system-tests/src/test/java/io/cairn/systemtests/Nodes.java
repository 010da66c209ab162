// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Several nodes on this machine, as real as Linux's namespaces make them: each has a host name, an
 * address, processes and a folder of its own, and is reached over a network whose links can be cut.
 * All else of the file system is shared by them, as if by NFS.
 *
 * <p>A node lives as long as its first process does, which waits for the end of its input: when
 * these tests end, in whatever way, the nodes end with all their processes, and their links with
 * them. What may be left is a bridge; whoever takes its number next removes it. A number is taken
 * by a file lock, so that tests on one machine don't get in each other's way.
 */
final class Nodes implements AutoCloseable {

  /** One folder for all processes on this machine. */
  private static final Path NUMBERS = Path.of("/tmp/cairn-test-nodes");

  private static final int MOST_NUMBERS = 200;

  /** For tests of networks, by RFC 2544: nobody's network. */
  private static final String NETWORK = "198.18.";

  private static final int COMMAND_SECONDS = 30;

  /** Ten seconds. */
  private static final int LEFT_LOOKS = 1_000;

  /** Seconds that a node which can't be reached keeps the agent waiting. */
  private static final int REACH_SECONDS = 1;

  private final List<Node> nodes = new ArrayList<>();
  private final int number;
  private final FileChannel lockFile;
  private final FileLock lock;
  private final Path folder;
  private final int slots;

  /** A node, whether it is on or off. */
  private static final class Node {
    Process first; // null while it is off
    long pid;
  }

  /** Why there can be no nodes here; empty if there can. */
  static Optional<String> problem() {
    if (!"root".equals(System.getProperty("user.name"))) {
      return Optional.of("several nodes on one machine need root, for network namespaces");
    }
    for (String tool : List.of("ip", "unshare", "nsenter")) {
      if (Processes.output(List.of(tool, "--version"), COMMAND_SECONDS).contains("IOException")
          && Processes.output(List.of(tool, "-V"), COMMAND_SECONDS).contains("IOException")) {
        return Optional.of(
            "several nodes on one machine need the command '%s' (Debian's packages: iproute2, util-linux)"
                .formatted(tool));
      }
    }
    String said =
        Processes.output(
            List.of("unshare", "-m", "-u", "-i", "-n", "-p", "--fork", "true"), COMMAND_SECONDS);
    return said.isEmpty()
        ? Optional.empty()
        : Optional.of("this system allows no namespaces of one's own: " + said.strip());
  }

  /**
   * Starts nodes, which are numbered from 1.
   *
   * @param folder for what belongs to them; empty
   * @param slots of each, in the hostfile
   */
  Nodes(int count, int slots, Path folder) throws IOException {
    this.folder = folder;
    this.slots = slots;
    Files.createDirectories(NUMBERS);
    int taken = -1;
    FileChannel channel = null;
    FileLock held = null;
    removeLeftovers();
    for (int candidate = 0; candidate < MOST_NUMBERS && held == null; candidate++) {
      channel =
          FileChannel.open(
              NUMBERS.resolve(Integer.toString(candidate)),
              StandardOpenOption.CREATE,
              StandardOpenOption.WRITE);
      held = tryLock(channel);
      taken = candidate;
      if (held == null) {
        channel.close();
      }
    }
    if (held == null) {
      throw new IOException(MOST_NUMBERS + " sets of nodes are in use on this machine already");
    }
    number = taken;
    lockFile = channel;
    lock = held;
    try {
      Files.createDirectory(local());
      ip("link", "add", bridge(), "type", "bridge");
      ip("addr", "add", NETWORK + number + ".254/24", "dev", bridge());
      ip("link", "set", bridge(), "up");
      writeAgent();
      for (int i = 1; i <= count; i++) {
        nodes.add(new Node());
        Files.createDirectory(storage(i));
        boot(i);
      }
    } catch (Throwable e) {
      close();
      throw e;
    }
  }

  /** Bridges of tests that were killed. */
  private static void removeLeftovers() throws IOException {
    for (int candidate = 0; candidate < MOST_NUMBERS; candidate++) {
      if (Files.exists(Path.of("/sys/class/net/" + bridge(candidate)))) {
        try (FileChannel channel =
                FileChannel.open(
                    NUMBERS.resolve(Integer.toString(candidate)),
                    StandardOpenOption.CREATE,
                    StandardOpenOption.WRITE);
            FileLock lock = tryLock(channel)) {
          if (lock != null) {
            Processes.output(List.of("ip", "link", "del", bridge(candidate)), COMMAND_SECONDS);
          }
        }
      }
    }
  }

  private static FileLock tryLock(FileChannel channel) throws IOException {
    try {
      return channel.tryLock();
    } catch (OverlappingFileLockException e) {
      return null; // Another test of this process.
    }
  }

  private String bridge() {
    return bridge(number);
  }

  private static String bridge(int number) {
    return "cairn" + number;
  }

  private String link(int node) {
    return bridge() + "-" + node;
  }

  /** The address of a node: its name in hostfiles. */
  String host(int node) {
    return NETWORK + number + "." + node;
  }

  /** What a node calls itself. */
  String name(int node) {
    return bridge() + "-node" + node;
  }

  int count() {
    return nodes.size();
  }

  /** The path of the folder that each node has for itself. */
  Path local() {
    return folder.resolve("local");
  }

  /** Where a node's own folder is seen from outside. */
  Path storage(int node) {
    return folder.resolve("node" + node);
  }

  /** How mpirun and the tool reach nodes: a command that answers like ssh. */
  Path agent() {
    return folder.resolve("agent");
  }

  /** Writes a hostfile of these nodes, in this order. */
  Path hostfile(int... wanted) {
    return hostfile(
        IntStream.of(wanted)
            .boxed()
            .collect(
                Collectors.toMap(
                    node -> node, node -> "slots=" + slots, (a, b) -> a, TreeMap::new)));
  }

  /** The same, with settings of each. */
  Path hostfile(Map<Integer, String> settings) {
    try {
      Path file = Files.createTempFile(folder, "hosts", "");
      return Files.write(
          file,
          settings.entrySet().stream().map(e -> host(e.getKey()) + " " + e.getValue()).toList());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A hostfile of all. */
  Path hostfile() {
    return hostfile(IntStream.rangeClosed(1, count()).toArray());
  }

  /** So that Open MPI uses this network and no other. */
  void mpiEnvironment(Map<String, String> environment) {
    String network = NETWORK + number + ".0/24";
    environment.put("OMPI_MCA_btl_tcp_if_include", network);
    environment.put("OMPI_MCA_oob_tcp_if_include", network);
    environment.put("OMPI_MCA_btl", "tcp,vader,self");
  }

  /**
   * Of the variables of whoever calls, a node sees those that ssh would let through, the tests'
   * mark by which its processes are found, and where temporary files belong.
   */
  private void writeAgent() throws IOException {
    Files.writeString(
        agent(),
        """
        #!/bin/bash
        host=$1
        shift
        pid=$(cat "%1$s/${host##*.}.pid" 2>/dev/null)
        # As ssh: a node that can't be reached gives 255.
        if ! timeout %2$d bash -c "exec 3<>/dev/tcp/$host/9" 2>&1 | grep -q refused || [[ -z $pid ]]; then
          echo "connect to host $host: no answer" >&2
          exit 255
        fi
        # A session of its own, as behind a network: whoever kills this process kills nothing there.
        exec nsenter -t "$pid" -m -u -i -n -p -- setsid env -i PATH="$PATH" HOME="$HOME" TMPDIR="$TMPDIR" \\
          %3$s="$%3$s" OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 bash -c "$*"
        """
            .formatted(folder, REACH_SECONDS, Processes.MARK));
    Files.setPosixFilePermissions(agent(), PosixFilePermissions.fromString("rwx------"));
  }

  /** Switches a node on that is off; what was in its folder is there still. */
  void boot(int node) {
    Node booted = nodes.get(node - 1);
    if (booted.first != null) {
      throw new AssertionError("node " + node + " is on already");
    }
    String script =
        """
        hostname %s && mount --bind %s %s && ip link set lo up && echo ready
        read forever
        """
            .formatted(name(node), storage(node), local());
    List<String> command = new ArrayList<>(List.of("unshare", "-m", "-u", "-i", "-n", "-p"));
    command.addAll(List.of("--fork", "--kill-child", "--mount-proc", "--propagation", "private"));
    command.addAll(List.of("bash", "-c", script));
    try {
      Process first = new ProcessBuilder(command).redirectErrorStream(true).start();
      booted.first = first;
      String said = firstLine(first);
      if (!said.equals("ready")) {
        throw new AssertionError("node " + node + " doesn't start: " + said);
      }
      booted.pid = first.children().findFirst().orElseThrow().pid();
      String pid = Long.toString(booted.pid);
      // Of tests that were killed: the kernel takes its time to end a network.
      Processes.output(List.of("ip", "link", "del", link(node)), COMMAND_SECONDS);
      ip("link", "add", link(node), "type", "veth", "peer", "name", "eth0", "netns", pid);
      ip("link", "set", link(node), "master", bridge(), "up");
      // The same as before it was off: others remember it.
      inNetwork(
          pid, "link", "set", "eth0", "address", "02:ca:12:00:%02x:%02x".formatted(number, node));
      inNetwork(pid, "addr", "add", host(node) + "/24", "dev", "eth0");
      inNetwork(pid, "link", "set", "eth0", "up");
      allowLogin(node, true);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Whether the remote agent gets in; all else that comes over the network does. */
  void allowLogin(int node, boolean allowed) {
    try {
      if (allowed) {
        Files.writeString(pidFile(node), Long.toString(nodes.get(node - 1).pid));
      } else {
        Files.deleteIfExists(pidFile(node));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Path pidFile(int node) {
    return folder.resolve(node + ".pid");
  }

  private static String firstLine(Process process) {
    CompletableFuture<String> line =
        CompletableFuture.supplyAsync(
            () -> {
              BufferedReader reader =
                  new BufferedReader(
                      new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
              try {
                String first = reader.readLine();
                return first == null ? "it has ended" : first;
              } catch (IOException e) {
                return e.toString();
              }
            });
    try {
      return line.get(COMMAND_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return "interrupted";
    } catch (ExecutionException | TimeoutException e) {
      return e.toString();
    }
  }

  /** A node crashes: all its processes end at once, and it can't be reached any more. */
  void kill(int node) {
    Node killed = nodes.get(node - 1);
    if (killed.first == null) {
      return;
    }
    try {
      allowLogin(node, false);
      // The first process of a process namespace takes all others with it.
      if (killed.pid > 0) {
        ProcessHandle.of(killed.pid).ifPresent(ProcessHandle::destroyForcibly);
      } else {
        killed.first.destroyForcibly();
      }
      if (!killed.first.waitFor(COMMAND_SECONDS, TimeUnit.SECONDS)) {
        throw new AssertionError("node " + node + " can't be killed");
      }
      killed.first = null;
      killed.pid = 0;
      // With its other end it goes by itself, but not at once.
      Processes.output(List.of("ip", "link", "del", link(node)), COMMAND_SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted", e);
    }
  }

  /** A node is lost silently: it works on, and nothing goes to it or comes from it. */
  void cut(int node) {
    ip("link", "set", link(node), "down");
  }

  /** The end of {@link #cut}. */
  void heal(int node) {
    ip("link", "set", link(node), "up");
  }

  /** Empties a node's own folder. */
  void wipe(int node) {
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(storage(node))) {
      for (Path entry : entries) {
        Workbench.delete(entry);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A command on a node, not over its network; what it printed. */
  String on(int node, String... command) {
    String pid = Long.toString(nodes.get(node - 1).pid);
    List<String> all =
        new ArrayList<>(List.of("nsenter", "-t", pid, "-m", "-u", "-i", "-n", "-p", "--"));
    all.addAll(List.of(command));
    return Processes.output(all, COMMAND_SECONDS);
  }

  /** What runs on a node but for its first process: pid and command line of each. */
  List<String> processes(int node) {
    Node asked = nodes.get(node - 1);
    if (asked.first == null) {
      return List.of();
    }
    List<String> found = new ArrayList<>();
    try {
      Path own = Files.readSymbolicLink(Path.of("/proc/" + asked.pid + "/ns/pid"));
      try (DirectoryStream<Path> entries = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
        for (Path entry : entries) {
          String pid = entry.getFileName().toString();
          if (!pid.equals(Long.toString(asked.pid)) && isIn(entry, own)) {
            String line = Processes.commandLine(Long.parseLong(pid));
            // One without a command line is ending: its memory is gone already.
            if (!line.isEmpty() && !line.equals(Processes.ENDED)) {
              found.add(pid + ": " + line);
            }
          }
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return found;
  }

  /** What goes on running: what mpirun has killed at its end is gone a little later. */
  List<String> left(int node) {
    List<String> left = processes(node);
    for (int i = 0; i < LEFT_LOOKS && !left.isEmpty(); i++) {
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(10));
      left = processes(node);
    }
    return left;
  }

  private static boolean isIn(Path process, Path namespace) {
    try {
      return Files.readSymbolicLink(process.resolve("ns").resolve("pid")).equals(namespace)
          // A zombie runs no more; its parent will hear of it.
          && !Files.readString(process.resolve("stat"), StandardCharsets.ISO_8859_1)
              .matches("(?s).*\\) Z .*");
    } catch (IOException e) {
      return false; // It has ended.
    }
  }

  private static void inNetwork(String pid, String... words) {
    List<String> command = new ArrayList<>(List.of("nsenter", "-t", pid, "-n", "ip"));
    command.addAll(List.of(words));
    require(command);
  }

  private static void ip(String... words) {
    List<String> command = new ArrayList<>(List.of("ip"));
    command.addAll(List.of(words));
    require(command);
  }

  private static void require(List<String> command) {
    String said = Processes.output(command, COMMAND_SECONDS);
    if (!said.isEmpty()) {
      throw new AssertionError(String.join(" ", command) + ": " + said.strip());
    }
  }

  /** Ends all nodes and what runs on them. */
  @Override
  public void close() throws IOException {
    try {
      for (int node = 1; node <= count(); node++) {
        kill(node);
      }
      Processes.output(List.of("ip", "link", "del", bridge()), COMMAND_SECONDS);
    } finally {
      lock.release();
      lockFile.close();
    }
  }
}

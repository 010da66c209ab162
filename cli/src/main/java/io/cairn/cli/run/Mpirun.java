// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import io.cairn.cli.run.Placement.Share;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * How mpirun is called.
 *
 * @param program its name or path
 * @param options the user's, which win over ours
 * @param agent the remote agent, as the user gave it; empty for mpirun's own choice
 * @param command the program of the ranks and its arguments
 */
public record Mpirun(String program, List<String> options, String agent, List<String> command) {

  /**
   * An MCA parameter that nobody reads: it is in the environment of each rank, and in the command
   * lines of mpirun and its daemons.
   */
  static final String MARK_PARAMETER = "cairn_run";

  /** What is left of a launch that was cut off may take a while to give the job up. */
  static final String LOCK_WAIT_VARIABLE = "CAIRN_LOCK_WAIT";

  static final String LOCK_WAIT = "30s";

  static final String AVOID_VARIABLE = "CAIRN_INTERNAL_AVOID";
  static final String LISTENER_VARIABLE = "CAIRN_INTERNAL_LISTENER";
  static final String TOKEN_VARIABLE = "CAIRN_INTERNAL_TOKEN";

  public Mpirun {
    options = List.copyOf(options);
    command = List.copyOf(command);
  }

  /**
   * What the user has not set otherwise. A daemon whose host is lost is noticed after seconds
   * instead of never; a JVM has more threads than the one core that a rank would be bound to.
   */
  static Map<String, String> defaults(boolean oversubscribed) {
    Map<String, String> defaults = new LinkedHashMap<>();
    defaults.put("OMPI_MCA_oob_tcp_keepalive_time", "3");
    defaults.put("OMPI_MCA_oob_tcp_keepalive_intvl", "1");
    defaults.put("OMPI_MCA_oob_tcp_keepalive_probes", "3");
    defaults.put("OMPI_MCA_hwloc_base_binding_policy", "none");
    if (oversubscribed) {
      defaults.put("OMPI_MCA_rmaps_base_oversubscribe", "1");
      defaults.put("OMPI_MCA_mpi_yield_when_idle", "1");
    }
    return defaults;
  }

  /**
   * The command line.
   *
   * @param hostfile what {@link #writeHostfile} wrote; null on this machine alone
   * @param variables passed on to the ranks, by name: their values are in no command line
   */
  List<String> commandLine(int ranks, Path hostfile, String mark, TreeSet<String> variables) {
    // In a session of its own, so that a terminal's signals go to the tool only.
    List<String> line = new ArrayList<>(List.of("setsid", program, "-n", Integer.toString(ranks)));
    line.addAll(List.of("--mca", MARK_PARAMETER, mark));
    if (hostfile != null) {
      line.addAll(List.of("--hostfile", hostfile.toString(), "--map-by", "slot"));
      if (!agent.isEmpty()) {
        line.addAll(List.of("--mca", "plm_rsh_agent", agent));
      }
    }
    variables.forEach(name -> line.addAll(List.of("-x", name)));
    line.addAll(options);
    line.addAll(command);
    return line;
  }

  /**
   * Looks for the program on one host.
   *
   * @param hostfile names it
   */
  List<String> trial(Path hostfile, String mark) {
    List<String> line = new ArrayList<>(List.of("setsid", program, "-n", "1"));
    line.addAll(List.of("--mca", MARK_PARAMETER, mark, "--hostfile", hostfile.toString()));
    if (!agent.isEmpty()) {
      line.addAll(List.of("--mca", "plm_rsh_agent", agent));
    }
    line.addAll(options);
    line.addAll(
        List.of(
            "sh",
            "-c",
            "command -v \"$0\" >/dev/null || { echo \"no program $0\" >&2; exit 127; }",
            command.get(0)));
    return line;
  }

  /** As many slots as each host has ranks, in their order. */
  static void writeHostfile(Path file, Placement placement) throws IOException {
    Files.writeString(
        file,
        placement.shares().stream().map(Mpirun::line).collect(Collectors.joining("\n", "", "\n")));
  }

  private static String line(Share share) {
    return share.host().name() + " slots=" + share.ranks();
  }
}

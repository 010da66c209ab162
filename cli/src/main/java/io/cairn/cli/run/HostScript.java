// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import java.util.HashMap;
import java.util.Map;

/**
 * What is run on each host: ends what carries a run's mark in its environment or command line, and
 * tells how much the host has to give. Needs a POSIX shell, grep -o, awk, and Linux's /proc.
 */
final class HostScript {
  private static final String GREETING = "cairn-host 1";

  private HostScript() {}

  /** What the processes of a launch carry. */
  static String mark(String run, int launch) {
    return run + "." + launch + ".";
  }

  /**
   * Tells how the host is.
   *
   * @param run letters and digits
   * @param clearUpTo whatever is left of launches up to this one is ended: asked to first, then
   *     killed; nothing if 0
   */
  static String look(String run, int clearUpTo) {
    String end =
        """
        left=$(found)
        if [ -n "$left" ]; then
          kill -CONT $left 2>/dev/null
          kill -TERM $left 2>/dev/null
          n=0
          while [ -n "$left" ] && [ $n -lt 10 ]; do sleep 0.1; left=$(found); n=$((n + 1)); done
          n=0
          while [ -n "$left" ] && [ $n -lt 30 ]; do
            kill -KILL $left 2>/dev/null; sleep 0.1; left=$(found); n=$((n + 1))
          done
        fi
        echo "leftovers=$(echo $left | wc -w)"
        """;
    String look =
        """
        echo "%s"
        echo "memory=$(sed -n 's/^MemAvailable: *\\([0-9]*\\) kB$/\\1/p' /proc/meminfo)"
        read load rest </proc/loadavg; echo "load=$load"
        echo "cores=$(grep -c '^processor' /proc/cpuinfo)"
        """
            .formatted(GREETING);
    return look + (clearUpTo > 0 ? found(run, 1, clearUpTo) + end : "") + "exit 0\n";
  }

  /** Has the JVMs of a launch's ranks print where their threads stand. */
  static String dump(String run, int launch) {
    return found(run, launch, launch)
        + """
        for p in $(found); do
          case $(readlink /proc/$p/exe) in
            */java) kill -QUIT $p 2>/dev/null ;;
          esac
        done
        exit 0
        """;
  }

  /** A shell function that prints the processes of some launches. */
  private static String found(String run, int first, int last) {
    // A pattern that doesn't match itself, in grep's own command line.
    String pattern = run.substring(0, run.length() - 1) + "[" + run.charAt(run.length() - 1) + "]";
    return """
        found() {
          grep -aosH '%s\\.[0-9]*\\.' /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null |
            awk -F '[/:.]' '$(NF-1) >= %d && $(NF-1) <= %d { print $3 }' | sort -un
        }
        """
        .formatted(pattern, first, last);
  }

  static HostState parse(Host host, String text) {
    if (!text.contains(GREETING)) {
      return HostState.gone(
          host,
          "it answers, but runs no shell script: '" + text.lines().findFirst().orElse("") + "'");
    }
    Map<String, String> values = new HashMap<>();
    text.lines()
        .filter(line -> line.indexOf('=') > 0)
        .forEach(
            line ->
                values.put(
                    line.substring(0, line.indexOf('=')),
                    line.substring(line.indexOf('=') + 1).strip()));
    return new HostState(
        host,
        "",
        false,
        (long) (number(values.get("memory")) * 1024),
        number(values.get("load")),
        (int) number(values.get("cores")),
        (int) number(values.get("leftovers")));
  }

  private static double number(String value) {
    try {
      return value == null || value.isEmpty() ? 0 : Math.max(0, Double.parseDouble(value));
    } catch (NumberFormatException e) {
      return 0;
    }
  }
}

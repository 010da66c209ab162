// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import java.util.HashMap;
import java.util.Map;

/**
 * What is run on each host: ends what carries a mark in its environment or command line, and tells
 * how much the host has to give. Needs a POSIX shell, grep, and Linux's /proc.
 */
final class HostScript {
  private static final String GREETING = "cairn-host 1";

  private HostScript() {}

  /**
   * The script.
   *
   * @param mark letters and digits
   * @param clear whether to end what carries the mark: asked to first, then killed
   */
  static String text(String mark, boolean clear) {
    // A pattern that doesn't match itself, in grep's own command line.
    String pattern =
        mark.substring(0, mark.length() - 1) + "[" + mark.charAt(mark.length() - 1) + "]";
    String find =
        "found() { grep -lsa '%s' /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | sort -u; }\n"
            .formatted(pattern);
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
    return look + (clear ? find + end : "") + "exit 0\n";
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

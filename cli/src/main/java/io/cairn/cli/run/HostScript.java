// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * What is run on each host: ends what carries a run's mark in its environment or command line,
 * deletes what Open MPI has left there of its launches, and tells how much the host has to give.
 * Needs a POSIX shell, grep -o, awk, find, and Linux's /proc.
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
   * @param families Open MPI's numbers of these launches, as far as they are known (those of
   *     processes that are still there are found by these)
   */
  static String look(String run, int clearUpTo, Collection<Integer> families) {
    String end =
        """
        families="%s"
        for p in $(found); do
          n=$(tr '\\0' '\\n' </proc/$p/environ | sed -n 's/^PMIX_NAMESPACE=\\([0-9]*\\)$/\\1/p')
          [ -z "$n" ] || families="$families $((n / 65536))"
        done 2>/dev/null
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
        """
            .formatted(
                families.stream().sorted().map(String::valueOf).collect(Collectors.joining(" ")));
    String look =
        """
        echo "%s"
        echo "memory=$(sed -n 's/^MemAvailable: *\\([0-9]*\\) kB$/\\1/p' /proc/meminfo)"
        read load rest </proc/loadavg; echo "load=$load"
        echo "cores=$(grep -c '^processor' /proc/cpuinfo)"
        """
            .formatted(GREETING);
    return look + (clearUpTo > 0 ? found(run, 1, clearUpTo) + end + DELETE : "") + "exit 0\n";
  }

  /**
   * Deletes what ranks and daemons of these families have left that were killed: shared memory, and
   * session directories. The number is one of 65,536, and another mpirun may have the same: what a
   * live process has mapped is left alone, and so is what isn't this user's or another host's.
   */
  private static final String DELETE =
      """
      uid=$(id -u)
      host=$(uname -n)
      used() { grep -qsF "$1" /proc/[0-9]*/maps; }
      mine() { [ -n "$(find "$1" -prune -type $2 -user "$uid" 2>/dev/null)" ]; }
      if [ -z "$left" ]; then
        tmp=${TMPDIR:-${TEMP:-${TMP:-/tmp}}}
        for family in $(echo $families | tr ' ' '\\n' | sort -u); do
          hex=$(printf %04x $family)
          for name in "$host" "${host%%.*}"; do
            for file in /dev/shm/vader_segment."$name.$uid.$hex"[0-9a-f][0-9a-f][0-9a-f][0-9a-f].*; do
              if mine "$file" f && ! used "$file"; then rm -f "$file"; fi
            done
            for dir in "$tmp/ompi.$name.$uid"/pid.* "$tmp/ompi.$name.$uid/jf.$family"; do
              mine "$dir" d || continue
              case $dir in
                */pid.*)
                  id=$(sed -n '1s/^\\([0-9]*\\)\\.0;.*/\\1/p' "$dir/contact.txt" 2>/dev/null)
                  [ -n "$id" ] && [ $((id / 65536)) -eq $family ] || continue
                  [ ! -e "/proc/${dir##*/pid.}" ] || continue ;;
              esac
              used "$dir/" || rm -rf "$dir"
            done
          done
        done
      fi
      """;

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

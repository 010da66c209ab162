# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the other scripts share: talking to the user, a log, guesses at misspelt words.

log=$root/target/cairn.log

say() {
  echo "cairn: $*"
}

die() {
  echo "cairn: $*" >&2
  exit 1
}

# Runs a command with its output in the log only; log_start is the line before it.
logged() {
  log_start=$(log_lines)
  echo "\$ $*" >>"$log"
  "$@" >>"$log" 2>&1 </dev/null
}

log_lines() {
  wc -l <"$log"
}

# Makes the folder of the log and everything else that is built.
open_log() {
  { mkdir -p "${log%/*}" && touch "$log"; } 2>/dev/null ||
    die "can't write to $root/target: work in a clone of your own"
}

# The interesting end of what was logged after the given line: no progress of Maven, no advice on how to call it.
show_log_from() {
  tail -n "+$(($1 + 1))" "$log" |
    grep -Ev '^(\[INFO\]|\[ERROR\] *(\[Help|$|-> \[Help|To see the full|Re-run Maven|For more information|After correcting|  mvn <args>)|[^ ]*\[0m|$)' |
    tail -n 40 >&2 || true
  say "the whole log: $log" >&2
}

# The known word with the smallest edit distance to the first argument; nothing if none is near.
nearest() {
  local word=$1
  shift
  printf '%s\n' "$@" | awk -v word="$word" '
    function min(a, b) { return a < b ? a : b }
    function distance(a, b,   i, j, d) {
      for (i = 0; i <= length(a); i++) d[i, 0] = i
      for (j = 0; j <= length(b); j++) d[0, j] = j
      for (i = 1; i <= length(a); i++)
        for (j = 1; j <= length(b); j++) {
          d[i, j] = min(min(d[i - 1, j], d[i, j - 1]) + 1,
                        d[i - 1, j - 1] + (substr(a, i, 1) != substr(b, j, 1)))
          # Two letters swapped are one slip.
          if (i > 1 && j > 1 && substr(a, i, 1) == substr(b, j - 1, 1) && substr(a, i - 1, 1) == substr(b, j, 1))
            d[i, j] = min(d[i, j], d[i - 2, j - 2] + 1)
        }
      return d[length(a), length(b)]
    }
    BEGIN { best = 3 }
    { d = distance(word, $0); if (d < best) { best = d; name = $0 } }
    END { print name }'
}

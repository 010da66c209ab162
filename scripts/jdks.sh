# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Finds the JDKs of this machine. After find_jdks: jdks holds "major version home" for each one that
# is new enough, the one to build with first.

oldest_jdk=17
jdks=()

find_jdks() {
  local -A seen=()
  local home javac version major real
  local -a candidates=() others=()
  jdks=()
  [[ -z ${JAVA_HOME:-} ]] || candidates+=("$JAVA_HOME")
  if javac=$(command -v javac); then
    javac=$(readlink -f "$javac")
    candidates+=("${javac%/bin/javac}")
  fi
  for home in /usr/lib/jvm/*; do candidates+=("$home"); done
  for home in "${candidates[@]}"; do
    [[ -x $home/bin/javac && -x $home/bin/java && -f $home/include/jni.h ]] || continue
    real=$(readlink -f "$home")
    [[ -z ${seen[$real]:-} ]] || continue
    seen[$real]=1
    version=$(sed -n 's/^JAVA_VERSION="\(.*\)"/\1/p' "$real/release" 2>/dev/null || true)
    [[ -n $version ]] || version=$("$real/bin/java" -version 2>&1 | sed -n '1s/.*"\(.*\)".*/\1/p')
    major=${version%%[.+-]*}
    [[ $major =~ ^[0-9]+$ && $major -ge $oldest_jdk ]] || continue
    # What the user chose comes first, then the oldest: what builds there runs everywhere.
    if [[ ${#jdks[@]} -eq 0 && ($home == "${JAVA_HOME:-}" || -n ${javac:-} && $real == "${javac%/bin/javac}") ]]; then
      jdks+=("$major $version $real")
    else
      others+=("$major $version $real")
    fi
  done
  local line
  while read -r line; do
    [[ -z $line ]] || jdks+=("$line")
  done < <(printf '%s\n' "${others[@]}" | sort -n)
}

# The parts of one entry.
jdk_major() { echo "${1%% *}"; }
jdk_version() {
  local rest=${1#* }
  echo "${rest%% *}"
}
jdk_home() { echo "${1#* * }"; }

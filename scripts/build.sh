# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Calls Maven, and keeps off it when nothing has changed.

# Maven with this build's JDK; output to the log, the modules' names to the screen.
maven() {
  local status=0
  log_start=$(log_lines)
  echo "\$ mvn $*" >>"$log"
  # Newer JDKs warn of what Maven itself does.
  local options=${MAVEN_OPTS:-}
  [[ $(jdk_major "${jdks[0]}") -lt 24 ]] ||
    options+=" --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow"
  (cd "$root" && JAVA_HOME=$build_jdk MAVEN_OPTS=$options mvn -B -ntp "$@" </dev/null 2>&1) |
    tee -a "$log" | sed -nu 's/^\[INFO\] Building \(Cairn [A-Za-z ]*\) 0.*\[\(.*\)\]$/  \2 \1/p' || status=1
  return "$status"
}

maven_said() { # extended regular expression
  tail -n "+$((log_start + 1))" "$log" | grep -Eq "$1"
}

maven_online() {
  maven "$@" && return 0
  if maven_said 'Could not transfer|transfer failed|Unknown host'; then
    die "Maven can't download what is missing in $(local_repository) (no network? log: $log); with a network, run: ./cairn setup"
  fi
  show_log_from "$log_start"
  return 1
}

# Without the network if everything is in the local repository, else with it.
maven_run() {
  if [[ -d $(local_repository)/org/apache/maven/plugins/maven-compiler-plugin ]]; then
    maven -o "$@" && return 0
    if ! maven_said 'in offline mode|is offline|has not been downloaded from it before'; then
      show_log_from "$log_start"
      return 1
    fi
  fi
  say "Maven downloads what it needs into $(local_repository) (the first time some 150 MB)"
  maven_online "$@"
}

built_stamp=$root/target/built

# True if no source is newer than the last build and everything it left is still there.
is_built() {
  [[ -f $built_stamp && $(cat "$built_stamp") == "$(local_repository) $mpi_java_version" ]] || return 1
  # Not the modules' folders themselves: what tests write there and remove again is no change.
  [[ ! $root/pom.xml -nt $built_stamp && -z $(find "$root/.mvn" "$root"/{sdk-native,sdk,cli,samples,benchmarks,system-tests} \
    -mindepth 1 -name target -prune -o -newer "$built_stamp" -print -quit) ]] || return 1
  local module jar
  [[ -f $root/cli/target/cairn/bin/cairn ]] || return 1
  for module in samples benchmarks; do
    [[ -f $root/$module/target/classpath.txt ]] || return 1
    for jar in $(tr ':' '\n' <"$root/$module/target/classpath.txt"); do
      [[ -e $jar ]] || return 1
    done
  done
}

# One build at a time in this folder.
build() {
  ! is_built || return 0
  {
    flock -n 9 || {
      say "waiting for another build in this folder"
      flock 9
    }
    is_built || build_now
  } 9>"$root/target/build-lock"
}

build_now() {
  say "building with JDK $(jdk_version "${jdks[0]}") (log: $log)"
  # The time of the start, so that what changes meanwhile is built the next time.
  touch "$root/target/build-started"
  remove_stale_tests
  # Layout is ./cairn test's business: it must not keep anyone from a demo.
  maven_run verify -DskipTests -DskipITs -Dspotless.check.skip=true || die "the build failed"
  echo "$(local_repository) $mpi_java_version" >"$built_stamp"
  touch -r "$root/target/build-started" "$built_stamp"
}

# The compiler removes classes whose source is gone only if there is a source left to compile.
remove_stale_tests() {
  local module
  for module in "$root"/*/pom.xml; do
    module=${module%/pom.xml}
    [[ -n $(find "$module/src/test/java" -name '*.java' -print -quit 2>/dev/null) ]] ||
      rm -rf "$module/target/test-classes"
  done
}

# What only the tests' own steps load, so that they work without a network from now on.
fetch_for_tests() {
  local stamp=$root/target/fetched-for-tests now
  now="$(local_repository) $(cat "$root/pom.xml" "$root"/*/pom.xml | cksum)"
  [[ $(cat "$stamp" 2>/dev/null) != "$now" ]] || return 0
  say "fetching what the tests need"
  # What it finds is ./cairn test's business.
  maven -o spotless:check >/dev/null || maven_said 'format violations' ||
    maven spotless:check >/dev/null || maven_said 'format violations' ||
    die "couldn't fetch what the tests need (log: $log); with a network, run: ./cairn setup"
  echo "$now" >"$stamp"
}

# What mpirun needs as root and with more ranks than cores; only for the programs started here.
mpirun_environment() {
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1
}

run_java() { # module, main class, arguments...
  local module=$1 jar
  shift
  jar=$(compgen -G "$root/$module/target/cairn-$module-*.jar" | head -1)
  mpirun_environment
  exec "$build_jdk/bin/java" -cp "$jar:$(cat "$root/$module/target/classpath.txt"):$mpi_jar" "$@"
}

# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Calls Maven, and keeps off it when nothing has changed.

# Maven with this build's JDK; output to the log, the modules' names to the screen.
maven() {
  local start status=0
  mkdir -p "${log%/*}"
  start=$(wc -l <"$log" 2>/dev/null || echo 0)
  echo "\$ mvn $*" >>"$log"
  # Newer JDKs warn of what Maven itself does.
  local options=${MAVEN_OPTS:-}
  [[ $(jdk_major "${jdks[0]}") -lt 24 ]] ||
    options+=" --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow"
  (cd "$root" && JAVA_HOME=$build_jdk MAVEN_OPTS=$options mvn -B -ntp "$@" </dev/null 2>&1) |
    tee -a "$log" | sed -nu 's/^\[INFO\] Building \(Cairn [A-Za-z ]*\) 0.*\[\(.*\)\]$/  \2 \1/p' || status=1
  [[ $status -eq 0 ]] || maven_failed_from=$start
  return "$status"
}

maven_online() {
  maven "$@" || {
    show_log_from "$maven_failed_from"
    return 1
  }
}

# Without the network if everything is in the local repository, else with it.
maven_run() {
  if [[ -d $(local_repository)/org/apache/maven/plugins/maven-compiler-plugin ]]; then
    maven -o "$@" && return 0
    if ! tail -n "+$maven_failed_from" "$log" | grep -Eq 'in offline mode|is offline|has not been downloaded from it before'; then
      show_log_from "$maven_failed_from"
      return 1
    fi
  fi
  say "Maven downloads what it needs (the first time some 150 MB)"
  maven_online "$@"
}

built_stamp=$root/target/built

# True if no source is newer than the last build and everything it left is still there.
is_built() {
  [[ -f $built_stamp && $(cat "$built_stamp") == "$(local_repository) $mpi_java_version" ]] || return 1
  [[ -z $(find "$root/pom.xml" "$root/.mvn" "$root"/{sdk-native,sdk,samples,benchmarks,system-tests} \
    -name target -prune -o -newer "$built_stamp" -print -quit) ]] || return 1
  local module jar
  for module in samples benchmarks; do
    [[ -f $root/$module/target/classpath.txt ]] || return 1
    for jar in $(tr ':' '\n' <"$root/$module/target/classpath.txt"); do
      [[ -e $jar ]] || return 1
    done
  done
}

build() {
  ! is_built || return 0
  say "building with JDK $(jdk_version "${jdks[0]}") (log: $log)"
  # The time of the start, so that what changes meanwhile is built the next time.
  mkdir -p "$root/target"
  touch "$root/target/build-started"
  # Layout is ./cairn test's business: it must not keep anyone from a demo.
  maven_run verify -DskipTests -Dspotless.check.skip=true || die "the build failed"
  echo "$(local_repository) $mpi_java_version" >"$built_stamp"
  touch -r "$root/target/build-started" "$built_stamp"
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

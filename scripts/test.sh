# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# ./cairn test: every kind of test, counted from the runners' own reports.

test_usage() {
  cat <<'TEXT'
usage: ./cairn test [options]

  --quick        C++ and Java unit tests only, on the build JDK only
  --long         400 kills in the system tests instead of 80, 400 random programs instead of 40,
                 messages of over 2 GiB, 10 million messages with a tag each, lost nodes with each
                 sample on three to six nodes instead of one drawn, images of which one in four is full
                 instead of one in a number that is drawn, and all 9,840 cases of damage to a job's
                 files instead of 468
  --only NAME    only tests with this name: a Java test class (also with * and #method), or part of
                 a C++ test's name
  --seed N       repeats the random choices of a run of the system tests; each run prints its seed
  --help         this text

Runs, in this order: the build; the format check; the C++ unit tests plain, under the address and
undefined-behaviour sanitizers, and under the thread sanitizer; the Java unit tests on every JDK 17
or newer that is found; the system tests under mpirun, in full on the build JDK and one round of
kills on each other one. Only on the build JDK, of the unit tests: each benchmark for a moment, the
simulation of the protocol, damage to a job's files, and ranks of over 4 GiB. Takes some 25 minutes
on two cores.

The first JDK found builds: JAVA_HOME's, else the one on the PATH, else the oldest in /usr/lib/jvm.

Ends with a table and the line "N passed, N failed, N skipped". The exit code is 0 only if tests ran
and none failed.
TEXT
}

total_passed=0 total_failed=0 total_skipped=0
summary=()
failures=()
reasons=() # of each failure; may be empty
skips=()   # a line each: how many tests, of which kind, and why
only='' # a test's name, or nothing

run_tests() {
  local quick=false unit_options=() system_options=()
  while [[ $# -gt 0 ]]; do
    case $1 in
      --quick) quick=true ;;
      --long) system_options+=(-Dsystemtests.kills=40 -Dsystemtests.programs=200 -Dsystemtests.huge=true -Dsystemtests.tags=10000000
        -Dsystemtests.product=true -Dsystemtests.full=4)
        unit_options+=(-Ddamage.all=true) ;;
      --only | --seed)
        [[ $# -ge 2 ]] || usage_error "$1 needs a value"
        set -- "$1=$2" "${@:3}"
        continue
        ;;
      --only=*) only=${1#*=} ;;
      --seed=*) system_options+=("-Dsystemtests.seed=${1#*=}") ;;
      -h | --help)
        test_usage
        return 0
        ;;
      *)
        local near
        near=$(nearest "$1" --quick --long --only --seed --help)
        usage_error "unknown option '$1'${near:+; did you mean $near?}"
        ;;
    esac
    shift
  done

  open_log
  setup tests
  say "tests run on JDK $(joined ', ' "${jdk_versions[@]}")"
  build
  remove_stale_tests
  rm -rf "$root"/*/target/*-reports "$root"/*/target/*-reports-jdk*
  mpirun_environment

  local jdk
  [[ -n $only ]] || format_check
  if [[ -z $only ]] || ! is_java_test "$root"/*/src/test/java; then
    native_tests plain "C++ unit tests"
    native_tests asan "C++ unit tests, address and undefined-behaviour sanitizers"
    native_tests tsan "C++ unit tests, thread sanitizer"
  fi
  unit_tests "${jdks[0]}" "${unit_options[@]}"
  if ! $quick; then
    for jdk in "${jdks[@]:1}"; do unit_tests "$jdk"; done
  fi
  if ! $quick && is_java_test "$root/system-tests/src/test/java"; then
    system_tests "${jdks[0]}" "system tests" "${system_options[@]}"
    for jdk in "${jdks[@]:1}"; do
      system_tests "$jdk" "system tests, one round of kills" -Dsystemtests.kills=1 "-Dit.test=${only:-KillsIT}"
    done
  fi
  print_summary
}

# True if the test that was asked for, or any, has its source in one of these folders.
is_java_test() { # folders...
  local name
  for name in ${only//,/ }; do
    name=${name%%#*}
    [[ -z $(find "$@" -name "${name##*.}.java" -print -quit 2>/dev/null) ]] || return 0
  done
  [[ -z $only ]]
}

# The build has just compiled everything; Maven would do it again, for the dependencies' being folders now.
compiled=-Dmaven.compiler.useIncrementalCompilation=false

usage_error() {
  echo "cairn: $1; see ./cairn test --help" >&2
  exit 2
}

begin() { # what
  say "$1"
  begun=$SECONDS
}

fail() { # what, why
  failures+=("$1")
  reasons+=("${2:-}")
}

format_check() {
  begin "format of the sources"
  maven_run spotless:check && return 0
  total_failed=$((total_failed + 1))
  fail "the format of the sources: mvn spotless:apply puts it right"
}

native_tests() { # configuration, title
  local report=$root/sdk-native/target/native-tests/$1/junit.xml status=0
  begin "$2"
  rm -f "$report"
  JAVA_HOME=$build_jdk TESTS_ONLY=${only//\*/.*} logged bash "$root/sdk-native/build.sh" test "$1" || {
    status=1
    show_log_from "$log_start"
  }
  count "$2" "$status" "$report"
}

unit_tests() { # jdk, more options...
  is_java_test "$root"/{sdk,cli,samples,benchmarks}/src/test/java || return 0
  local title reports=surefire-reports status=0
  title="Java unit tests, JDK $(jdk_major "$1")"
  local -a more=("${@:2}")
  if [[ $1 != "${jdks[0]}" ]]; then
    reports=surefire-reports-jdk$(jdk_version "$1")
    more+=(-Djvm="$(jdk_home "$1")/bin/java")
    [[ -n $only ]] || more+=(-DexcludedGroups=one-jdk)
  fi
  [[ -z $only ]] || more+=("-Dtest=$only" -Dsurefire.failIfNoSpecifiedTests=false)
  begin "$title"
  maven_run test "$compiled" -Dnative.tests.skip=true -Dmaven.test.failure.ignore=true -Dsurefire.reports="$reports" "${more[@]}" || status=1
  count "$title" "$status" "$root"/*/target/"$reports"/TEST-*.xml
}

system_tests() { # jdk, title, more options...
  local jdk=$1 title reports=failsafe-reports status=0
  title="$2, JDK $(jdk_major "$jdk")"
  shift 2
  local -a more=("$@")
  if [[ $jdk != "${jdks[0]}" ]]; then
    reports=failsafe-reports-jdk$(jdk_version "$jdk")
    more+=(-Djvm="$(jdk_home "$jdk")/bin/java")
  fi
  [[ -z $only ]] || more+=("-Dit.test=$only" -Dfailsafe.failIfNoSpecifiedTests=false)
  begin "$title"
  maven_run verify "$compiled" -pl system-tests -am -Dunit.tests.skip=true -Dnative.tests.skip=true \
    -Dspotless.check.skip=true -Dmaven.test.failure.ignore=true -Dfailsafe.reports="$reports" "${more[@]}" || status=1
  count "$title" "$status" "$root"/system-tests/target/"$reports"/TEST-*.xml
}

# Adds the counts of JUnit reports.
count() { # title, exit status, reports...
  local title=$1 status=$2 report suite passed=0 failed=0 skipped=0 tests broken ignored skipped_file
  shift 2
  skipped_file=$(mktemp)
  for report in "$@"; do
    [[ -f $report ]] || continue
    suite=$(tr '\n\t' '  ' <"$report" | grep -o '<testsuite [^>]*>' | head -1)
    tests=$(attribute tests "$suite")
    broken=$(($(attribute failures "$suite") + $(attribute errors "$suite")))
    ignored=$(($(attribute skipped "$suite") + $(attribute disabled "$suite")))
    passed=$((passed + tests - broken - ignored))
    failed=$((failed + broken))
    skipped=$((skipped + ignored))
    [[ $broken -eq 0 ]] || while IFS=$'\t' read -r name why; do
      fail "$name ($title)" "$why"
    done < <(failed_tests "$report")
    [[ $ignored -eq 0 ]] || skipped_tests "$report" >>"$skipped_file"
  done
  local number why
  while read -r number why; do
    skips+=("$number of $title: $why")
  done < <(sort "$skipped_file" | uniq -c)
  rm -f "$skipped_file"
  tally "$title" "$status" "$passed" "$failed" "$skipped"
}

# Adds one line of the table; a runner that failed without a failed test counts as a failure.
tally() { # title, exit status, passed, failed, skipped
  local title=$1 status=$2 passed=${3:-0} failed=$4 skipped=$5 seconds=$((SECONDS - begun))
  if [[ $status -ne 0 && $failed -eq 0 ]]; then
    failed=1
    fail "the run itself ended with an error ($title)"
  elif [[ -z $only && $((passed + failed + skipped)) -eq 0 ]]; then
    # Tests that are not found would look like tests that pass.
    failed=1
    fail "no test ran ($title)"
  fi
  total_passed=$((total_passed + passed))
  total_failed=$((total_failed + failed))
  total_skipped=$((total_skipped + skipped))
  [[ -n $only && $((passed + failed + skipped)) -eq 0 ]] ||
    summary+=("$(printf '  %-62s %6d %6d %7d %5d:%02d' "$title" "$passed" "$failed" "$skipped" $((seconds / 60)) $((seconds % 60)))")
}

attribute() { # name, element
  local value
  value=$(sed -n "s/.* $1=\"\([0-9]*\)\".*/\1/p" <<<"$2")
  echo "${value:-0}"
}

# A line each: the name, a tab, the first part of what it says.
failed_tests() { # report
  tr '\n\t' '  ' <"$1" | awk -v RS='<testcase ' '
    NR > 1 {
      body = $0
      sub(/<system-out.*/, "", body)
      if (body !~ /<(failure|error)/) next
      name = class = body
      sub(/.*classname="/, "", class); sub(/".*/, "", class)
      sub(/^.* name="|^name="/, "", name); sub(/".*/, "", name)
      why = body
      if (!sub(/.*<(failure|error)[^>]* message="/, "", why)) why = ""
      sub(/".*/, "", why)
      print (class == name ? "" : class ".") name "\t" substr(why, 1, 4000)
    }'
}

# A line each: why, or that nobody says so.
skipped_tests() { # report
  awk -v RS='<testcase ' '
    NR > 1 {
      why = $0
      sub(/<system-out.*/, "", why)
      if (!sub(/.*<skipped/, "", why)) next
      if (why ~ /^[^>]* message="/) {
        sub(/^[^>]* message="/, "", why)
        sub(/".*/, "", why)
      } else if (!sub(/^[^>]*><!\[CDATA\[/, "", why)) {
        why = ""
      }
      sub(/(&#10;|\n|\]\]>).*/, "", why)
      sub(/^[A-Za-z0-9_.$]+(Exception|Error): /, "", why)
      sub(/^Assumption failed: /, "", why)
      print (why == "" ? "no reason given" : substr(why, 1, 400))
    }' "$1" | while IFS= read -r why; do unescaped "$why"; done
}

unescaped() { # the text of an XML attribute
  [[ -z $1 ]] || sed 's/&#10;/\n/g; s/&#xA;/\n/gI; s/&#x0A;/\n/gI; s/&quot;/"/g; s/&apos;/'"'"'/g; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g' <<<"$1"
}

print_summary() {
  local line i
  echo
  printf '  %-62s %6s %6s %7s %8s\n' '' passed failed skipped min:s
  for line in "${summary[@]}"; do echo "$line"; done
  if [[ ${#skips[@]} -gt 0 ]]; then
    echo
    echo "  skipped:"
    for line in "${skips[@]}"; do echo "    $line"; done
  fi
  if [[ ${#failures[@]} -gt 0 ]]; then
    echo
    echo "  failed:"
    for i in "${!failures[@]}"; do
      echo "    ${failures[i]}"
      unescaped "${reasons[i]}" | sed -n '1,30s/^/      /p'
    done
    echo "  reports: target/surefire-reports*, target/failsafe-reports in each module; log: $log"
  fi
  echo
  echo "$total_passed passed, $total_failed failed, $total_skipped skipped"
  [[ $total_failed -eq 0 ]] || return 1
  [[ $total_passed -gt 0 ]] || die "no test ran"
}

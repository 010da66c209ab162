# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# ./cairn test: every kind of test, counted from the runners' own reports.

test_usage() {
  cat <<'TEXT'
usage: ./cairn test [options]

  --quick        native and Java unit tests on the build JDK only
  --only NAME    only tests with this name (a Java test class, also with * and #method; part of a
                 native test's name)
  --help         this text

Runs, in this order: the build with its format and import checks; the native unit tests plain, under
the address and undefined-behaviour sanitizers, and under the thread sanitizer; the Java unit tests on
every JDK 17 or newer that is found; the system tests under mpirun. Ends with a table and the line
"N passed, N failed, N skipped"; the exit code is 0 only if tests ran and none failed.
TEXT
}

total_passed=0 total_failed=0 total_skipped=0
summary=()
failures=()

run_tests() {
  local quick=false only=''
  while [[ $# -gt 0 ]]; do
    case $1 in
      --quick) quick=true ;;
      --only)
        [[ $# -ge 2 ]] || usage_error "--only needs a name"
        only=$2
        shift
        ;;
      --only=*) only=${1#*=} ;;
      -h | --help)
        test_usage
        return 0
        ;;
      *) usage_error "unknown option '$1'" ;;
    esac
    shift
  done

  setup tests
  say "JDKs found: $(for jdk in "${jdks[@]}"; do printf '%s ' "$(jdk_version "$jdk")"; done)"
  build
  rm -rf "$root"/*/target/*-reports "$root"/*/target/*-reports-jdk*
  mpirun_environment

  format_check
  native_tests plain "C++ unit tests" "$only"
  native_tests asan "C++ unit tests, address and undefined-behaviour sanitizers" "$only"
  native_tests tsan "C++ unit tests, thread sanitizer" "$only"
  unit_tests "${jdks[0]}" "$only"
  if ! $quick; then
    local jdk
    for jdk in "${jdks[@]:1}"; do unit_tests "$jdk" "$only"; done
    system_tests "$only"
  fi
  print_summary
}

usage_error() {
  echo "cairn: $1; see ./cairn test --help" >&2
  exit 2
}

format_check() {
  say "format of the sources"
  maven_run spotless:check || {
    total_failed=$((total_failed + 1))
    failures+=("the format of the sources: mvn spotless:apply puts it right")
  }
}

native_tests() { # configuration, title, only
  local report=$root/sdk-native/target/native-tests/$1/junit.xml status=0
  compgen -G "$root/sdk-native/test/*_test.cpp" >/dev/null || return 0
  say "$2"
  rm -f "$report"
  JAVA_HOME=$build_jdk TESTS_ONLY=$3 logged bash "$root/sdk-native/build.sh" test "$1" || status=1
  count "$2" "$status" "$report"
}

unit_tests() { # jdk, only
  local version major reports=surefire-reports status=0
  version=$(jdk_version "$1")
  major=$(jdk_major "$1")
  local -a more=()
  if [[ $1 != "${jdks[0]}" ]]; then
    reports=surefire-reports-jdk$version
    more=(-Djvm="$(jdk_home "$1")/bin/java")
  fi
  [[ -z $2 ]] || more+=("-Dtest=$2" -Dsurefire.failIfNoSpecifiedTests=false)
  say "Java unit tests on JDK $version"
  maven_run test -Dnative.tests.skip=true -Dmaven.test.failure.ignore=true -Dsurefire.reports="$reports" "${more[@]}" || status=1
  count "Java unit tests, JDK $major" "$status" "$root"/*/target/"$reports"/TEST-*.xml
}

system_tests() { # only
  local status=0
  local -a more=()
  compgen -G "$root/system-tests/src/test/java" >/dev/null || return 0
  [[ -z $1 ]] || more+=("-Dit.test=$1" -Dfailsafe.failIfNoSpecifiedTests=false)
  say "system tests under mpirun, JDK $(jdk_version "${jdks[0]}")"
  maven_run verify -pl system-tests -am -Dunit.tests.skip=true -Dnative.tests.skip=true \
    -Dspotless.check.skip=true -Dmaven.test.failure.ignore=true "${more[@]}" || status=1
  count "system tests, JDK $(jdk_major "${jdks[0]}")" "$status" "$root"/system-tests/target/failsafe-reports/TEST-*.xml
}

# Adds the counts of JUnit reports; a runner that failed without a failed test counts as one.
count() { # title, exit status, reports...
  local title=$1 status=$2 report suite passed=0 failed=0 skipped=0 tests broken ignored
  shift 2
  for report in "$@"; do
    [[ -f $report ]] || continue
    suite=$(tr '\n\t' '  ' <"$report" | grep -o '<testsuite [^>]*>' | head -1)
    tests=$(attribute tests "$suite")
    broken=$(($(attribute failures "$suite") + $(attribute errors "$suite")))
    ignored=$(($(attribute skipped "$suite") + $(attribute disabled "$suite")))
    passed=$((passed + tests - broken - ignored))
    failed=$((failed + broken))
    skipped=$((skipped + ignored))
    [[ $broken -eq 0 ]] || while read -r name; do failures+=("$name ($title)"); done < <(failed_tests "$report")
  done
  if [[ $status -ne 0 && $failed -eq 0 ]]; then
    failed=1
    failures+=("the run itself ended with an error ($title)")
  fi
  total_passed=$((total_passed + passed))
  total_failed=$((total_failed + failed))
  total_skipped=$((total_skipped + skipped))
  summary+=("$(printf '  %-62s %6d %6d %7d' "$title" "$passed" "$failed" "$skipped")")
}

attribute() { # name, element
  local value
  value=$(sed -n "s/.* $1=\"\([0-9]*\)\".*/\1/p" <<<"$2")
  echo "${value:-0}"
}

failed_tests() { # report
  tr '\n\t' '  ' <"$1" | awk -v RS='<testcase ' '
    NR > 1 {
      body = $0
      sub(/<system-out.*/, "", body)
      if (body !~ /<(failure|error)/) next
      name = class = body
      sub(/.*classname="/, "", class); sub(/".*/, "", class)
      sub(/^.* name="|^name="/, "", name); sub(/".*/, "", name)
      print (class == name ? "" : class ".") name
    }'
}

print_summary() {
  local line
  echo
  printf '  %-62s %6s %6s %7s\n' '' passed failed skipped
  for line in "${summary[@]}"; do echo "$line"; done
  if [[ ${#failures[@]} -gt 0 ]]; then
    echo
    echo "  failed:"
    for line in "${failures[@]}"; do echo "    $line"; done
    echo "  reports: target/surefire-reports*, target/failsafe-reports in each module; log: $log"
  fi
  echo
  echo "$total_passed passed, $total_failed failed, $total_skipped skipped"
  [[ $total_failed -eq 0 ]] || return 1
  [[ $total_passed -gt 0 ]] || die "no test ran"
}

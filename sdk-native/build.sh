#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the native libraries into target/classes and target/install, or builds and runs their tests. Called by Maven:
#   build.sh libraries | test [plain|asan|tsan ...]     (TESTS_ONLY=regex: only these tests)
# Incremental: CMake and the generator decide what is out of date.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

die() {
  echo "cairn: $*" >&2
  exit 1
}

need() { # command, package, what it is
  command -v "$1" >/dev/null || die "$3 ($1) is missing; install it: apt-get install $2"
}

need_isal() {
  [[ -f /usr/include/isa-l.h || -n ${CMAKE_PREFIX_PATH:-} ]] ||
    die "ISA-L is missing; install it: apt-get install libisal-dev"
}

jobs() {
  echo "${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}"
}

need cmake cmake "CMake"
need "${CXX:-g++}" g++ "a C++ compiler"
need make make "make"

# CMake's own words are shown only when something went wrong.
run_quietly() { # log, command...
  local log=$1
  shift
  if ! "$@" >"$log" 2>&1; then
    cat "$log" >&2
    return 1
  fi
}

build_libraries() {
  need mpicc libopenmpi-dev "the MPI compiler wrapper"
  echo '#include <mpi.h>' | mpicc -E -x c - >/dev/null 2>&1 ||
    die "the MPI headers (mpi.h) are missing; install them: apt-get install libopenmpi-dev"
  [[ -f ${JAVA_HOME:-}/include/jni.h ]] ||
    die "the JNI headers are missing in JAVA_HOME (${JAVA_HOME:-not set}); install a JDK: apt-get install openjdk-17-jdk-headless"
  need_isal
  local build=target/native
  mkdir -p "$build"
  if [[ ! -f $build/Makefile ]]; then
    run_quietly "$build/configure.log" cmake -S . -B "$build" -G "Unix Makefiles" \
      -DCAIRN_OUTPUT="$PWD/target/classes/META-INF/native/linux-$(uname -m)" || die "CMake failed"
  fi
  run_quietly "$build/build.log" cmake --build "$build" --parallel "$(jobs)" || die "the native build failed"
  # Where C programs find them; CMake copies only what has changed.
  run_quietly "$build/install.log" cmake --install "$build" --prefix "$PWD/target/install" ||
    die "the native libraries can't be installed below $PWD/target/install"
}

run_tests() { # configuration
  local configuration=$1 sanitize='' build=target/native-tests/$1 none=error
  # With a choice of tests, none of them may be here.
  [[ -z ${TESTS_ONLY:-} ]] || none=ignore
  local -a wrap=()
  case $configuration in
    plain) ;;
    asan) sanitize=address,undefined ;;
    tsan)
      sanitize=thread
      # ThreadSanitizer of this age can't map its shadow under newer kernels' 32 random bits.
      if setarch "$(uname -m)" -R true 2>/dev/null; then wrap=(setarch "$(uname -m)" -R); fi
      ;;
    *) die "unknown test configuration '$configuration'; known: plain, asan, tsan" ;;
  esac
  mkdir -p "$build"
  if [[ ! -f $build/Makefile ]]; then
    run_quietly "$build/configure.log" cmake -S . -B "$build" -G "Unix Makefiles" \
      -DCAIRN_TESTS=ON -DCAIRN_SANITIZE="$sanitize" || die "CMake failed ($configuration)"
  fi
  run_quietly "$build/build.log" "${wrap[@]}" cmake --build "$build" --parallel "$(jobs)" ||
    die "the native tests failed to build ($configuration)"
  echo "native tests, $configuration"
  "${wrap[@]}" ctest --test-dir "$build" --output-on-failure --no-tests="$none" --parallel "$(jobs)" \
    ${TESTS_ONLY:+-R "$TESTS_ONLY"} --output-junit "$PWD/$build/junit.xml" >"$build/test.log" 2>&1 || {
    cat "$build/test.log" >&2
    die "native tests failed ($configuration)"
  }
}

case ${1:-} in
  libraries) build_libraries ;;
  test)
    shift
    if ! compgen -G 'test/*_test.cpp' >/dev/null; then exit 0; fi
    [[ -f /usr/include/gtest/gtest.h || -n ${GTest_ROOT:-} ]] ||
      die "GoogleTest is missing; install it: apt-get install libgtest-dev"
    need_isal
    [[ $# -gt 0 ]] || set -- plain asan tsan
    for configuration in "$@"; do run_tests "$configuration"; done
    ;;
  *) die "usage: build.sh libraries | test [plain|asan|tsan ...]" ;;
esac

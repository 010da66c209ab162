# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Finds what the build needs and installs what is missing. All checks look at this machine only, so
# that a second call is fast and works without a network.

missing=()       # packages, by their Debian names
missing_things=() # the same, in words

lacks() { # package, what it is
  missing+=("$1")
  missing_things+=("$2")
}

mpi_version() {
  mpirun --version 2>/dev/null | sed -n '1s/.*(Open MPI) \([0-9.]*\).*/\1/p'
}

mpi_library_dirs() {
  mpicc --showme:libdirs 2>/dev/null | tr ' ' '\n' || true
  # An ordinary user's PATH may be without sbin.
  PATH=$PATH:/usr/sbin:/sbin ldconfig -p 2>/dev/null | sed -n 's#.* => \(.*\)/libmpi\.so.*#\1#p' || true
}

has_mpi_headers() {
  local dir
  for dir in $(mpicc --showme:incdirs 2>/dev/null); do
    [[ ! -f $dir/mpi.h ]] || return 0
  done
  return 1
}

has_mpi_java_library() {
  local dir
  for dir in $(mpi_library_dirs); do
    [[ ! -e $dir/libmpi_java.so ]] || return 0
  done
  return 1
}

has_ip() {
  PATH=$PATH:/usr/sbin:/sbin command -v ip >/dev/null
}

# With "tests" also what only the tests need.
find_missing() {
  missing=()
  missing_things=()
  find_jdks
  [[ ${#jdks[@]} -gt 0 ]] || lacks "$(jdk_package)" "a JDK $oldest_jdk or newer"
  command -v mvn >/dev/null || lacks maven "Maven"
  command -v "${CXX:-g++}" >/dev/null || lacks g++ "a C++ compiler (${CXX:-g++})"
  command -v make >/dev/null || lacks make "make"
  command -v cmake >/dev/null || lacks cmake "CMake"
  command -v mpirun >/dev/null || lacks openmpi-bin "Open MPI's mpirun"
  if ! has_mpi_headers; then
    lacks libopenmpi-dev "the headers of Open MPI"
  elif ! has_mpi_java_library; then
    lacks libopenmpi-dev "Open MPI's library for Java (libmpi_java.so)"
  fi
  [[ -f /usr/include/isa-l.h || -n ${CMAKE_PREFIX_PATH:-} ]] || lacks libisal-dev "ISA-L (erasure codes)"
  if [[ ${1:-} == tests && ! -f /usr/include/gtest/gtest.h && -z ${GTest_ROOT:-} ]]; then
    lacks libgtest-dev "GoogleTest"
  fi
  if [[ ${1:-} == tests && $EUID -eq 0 ]] && ! has_ip; then
    # Who isn't root can't use it; those tests are skipped then, and say so.
    lacks iproute2 "the command 'ip', for tests on several nodes"
  fi
}

jdk_package() {
  local major
  for major in 17 21 25; do
    if apt-cache show "openjdk-$major-jdk-headless" >/dev/null 2>&1; then
      echo "openjdk-$major-jdk-headless"
      return
    fi
  done
  # The lists may be empty still.
  echo default-jdk-headless
}

joined() { # separator, words...
  local separator=$1 result=$2
  shift 2
  local word
  for word in "$@"; do result+=$separator$word; done
  echo "$result"
}

as_root=()

# Sets as_root to what makes a command run as root; fails if nothing does.
can_be_root() {
  as_root=()
  [[ $EUID -ne 0 ]] || return 0
  sudo -n true 2>/dev/null || return 1
  as_root=(sudo -n)
}

install_missing() {
  local what
  what=$(joined ', ' "${missing_things[@]}")
  command -v apt-get >/dev/null ||
    die "missing: $what; install them with this machine's package manager (Debian's packages: ${missing[*]})"
  can_be_root ||
    die "missing: $what; install them with: sudo apt-get install --no-install-recommends ${missing[*]}"
  say "missing: $what"
  local -a apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q)
  local -a install=("${apt[@]}" install --no-install-recommends)
  if ! apt-get -s -q install --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
    say "asking the package repository for its lists (apt-get update)"
    # Its exit code says nothing: without a network it is 0 as well.
    logged "${apt[@]}" update || true
    find_missing "${1:-}"
  fi
  local all
  all=$(apt-get -s -q install --no-install-recommends "${missing[@]}" 2>/dev/null | grep -c '^Inst ' || true)
  say "installing with apt-get: ${missing[*]} ($all packages with those they need)"
  logged "${install[@]}" "${missing[@]}" ||
    die "couldn't install (no network? log: $log): sudo apt-get install --no-install-recommends ${missing[*]}"
  hash -r
}

# setup [tests]
setup() {
  find_missing "${1:-}"
  if [[ ${#missing[@]} -gt 0 ]]; then
    install_missing "${1:-}"
    find_missing "${1:-}"
    [[ ${#missing[@]} -eq 0 ]] ||
      die "still missing after installing packages: $(joined ', ' "${missing_things[@]}")"
  fi
  build_jdk=$(jdk_home "${jdks[0]}")
  local jdk
  jdk_versions=()
  for jdk in "${jdks[@]}"; do jdk_versions+=("$(jdk_version "$jdk")"); done
  provide_mpi_jar
}

describe_setup() {
  echo "JDK $(joined ', ' "${jdk_versions[@]}"), $(mvn --version 2>/dev/null | sed -n 's/.*\(Apache Maven [0-9.]*\).*/\1/p')," \
    "$("${CXX:-g++}" --version | head -1), $(cmake --version | head -1), Open MPI $mpi_java_version"
}

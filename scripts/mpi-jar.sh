# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Open MPI's Java classes (mpi.jar) in the local Maven repository. A site's own Open MPI has them;
# Debian ships only the native half, so there they are compiled from its source package.

local_repository() {
  local repository
  repository=$(sed -n 's/.*-Dmaven\.repo\.local=\([^ ]*\).*/\1/p' <<<"${MAVEN_OPTS:-}")
  [[ -n $repository ]] ||
    repository=$(sed -n 's#.*<localRepository>\(.*\)</localRepository>.*#\1#p' ~/.m2/settings.xml 2>/dev/null | head -1)
  # The two forms Maven expands itself in settings.xml.
  # shellcheck disable=SC2016
  repository=${repository/'${user.home}'/$HOME}
  echo "${repository:-$HOME/.m2/repository}"
}

# After it: mpi_java_version, mpi_jar; Maven finds org.open-mpi:mpi-java without further words.
provide_mpi_jar() {
  mpi_java_version=$(mpi_version)
  [[ -n $mpi_java_version ]] ||
    die "mpirun is not Open MPI's ($(command -v mpirun)); Cairn needs Open MPI with its Java bindings: apt-get install openmpi-bin libopenmpi-dev"
  note_mpi_version
  mpi_jar=$(local_repository)/org/open-mpi/mpi-java/$mpi_java_version/mpi-java-$mpi_java_version.jar
  [[ ! -f $mpi_jar ]] || return 0
  local jar
  jar=$(site_mpi_jar)
  if [[ -n $jar ]]; then
    say "taking mpi.jar from this machine's Open MPI: $jar"
  else
    jar=$root/target/mpi-jar/mpi.jar
    build_mpi_jar "$jar"
  fi
  say "installing Open MPI's Java classes into the local Maven repository"
  maven_online -q org.apache.maven.plugins:maven-install-plugin:3.2.0:install-file \
    -Dfile="$jar" -DgroupId=org.open-mpi -DartifactId=mpi-java -Dversion="$mpi_java_version" \
    -Dpackaging=jar -DgeneratePom=true || die "couldn't install mpi.jar into $(local_repository)"
}

# The pom names the usual version; another one is noted where every mvn call in this tree reads it.
note_mpi_version() {
  local usual config=$root/.mvn/maven.config line=-Dmpi.java.version=$mpi_java_version
  usual=$(sed -n 's#.*<mpi.java.version>\(.*\)</mpi.java.version>.*#\1#p' "$root/pom.xml")
  if [[ $mpi_java_version == "$usual" ]]; then
    rm -f "$config"
  elif [[ $(cat "$config" 2>/dev/null) != "$line" ]]; then
    echo "$line" >"$config"
  fi
}

# MPI_JAR if given, else the one that mpijavac would compile against, or next to the libraries.
site_mpi_jar() {
  local candidate
  {
    echo "${MPI_JAR:-}"
    mpijavac --showme 2>/dev/null | tr ' :' '\n' | grep '/mpi\.jar$' || true
    mpi_library_dirs | sed 's#$#/mpi.jar#'
  } | while read -r candidate; do
    if [[ -f $candidate ]]; then
      echo "$candidate"
      break
    fi
  done
}

build_mpi_jar() { # where to
  local jar=$1 work version
  local advice="give one with MPI_JAR=/path/to/mpi.jar, or use an Open MPI built with --enable-mpi-java"
  version=$(dpkg-query -W -f '${source:Version}' libopenmpi3 2>/dev/null ||
    dpkg-query -W -f '${source:Version}' libopenmpi40 2>/dev/null) ||
    die "this machine's Open MPI $mpi_java_version has no mpi.jar and isn't Debian's; $advice"
  [[ $version == "$mpi_java_version"* ]] ||
    die "mpirun is Open MPI $mpi_java_version, but Debian's package is $version; $advice"
  command -v xz >/dev/null || {
    missing=(xz-utils)
    missing_things=("xz (to unpack Open MPI's source)")
    install_missing
  }
  say "compiling Open MPI's Java classes from Debian's source package openmpi $version (a 7 MB download)"
  work=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder's name of now
  trap "rm -rf '$work'" EXIT
  fetch_openmpi_source "$work" "$version" || die "couldn't download Debian's source package openmpi $version (no network? log: $log); $advice"
  mkdir -p "$work/source" "$work/classes" "${jar%/*}"
  if ! {
    logged tar -xf "$work"/openmpi_*.orig.tar.* -C "$work/source" --wildcards '*/ompi/mpi/java/java/*.java' &&
      logged find "$work/source" -name '*.java' -fprint "$work/files" &&
      logged "$build_jdk/bin/javac" --release "$oldest_jdk" -nowarn -d "$work/classes" "@$work/files" &&
      logged "$build_jdk/bin/jar" --create --file "$jar" -C "$work/classes" .
  }; then
    die "couldn't compile Open MPI's Java classes (log: $log); $advice"
  fi
  rm -rf "$work"
  trap - EXIT
}

# apt with a state of its own: no root needed, and nothing of the machine's own state changes.
fetch_openmpi_source() { # folder, version
  local work=$1 version=$2
  mkdir -p "$work"/{sources,lists/partial,cache/archives/partial,state}
  source_entries "$work/sources"
  local -a options=(
    -q -o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$work/sources"
    -o "Dir::State=$work/state" -o "Dir::State::lists=$work/lists" -o "Dir::State::status=/var/lib/dpkg/status"
    -o "Dir::Cache=$work/cache" -o "APT::Sandbox::User=" -o "Acquire::Languages=none"
  )
  # A third party's repository without sources makes update fail; what counts is whether the next step works.
  logged apt-get "${options[@]}" update 2>/dev/null || true
  (
    cd "$work" || exit
    logged apt-get "${options[@]}" source --download-only "openmpi=$version" ||
      logged apt-get "${options[@]}" source --download-only "openmpi=${version%%+b*}"
  )
}

# The machine's own package sources (mirrors and all), as sources of sources.
source_entries() { # folder
  local file out=$1 n=0
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [[ -f $file ]] || continue
    n=$((n + 1))
    case $file in
      *.list) sed -n 's/^[[:space:]]*deb[[:space:]]/deb-src /p' "$file" >"$out/$n.list" ;;
      *.sources) sed 's/^Types:.*/Types: deb-src/; /^Architectures:/d' "$file" >"$out/$n.sources" ;;
    esac
  done
}

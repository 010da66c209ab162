# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The operator's tool, built if it isn't.

# shellcheck disable=SC2034
tool_verbs=(list show verify recoverable prune compact run)
installed_tool=$root/cli/target/cairn

tool() { # verb, arguments...
  # Not what the tests and MPI are built from: none of that is in it, and a login node may lack it.
  if ! tool_is_built; then
    # Standard output is the tool's: somebody may parse it.
    {
      open_log
      setup
      build
    } >&2
    # What only changed elsewhere is built again as well, but not copied.
    touch "$installed_tool/bin/cairn"
  fi
  [[ -n ${JAVA_HOME:-} || -z ${build_jdk:-} ]] || export JAVA_HOME=$build_jdk
  exec sh "$installed_tool/bin/cairn" "$@"
}

tool_is_built() {
  [[ -f $installed_tool/bin/cairn && -n $(compgen -G "$installed_tool/lib/cairn-sdk-*.jar") ]] || return 1
  [[ -z $(find "$root/pom.xml" "$root"/{sdk,cli}/{pom.xml,src/main} -newer "$installed_tool/bin/cairn" -print -quit) ]]
}

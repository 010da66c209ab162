// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.api.NearNames;
import io.cairn.image.EpochId;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Option;

/** Which directories a verb looks at, and what its arguments name there. */
final class Where {
  private static final Pattern EPOCH = Pattern.compile("(?:epoch-)?([0-9]{1,18})-([0-9]{1,18})");
  private static final Pattern NUMBER = Pattern.compile("[0-9]{1,18}");

  @Option(
      names = "--dir",
      paramLabel = "DIR",
      description =
          "A directory that holds jobs, or a job's own. Give it once for each store of a job that "
              + "has several (node-local disks). Default: $CAIRN_DIR, else cairn-jobs.")
  private List<Path> directories = new ArrayList<>();

  /** Those on the command line. */
  List<Path> given() {
    return directories;
  }

  List<Path> directories(Surroundings surroundings) {
    return directories.isEmpty() ? List.of(surroundings.defaultDirectory()) : directories;
  }

  /** The job that was named, by its name or its directory; null is the only one there. */
  Job job(Surroundings surroundings, String name) throws IOException, ToolException {
    if (name != null && name.contains("/")) {
      List<Path> places = new ArrayList<>(directories);
      places.add(Path.of(name));
      String last = Path.of(name).toAbsolutePath().normalize().getFileName().toString();
      return Inventory.of(surroundings.files(), places).require(last, places);
    }
    List<Path> places = directories(surroundings);
    return Inventory.of(surroundings.files(), places).require(name, places);
  }

  /** The epoch that was named: {@code 3-7}, {@code epoch-3-7}, or its number alone. */
  static EpochId epoch(Job job, String name) throws IOException, ToolException {
    List<EpochId> known = job.epochs();
    Matcher both = EPOCH.matcher(name);
    List<EpochId> meant = new ArrayList<>();
    if (both.matches()) {
      EpochId id = new EpochId(Long.parseLong(both.group(1)), Long.parseLong(both.group(2)));
      known.stream().filter(id::equals).forEach(meant::add);
    } else if (NUMBER.matcher(name).matches()) {
      long number = Long.parseLong(name);
      known.stream().filter(id -> id.epoch() == number).forEach(meant::add);
    } else {
      throw ToolException.usage(
          "'%s' is no epoch: expected GENERATION-EPOCH such as 3-7, or an epoch's number"
              .formatted(name));
    }
    List<String> names = known.stream().map(EpochLook::name).toList();
    if (meant.size() > 1) {
      throw ToolException.usage(
          "several epochs have the number %s: %s"
              .formatted(name, String.join(", ", meant.stream().map(EpochLook::name).toList())));
    }
    if (meant.isEmpty()) {
      List<String> near = NearNames.of(name, names);
      throw ToolException.notFound(
          "job %s has no epoch %s%s"
              .formatted(
                  job.id(),
                  name,
                  names.isEmpty()
                      ? ", nor any other"
                      : near.isEmpty()
                          ? "; it has " + String.join(", ", names)
                          : "; did you mean " + String.join(" or ", near) + "?"));
    }
    return meant.get(0);
  }
}

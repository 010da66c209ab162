// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.api.NearNames;
import io.cairn.image.FileOperations;
import io.cairn.image.ForeignImageException;
import io.cairn.store.StoreView;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.stream.Collectors;

/**
 * The jobs in some directories, each of which is one that holds jobs, or a job's own. A job may
 * have a store in several of them, as on nodes with disks of their own: those with one name and one
 * random id are the same job's.
 */
final class Inventory {
  private final FileOperations files;
  private final List<Job> jobs = new ArrayList<>();
  private final List<Finding> unreadable = new ArrayList<>();

  /** A store, and what could be read of it. */
  private record Found(
      StoreView store, boolean shared, Optional<StoreView.Owner> owner, List<Finding> findings) {}

  private Inventory(FileOperations files) {
    this.files = files;
  }

  /**
   * Looks into the directories.
   *
   * @throws ToolException if one isn't there
   */
  static Inventory of(FileOperations files, List<Path> directories)
      throws IOException, ToolException {
    Inventory inventory = new Inventory(files);
    Map<String, List<Found>> byName = new TreeMap<>();
    Set<String> seen = new HashSet<>();
    for (Path directory : directories) {
      if (!Files.isDirectory(directory)) {
        throw ToolException.notFound(
            (files.exists(directory) ? "not a directory: " : "no such directory: ")
                + directory
                + "; give the one that cairn.dir named, or a job's own");
      }
      StoreView itself = new StoreView(files, directory);
      if (itself.exists()) {
        inventory.add(itself, seen, byName);
      } else {
        inventory.addAll(directory, seen, byName);
      }
    }
    byName.forEach(inventory::group);
    return inventory;
  }

  /** The jobs in a directory; one of somebody else's doesn't keep the others from being seen. */
  private void addAll(Path directory, Set<String> seen, Map<String, List<Found>> byName)
      throws IOException {
    for (String name : files.list(directory)) {
      StoreView store = new StoreView(files, directory.resolve(name));
      try {
        if (Files.isDirectory(store.directory()) && store.exists()) {
          add(store, seen, byName);
        }
      } catch (IOException e) {
        unreadable.add(Finding.of(store.directory(), e));
      }
    }
  }

  private void add(StoreView store, Set<String> seen, Map<String, List<Found>> byName)
      throws IOException {
    // Fails here rather than in the middle of what a verb does with all of them.
    store.epochs();
    String name = store.directory().toAbsolutePath().normalize().getFileName().toString();
    List<Finding> findings = new ArrayList<>();
    Optional<String> storeId = Optional.empty();
    boolean shared = false;
    try {
      storeId = store.id();
      shared = store.isSharedTier();
    } catch (IOException e) {
      findings.add(Finding.of(store.directory().resolve("store"), e));
    }
    // One store by two ways, such as a file system mounted twice.
    if (!seen.add(name + " " + storeId.orElse(store.directory().toRealPath().toString()))) {
      return;
    }
    Optional<StoreView.Owner> owner = Optional.empty();
    Path jobFile = store.directory().resolve("job");
    try {
      owner = store.owner();
      if (owner.isEmpty()) {
        findings.add(Finding.missing(jobFile));
      } else if (!owner.get().jobId().equals(name)) {
        findings.add(
            Finding.of(
                jobFile, new ForeignImageException(jobFile, "job", owner.get().jobId(), name)));
      }
    } catch (IOException e) {
      findings.add(Finding.of(jobFile, e));
    }
    try {
      store.newest();
    } catch (IOException e) {
      findings.add(Finding.of(store.directory().resolve("generation"), e));
    }
    byName
        .computeIfAbsent(name, n -> new ArrayList<>())
        .add(new Found(store, shared, owner, findings));
  }

  /** Stores that don't tell whose they are go with the others of their name. */
  private void group(String name, List<Found> found) {
    Map<String, List<Found>> byUuid = new TreeMap<>();
    for (Found one : found) {
      one.owner()
          .ifPresent(
              owner ->
                  byUuid
                      .computeIfAbsent(owner.jobUuid().toString(), u -> new ArrayList<>())
                      .add(one));
    }
    List<Found> nobodys = found.stream().filter(one -> one.owner().isEmpty()).toList();
    if (byUuid.size() == 1) {
      byUuid.values().iterator().next().addAll(nobodys);
    } else if (!nobodys.isEmpty()) {
      jobs.add(job(name, nobodys));
    }
    byUuid.values().forEach(stores -> jobs.add(job(name, stores)));
  }

  private static Job job(String name, List<Found> found) {
    Optional<UUID> uuid =
        found.stream().flatMap(f -> f.owner().stream()).map(StoreView.Owner::jobUuid).findFirst();
    int worldSize =
        found.stream()
            .flatMap(f -> f.owner().stream())
            .mapToInt(StoreView.Owner::worldSize)
            .max()
            .orElse(0);
    List<Finding> findings = new ArrayList<>();
    for (Found one : found) {
      findings.addAll(one.findings());
      if (one.owner().isPresent() && one.owner().get().worldSize() != worldSize) {
        Path file = one.store().directory().resolve("job");
        findings.add(
            Finding.of(
                file,
                new ForeignImageException(
                    file, "world size", one.owner().get().worldSize(), worldSize)));
      }
    }
    return new Job(
        name,
        uuid,
        worldSize,
        found.stream().map(Found::store).toList(),
        found.stream().filter(Found::shared).map(Found::store).collect(Collectors.toSet()),
        List.copyOf(findings),
        false);
  }

  /** Directories that may be jobs', and can't be read. */
  List<Finding> unreadable() {
    return unreadable;
  }

  /** All jobs, by name. */
  List<Job> jobs() {
    return jobs;
  }

  /**
   * The job of that name; or the only one, if no name is given.
   *
   * @throws ToolException if there is none, or more than one
   */
  Job require(String name, List<Path> directories) throws ToolException {
    for (Finding finding : unreadable) {
      if (name != null && finding.file().getFileName().toString().equals(name)) {
        throw ToolException.refused(finding.message());
      }
    }
    if (jobs.isEmpty() && !unreadable.isEmpty()) {
      throw ToolException.refused(unreadable.get(0).message());
    }
    if (jobs.isEmpty()) {
      throw ToolException.notFound("no jobs in " + shown(directories));
    }
    List<String> names = jobs.stream().map(Job::id).distinct().toList();
    List<Job> named = jobs.stream().filter(j -> name == null || j.id().equals(name)).toList();
    if (named.isEmpty()) {
      List<String> near = NearNames.of(name, names);
      throw ToolException.notFound(
          "no job '%s' in %s%s"
              .formatted(
                  name,
                  shown(directories),
                  near.isEmpty()
                      ? "; there: " + shown(names)
                      : "; did you mean " + String.join(" or ", near) + "?"));
    }
    if (named.size() > 1 && name == null) {
      throw ToolException.usage("which job? There are " + shown(names));
    }
    if (named.size() > 1) {
      throw ToolException.usage(
          "%d different jobs are called '%s', in %s; name one of these directories"
              .formatted(
                  named.size(),
                  name,
                  shown(named.stream().flatMap(j -> j.directories().stream()).toList())));
    }
    return named.get(0);
  }

  private static String shown(List<?> things) {
    int most = 10;
    String first = String.join(", ", things.stream().limit(most).map(Object::toString).toList());
    return things.size() > most ? first + ", and " + (things.size() - most) + " more" : first;
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import io.cairn.coordinate.Group;
import io.cairn.store.Together;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.OptionalLong;
import java.util.function.Consumer;

/**
 * What a rank may take of its node, beside the node's other ranks.
 *
 * @param ranks ranks of the job on the node
 * @param availableBytes memory that all of them may take together; empty if nothing tells
 * @param cores how many this rank has to itself, at least 1
 */
record NodeShare(int ranks, OptionalLong availableBytes, int cores) {

  private static final long WITHOUT_INFORMATION = 256L << 20;

  /** The rest is for the program, for what it allocates later, and for the page cache. */
  private static final int PART_OF_AVAILABLE = 2;

  /** Collective over all ranks. */
  static NodeShare of(Group group, String host) throws Exception {
    List<String> hosts = Together.runText(group, () -> host);
    return read(
        Path.of("/"),
        Collections.frequency(hosts, host),
        Runtime.getRuntime().availableProcessors());
  }

  /**
   * @param root where /proc and /sys are
   * @param processors what the JVM has found: those it is bound to, or fewer if its container has a
   *     limit
   */
  static NodeShare read(Path root, int ranks, int processors) {
    return new NodeShare(ranks, available(root), cores(root, ranks, processors));
  }

  private static OptionalLong available(Path root) {
    OptionalLong system = bytes(root.resolve("proc/meminfo"), "MemAvailable:");
    OptionalLong group = MemoryLimit.left(root);
    if (system.isEmpty() || group.isEmpty()) {
      return system.isEmpty() ? group : system;
    }
    return OptionalLong.of(Math.min(system.getAsLong(), group.getAsLong()));
  }

  private static OptionalLong bytes(Path file, String name) {
    for (String line : lines(file)) {
      if (line.startsWith(name)) {
        return OptionalLong.of(1024 * Long.parseLong(line.replaceAll("[^0-9]", "")));
      }
    }
    return OptionalLong.empty();
  }

  /**
   * Ranks that are bound have what they are bound to, if that isn't all there is for several of
   * them; a container's limit is for all ranks in it.
   */
  private static int cores(Path root, int ranks, int processors) {
    int bound = listed(root.resolve("proc/self/status"), "Cpus_allowed_list:", processors);
    if (processors < bound) {
      return Math.max(1, processors / ranks);
    }
    int online = Math.max(bound, listed(root.resolve("sys/devices/system/cpu/online"), "", bound));
    return Math.max(1, Math.min(bound, online / ranks));
  }

  /** How many numbers a list such as {@code 0-3,8} has. */
  private static int listed(Path file, String name, int otherwise) {
    for (String line : lines(file)) {
      if (line.startsWith(name)) {
        int count = 0;
        for (String range : line.substring(name.length()).strip().split(",", -1)) {
          String[] ends = range.split("-", 2);
          count += Integer.parseInt(ends[ends.length - 1]) - Integer.parseInt(ends[0]) + 1;
        }
        return count;
      }
    }
    return otherwise;
  }

  static List<String> lines(Path file) {
    try {
      return Files.readAllLines(file);
    } catch (IOException e) {
      return List.of(); // another kernel
    }
  }

  /**
   * Most that the staging pool may take, in bytes: of what is left beside the regions, which may
   * not be touched yet. A limit of memory ends the program that goes beyond it.
   *
   * @param asked what the user says
   * @param regionBytes length of this rank's regions, allocated since the memory was looked at
   * @param warnings told if that is more than there is
   */
  long stagingBudget(OptionalLong asked, long regionBytes, Consumer<String> warnings) {
    long most = Math.max(0, availableBytes.orElse(Long.MAX_VALUE) / ranks - regionBytes);
    if (asked.isEmpty()) {
      // Without /proc a modest share, which makes captures slower but works.
      return availableBytes.isEmpty() ? WITHOUT_INFORMATION : most / PART_OF_AVAILABLE;
    }
    if (asked.getAsLong() > most) {
      warnings.accept(
          "cairn.staging=%d bytes, but of the memory that its %d ranks may take on this node only %d bytes are left for each beside its regions (MemAvailable and memory limits); taking no more than that"
              .formatted(asked.getAsLong(), ranks, most));
    }
    return Math.min(asked.getAsLong(), most);
  }
}

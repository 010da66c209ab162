// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;

/**
 * What the control groups of this process, version 1 or 2, leave of their memory limits. A limit of
 * a group holds for all groups inside it, so the path is walked up to the mount.
 */
final class MemoryLimit {

  private MemoryLimit() {}

  /** The least of all limits minus what is used and not reclaimable; empty without a limit. */
  static OptionalLong left(Path root) {
    Path mount = root.resolve("sys/fs/cgroup");
    long least = Long.MAX_VALUE;
    for (String line : NodeShare.lines(root.resolve("proc/self/cgroup"))) {
      // hierarchy:controllers:path
      String[] fields = line.split(":", 3);
      if (fields.length < 3) {
        continue;
      }
      if (fields[1].isEmpty()) {
        least = Math.min(least, walk(mount, fields[2], Version.TWO));
      } else if (List.of(fields[1].split(",", -1)).contains("memory")) {
        least = Math.min(least, walk(mount.resolve("memory"), fields[2], Version.ONE));
      }
    }
    return least == Long.MAX_VALUE ? OptionalLong.empty() : OptionalLong.of(least);
  }

  private enum Version {
    ONE("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "),
    TWO("memory.max", "memory.current", "inactive_file ");

    final String limit;
    final String used;
    final String reclaimable;

    Version(String limit, String used, String reclaimable) {
      this.limit = limit;
      this.used = used;
      this.reclaimable = reclaimable;
    }
  }

  private static long walk(Path mount, String path, Version version) {
    long least = Long.MAX_VALUE;
    Path top = mount.normalize();
    // In a container the path may be that of the host, of which nothing is here but the mount.
    Path group = top.resolve(path.replaceFirst("^/+", "")).normalize();
    for (Path at = group; at != null && at.startsWith(top); at = at.getParent()) {
      long limit = number(at.resolve(version.limit), "");
      if (limit < 0) {
        continue; // "max", or no such file
      }
      long used = Math.max(0, number(at.resolve(version.used), ""));
      long reclaimable = Math.max(0, number(at.resolve("memory.stat"), version.reclaimable));
      least = Math.min(least, Math.max(0, limit - Math.max(0, used - reclaimable)));
    }
    return least;
  }

  /** The number after the name, or -1. */
  private static long number(Path file, String name) {
    for (String line : NodeShare.lines(file)) {
      String text = line.startsWith(name) ? line.substring(name.length()).strip() : "";
      if (text.matches("[0-9]{1,18}")) {
        return Long.parseLong(text);
      }
    }
    return -1;
  }
}

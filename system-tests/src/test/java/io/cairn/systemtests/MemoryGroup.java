// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A control group of one's own, version 1 or 2, with a limit of memory: the kernel kills what goes
 * beyond it.
 */
final class MemoryGroup implements AutoCloseable {
  private static final Path MOUNT = Path.of("/sys/fs/cgroup");
  private static final Pattern KILLS = Pattern.compile("(?m)^oom_kill (\\d+)$");
  private static final int REMOVE_LOOKS = 500;

  private final Path group;
  private final boolean version1;

  /**
   * @throws IOException if there are no such groups here, or only for others
   */
  MemoryGroup(long limitBytes) throws IOException {
    version1 = Files.isDirectory(MOUNT.resolve("memory"));
    Path parent = version1 ? MOUNT.resolve("memory") : MOUNT;
    if (!version1
        && !Files.readString(MOUNT.resolve("cgroup.subtree_control")).contains("memory")) {
      throw new IOException(MOUNT + ": groups have no limits of memory");
    }
    group = Files.createDirectory(parent.resolve("cairn-test-" + ProcessHandle.current().pid()));
    try {
      Path limit = group.resolve(version1 ? "memory.limit_in_bytes" : "memory.max");
      Files.writeString(limit, Long.toString(limitBytes));
      if (!Files.exists(kills())) {
        throw new IOException(kills() + ": nothing says who was killed");
      }
    } catch (IOException e) {
      close();
      throw e;
    }
  }

  /** What runs a command, which is to follow, in the group. */
  String[] enter() {
    String script = "echo $$ >" + group.resolve("cgroup.procs") + " && exec \"$@\"";
    return new String[] {"sh", "-c", script, "sh"};
  }

  /** Most that its processes had. */
  long mostBytes() throws IOException {
    String most = version1 ? "memory.max_usage_in_bytes" : "memory.peak";
    return Long.parseLong(Files.readString(group.resolve(most)).strip());
  }

  /** How many of its processes the kernel has killed. */
  long killed() throws IOException {
    Matcher kills = KILLS.matcher(Files.readString(kills()));
    if (!kills.find()) {
      throw new IOException(kills() + ": has no line oom_kill");
    }
    return Long.parseLong(kills.group(1));
  }

  private Path kills() {
    return group.resolve(version1 ? "memory.oom_control" : "memory.events");
  }

  @Override
  public void close() throws IOException {
    for (int i = 0; ; i++) {
      try {
        Files.delete(group);
        return;
      } catch (IOException e) {
        // Its last process has ended, and isn't taken off the list yet.
        if (i == REMOVE_LOOKS) {
          throw e;
        }
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(10));
      }
    }
  }
}

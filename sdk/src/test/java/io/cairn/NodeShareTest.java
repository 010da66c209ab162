// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Shares by what a made-up /proc and /sys say. */
final class NodeShareTest {
  private static final long GIB = 1L << 30;

  @TempDir Path root;
  private final List<String> warnings = new ArrayList<>();

  private void write(String file, String text) throws IOException {
    Path path = root.resolve(file);
    Files.createDirectories(path.getParent());
    Files.writeString(path, text);
  }

  private void memoryAvailable(long bytes) throws IOException {
    write(
        "proc/meminfo",
        "MemTotal: 99999999 kB\nMemFree: 1 kB\nMemAvailable: %d kB\n".formatted(bytes / 1024));
  }

  private long budget(int ranks) {
    return NodeShare.read(root, ranks, 1).stagingBudget(OptionalLong.empty(), 0, warnings::add);
  }

  private int cores(int ranks, int processors) {
    return NodeShare.read(root, ranks, processors).cores();
  }

  @Test
  void shouldShareHalfOfWhatIsAvailableAmongTheRanksOfTheNode() throws IOException {
    memoryAvailable(12 * GIB);
    assertEquals(6 * GIB, budget(1));
    assertEquals(2 * GIB, budget(3));
  }

  @Test
  void shouldTakeAModestShareWhereNothingTells() {
    assertEquals(256 << 20, budget(1));
    assertEquals(1, cores(2, 2));
  }

  @Test
  void shouldKeepWithinTheLimitOfItsGroupOfVersion2() throws IOException {
    memoryAvailable(100 * GIB);
    write("proc/self/cgroup", "0::/job/step\n");
    write("sys/fs/cgroup/job/step/memory.max", "max\n");
    write("sys/fs/cgroup/job/memory.max", Long.toString(10 * GIB));
    write("sys/fs/cgroup/job/memory.current", Long.toString(5 * GIB));
    write("sys/fs/cgroup/job/memory.stat", "anon 17\ninactive_file " + GIB + "\n");
    assertEquals(3 * GIB, budget(1));
    write("sys/fs/cgroup/job/step/memory.max", Long.toString(4 * GIB));
    assertEquals(2 * GIB, budget(1), "the least of all limits on the way up");
  }

  @Test
  void shouldKeepWithinTheLimitOfItsGroupOfVersion1() throws IOException {
    memoryAvailable(100 * GIB);
    write("proc/self/cgroup", "3:cpu,cpuacct:/x\n4:memory:/docker/0123\n0::/\n");
    // A container sees its own group at the mount.
    write("sys/fs/cgroup/memory/memory.limit_in_bytes", Long.toString(8 * GIB));
    write("sys/fs/cgroup/memory/memory.usage_in_bytes", Long.toString(3 * GIB));
    write("sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file " + GIB);
    assertEquals(3 * GIB, budget(1));
  }

  @Test
  void shouldWarnOfABudgetThatIsNotThere() throws IOException {
    memoryAvailable(4 * GIB);
    NodeShare share = NodeShare.read(root, 2, 1);
    assertEquals(GIB, share.stagingBudget(OptionalLong.of(GIB), 0, warnings::add));
    assertEquals(List.of(), warnings);
    assertEquals(2 * GIB, share.stagingBudget(OptionalLong.of(3 * GIB), 0, warnings::add));
    assertEquals(1, warnings.size());
    assertTrue(warnings.get(0).contains("cairn.staging=3221225472"), warnings.get(0));
    assertTrue(warnings.get(0).contains("only 2147483648 bytes"), warnings.get(0));
  }

  @Test
  void shouldLeaveTheProgramItsRegions() throws IOException {
    memoryAvailable(8 * GIB);
    NodeShare share = NodeShare.read(root, 2, 1);
    assertEquals(GIB, share.stagingBudget(OptionalLong.empty(), 2 * GIB, warnings::add));
    assertEquals(0, share.stagingBudget(OptionalLong.empty(), 5 * GIB, warnings::add));
    assertEquals(List.of(), warnings);
    assertEquals(GIB, share.stagingBudget(OptionalLong.of(2 * GIB), 3 * GIB, warnings::add));
    assertTrue(warnings.get(0).contains("only 1073741824 bytes"), warnings.get(0));
  }

  @Test
  void shouldCountTheCoresThatARankHasToItself() throws IOException {
    write("sys/devices/system/cpu/online", "0-15\n");
    write("proc/self/status", "Name:\tjava\nCpus_allowed_list:\t0-15\n");
    assertEquals(4, cores(4, 16), "unbound: all by four");
    assertEquals(1, cores(40, 16), "oversubscribed");
    assertEquals(2, cores(4, 8), "a container's limit of eight");
    write("proc/self/status", "Cpus_allowed_list:\t0-1,8-9\n");
    assertEquals(4, cores(4, 4), "bound to four, as the others are");
    assertEquals(2, cores(8, 4), "bound to four together with another");
    write("proc/self/status", "Cpus_allowed_list:\t3\n");
    assertEquals(1, cores(2, 1), "bound to one");
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.natives;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class DevicesTest {
  @TempDir Path descriptors;

  private void open(int descriptor, String file) throws IOException {
    Files.createSymbolicLink(descriptors.resolve(Integer.toString(descriptor)), Path.of(file));
  }

  @ParameterizedTest
  @ValueSource(strings = {"/dev/nvidia0", "/dev/nvidia-uvm", "/dev/kfd", "/dev/dri/renderD128"})
  void shouldFindWhatWritesToMemoryByItself(String device) throws IOException {
    open(0, "/dev/null");
    open(7, device);
    assertEquals(Optional.of(device), Devices.writing(descriptors));
  }

  @Test
  void shouldLetOtherFilesBe() throws IOException {
    open(0, "/dev/null");
    open(1, "/dev/pts/0");
    open(2, "/data/dev/nvidia0");
    open(3, "socket:[17]");
    open(4, "/dev/infiniband/uverbs0");
    assertEquals(Optional.empty(), Devices.writing(descriptors));
    assertEquals(Optional.empty(), Devices.writing(Path.of("/proc/self/fd")));
  }

  @Test
  void shouldExpectTheWorstWhereNothingCanBeKnown() {
    String found = Devices.writing(descriptors.resolve("missing")).orElseThrow();
    assertTrue(found.contains("missing"), found);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.natives;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where the native libraries are unpacked: nobody else may put one there. */
class NativeLibrariesTest {

  @TempDir Path temporary;

  @Test
  void shouldMakeAFolderForThisUserAloneAndTakeItAgain() throws IOException {
    Path folder = NativeLibraries.privateFolder(temporary);
    assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)));
    assertEquals(folder, NativeLibraries.privateFolder(temporary));
    try (var left = Files.list(temporary)) {
      assertEquals(List.of(folder), left.toList(), "something else is left");
    }
  }

  @Test
  void shouldRefuseAFolderThatOthersMayWriteTo() throws IOException {
    Path folder = NativeLibraries.privateFolder(temporary);
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
    String message =
        assertThrows(IOException.class, () -> NativeLibraries.privateFolder(temporary))
            .getMessage();
    assertTrue(message.contains(folder.toString()) && message.contains("rwxrwxrwx"), message);
  }

  @Test
  void shouldRefuseALinkInPlaceOfTheFolder() throws IOException {
    Path folder = NativeLibraries.privateFolder(temporary);
    Path elsewhere = temporary.resolve("elsewhere");
    Files.move(folder, elsewhere);
    Files.createSymbolicLink(folder, elsewhere);
    assertThrows(IOException.class, () -> NativeLibraries.privateFolder(temporary));
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.natives;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Which devices this process has opened that may write to its memory by themselves: GPUs and others
 * that are driven without the kernel. They go by physical addresses, so the marks in the page
 * tables by which written pages are found know nothing of it. Network adapters aren't among them:
 * the program uses those by MPI, whose receives are known.
 */
final class Devices {
  private static final Pattern WRITING =
      Pattern.compile("/dev/(nvidia.*|kfd|dri/.*|vfio/.*|uio.*|accel/.*|habanalabs/.*|cxl/.*)");

  private Devices() {}

  /**
   * The first one found.
   *
   * @param descriptors {@code /proc/self/fd}
   */
  static Optional<String> writing(Path descriptors) {
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(descriptors)) {
      for (Path entry : entries) {
        Optional<String> opened = opened(entry);
        if (opened.isPresent() && WRITING.matcher(opened.get()).matches()) {
          return opened;
        }
      }
      return Optional.empty();
    } catch (IOException | DirectoryIteratorException e) {
      return Optional.of("an unknown device (" + e + ")");
    }
  }

  private static Optional<String> opened(Path descriptor) {
    try {
      return Optional.of(Files.readSymbolicLink(descriptor).toString());
    } catch (IOException e) {
      return Optional.empty(); // Closed meanwhile.
    }
  }
}

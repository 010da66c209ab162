// SPDX-License-Identifier: Apache-2.0
package io.cairn.testing;

import io.cairn.image.SystemFiles;
import io.cairn.store.JobDirectory;
import io.cairn.store.Launch;
import io.cairn.store.StoreSettings;
import java.nio.file.Path;

/** A launch that is alive and does nothing, as a process of its own: {@code main DIRECTORY}. */
public final class LockHolder {
  private LockHolder() {}

  public static void main(String[] args) throws Exception {
    JobDirectory held =
        JobDirectory.open(
            new StoreSettings(Path.of(args[0]), "job", 2, 0, 0),
            4096,
            new ThreadGroupWorld(1).group(0),
            new SystemFiles(),
            Launch.current(),
            System::nanoTime);
    System.out.println("held");
    Thread.sleep(60_000);
    held.close();
  }
}

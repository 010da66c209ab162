// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import io.cairn.image.StateFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongSupplier;

/**
 * A lock that ends with its process. The file says who holds it; it is written by the holder only,
 * and a process that holds the lock must not open the file again (closing any descriptor of it
 * gives a POSIX lock up).
 */
final class KernelLock implements Closeable {
  private static final FileAttribute<Set<PosixFilePermission>> PRIVATE =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
  private static final Set<StandardOpenOption> SIGN =
      Set.of(
          StandardOpenOption.CREATE,
          StandardOpenOption.WRITE,
          StandardOpenOption.TRUNCATE_EXISTING);
  private static final long POLL_MILLIS = 50;

  /** A sign of life in each half second. */
  private static final int POLLS_PER_SIGN = 10;

  private static final int MAX_HOLDER_BYTES = 4096;

  private final FileChannel channel;

  private KernelLock(FileChannel channel) {
    this.channel = channel;
  }

  static KernelLock take(Path file, Launch launch, long waitMillis, LongSupplier nanoClock)
      throws IOException, InterruptedException {
    FileChannel channel =
        FileChannel.open(
            file,
            Set.of(StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE),
            PRIVATE);
    try {
      long begin = nanoClock.getAsLong();
      Waiting waiting = null;
      try {
        for (int polls = 0; !tryLock(channel); polls++) {
          if (nanoClock.getAsLong() - begin >= waitMillis * 1_000_000) {
            throw new JobLockedException(file, holder(channel), waitMillis);
          }
          if (polls % POLLS_PER_SIGN == 0) {
            waiting = waiting == null ? new Waiting(file, launch) : waiting;
            waiting.sign();
          }
          Thread.sleep(POLL_MILLIS);
        }
      } finally {
        if (waiting != null) {
          waiting.end();
        }
      }
      sign(channel, launch);
      return new KernelLock(channel);
    } catch (Throwable e) {
      channel.close();
      throw e;
    }
  }

  /** Tells the holder that somebody waits; a holder that is well takes no notice. */
  private static final class Waiting {
    private final Path file;
    private final Launch launch;
    private long signs;

    Waiting(Path lock, Launch launch) {
      file = lock.resolveSibling(StoreView.WAITING);
      this.launch = launch;
    }

    void sign() {
      signs++;
      String text = "%s %d on %s%n".formatted(launch.random(), launch.pid(), launch.host());
      try (FileChannel channel = FileChannel.open(file, SIGN, PRIVATE)) {
        channel.write(ByteBuffer.wrap((signs + " " + text).getBytes(StandardCharsets.UTF_8)));
      } catch (IOException e) {
        // Then the holder doesn't know.
      }
    }

    void end() {
      try {
        Files.deleteIfExists(file);
      } catch (IOException e) {
        // It changes no more, which is what counts.
      }
    }
  }

  /** What a launch that waits for the lock has written last; empty if none does. */
  static String waiting(Path lock) {
    try {
      return Files.readString(lock.resolveSibling(StoreView.WAITING), StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      return "";
    }
  }

  /** Who holds it now; empty if nobody does, or there is no such file. */
  static Optional<String> holderOf(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      try (FileLock lock = channel.tryLock(0, Long.MAX_VALUE, true)) {
        if (lock != null) {
          return Optional.empty();
        }
      } catch (OverlappingFileLockException e) {
        // Held by this very process.
      }
      return Optional.of(holder(channel));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
  }

  private static boolean tryLock(FileChannel channel) throws IOException {
    try {
      FileLock lock = channel.tryLock();
      return lock != null;
    } catch (OverlappingFileLockException e) {
      return false;
    }
  }

  private static void sign(FileChannel channel, Launch launch) throws IOException {
    channel.truncate(0);
    ByteBuffer text =
        ByteBuffer.wrap(
            StateFile.builder("lock")
                .field("host", launch.host())
                .field("pid", launch.pid())
                .field("started", launch.started())
                .toBytes());
    while (text.hasRemaining()) {
      channel.write(text);
    }
  }

  private static String holder(FileChannel channel) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(MAX_HOLDER_BYTES);
    channel.read(buffer, 0);
    String text = new String(buffer.array(), 0, buffer.position(), StandardCharsets.UTF_8);
    return "process "
        + line(text, "pid")
        + " on "
        + line(text, "host")
        + " since "
        + line(text, "started");
  }

  private static String line(String text, String key) {
    return text.lines()
        .filter(line -> line.startsWith(key + "="))
        .map(line -> line.substring(key.length() + 1))
        .findFirst()
        .orElse("unknown");
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}

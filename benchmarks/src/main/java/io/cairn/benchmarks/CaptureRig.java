// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.capture.CaptureSettings;
import io.cairn.capture.ImageCapture;
import io.cairn.capture.Registry;
import io.cairn.coordinate.Capture.PendingImage;
import io.cairn.coordinate.Capture.Progress;
import io.cairn.coordinate.SealedChannels;
import io.cairn.image.DirectMode;
import io.cairn.image.EncodeMode;
import io.cairn.image.EpochId;
import io.cairn.image.FaultHook;
import io.cairn.image.ImageHeader;
import io.cairn.image.ImageTarget;
import io.cairn.image.JobIdentity;
import io.cairn.image.SystemFiles;
import io.cairn.natives.NativeFileSpace;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.UUID;

/** A rank's capture with one region, and a directory for its images. */
final class CaptureRig implements AutoCloseable {

  private static final long WRITE_LIMIT_NANOS = 600_000_000_000L;

  final Memory region;
  final Path directory;
  private final ImageCapture capture;
  private volatile String lastChoice = "";
  private long epoch;

  CaptureRig(long lengthBytes, Content content) throws IOException {
    this(lengthBytes, content, EncodeMode.AUTO, 0);
  }

  /**
   * @param bandwidthBytes most that is written in a second; 0 for no limit
   */
  CaptureRig(long lengthBytes, Content content, EncodeMode encode, long bandwidthBytes)
      throws IOException {
    Quiet.ensure();
    region = new Memory(lengthBytes);
    region.fill(content, 1);
    directory = Directories.create();
    Registry registry = new Registry();
    registry.region("region", region.address, lengthBytes);
    ImageTarget target = target(region.pages.pageSizeBytes());
    capture =
        new ImageCapture(
            region.pages,
            registry,
            target,
            new CaptureSettings(
                lengthBytes,
                ImageHeader.DEFAULT_BLOCK_BYTES,
                encode,
                bandwidthBytes,
                DirectMode.AUTO,
                1,
                1),
            new SystemFiles(new NativeFileSpace()),
            FaultHook.NONE,
            System::nanoTime);
    capture.whenChosen(choice -> lastChoice = choice);
    capture.prepare();
  }

  /** What was said of how the region is stored since this was last asked; often nothing. */
  String takeChoice() {
    String taken = lastChoice;
    lastChoice = "";
    return taken;
  }

  /** What the application waits for. */
  PendingImage capture() throws Exception {
    epoch++;
    return capture.capture(epoch, epoch);
  }

  /** Waits until the image is synced, looking as often as the agent does. */
  static void seal(PendingImage image) throws Exception {
    image.seal(new SealedChannels(0, 0, 0, 0, 0, () -> {}));
    long begin = System.nanoTime();
    while (image.progress() == Progress.RUNNING) {
      if (System.nanoTime() - begin > WRITE_LIMIT_NANOS) {
        throw new IllegalStateException("no image after ten minutes");
      }
      Thread.sleep(1);
    }
    if (image.progress() == Progress.FAILED) {
      throw new IllegalStateException("the image could not be written", image.failure());
    }
  }

  /** Removes the last image, if there is one; returns its length. */
  long remove() throws IOException {
    long lengthBytes = Files.exists(file(epoch)) ? Files.size(file(epoch)) : 0;
    Files.deleteIfExists(file(epoch));
    return lengthBytes;
  }

  private Path file(long number) {
    return directory.resolve("epoch-" + number + ".image");
  }

  private ImageTarget target(long pageBytes) {
    JobIdentity job = new JobIdentity("benchmark", new UUID(1, 2), 1, pageBytes);
    return new ImageTarget() {
      @Override
      public JobIdentity job() {
        return job;
      }

      @Override
      public int rank() {
        return 0;
      }

      @Override
      public EpochId epochId(long number) {
        return new EpochId(1, number);
      }

      @Override
      public Path prepare(long number) {
        return file(number);
      }

      @Override
      public void leave(long number) {}

      @Override
      public Path place() {
        return directory;
      }

      @Override
      public long usableBytes() throws IOException {
        return directory.toFile().getUsableSpace();
      }
    };
  }

  @Override
  public void close() throws IOException {
    capture.close();
    region.close();
    Directories.delete(directory);
  }
}

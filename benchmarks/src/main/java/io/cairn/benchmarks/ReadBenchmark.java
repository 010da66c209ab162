// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.image.BlockReader;
import io.cairn.image.DirectMode;
import io.cairn.image.EncodeMode;
import io.cairn.image.ImageChain;
import io.cairn.image.ReadSettings;
import io.cairn.image.SectionKind;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * An image that is read past the page cache, checked, decompressed and brought to its memory, which
 * has been touched. Beside it, the same file read past the page cache into one buffer.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 1)
@Measurement(iterations = 7)
public class ReadBenchmark {

  @Param("512")
  int mebibytes;

  @Param({"HALF", "RANDOM"})
  Content content;

  @Param({"1", "2"})
  int threads;

  private ImageFile image;

  @Setup
  public void start() throws IOException {
    image = new ImageFile((long) mebibytes << 20, content, EncodeMode.SMALL, DirectMode.AUTO);
    image.write();
  }

  @TearDown
  public void stop() throws IOException {
    image.close();
  }

  @Benchmark
  public long referenceReadDirect() throws IOException {
    return RawWrite.readDirect(image.file);
  }

  @Benchmark
  public void readImage() throws IOException {
    Memory region = image.region;
    try (ImageChain chain = ImageChain.open(image.files, image.file, older -> null)) {
      new BlockReader(
              image.files,
              new ReadSettings(threads, DirectMode.AUTO),
              chain.newest().header().blockBytes())
          .read(
              chain.jobs(
                  section ->
                      section.kind() == SectionKind.REGION
                          ? (offset, length) -> region.pages.view(region.address + offset, length)
                          : null));
    }
  }
}

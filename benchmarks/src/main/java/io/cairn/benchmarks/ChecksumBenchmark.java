// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import java.util.zip.CRC32C;
import org.openjdk.jmh.annotations.Benchmark;

/** The checksum of a block. */
public class ChecksumBenchmark extends OneBlock {

  private final CRC32C crc = new CRC32C();

  @Benchmark
  public long checksum() {
    crc.reset();
    crc.update(block.rewind());
    return crc.getValue();
  }
}

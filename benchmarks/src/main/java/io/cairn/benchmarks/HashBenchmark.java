// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.image.BlockHash;
import org.openjdk.jmh.annotations.Benchmark;

/** The hash of a block, by which it is compared with its parent's. */
public class HashBenchmark extends OneBlock {

  private final BlockHash hash = new BlockHash();

  @Benchmark
  public long hash() {
    hash.of(block);
    return hash.low() ^ hash.high();
  }
}

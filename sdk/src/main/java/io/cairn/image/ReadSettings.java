// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

/**
 * How images are read.
 *
 * @param threads that read, check and decompress at once; each takes a few MiB of memory
 * @param direct whether to read past the page cache
 */
public record ReadSettings(int threads, DirectMode direct) {

  /** One thread, by way of the page cache. */
  public static final ReadSettings PLAIN = new ReadSettings(1, DirectMode.OFF);

  public ReadSettings {
    if (threads < 1) {
      throw new IllegalArgumentException(threads + " threads");
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Blocks are hashed and compared where that pays, and a few where it doesn't. */
final class SectionComparisonTest {
  private static final int BLOCK = 1000;
  private static final int BLOCKS = 160;

  private final SectionComparison comparison = new SectionComparison(EncodeMode.AUTO);

  /** An image of which a share of the blocks is as in the parent; returns how many were hashed. */
  private int image(SectionComparison of, double same, double hashNanos, double storeNanos) {
    of.begin();
    int hashed = 0;
    for (int block = 0; block < BLOCKS; block++) {
      if (of.hashes(block)) {
        of.hashed(BLOCK, (long) (hashNanos * BLOCK));
        of.compared(hashed % 10 < same * 10);
        hashed++;
      }
    }
    of.finish(storeNanos);
    return hashed;
  }

  @Test
  void shouldCompareAllWhereThatSavesMoreThanItCosts() {
    for (int i = 0; i < 5; i++) {
      assertEquals(BLOCKS, image(comparison, 0.5, 1, 4));
    }
  }

  @Test
  void shouldCompareAFewWhereItCostsMoreAndAllAgainWhenThatChanges() {
    assertEquals(BLOCKS, image(comparison, 0, 1, 4));
    for (int i = 0; i < 5; i++) {
      assertEquals(BLOCKS / SectionComparison.SAMPLE, image(comparison, 0.2, 1, 4));
    }
    image(comparison, 0.9, 1, 4);
    assertEquals(BLOCKS, image(comparison, 0.9, 1, 4));
  }

  @Test
  void shouldKeepItsChoiceWhileTheOtherIsHardlyBetter() {
    image(comparison, 0.3, 1, 3);
    assertTrue(comparison.all());
    image(comparison, 0, 1, 3);
    assertFalse(comparison.all());
    image(comparison, 0.4, 1, 2.75);
    assertFalse(comparison.all());
  }

  @Test
  void shouldSayOnceWhatItFoundAndWhy() {
    assertFalse(comparison.hasNews());
    image(comparison, 0.5, 1, 4);
    assertTrue(comparison.hasNews());
    assertFalse(comparison.hasNews());
    assertEquals(
        "80 of 160 blocks that were compared are as in the parent image, which takes 1.00 GB/s:"
            + " all are compared",
        comparison.describe(1));
    image(comparison, 0, 1, 4);
    assertTrue(comparison.hasNews());
    assertEquals(
        "0 of 160 blocks that were compared are as in the parent image, which takes 0.50 GB/s:"
            + " one of 16 is compared",
        comparison.describe(2));
  }

  @Test
  void shouldAlwaysCompareForSmallImagesAndNeverForFastOnes() {
    SectionComparison small = new SectionComparison(EncodeMode.SMALL);
    image(small, 0, 9, 1);
    assertEquals(BLOCKS, image(small, 0, 9, 1));
    assertEquals(0, image(new SectionComparison(EncodeMode.FAST), 1, 0.1, 9));
  }

  /** Made by the reference implementation of xxHash, 0.8.1. */
  @ParameterizedTest
  @CsvSource({
    "0, 99aa06d3014798d8, 6001c324468d497f",
    "17, 340f6f9202ad1131, a378e80882221151",
    "241, d04f5d232c8b6fa7, 2cbccf88ae17f35d",
    "4096, 5647fed84e2a178c, ec256ea9f6aabeab",
    "524288, b2073c5c586d2f0c, 41ed143ed9d27b4b"
  })
  void shouldHashAsTheReferenceDoes(int length, String high, String low) {
    ByteBuffer block = ByteBuffer.allocateDirect(length + 3).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < length; i++) {
      block.put(3 + i, (byte) (i * 31 + (i >> 7)));
    }
    BlockHash hash = new BlockHash();
    hash.of(block.position(3));
    assertEquals(high, EpochRecord.hex(hash.high()));
    assertEquals(low, EpochRecord.hex(hash.low()));
    assertEquals(3, block.position());
  }
}

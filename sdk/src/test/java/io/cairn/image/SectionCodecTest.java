// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** Nothing here depends on how long anything takes. */
final class SectionCodecTest {
  private static final int BLOCK = 1000;

  private final SectionCodec codec = new SectionCodec("region \"u\"", EncodeMode.AUTO);
  private int tried;

  /** Blocks that LZ4 halves at 1 ns a byte: worth it from 2 ns per stored byte on. */
  private void halves(int blocks, double store) {
    blocks(blocks, store, BLOCK / 2, BLOCK);
  }

  private void blocks(int blocks, double store, int stored, long nanos) {
    for (int i = 0; i < blocks; i++) {
      if (codec.tries(store)) {
        tried++;
        codec.tried(BLOCK, stored, nanos, store);
      }
    }
  }

  @Test
  void shouldTryTheFirstBlocksAndThenKeepWhatPays() {
    halves(SectionCodec.FIRST_TRIES, 4);
    assertEquals(SectionCodec.FIRST_TRIES, tried);
    assertTrue(codec.lz4());
    halves(100, 4);
    assertEquals(100 + SectionCodec.FIRST_TRIES, tried);
  }

  @Test
  void shouldTryRarerAndRarerWhatDoesNotPay() {
    halves(SectionCodec.FIRST_TRIES, 0.5);
    assertFalse(codec.lz4());
    tried = 0;
    // After 16 blocks, 32, 64, 128, 128: a block in between each time.
    halves(16 + 1 + 32 + 1 + 64 + 1 + 128 + 1 + 128, 0.5);
    assertEquals(4, tried);
    halves(1, 0.5);
    assertEquals(5, tried);
    assertFalse(codec.lz4());
  }

  @Test
  void shouldChangeItsMindOnlyForAMargin() {
    halves(SectionCodec.FIRST_TRIES, 2.4);
    assertFalse(codec.lz4(), "2 would be enough without a margin, 2.5 is with it");
    halves(1, 2.6);
    assertTrue(codec.lz4());
    halves(50, 1.7);
    assertTrue(codec.lz4(), "1.6 is the margin to the other side");
    halves(1, 1.5);
    assertFalse(codec.lz4());
  }

  @Test
  void shouldSeeThatTheContentChanged() {
    blocks(300, 4, BLOCK, BLOCK / 2);
    assertFalse(codec.lz4());
    // It shrinks from now on: found by the next blocks that are tried, and then those come often.
    blocks(4 * SectionCodec.LONGEST_PAUSE, 4, BLOCK / 4, BLOCK);
    assertTrue(codec.lz4());
    tried = 0;
    blocks(30, 4, BLOCK, BLOCK / 2);
    assertFalse(codec.lz4());
    assertTrue(tried < 20, "tried " + tried);
  }

  @Test
  void shouldNotBeMisledByBlocksThatLostTheirCore() {
    blocks(3, 4, BLOCK / 2, 90 * BLOCK);
    blocks(1, 4, BLOCK / 2, BLOCK);
    assertTrue(codec.lz4());
    for (int i = 0; i < 20; i++) {
      blocks(1, 4, BLOCK / 2, 90 * BLOCK);
      blocks(9, 4, BLOCK / 2, BLOCK);
      assertTrue(codec.lz4(), "round " + i);
    }
    // But it sees what lasts.
    blocks(100, 4, BLOCK / 2, 90 * BLOCK);
    assertFalse(codec.lz4());
  }

  @Test
  void shouldNotMeasureWhereTheChoiceIsGiven() {
    SectionCodec fast = new SectionCodec("a", EncodeMode.FAST);
    SectionCodec small = new SectionCodec("b", EncodeMode.SMALL);
    for (int i = 0; i < 20; i++) {
      assertFalse(fast.tries(1000));
      assertTrue(small.tries(0));
      small.tried(BLOCK, BLOCK, 1_000_000, 0);
    }
    assertTrue(small.lz4());
  }

  @Test
  void shouldTellWhatItChoseOnceAndWhenThatChanges() {
    halves(2, 4);
    assertFalse(codec.hasNews(), "nothing is decided");
    halves(8, 4);
    assertTrue(codec.hasNews());
    assertEquals(
        "region \"u\": LZ4, 10 of 10 blocks smaller by LZ4, which takes 1.00 GB/s and saves 50%;"
            + " the store takes 0.25 GB/s, the writer has 100% of a core",
        codec.describe(4, 1));
    codec.begin();
    assertFalse(codec.hasNews());
    halves(8, 4);
    assertFalse(codec.hasNews());
    halves(8, 0.1);
    assertTrue(codec.hasNews());
    assertEquals(
        "region \"u\": stored as it is, 8 of 16 blocks smaller by LZ4, which takes 0.50 GB/s and"
            + " saves 50%; the store takes 10.00 GB/s, the writer has 50% of a core",
        codec.describe(0.1, 2));
  }
}

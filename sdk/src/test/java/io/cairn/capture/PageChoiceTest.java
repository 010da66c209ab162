// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.capture.PageChoice.State;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What is noticed follows what it takes and saves. */
final class PageChoiceTest {
  private static final long PAGE = 4096;
  private static final long PAGES = 16_000;

  private final PageCosts costs = new PageCosts(); // a copy of 0.2 ns, so 819 ns for a page
  private final PageChoice choice = new PageChoice(PageMode.AUTO);

  /** A cut after which so many of a thousand pages are written; returns what is noticed then. */
  private State cut(int writtenOfThousand) {
    if (choice.state() != State.RESTING) {
      choice.found(PAGES, PAGES * writtenOfThousand / 1000, 100_000);
    }
    return choice.decide(costs, PAGE);
  }

  private List<State> cuts(int count, int writtenOfThousand) {
    List<State> states = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      states.add(cut(writtenOfThousand));
    }
    return states;
  }

  @Test
  void shouldGuessFirstAndThenNoticeWhereLittleIsWritten() {
    costs.fault(1_000);
    assertEquals(
        List.of(State.GUESSING, State.NOTICING, State.NOTICING, State.NOTICING), cuts(4, 10));
  }

  @Test
  void shouldGuessEverMoreRarelyWhereAllIsWritten() {
    costs.fault(1_000);
    List<State> states = cuts(300, 1000);
    assertFalse(states.contains(State.NOTICING));
    List<Integer> guesses = new ArrayList<>();
    for (int i = 0; i < states.size(); i++) {
      if (states.get(i) == State.GUESSING) {
        guesses.add(i);
      }
    }
    List<Integer> pauses = new ArrayList<>();
    for (int i = 1; i < guesses.size(); i++) {
      pauses.add(guesses.get(i) - guesses.get(i - 1) - 2);
    }
    assertEquals(List.of(4, 8, 16, 32, 64, 64), pauses.subList(0, 6));
  }

  @Test
  void shouldStopWhenItDoesNotPayAnyMoreAndComeBackWhenItDoes() {
    costs.fault(1_000);
    cuts(5, 10);
    assertEquals(State.NOTICING, choice.state());
    assertTrue(cuts(10, 900).contains(State.RESTING));
    assertTrue(cuts(20, 10).contains(State.NOTICING));
  }

  @Test
  void shouldNotGoToAndFroWhereItMakesNoDifference() {
    costs.fault(1_000);
    cuts(5, 10);
    // At 45% a page takes 456 ns and saves 450; it must be worse by a quarter.
    assertFalse(cuts(50, 450).contains(State.RESTING));
  }

  @Test
  void shouldWeighWhatAFaultTakesAgainstTheCopyAndTheStore() {
    costs.fault(5_000);
    assertFalse(cuts(4, 200).contains(State.NOTICING));
    // A slow store: 200 MB/s, of which a tenth counts.
    costs.stored(1 << 30, 5L << 30);
    assertTrue(cuts(6, 200).contains(State.NOTICING));
  }

  @Test
  void shouldDoAsItIsTold() {
    PageChoice always = new PageChoice(PageMode.WRITTEN);
    PageChoice never = new PageChoice(PageMode.ALL);
    for (int i = 0; i < 3; i++) {
      assertEquals(State.NOTICING, always.decide(costs, PAGE));
      always.found(PAGES, PAGES, 1);
      always.refused();
      assertEquals(State.RESTING, never.decide(costs, PAGE));
    }
    assertTrue(always.hasNews());
    assertFalse(always.hasNews());
  }

  @Test
  void shouldRestWhereTheSystemRefuses() {
    cut(0);
    choice.refused();
    assertEquals(List.of(State.RESTING, State.RESTING), cuts(2, 0));
  }
}

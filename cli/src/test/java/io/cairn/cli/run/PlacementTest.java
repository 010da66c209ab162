// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.cli.run.Placement.ImpossibleException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class PlacementTest {
  private static final Host A = new Host("a", 2, 1);
  private static final Host B = new Host("b", 2, 1);
  private static final Host C = new Host("c", 2, 1);
  private static final long GIB = 1L << 30;

  private static HostState state(Host host, long memoryBytes, double load) {
    return new HostState(host, "", false, memoryBytes, load, 4, 0);
  }

  private static String place(int ranks, Set<Host> stay, HostState... states) throws Exception {
    return Placement.of(ranks, List.of(states), stay, false).shown();
  }

  @Test
  void shouldTakeHostsInTheirOrderWhereNothingElseMatters() throws Exception {
    assertEquals(
        "2 on a, 1 on b",
        place(3, Set.of(), HostState.there(A), HostState.there(B), HostState.there(C)));
    // Small differences are noise.
    assertEquals(
        "2 on a, 2 on b",
        place(4, Set.of(), state(A, 15 * GIB, 0.1), state(B, 16 * GIB, 0), state(C, 16 * GIB, 0)));
  }

  /** Wherever the hosts stand: there is no load at which noise decides. */
  @Test
  void shouldNeverTakeNoiseForADifference() throws Exception {
    for (double load = 0; load < 20; load += 0.03) {
      assertEquals(
          "2 on a, 2 on b",
          place(
              4,
              Set.of(),
              state(A, 15 * GIB, load + 0.05),
              state(B, 16 * GIB, load),
              state(C, 16 * GIB, load)),
          "load " + load);
    }
  }

  @Test
  void shouldNotLetNoiseDecideWhichHostIsCrowded() throws Exception {
    for (double load = 0; load < 20; load += 0.03) {
      assertEquals(
          "3 on a, 3 on b, 2 on c",
          Placement.of(
                  8,
                  List.of(
                      state(A, 15 * GIB, load + 0.05),
                      state(B, 16 * GIB, load + 0.02),
                      state(C, 16 * GIB, load)),
                  Set.of(),
                  true)
              .shown(),
          "load " + load);
    }
  }

  @Test
  void shouldPreferHostsWithMoreToGiveAndKeepTheOrderOfRanks() throws Exception {
    // a is busy.
    assertEquals(
        "2 on b, 2 on c",
        place(4, Set.of(), state(A, GIB, 12), state(B, GIB, 0), state(C, GIB, 0)));
    // b has little memory left.
    assertEquals(
        "2 on a, 2 on c",
        place(4, Set.of(), state(A, 8 * GIB, 0), state(B, GIB, 0), state(C, 8 * GIB, 0)));
    // c is the best by its weight.
    Host strong = new Host("c", 2, 4);
    assertEquals(
        "1 on a, 2 on c",
        place(3, Set.of(), state(A, GIB, 0), state(B, GIB, 0), state(strong, GIB, 0)));
  }

  @Test
  void shouldStayWhereTheImagesAre() throws Exception {
    assertEquals(
        "2 on b, 2 on c",
        place(4, Set.of(B, C), HostState.there(A), HostState.there(B), HostState.there(C)));
    // Unless that is much worse.
    assertEquals(
        "2 on a, 2 on c",
        place(4, Set.of(B, C), state(A, GIB, 0), state(B, GIB, 40), state(C, GIB, 0)));
  }

  @Test
  void shouldLeaveOutHostsThatAreGoneAndSayWhich() throws Exception {
    assertEquals(
        "2 on a, 2 on c",
        place(4, Set.of(), HostState.there(A), HostState.gone(B, "255"), HostState.there(C)));
    ImpossibleException refused =
        assertThrows(
            ImpossibleException.class,
            () -> place(4, Set.of(), HostState.there(A), HostState.gone(B, "no route")));
    assertEquals(
        "4 ranks need as many slots, and the hosts that answer have 2 (gone: b, no route); "
            + "--oversubscribe allows more ranks than slots",
        refused.getMessage());
    assertThrows(
        ImpossibleException.class,
        () -> Placement.of(1, List.of(HostState.gone(A, "x")), Set.of(), true));
  }

  @Test
  void shouldOversubscribeByWhatHostsHaveToGive() throws Exception {
    Host big = new Host("big", 4, 1);
    Placement crowded =
        Placement.of(9, List.of(HostState.there(A), HostState.there(big)), Set.of(), true);
    assertEquals("3 on a, 6 on big", crowded.shown());
    assertTrue(crowded.oversubscribed());
    assertFalse(
        Placement.of(6, List.of(HostState.there(A), HostState.there(big)), Set.of(), true)
            .oversubscribed());
  }

  /** Whatever the hosts are like. */
  @Test
  void shouldPlaceEachRankOnceWithinTheSlots() throws Exception {
    for (long seed = 1; seed <= 2_000; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      List<HostState> states = new ArrayList<>();
      int slots = 0;
      Set<Host> stay = new HashSet<>();
      int count = 1 + random.nextInt(6);
      for (int i = 0; i < count; i++) {
        Host host = new Host("h" + i, 1 + random.nextInt(5), 0.1 + random.nextDouble() * 9);
        boolean there = random.nextInt(4) > 0;
        states.add(
            there
                ? new HostState(
                    host,
                    "",
                    false,
                    random.nextInt(3) * GIB,
                    random.nextDouble() * 9,
                    random.nextInt(3),
                    0)
                : HostState.gone(host, "gone"));
        slots += there ? host.slots() : 0;
        if (random.nextBoolean()) {
          stay.add(host);
        }
      }
      int ranks = 1 + random.nextInt(20);
      if (slots == 0) {
        continue;
      }
      Placement placement = Placement.of(ranks, states, stay, true);
      String what = "seed " + seed + ": " + placement + " of " + states;
      assertEquals(ranks, placement.shares().stream().mapToInt(s -> s.ranks()).sum(), what);
      assertEquals(slots < ranks, placement.oversubscribed(), what);
      int last = -1;
      for (Placement.Share share : placement.shares()) {
        assertTrue(share.ranks() > 0, what);
        assertTrue(slots < ranks || share.ranks() <= share.host().slots(), what);
        int place = states.stream().map(HostState::host).toList().indexOf(share.host());
        assertTrue(place > last && states.get(place).isThere(), what);
        last = place;
      }
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;

/** Who protects whom, over many placements of ranks. */
final class LayoutTest {

  private static List<String> names(String prefix, int... numbers) {
    return Arrays.stream(numbers).mapToObj(number -> prefix + number).toList();
  }

  /** A placement: stores within groups, or across them, or one for all. */
  private record Placement(List<String> stores, List<String> groups, int[] together) {
    static Placement random(Random random) {
      int ranks = 1 + random.nextInt(40);
      int nodes = 1 + random.nextInt(12);
      int racks = 1 + random.nextInt(nodes);
      boolean shared = random.nextInt(10) == 0;
      List<String> stores = new ArrayList<>();
      List<String> groups = new ArrayList<>();
      for (int rank = 0; rank < ranks; rank++) {
        int node = random.nextBoolean() ? rank % nodes : random.nextInt(nodes);
        stores.add(shared ? "one" : "node" + node);
        groups.add("rack" + (node % racks));
        if (random.nextInt(50) == 0) {
          groups.set(rank, "rack" + random.nextInt(racks));
        }
      }
      return new Placement(stores, groups, components(stores, groups));
    }

    /** For each rank the lowest rank that fails with it, found by walking until nothing changes. */
    private static int[] components(List<String> stores, List<String> groups) {
      int[] lowest = new int[stores.size()];
      Arrays.setAll(lowest, rank -> rank);
      boolean changed = true;
      while (changed) {
        changed = false;
        for (int a = 0; a < lowest.length; a++) {
          for (int b = 0; b < lowest.length; b++) {
            boolean tied =
                stores.get(a).equals(stores.get(b)) || groups.get(a).equals(groups.get(b));
            if (tied && lowest[b] > lowest[a]) {
              lowest[b] = lowest[a];
              changed = true;
            }
          }
        }
      }
      return lowest;
    }

    long groupCount() {
      return Arrays.stream(together).distinct().count();
    }

    int largestGroup() {
      Map<Integer, Integer> sizes = new HashMap<>();
      Arrays.stream(together).forEach(group -> sizes.merge(group, 1, Integer::sum));
      return sizes.values().stream().mapToInt(size -> size).max().orElseThrow();
    }
  }

  @RepeatedTest(3)
  void shouldKeepItsPromisesForAnyPlacement() {
    long seed = System.nanoTime() & 0xffffff;
    Random random = new Random(seed);
    for (int i = 0; i < 1_000; i++) {
      Placement placement = Placement.random(random);
      SetSize size = new SetSize(1 + random.nextInt(6), 1 + random.nextInt(3));
      String where = "seed " + seed + ", placement " + i + ": " + placement + ", " + size;
      checkPartners(placement, where);
      checkSets(placement, size, where);
    }
  }

  private static void checkPartners(Placement placement, String where) {
    Layout layout = Layout.of(placement.stores(), placement.groups(), true, Optional.empty());
    boolean possible = placement.groupCount() > 1;
    assertEquals(possible ? 0 : 1, layout.shortcomings().size(), where + layout.shortcomings());
    int[] copies = new int[placement.together().length];
    for (int rank = 0; rank < copies.length; rank++) {
      int partner = layout.partner(rank);
      assertEquals(possible, partner != Layout.NONE, where);
      if (possible) {
        assertNotEquals(placement.together()[rank], placement.together()[partner], where);
        assertTrue(layout.copiesAt(partner).contains(rank), where);
        copies[partner]++;
      }
    }
    for (int rank = 0; rank < copies.length; rank++) {
      assertEquals(copies[rank], layout.copiesAt(rank).size(), where);
      for (int other = 0; other < copies.length; other++) {
        // Within a group no rank holds two more copies than another.
        if (placement.together()[rank] == placement.together()[other]) {
          assertTrue(copies[rank] <= copies[other] + 1, where);
        }
      }
    }
  }

  private static void checkSets(Placement placement, SetSize size, String where) {
    Layout layout = Layout.of(placement.stores(), placement.groups(), false, Optional.of(size));
    int ranks = placement.together().length;
    Set<Integer> members = new HashSet<>();
    int least = Integer.MAX_VALUE;
    int most = 0;
    for (RedundancySet set : layout.sets()) {
      Set<Integer> groups = new HashSet<>();
      for (int rank : set.members()) {
        assertTrue(members.add(rank), where + ": twice, rank " + rank);
        assertTrue(groups.add(placement.together()[rank]), where + ": two of a group in " + set);
        assertEquals(Optional.of(set), layout.setOf(rank), where);
      }
      assertEquals(layout.sets().indexOf(set), set.index(), where);
      assertEquals(size.parityShards(), set.parityShards(), where);
      assertTrue(set.size() <= size.members(), where + ": " + set);
      least = Math.min(least, set.size());
      most = Math.max(most, set.size());
    }
    assertTrue(layout.sets().isEmpty() || most - least <= 1, where + ": " + layout.sets());
    List<Integer> without = new ArrayList<>();
    for (int rank = 0; rank < ranks; rank++) {
      if (!members.contains(rank)) {
        without.add(rank);
        assertTrue(layout.setOf(rank).isEmpty(), where);
      }
    }
    // As few sets as a set's size and the largest group allow: a rank is left out only if its
    // set, of fair size, would be too small.
    int sets = Math.max((ranks + size.members() - 1) / size.members(), placement.largestGroup());
    if (ranks / sets > size.parityShards()) {
      assertEquals(List.of(), without, where);
    }
    List<String> said = layout.shortcomings();
    assertEquals(
        !without.isEmpty(), said.stream().anyMatch(s -> s.startsWith("no redundancy set")), where);
    boolean small = !layout.sets().isEmpty() && least < size.members();
    assertEquals(small, said.stream().anyMatch(s -> s.startsWith("redundancy sets have")), where);
    assertEquals((without.isEmpty() ? 0 : 1) + (small ? 1 : 0), said.size(), where + said);
    for (int rank : without) {
      assertTrue(said.get(0).matches(".*[ ]" + rank + "[,:].*"), where + said);
    }
  }

  @Test
  void shouldSayNothingAboutALayoutThatDoesWhatItWasAskedFor() {
    List<String> nodes = names("n", 0, 0, 1, 1, 2, 2, 3, 3);
    Layout layout = Layout.of(nodes, nodes, true, Optional.of(new SetSize(3, 1)));
    assertEquals(List.of(), layout.shortcomings());
    assertEquals(
        List.of(List.of(0, 2, 4, 6), List.of(1, 3, 5, 7)),
        layout.sets().stream().map(RedundancySet::members).toList());
    assertEquals(2, layout.partner(0));
    assertEquals(1, layout.partner(7));
  }

  @Test
  void shouldSayInPlainWordsWhatCannotBe() {
    List<String> one = names("n", 0, 0, 0);
    Layout layout = Layout.of(names("s", 0, 1, 2), one, true, Optional.of(new SetSize(2, 1)));
    assertEquals(
        List.of(
            "no partner copies: all ranks are in one failure group (failure group n0), and a copy"
                + " beside the original is lost with it",
            "no redundancy set for rank 0, 1, 2: 1 lost members can be rebuilt only in a set of 2"
                + " or more from different failure groups, and there are 1 failure groups for 3"
                + " ranks"),
        layout.shortcomings());
    Layout store = Layout.of(names("s", 0, 0), names("n", 0, 1), true, Optional.empty());
    assertTrue(store.shortcomings().get(0).contains("they use the same store"));
  }

  @Test
  void shouldGiveEachMemberOneShardOfEachStripe() {
    for (int n = 2; n <= 9; n++) {
      for (int m = 1; m < n; m++) {
        List<Integer> members = new ArrayList<>();
        for (int i = 0; i < n; i++) {
          members.add(100 + i);
        }
        checkStripes(new RedundancySet(0, members, m));
      }
    }
  }

  private static void checkStripes(RedundancySet set) {
    int n = set.size();
    Set<List<Integer>> chunks = new HashSet<>();
    for (int stripe = 0; stripe < n; stripe++) {
      Set<Integer> positions = new HashSet<>();
      for (int shard = 0; shard < n; shard++) {
        int position = set.position(stripe, shard);
        assertTrue(positions.add(position), set + ", stripe " + stripe);
        assertEquals(100 + position, set.holder(stripe, shard));
        if (shard < set.dataShards()) {
          assertTrue(chunks.add(List.of(position, shard)), "a chunk in two stripes");
          assertEquals(stripe, set.stripeOf(position, shard));
        } else {
          assertEquals(stripe, set.stripeOfParity(position, shard - set.dataShards()));
        }
      }
    }
    assertEquals(n * set.dataShards(), chunks.size());
    assertFalse(chunks.isEmpty());
  }

  @Test
  void shouldCutImagesIntoChunksThatHoldThem() {
    Random random = new Random(3);
    for (int i = 0; i < 2_000; i++) {
      int k = 1 + random.nextInt(8);
      long longest = (long) Math.pow(2, random.nextInt(45)) + random.nextInt(5000);
      long chunk = RedundancySet.chunkBytes(longest, k);
      assertEquals(0, chunk % 4096);
      assertTrue(chunk * k >= longest && chunk <= longest / k + 1 + 4096, longest + " by " + k);
      long image = (long) (random.nextDouble() * (longest + 1));
      long sum = 0;
      for (int c = 0; c < k; c++) {
        sum += RedundancySet.present(image, chunk, c);
      }
      assertEquals(image, sum);
    }
  }
}

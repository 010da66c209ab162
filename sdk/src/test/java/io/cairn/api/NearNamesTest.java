// SPDX-License-Identifier: Apache-2.0
package io.cairn.api;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

class NearNamesTest {

  @Test
  void shouldCountInsertionsDeletionsAndReplacements() {
    assertEquals(0, NearNames.distance("keep", "keep"));
    assertEquals(3, NearNames.distance("kitten", "sitting"));
    assertEquals(4, NearNames.distance("", "keep"));
    assertEquals(4, NearNames.distance("keep", ""));
    assertEquals(2, NearNames.distance("ab", "ba"));
  }

  @Test
  void shouldOfferTheNearestFirstAndNothingFar() {
    assertEquals(
        List.of("interval"), NearNames.of("intervals", List.of("keep", "interval", "dir")));
    assertEquals(List.of("log", "dog"), NearNames.of("logg", List.of("dog", "log", "far-away")));
    assertEquals(List.of(), NearNames.of("xyzzyxyzzy", List.of("keep", "dir")));
  }
}

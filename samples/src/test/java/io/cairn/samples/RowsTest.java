// SPDX-License-Identifier: Apache-2.0
package io.cairn.samples;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class RowsTest {

  @Test
  void shouldGiveEveryRowOneOwner() {
    for (int size = 1; size <= 9; size++) {
      for (int order : new int[] {1, 2, 7, 8, 9, 64, 1000}) {
        int next = 0;
        for (int rank = 0; rank < size; rank++) {
          assertEquals(next, Rows.first(order, rank, size));
          for (int i = 0; i < Rows.count(order, rank, size); i++) {
            assertEquals(rank, Rows.owner(next, order, size));
            next++;
          }
        }
        assertEquals(order, next);
      }
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import mpi.MPI;
import mpi.MPIException;

/** Figures of a program under mpirun, printed by rank 0 for {@link Mpirun} to read. */
final class RankFigures {

  private final int rank;

  RankFigures() throws MPIException {
    rank = MPI.COMM_WORLD.getRank();
  }

  /** The longest of all ranks. */
  static long longest(long mine) throws MPIException {
    LongBuffer value = MPI.newLongBuffer(1).put(0, mine);
    MPI.COMM_WORLD.allReduce(value, 1, MPI.LONG, MPI.MAX);
    return value.get(0);
  }

  /** The median, and half of what the middle half of them covers, as a part of it. */
  void printAll(String name, List<Long> values) {
    List<Long> sorted = new ArrayList<>(values);
    Collections.sort(sorted);
    int count = sorted.size();
    long median = sorted.get(count / 2);
    print(name, median);
    double middle = sorted.get(count - 1 - count / 4) - sorted.get(count / 4);
    printDecimal(name + "-spread", median == 0 ? 0 : middle / 2 / median);
  }

  void print(String name, long value) {
    if (rank == 0) {
      System.out.println(name + " " + value);
    }
  }

  void printDecimal(String name, double value) {
    if (rank == 0) {
      System.out.println(name + " " + String.format(Locale.ROOT, "%.4f", value));
    }
  }

  /** For people: it isn't a name and a number. */
  void say(String format, Object... values) {
    if (rank == 0) {
      System.out.println("  " + String.format(Locale.ROOT, format, values));
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.samples;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import mpi.Intracomm;
import mpi.MPI;
import mpi.MPIException;
import mpi.Request;

/**
 * Brings in the entries of a distributed vector that this rank's matrix rows need from others. Who
 * needs what is agreed once; it follows from the matrix, so that it is computed again after a
 * restart rather than saved.
 */
final class Neighbours {

  private static final int HALO = 7;

  private record Peer(int rank, int[] indices, DoubleBuffer buffer) {}

  private final Intracomm comm;
  private final int rows;
  private final List<Peer> sources = new ArrayList<>();
  private final List<Peer> targets = new ArrayList<>();

  /**
   * For each entry of the matrix, where its factor is in the vector with the others' entries behind
   * the own.
   */
  private final int[] places;

  private final int ghosts;

  /** Agrees with the others; collective. */
  Neighbours(Intracomm comm, SparseRows matrix) throws MPIException {
    this.comm = comm;
    this.rows = matrix.rows();
    int size = comm.getSize();
    int first = matrix.firstRow();
    int entries = matrix.start(rows);

    TreeSet<Integer> needed = new TreeSet<>();
    for (int entry = 0; entry < entries; entry++) {
      int column = matrix.column(entry);
      if (column < first || column >= first + rows) {
        needed.add(column);
      }
    }
    int[] ghostColumns = needed.stream().mapToInt(Integer::intValue).toArray();
    this.ghosts = ghostColumns.length;
    this.places = new int[entries];
    for (int entry = 0; entry < entries; entry++) {
      int column = matrix.column(entry);
      boolean own = column >= first && column < first + rows;
      places[entry] = own ? column - first : rows + Arrays.binarySearch(ghostColumns, column);
    }

    // Columns ascend, and so do their owners: one stretch of the ghosts for each owner.
    int[] wanted = new int[size];
    for (int column : ghostColumns) {
      wanted[Rows.owner(column, matrix.order(), size)]++;
    }
    int[] asked = new int[size];
    comm.allToAll(wanted, 1, MPI.INT, asked, 1, MPI.INT);
    int[] theirs = new int[Arrays.stream(asked).sum()];
    comm.allToAllv(
        ghostColumns,
        wanted,
        displacements(wanted),
        MPI.INT,
        theirs,
        asked,
        displacements(asked),
        MPI.INT);

    int from = 0;
    int to = 0;
    for (int rank = 0; rank < size; rank++) {
      if (wanted[rank] > 0) {
        int[] indices = new int[wanted[rank]];
        for (int i = 0; i < indices.length; i++) {
          indices[i] = rows + from + i;
        }
        sources.add(new Peer(rank, indices, direct(indices.length)));
      }
      if (asked[rank] > 0) {
        int[] indices = new int[asked[rank]];
        for (int i = 0; i < indices.length; i++) {
          indices[i] = theirs[to + i] - first;
        }
        targets.add(new Peer(rank, indices, direct(indices.length)));
      }
      from += wanted[rank];
      to += asked[rank];
    }
  }

  /** Length of a vector with room for the others' entries. */
  int length() {
    return rows + ghosts;
  }

  int place(int entry) {
    return places[entry];
  }

  /** Sends what others need of {@code vector}, and fills in what this rank needs of theirs. */
  void exchange(double[] vector) throws MPIException {
    List<Request> requests = new ArrayList<>();
    for (Peer source : sources) {
      requests.add(comm.iRecv(source.buffer, source.indices.length, MPI.DOUBLE, source.rank, HALO));
    }
    for (Peer target : targets) {
      for (int i = 0; i < target.indices.length; i++) {
        target.buffer.put(i, vector[target.indices[i]]);
      }
      requests.add(comm.iSend(target.buffer, target.indices.length, MPI.DOUBLE, target.rank, HALO));
    }
    Request.waitAll(requests.toArray(new Request[0]));
    for (Peer source : sources) {
      for (int i = 0; i < source.indices.length; i++) {
        vector[source.indices[i]] = source.buffer.get(i);
      }
    }
  }

  private static int[] displacements(int[] counts) {
    int[] result = new int[counts.length];
    for (int i = 1; i < counts.length; i++) {
      result[i] = result[i - 1] + counts[i - 1];
    }
    return result;
  }

  private static DoubleBuffer direct(int count) {
    return ByteBuffer.allocateDirect(count * Double.BYTES)
        .order(ByteOrder.nativeOrder())
        .asDoubleBuffer();
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.samples;

import io.cairn.Cairn;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import mpi.Intracomm;
import mpi.MPI;
import mpi.MPIException;
import net.openhft.chronicle.bytes.BytesIn;
import net.openhft.chronicle.bytes.BytesMarshallable;
import net.openhft.chronicle.bytes.BytesOut;

/**
 * Conjugate gradients (Hestenes and Stiefel 1952) on a Matrix Market file: rows in blocks, the
 * vector entries that a rank's rows need from its neighbours, and dot products over all ranks.
 *
 * <p>The matrix and the exchange plan are read and computed again at every start; only the vectors
 * and the few numbers of the recurrence are saved.
 */
public final class ConjugateGradient {

  private static final String USAGE =
      """
      usage: ConjugateGradient (--matrix FILE | --poisson N) [--iterations N] [--tolerance X]
                               [--step-millis N] [--progress N] [--events 1]
        --matrix        Matrix Market file, coordinate real symmetric or general, positive definite
        --poisson       the five-point Laplacian on an N x N grid instead (64)
        --iterations    at most so many iterations (1000)
        --tolerance     ends when the residual has fallen by this factor (1e-10)"""
          + Steps.USAGE;

  /** What the recurrence carries from one iteration to the next, besides its vectors. */
  private static final class Recurrence implements BytesMarshallable {
    long iteration;
    double residualSquared;
    double firstResidualSquared;

    @Override
    public void writeMarshallable(BytesOut<?> out) {
      out.writeLong(iteration);
      out.writeDouble(residualSquared);
      out.writeDouble(firstResidualSquared);
    }

    @Override
    public void readMarshallable(BytesIn<?> in) {
      iteration = in.readLong();
      residualSquared = in.readDouble();
      firstResidualSquared = in.readDouble();
    }
  }

  private final Intracomm comm;
  private final int rank;
  private final int size;
  private final double[] partialSums;

  private ConjugateGradient() throws MPIException {
    // Of its own, as a library would have it.
    comm = MPI.COMM_WORLD.dup();
    rank = comm.getRank();
    size = comm.getSize();
    partialSums = new double[size];
  }

  /** See the class. */
  public static void main(String[] args) {
    try {
      List<String> names =
          List.of(
              "matrix", "poisson", "iterations", "tolerance", "step-millis", "progress", "events");
      Arguments arguments = new Arguments(USAGE, names, args);
      int poisson = arguments.integer("poisson", 64, 1);
      int iterations = arguments.integer("iterations", 1_000, 1);
      double tolerance = arguments.real("tolerance", 1e-10);
      Steps pace = new Steps("cg", arguments);
      if (poisson > 32_767) {
        throw arguments.wrong("--poisson " + poisson + ": at most 32767");
      }
      String file = arguments.text("matrix");
      if (file != null && arguments.text("poisson") != null) {
        throw arguments.wrong("--matrix and --poisson are two matrices");
      }
      Cairn.run( // cairn
          args,
          cairn -> {
            ConjugateGradient solver = new ConjugateGradient();
            SparseRows matrix = file == null ? solver.poisson(poisson) : solver.read(Path.of(file));
            solver.solve(cairn, matrix, iterations, tolerance, pace);
          });
    } catch (IllegalArgumentException e) {
      Arguments.refuse(e);
    }
  }

  private SparseRows poisson(int n) {
    return SparseRows.poisson(n, Rows.first(n * n, rank, size), Rows.count(n * n, rank, size));
  }

  private SparseRows read(Path file) throws IOException {
    return MatrixMarket.read(
        file,
        new MatrixMarket.Partition() {
          @Override
          public int firstRow(int order) {
            return Rows.first(order, rank, size);
          }

          @Override
          public int rows(int order) {
            return Rows.count(order, rank, size);
          }
        });
  }

  private void solve(
      Cairn cairn, SparseRows matrix, int maxIterations, double tolerance, Steps pace)
      throws MPIException, InterruptedException {
    pace.begin(cairn);
    int rows = matrix.rows();
    Neighbours neighbours = new Neighbours(comm, matrix);
    double[] product = new double[rows];

    double[] x = cairn.array("x", new double[rows]); // cairn
    double[] r = cairn.array("r", new double[rows]); // cairn
    double[] p = cairn.array("p", new double[neighbours.length()]); // cairn
    Recurrence state = cairn.state("recurrence", new Recurrence()); // cairn
    if (!cairn.restore()) { // cairn
      for (int i = 0; i < rows; i++) {
        r[i] = 1 + (matrix.firstRow() + i) % 7 / 7.0;
        p[i] = r[i];
      }
      state.residualSquared = dot(r, r);
      state.firstResidualSquared = state.residualSquared;
    }

    double goal = tolerance * tolerance * state.firstResidualSquared;
    while (state.iteration < maxIterations && state.residualSquared > goal) {
      neighbours.exchange(p);
      multiply(matrix, neighbours, p, product);
      double curvature = dot(p, product);
      if (!(curvature > 0)) {
        throw new ArithmeticException(
            "the matrix is not positive definite: p.Ap = %g in iteration %d"
                .formatted(curvature, state.iteration));
      }
      double alpha = state.residualSquared / curvature;
      for (int i = 0; i < rows; i++) {
        x[i] += alpha * p[i];
        r[i] -= alpha * product[i];
      }
      double residualSquared = dot(r, r);
      double beta = residualSquared / state.residualSquared;
      for (int i = 0; i < rows; i++) {
        p[i] = r[i] + beta * p[i];
      }
      state.residualSquared = residualSquared;
      state.iteration++;
      pace.linger();
      pace.report(state.iteration, "residual %.6e", Math.sqrt(residualSquared));
      cairn.safePoint(); // cairn
    }

    Digest digest = new Digest();
    for (int i = 0; i < rows; i++) {
      digest.add(matrix.firstRow() + i, x[i]);
    }
    long[] sum = {digest.value()};
    comm.allReduce(sum, 1, MPI.LONG, MPI.SUM);
    pace.result(
        sum[0],
        "cg %d unknowns, %d iterations, residual fell by %.3e, %d ranks",
        matrix.order(),
        state.iteration,
        Math.sqrt(state.residualSquared / state.firstResidualSquared),
        size);
    comm.free();
  }

  private static void multiply(
      SparseRows matrix, Neighbours neighbours, double[] vector, double[] product) {
    for (int row = 0; row < product.length; row++) {
      double sum = 0;
      for (int entry = matrix.start(row); entry < matrix.start(row + 1); entry++) {
        sum += matrix.value(entry) * vector[neighbours.place(entry)];
      }
      product[row] = sum;
    }
  }

  /**
   * Over all ranks, added in rank order, because MPI may add in any. {@code b} may be longer or
   * shorter.
   */
  private double dot(double[] a, double[] b) throws MPIException {
    double[] own = new double[1];
    int length = Math.min(a.length, b.length);
    for (int i = 0; i < length; i++) {
      own[0] += a[i] * b[i];
    }
    comm.allGather(own, 1, MPI.DOUBLE, partialSums, 1, MPI.DOUBLE);
    double sum = 0;
    for (double partial : partialSums) {
      sum += partial;
    }
    return sum;
  }
}

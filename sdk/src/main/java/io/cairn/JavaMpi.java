// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import io.cairn.api.CairnException;
import mpi.MPI;
import mpi.MPIException;

/** The only class that touches {@code mpi.*}: starting and ending MPI on the program's behalf. */
final class JavaMpi {

  private static final int EXIT_CODE = 1;

  private JavaMpi() {}

  /** Initialises MPI as a program without Cairn does. */
  static void init(String[] args) {
    try {
      MPI.Init(args);
    } catch (MPIException e) {
      throw new CairnException("MPI_Init failed: " + e.getMessage(), e);
    }
  }

  /** Initialises MPI so that the agent may call it while the program does. */
  static void initThreadMultiple(String[] args) {
    try {
      MPI.InitThread(args, MPI.THREAD_MULTIPLE);
    } catch (MPIException e) {
      throw new CairnException("MPI_Init_thread failed: " + e.getMessage(), e);
    }
  }

  /** Whether MPI is initialised and not yet finalized. */
  static boolean isRunning() {
    try {
      return MPI.isInitialized() && !MPI.isFinalized();
    } catch (MPIException e) {
      throw new CairnException("MPI_Initialized failed: " + e.getMessage(), e);
    }
  }

  static int rank() {
    try {
      return MPI.COMM_WORLD.getRank();
    } catch (MPIException e) {
      throw new CairnException("MPI_Comm_rank failed: " + e.getMessage(), e);
    }
  }

  static int size() {
    try {
      return MPI.COMM_WORLD.getSize();
    } catch (MPIException e) {
      throw new CairnException("MPI_Comm_size failed: " + e.getMessage(), e);
    }
  }

  static void finish() {
    try {
      MPI.Finalize();
    } catch (MPIException e) {
      throw new CairnException("MPI_Finalize failed: " + e.getMessage(), e);
    }
  }

  /**
   * Ends the whole job; where MPI can't, at least this process, by which mpirun ends the others.
   */
  static void abort() {
    try {
      MPI.COMM_WORLD.abort(EXIT_CODE);
    } catch (MPIException e) {
      System.err.println("cairn: MPI_Abort failed: " + e.getMessage());
    }
    Runtime.getRuntime().halt(EXIT_CODE);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import io.cairn.api.CairnException;
import mpi.Comm;
import mpi.Datatype;
import mpi.MPI;
import mpi.MPIException;
import mpi.Status;

/**
 * The only class that touches {@code mpi.*}: starting and ending MPI on the program's behalf, and
 * waiting for a message where the rank may be captured.
 */
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

  /** As {@code comm.probe}, and a safe point for as long as it waits. */
  static Status probe(Session session, Comm comm, int source, int tag) throws MPIException {
    if (!session.isEnabled()) {
      return comm.probe(source, tag);
    }
    session.beginWaiting();
    // Through the shim, which looks into the queue of drained and restored messages first.
    Status status = comm.iProbe(source, tag);
    if (status == null) {
      Patience patience = new Patience();
      while ((status = comm.iProbe(source, tag)) == null) {
        session.goOnWaiting();
        patience.pause();
      }
      patience.end();
    }
    return status;
  }

  /** As {@code comm.recv}, and a safe point until the message is there. */
  static Status receive(
      Session session, Comm comm, Object buffer, int count, Datatype type, int source, int tag)
      throws MPIException {
    if (!session.isEnabled()) {
      return comm.recv(buffer, count, type, source, tag);
    }
    Status found = probe(session, comm, source, tag);
    return comm.recv(buffer, count, type, found.getSource(), found.getTag());
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

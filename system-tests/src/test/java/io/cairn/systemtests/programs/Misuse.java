// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import io.cairn.api.CairnOptions;
import io.cairn.api.CairnOptions.SafePoints;
import io.cairn.api.MisuseException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import mpi.MPI;
import mpi.MPIException;
import net.openhft.chronicle.bytes.BytesMarshallable;

/** What a program can get wrong, one thing for each first argument. */
public final class Misuse {

  private Misuse() {}

  /** Leaves its callbacks to Chronicle's reflective default. */
  private static final class Reflective implements BytesMarshallable {}

  public static void main(String[] args) throws Exception {
    switch (args[0]) {
      case "attach-without-load" -> attachWithoutLoad(args);
      case "mpi-first" -> mpiFirst(args);
      case "close-without-done" -> closeWithoutDone(args);
      case "mixed-safe-points" -> mixedSafePoints(args);
      case "registrations" -> registrations(args);
      case "waiting-receives" -> waitingReceives(args);
      case "touch-first" -> touchFirst(args);
      default -> throw new IllegalArgumentException(args[0]);
    }
  }

  private static void attachWithoutLoad(String[] args) throws MPIException {
    MPI.Init(args);
    refused("attach", Cairn::attach);
    MPI.Finalize();
  }

  /** Loads Cairn when MPI is in place already. */
  private static void mpiFirst(String[] args) throws MPIException {
    MPI.Init(args);
    refused(
        "mpi-first",
        () -> {
          Cairn.load();
          return Cairn.attach();
        });
    MPI.Finalize();
  }

  /** Touches a class of mpi.* before Cairn, and then lets Cairn initialise MPI. */
  private static void touchFirst(String[] args) throws Exception {
    Class.forName("mpi.MPI");
    refused("touch-first", () -> Cairn.open(args));
  }

  /** Rank 1 runs free, the others don't. */
  private static void mixedSafePoints(String[] args) {
    boolean free = System.getenv("OMPI_COMM_WORLD_RANK").equals("1");
    CairnOptions options =
        CairnOptions.builder().safePoints(free ? SafePoints.FREE : SafePoints.ALIGNED).build();
    Cairn.run(args, options, cairn -> Cairn.load());
  }

  private static void waitingReceives(String[] args) throws MPIException {
    try (Cairn cairn = Cairn.open(args)) {
      refused("probe", () -> cairn.probe(MPI.COMM_WORLD, MPI.ANY_SOURCE, MPI.ANY_TAG));
      cairn.restore();
      refused("receive", () -> cairn.receive(MPI.COMM_WORLD, new byte[1], 1, MPI.BYTE, 0, 1));
      cairn.done();
    }
  }

  private static void closeWithoutDone(String[] args) throws MPIException {
    try (Cairn cairn = Cairn.open(args)) {
      cairn.restore();
      if (MPI.COMM_WORLD.getRank() == 0) {
        cairn.safePoint();
        return; // forgets done()
      }
      MPI.COMM_WORLD.recv(new byte[1], 1, MPI.BYTE, 0, 1); // would wait for ever
      cairn.done();
    }
  }

  private static void registrations(String[] args) {
    Cairn.run(
        args,
        cairn -> {
          refused("second", () -> Cairn.open(args));
          refused("safe-point-before-restore", () -> safePoint(cairn));
          cairn.region("u", 8);
          refused("twice", () -> cairn.array("u", new long[1]));
          refused("reflective", () -> cairn.state("s", new Reflective()));
          refused("negative", () -> cairn.region("v", Integer.MIN_VALUE));
          cairn.restore();
          refused("late", () -> cairn.region("w", 8));
          refused("restore", cairn::restore);
          cairn.done();
          refused("safe-point-after-done", () -> safePoint(cairn));
          System.out.println("end " + Path.of("").toAbsolutePath());
        });
  }

  private static Object safePoint(Cairn cairn) {
    cairn.safePoint();
    return "safePoint";
  }

  private static void refused(String what, Callable<?> call) {
    try {
      System.out.println("accepted " + what + ": " + call.call());
    } catch (MisuseException e) {
      System.out.println("refused " + what + ": " + e.getMessage());
    } catch (Exception e) {
      System.out.println("error " + what + ": " + e);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import mpi.CartComm;
import mpi.File;
import mpi.Intercomm;
import mpi.Intracomm;
import mpi.MPI;
import mpi.MPIException;
import mpi.Message;
import mpi.Request;
import mpi.Win;

/**
 * Has things open at its safe points that can't be captured, closes them, and goes on; one kind
 * after the other. Each is open until an epoch was abandoned, then one must be committed.
 */
public final class Vetoes {

  private static final int TAG = 9;
  private static final int SPAWNED_TAG = 10;
  private static final int SIZE = 2;

  /** Ends what is open. */
  private interface Open {
    void close() throws MPIException;
  }

  private interface Kind {
    Open open() throws MPIException;
  }

  private Vetoes() {}

  public static void main(String[] args) {
    Cairn.run(args, cairn -> run(cairn, args));
  }

  private static void run(Cairn cairn, String[] kinds) throws MPIException, InterruptedException {
    Scene.watch(cairn);
    Scene.Told told = new Scene.Told();
    cairn.addListener(told);
    cairn.restore();
    long safePoints = 0;
    for (String name : kinds) {
      Kind kind = kind(name);
      Scene.say(0, "opens " + name + " after " + safePoints + " safe points");
      told.reset();
      Open open = kind.open();
      safePoints += Scene.safePointsUntil(cairn, 1, told::abandoned);
      open.close();
      Scene.say(0, "closed " + name + " after " + safePoints + " safe points");
      told.reset();
      safePoints += Scene.safePointsUntil(cairn, 1, told::commits);
    }
    Scene.result(1);
  }

  private static Kind kind(String name) {
    return switch (name) {
      case "collectives" -> Vetoes::collectives;
      case "reductions" -> Vetoes::reductions;
      case "neighbours" -> Vetoes::neighbours;
      case "windows" -> Vetoes::windows;
      case "matched" -> Vetoes::matched;
      case "files" -> Vetoes::fileRequests;
      case "split" -> Vetoes::splitFiles;
      case "spawned" -> Vetoes::spawned;
      case "connected" -> Vetoes::connected;
      default -> throw new IllegalArgumentException(name);
    };
  }

  private static IntBuffer ints(int... values) {
    IntBuffer buffer =
        ByteBuffer.allocateDirect(16 * Integer.BYTES).order(ByteOrder.nativeOrder()).asIntBuffer();
    for (int i = 0; i < values.length; i++) {
      buffer.put(i, values[i]);
    }
    return buffer;
  }

  private static Open waitForAll(Request... requests) {
    return () -> Request.waitAll(requests);
  }

  private static Open collectives() throws MPIException {
    Intracomm world = MPI.COMM_WORLD;
    int[] ones = {1, 1};
    int[] places = {0, 1};
    int rank = world.getRank();
    IntBuffer gathered = ints();
    IntBuffer exchanged = ints();
    Open requests =
        waitForAll(
            world.iBarrier(),
            world.iBcast(ints(rank), 1, MPI.INT, 0),
            world.iGather(ints(rank), 1, MPI.INT, ints(), 1, MPI.INT, 0),
            world.iGatherv(ints(rank), 1, MPI.INT, ints(), ones, places, MPI.INT, 0),
            world.iScatter(ints(3, 4), 1, MPI.INT, ints(), 1, MPI.INT, 0),
            world.iScatterv(ints(3, 4), ones, places, MPI.INT, ints(), 1, MPI.INT, 0),
            world.iAllGather(ints(rank), 1, MPI.INT, ints(), 1, MPI.INT),
            world.iAllGatherv(ints(rank + 5), 1, MPI.INT, gathered, ones, places, MPI.INT),
            world.iAllToAll(ints(rank, 8), 1, MPI.INT, exchanged, 1, MPI.INT),
            world.iAllToAllv(ints(rank, 8), ones, places, MPI.INT, ints(), ones, places, MPI.INT));
    return () -> {
      requests.close();
      require(gathered.get(1) == 6, "gathered " + gathered.get(1));
      require(exchanged.get(1) == (rank == 0 ? 1 : 8), "exchanged " + exchanged.get(1));
    };
  }

  private static Open reductions() throws MPIException {
    Intracomm world = MPI.COMM_WORLD;
    IntBuffer sum = ints();
    int[] ones = {1, 1};
    Open requests =
        waitForAll(
            world.iReduce(ints(1), ints(), 1, MPI.INT, MPI.SUM, 0),
            world.iAllReduce(ints(1), sum, 1, MPI.INT, MPI.SUM),
            world.iReduceScatter(ints(1, 2), ints(), ones, MPI.INT, MPI.SUM),
            world.iReduceScatterBlock(ints(1, 2), ints(), 1, MPI.INT, MPI.SUM),
            world.iScan(ints(1), ints(), 1, MPI.INT, MPI.SUM),
            world.iExScan(ints(1), ints(), 1, MPI.INT, MPI.SUM));
    return () -> {
      requests.close();
      require(sum.get(0) == SIZE, "the sum is " + sum.get(0));
    };
  }

  private static Open neighbours() throws MPIException {
    CartComm ring = MPI.COMM_WORLD.createCart(new int[] {SIZE}, new boolean[] {true}, false);
    int[] ones = {1, 1};
    int[] places = {0, 1};
    int rank = MPI.COMM_WORLD.getRank();
    IntBuffer gathered = ints();
    Intracomm copy = MPI.COMM_WORLD.iDup();
    Open requests =
        waitForAll(
            ring.iNeighborAllGather(ints(rank), 1, MPI.INT, gathered, 1, MPI.INT),
            ring.iNeighborAllGatherv(ints(rank), 1, MPI.INT, ints(), ones, places, MPI.INT),
            ring.iNeighborAllToAll(ints(rank, 8), 1, MPI.INT, ints(), 1, MPI.INT),
            ring.iNeighborAllToAllv(
                ints(rank, 8), ones, places, MPI.INT, ints(), ones, places, MPI.INT));
    return () -> {
      requests.close();
      require(gathered.get(1) == 1 - rank, "gathered " + gathered.get(1));
      copy.getRequest().waitFor();
      copy.barrier();
      copy.free();
      ring.free();
    };
  }

  private static Open windows() throws MPIException {
    ByteBuffer memory = ByteBuffer.allocateDirect(64).order(ByteOrder.nativeOrder());
    Intracomm world = MPI.COMM_WORLD;
    List<Win> windows =
        List.of(
            new Win(memory, 64, 1, MPI.INFO_NULL, world),
            new Win(64, 1, MPI.INFO_NULL, world, memory, Win.FLAVOR_PRIVATE),
            new Win(64, 1, MPI.INFO_NULL, world, memory, Win.FLAVOR_SHARED),
            new Win(MPI.INFO_NULL, world));
    return () -> {
      for (Win window : windows) {
        window.free();
      }
    };
  }

  private static Open matched() throws MPIException {
    int rank = MPI.COMM_WORLD.getRank();
    int from = (rank + SIZE - 1) % SIZE;
    MPI.COMM_WORLD.send(new byte[1], 1, MPI.BYTE, (rank + 1) % SIZE, TAG);
    Message matched = new Message();
    matched.mProbe(from, TAG, MPI.COMM_WORLD);
    return () -> matched.mRecv(new byte[1], 1, MPI.BYTE);
  }

  private static File file() throws MPIException {
    return new File(MPI.COMM_WORLD, "output", MPI.MODE_CREATE | MPI.MODE_RDWR);
  }

  private static Open fileRequests() throws MPIException {
    File file = file();
    // Behind what goes by a file pointer, which is the beginning.
    int at = 16 * Integer.BYTES * (SIZE + MPI.COMM_WORLD.getRank());
    IntBuffer written = ints(1, 2, 3, 4);
    file.writeAt(at, written, 4, MPI.INT);
    MPI.COMM_WORLD.barrier();
    IntBuffer read = ints();
    List<Request> requests =
        List.of(
            file.iReadAt(at, read, 4, MPI.INT),
            file.iReadAtAll(at, ints(), 4, MPI.INT),
            file.iWriteAt(at + 64L * SIZE, written, 4, MPI.INT),
            file.iWriteAtAll(at + 64L * SIZE, written, 4, MPI.INT),
            file.iRead(ints(), 4, MPI.INT),
            file.iReadAll(ints(), 4, MPI.INT),
            file.iWrite(written, 4, MPI.INT),
            file.iWriteAll(written, 4, MPI.INT),
            file.iReadShared(ints(), 1, MPI.INT),
            file.iWriteShared(written, 1, MPI.INT));
    return () -> {
      for (Request request : requests) {
        request.waitFor();
      }
      require(read.get(3) == 4, "read " + read.get(3));
      file.close();
    };
  }

  private static Open splitFiles() throws MPIException {
    Buffer written = ints(1, 2, 3, 4);
    Buffer read = ints();
    List<File> files = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      files.add(file());
    }
    files.get(0).writeAtAllBegin(0, written, 4, MPI.INT);
    files.get(1).writeAllBegin(written, 4, MPI.INT);
    files.get(2).writeOrderedBegin(written, 4, MPI.INT);
    files.get(3).readAtAllBegin(0, read, 4, MPI.INT);
    files.get(4).readAllBegin(read, 4, MPI.INT);
    files.get(5).readOrderedBegin(read, 4, MPI.INT);
    return () -> {
      files.get(0).writeAtAllEnd(written);
      files.get(1).writeAllEnd(written);
      files.get(2).writeOrderedEnd(written);
      files.get(3).readAtAllEnd(read);
      files.get(4).readAllEnd(read);
      files.get(5).readOrderedEnd(read);
      for (File file : files) {
        file.close();
      }
    };
  }

  /** A process that is asked to end later. */
  private static Open spawned() throws MPIException {
    String[] arguments =
        Stream.of(
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Djava.library.path=" + System.getProperty("java.library.path"),
                "-cp",
                System.getProperty("java.class.path"),
                Spawned.class.getName())
            .toArray(String[]::new);
    String java = System.getProperty("java.home") + "/bin/java";
    Intercomm child = MPI.COMM_WORLD.spawn(java, arguments, 1, MPI.INFO_NULL, 0, null);
    return () -> {
      if (MPI.COMM_WORLD.getRank() == 0) {
        int[] number = {17};
        child.send(number, 1, MPI.INT, 0, SPAWNED_TAG);
        child.recv(number, 1, MPI.INT, 0, SPAWNED_TAG);
        require(number[0] == 18, "the spawned process answers " + number[0]);
      }
      child.disconnect();
    };
  }

  /** What is spawned. */
  public static final class Spawned {

    private Spawned() {}

    public static void main(String[] args) throws MPIException {
      MPI.Init(args);
      Intercomm parent = Intercomm.getParent();
      int[] number = new int[1];
      parent.recv(number, 1, MPI.INT, 0, SPAWNED_TAG);
      number[0]++;
      parent.send(number, 1, MPI.INT, 0, SPAWNED_TAG);
      parent.disconnect();
      MPI.Finalize();
    }
  }

  /** Two ranks that connect to each other as if they were strangers. */
  private static Open connected() throws MPIException {
    Intercomm other;
    char[] port = new char[256];
    if (MPI.COMM_WORLD.getRank() == 0) {
      String name = Intracomm.openPort();
      name.getChars(0, name.length(), port, 0);
      MPI.COMM_WORLD.send(port, port.length, MPI.CHAR, 1, TAG);
      other = MPI.COMM_SELF.accept(name, 0);
      Intracomm.closePort(name);
    } else {
      MPI.COMM_WORLD.recv(port, port.length, MPI.CHAR, 0, TAG);
      other = MPI.COMM_SELF.connect(new String(port).trim(), 0);
    }
    return other::disconnect;
  }

  private static void require(boolean condition, String otherwise) {
    if (!condition) {
      throw new IllegalStateException(otherwise);
    }
  }
}

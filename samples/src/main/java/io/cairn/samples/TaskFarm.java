// SPDX-License-Identifier: Apache-2.0
package io.cairn.samples;

import io.cairn.Cairn;
import io.cairn.api.CairnOptions;
import io.cairn.api.CairnOptions.SafePoints;
import java.util.List;
import mpi.Comm;
import mpi.MPI;
import mpi.MPIException;
import mpi.Status;
import net.openhft.chronicle.bytes.BytesIn;
import net.openhft.chronicle.bytes.BytesMarshallable;
import net.openhft.chronicle.bytes.BytesOut;

/**
 * A task farm: rank 0 gives tasks of random lengths to the other ranks, a new one to whoever is
 * done first. Which rank gets which task is different in each run, and so is how often a rank comes
 * to a safe point. The answer is not: each task's values go into it under the task's number.
 *
 * <p>A worker may be captured while it waits for a task, and within a task after each of its parts;
 * rank 0 while it waits for results. What is on its way then comes back after a restore.
 */
public final class TaskFarm {

  private static final String USAGE =
      """
      usage: TaskFarm [--tasks N] [--doubles N] [--parts N] [--window N] [--step-millis N]
                      [--progress N] [--events 1]
        --tasks         tasks (200)
        --doubles       values of a task (64)
        --parts         parts of a task at most; each has a random number of them (5)
        --window        tasks that a worker has at a time (2)"""
          + Steps.USAGE;

  private static final int MASTER = 0;
  private static final int TASK = 1;
  private static final int STOP = 2;
  private static final int RESULT = 3;

  private record Settings(int tasks, int doubles, int parts, int window) {}

  /** What rank 0 must know to go on. */
  private static final class Farm implements BytesMarshallable {
    int given;
    int done;
    long digest;

    @Override
    public void writeMarshallable(BytesOut<?> out) {
      out.writeInt(given);
      out.writeInt(done);
      out.writeLong(digest);
    }

    @Override
    public void readMarshallable(BytesIn<?> in) {
      given = in.readInt();
      done = in.readInt();
      digest = in.readLong();
    }
  }

  /** What a worker must know to go on, besides the values. */
  private static final class Work implements BytesMarshallable {
    /** The task under way, -1 between two tasks. */
    int task = -1;

    int partsDone;
    long partsInAll;

    @Override
    public void writeMarshallable(BytesOut<?> out) {
      out.writeInt(task);
      out.writeInt(partsDone);
      out.writeLong(partsInAll);
    }

    @Override
    public void readMarshallable(BytesIn<?> in) {
      task = in.readInt();
      partsDone = in.readInt();
      partsInAll = in.readLong();
    }
  }

  private final Settings settings;
  private final Steps pace;
  private final Comm world = MPI.COMM_WORLD;
  private final int rank = MPI.COMM_WORLD.getRank();
  private final int size = MPI.COMM_WORLD.getSize();
  private final int[] message = new int[1];

  private Farm farm;
  private Work work;

  /** The values of a task, and its number before them. */
  private double[] values;

  private TaskFarm(Settings settings, Steps pace) throws MPIException {
    this.settings = settings;
    this.pace = pace;
    if (size < 2) {
      throw new IllegalArgumentException("a task farm needs 2 ranks at least, and has " + size);
    }
  }

  /** See the class. */
  public static void main(String[] args) {
    try {
      List<String> names =
          List.of("tasks", "doubles", "parts", "window", "step-millis", "progress", "events");
      Arguments arguments = new Arguments(USAGE, names, args);
      Settings settings =
          new Settings(
              arguments.integer("tasks", 200, 1),
              arguments.integer("doubles", 64, 1),
              arguments.integer("parts", 5, 1),
              arguments.integer("window", 2, 1));
      Steps pace = new Steps("taskfarm", arguments);
      CairnOptions options = CairnOptions.builder().safePoints(SafePoints.FREE).build(); // cairn
      Cairn.run(args, options, cairn -> new TaskFarm(settings, pace).run(cairn)); // cairn
    } catch (IllegalArgumentException e) {
      Arguments.refuse(e);
    }
  }

  private void run(Cairn cairn) throws MPIException, InterruptedException {
    pace.begin(cairn);
    farm = cairn.state("farm", new Farm()); // cairn
    work = cairn.state("work", new Work()); // cairn
    values = cairn.array("values", new double[settings.doubles + 1]); // cairn
    boolean restored = cairn.restore(); // cairn
    if (rank == MASTER) {
      master(cairn, restored);
    } else {
      worker(cairn);
    }
    cairn.done(); // cairn
    finish();
  }

  private void master(Cairn cairn, boolean restored) throws MPIException {
    if (!restored) {
      // After a restore these are on their way, or done.
      for (int i = 0; i < settings.window * (size - 1); i++) {
        give(1 + i % (size - 1));
      }
    }
    while (farm.done < settings.tasks) {
      Status status =
          cairn.receive( // cairn: instead of world.recv(
              world, values, values.length, MPI.DOUBLE, MPI.ANY_SOURCE, RESULT);
      take((int) values[0]);
      give(status.getSource());
      pace.report(farm.done, "%d of %d tasks given", farm.given, settings.tasks);
    }
    for (int worker = 1; worker < size; worker++) {
      world.send(message, 0, MPI.INT, worker, STOP);
    }
  }

  private void give(int worker) throws MPIException {
    if (farm.given < settings.tasks) {
      message[0] = farm.given;
      farm.given++;
      world.send(message, 1, MPI.INT, worker, TASK);
    }
  }

  private void take(int task) {
    Digest digest = new Digest();
    for (int i = 0; i < settings.doubles; i++) {
      digest.add((long) task * settings.doubles + i, values[i + 1]);
    }
    farm.digest += digest.value();
    farm.done++;
  }

  private void worker(Cairn cairn) throws MPIException, InterruptedException {
    while (true) {
      if (work.task < 0) {
        Status status =
            cairn.receive( // cairn: instead of world.recv(
                world, message, 1, MPI.INT, MASTER, MPI.ANY_TAG);
        if (status.getTag() == STOP) {
          return;
        }
        begin(message[0]);
      }
      while (work.partsDone < parts(work.task)) {
        compute();
        pace.linger();
        cairn.safePoint(); // cairn
      }
      work.task = -1;
      world.send(values, values.length, MPI.DOUBLE, MASTER, RESULT);
    }
  }

  private void begin(int task) {
    work.task = task;
    work.partsDone = 0;
    values[0] = task;
    for (int i = 1; i < values.length; i++) {
      values[i] = 1.0 / (task + i);
    }
  }

  private void compute() {
    for (int i = 1; i < values.length; i++) {
      values[i] = 0.5 * values[i] + Math.sqrt(1.0 + (work.task + 31 * work.partsDone + i) % 17);
    }
    work.partsDone++;
    work.partsInAll++;
  }

  /** A random number, but the same in each run. */
  private int parts(int task) {
    long z = (task + 1) * 0x9E3779B97F4A7C15L;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    return 1 + (int) Long.remainderUnsigned(z ^ (z >>> 27), settings.parts);
  }

  /** Adds up what the workers did: a part that was done twice, or not at all, would show. */
  private void finish() throws MPIException {
    long[] sum = {work.partsInAll};
    MPI.COMM_WORLD.allReduce(sum, 1, MPI.LONG, MPI.SUM);
    pace.result(
        farm.digest,
        "taskfarm %d tasks in %d parts, %d doubles each, %d ranks",
        settings.tasks,
        sum[0],
        settings.doubles,
        size);
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.Cairn;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CyclicBarrier;
import mpi.Intracomm;
import mpi.MPI;
import mpi.MPIException;
import mpi.Message;
import mpi.Request;
import mpi.Status;

/**
 * Several threads inside MPI at once, on communicators of their own and on one that they share;
 * outside of it only during safe points. Each step takes what the last one has sent.
 */
public final class Threads {

  private static final int THREADS = 4;

  /** Messages to the next rank that a thread leaves in flight in each step, each of its kind. */
  private static final int LEFT = 5;

  /** Round trips of a thread within a step. */
  private static final int TRIPS = 6;

  private static final int TRIP = 100;
  private static final int ANYONE = 200;

  private final int rank = MPI.COMM_WORLD.getRank();
  private final int size = MPI.COMM_WORLD.getSize();
  private final int from = (rank + size - 1) % size;
  private final int to = (rank + 1) % size;
  private final Intracomm[] own = new Intracomm[THREADS];
  private final CyclicBarrier together = new CyclicBarrier(THREADS);
  private final long last;

  // Written by the main thread while the others wait.
  private final long[] step;
  private final long[][] digests = new long[THREADS][]; // each thread's own

  private Threads(Cairn cairn, Map<String, Long> numbers) throws MPIException {
    last = numbers.get("steps");
    for (int thread = 0; thread < THREADS; thread++) {
      own[thread] = MPI.COMM_WORLD.dup();
      digests[thread] = cairn.array("digest" + thread, new long[1]);
    }
    step = cairn.array("step", new long[1]);
  }

  /** Arguments: steps, millis (of a step). */
  public static void main(String[] args) throws MPIException, InterruptedException {
    Map<String, Long> numbers = Scene.numbers(args, "steps=120", "millis=3");
    Cairn.load();
    MPI.InitThread(args, MPI.THREAD_MULTIPLE);
    try (Cairn cairn = Cairn.attach()) {
      Scene.watch(cairn);
      Threads program = new Threads(cairn, numbers);
      cairn.restore();
      program.run(new Scene.Pace(cairn, numbers));
      cairn.done();
    }
    MPI.Finalize();
  }

  private void run(Scene.Pace pace) throws MPIException, InterruptedException {
    List<Thread> others = new ArrayList<>();
    for (int i = 1; i < THREADS; i++) {
      int thread = i;
      others.add(new Thread(() -> work(thread, null), "worker-" + thread));
    }
    others.forEach(Thread::start);
    work(0, pace);
    for (Thread other : others) {
      other.join();
    }
    long sum = 0;
    for (long[] digest : digests) {
      sum += digest[0];
    }
    pace.result(sum);
  }

  /** All of a thread; {@code pace} is the main thread's alone. */
  private void work(int thread, Scene.Pace pace) {
    try {
      while (step[0] < last) {
        long now = step[0];
        if (now > 0) {
          take(thread, now - 1);
        }
        leave(thread, now);
        for (int trip = 0; trip < TRIPS; trip++) {
          exchange(thread, now, trip);
        }
        together.await();
        if (pace != null) {
          step[0]++;
          pace.safePoint(step[0]);
        }
        together.await();
      }
      take(thread, last - 1);
    } catch (Exception | AssertionError e) {
      // The others may be waiting for this one, in MPI or for each other.
      e.printStackTrace();
      Runtime.getRuntime().halt(1);
    }
  }

  private static long content(long step, int thread, int number, int rank) {
    return Scene.mix(step * 64 + thread * 8L + number, rank);
  }

  private static int tag(int thread, int number) {
    return thread * LEFT + number;
  }

  /** Sends what the next step will take. */
  private void leave(int thread, long now) throws MPIException {
    Intracomm mine = own[thread];
    List<Request> requests = new ArrayList<>();
    for (int number = 0; number < LEFT; number++) {
      LongBuffer message = longs();
      message.put(0, content(now, thread, number, rank));
      int tag = tag(thread, number);
      switch (number) {
        case 0 -> MPI.COMM_WORLD.send(message, 1, MPI.LONG, to, tag);
        case 1 -> requests.add(MPI.COMM_WORLD.iSend(message, 1, MPI.LONG, to, tag));
        case 2 -> mine.send(message, 1, MPI.LONG, to, tag);
        case 3 -> requests.add(mine.iSend(message, 1, MPI.LONG, to, tag));
        default -> mine.send(message, 1, MPI.LONG, to, ANYONE);
      }
    }
    Request.waitAll(requests.toArray(Request[]::new));
  }

  /** Takes what the last step has left, in another order, and in a way that changes. */
  private void take(int thread, long sent) throws MPIException {
    Intracomm mine = own[thread];
    LongBuffer[] in = new LongBuffer[LEFT];
    for (int number = 0; number < LEFT; number++) {
      in[number] = longs();
    }
    Status status = mine.recv(in[4], 1, MPI.LONG, MPI.ANY_SOURCE, ANYONE);
    check(status, ANYONE);
    Request[] requests = {
      mine.iRecv(in[2], 1, MPI.LONG, from, tag(thread, 2)),
      mine.iRecv(in[3], 1, MPI.LONG, MPI.ANY_SOURCE, tag(thread, 3)),
      MPI.COMM_WORLD.iRecv(in[1], 1, MPI.LONG, from, tag(thread, 1)),
    };
    if (sent % 2 == 0) {
      check(MPI.COMM_WORLD.probe(from, tag(thread, 0)), tag(thread, 0));
      MPI.COMM_WORLD.recv(in[0], 1, MPI.LONG, from, tag(thread, 0));
    } else {
      Message matched = new Message();
      matched.mProbe(from, tag(thread, 0), MPI.COMM_WORLD);
      check(matched.mRecv(in[0], 1, MPI.LONG), tag(thread, 0));
    }
    if (sent % 3 == 0) {
      Request.waitAllStatus(requests);
    } else if (sent % 3 == 1) {
      for (int done = 0; done < requests.length; done++) {
        Request.waitAnyStatus(requests);
      }
    } else {
      for (int done = 0; done < requests.length; ) {
        done += Request.testSome(requests).length;
      }
    }
    for (int number = 0; number < LEFT; number++) {
      long expected = content(sent, thread, number, from);
      if (in[number].get(0) != expected) {
        throw new IllegalStateException(
            "thread %d, message %d of step %d: %x, not %x"
                .formatted(thread, number, sent, in[number].get(0), expected));
      }
      digests[thread][0] = Scene.mix(digests[thread][0], expected);
    }
  }

  private void check(Status status, int tag) throws MPIException {
    if (status.getSource() != from || status.getTag() != tag) {
      throw new IllegalStateException(
          "from %d with tag %d, not from %d with tag %d"
              .formatted(status.getSource(), status.getTag(), from, tag));
    }
  }

  /** Within a step: the same channels for all threads but for the tag, and a collective. */
  private void exchange(int thread, long now, int trip) throws MPIException {
    long[] out = {content(now, thread, trip, rank)};
    long[] in = new long[1];
    MPI.COMM_WORLD.sendRecv(
        out, 1, MPI.LONG, to, TRIP + thread, in, 1, MPI.LONG, from, TRIP + thread);
    if (in[0] != content(now, thread, trip, from)) {
      throw new IllegalStateException("thread %d got %x in step %d".formatted(thread, in[0], now));
    }
    if (trip == thread) {
      own[thread].allReduce(in, 1, MPI.LONG, MPI.MAX);
    }
    digests[thread][0] = Scene.mix(digests[thread][0], in[0]);
  }

  private static LongBuffer longs() {
    return ByteBuffer.allocateDirect(Long.BYTES).order(ByteOrder.nativeOrder()).asLongBuffer();
  }
}

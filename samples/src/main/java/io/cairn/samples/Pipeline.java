// SPDX-License-Identifier: Apache-2.0
package io.cairn.samples;

import io.cairn.Cairn;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import mpi.Comm;
import mpi.MPI;
import mpi.MPIException;
import mpi.Request;
import mpi.Status;
import net.openhft.chronicle.bytes.BytesIn;
import net.openhft.chronicle.bytes.BytesMarshallable;
import net.openhft.chronicle.bytes.BytesOut;

/**
 * A pipeline whose stages never wait for each other at a safe point: at each of them messages of
 * three kinds are in flight, with many tags, most of them received with wildcards.
 *
 * <ul>
 *   <li><em>Blocks</em> go to both neighbours of a ring and are received in the next step, by
 *       receives for any source and any tag that are posted ahead of time. Blocks of the step after
 *       may come early; they are put aside.
 *   <li><em>Reports</em> go to another collector in each step, which takes them in the next step as
 *       they come, probing for any source.
 *   <li><em>Letters</em> go to another rank in each step and are taken several steps later, by
 *       source, with any tag.
 * </ul>
 *
 * What is computed from them is put in a fixed order first, so that the answer doesn't depend on
 * the order of arrival.
 */
public final class Pipeline {

  private static final String USAGE =
      """
      usage: Pipeline [--steps N] [--window N] [--doubles N] [--delay N] [--step-millis N]
                      [--progress N] [--events 1]
        --steps         steps (200)
        --window        blocks sent to each neighbour in each step, each with a tag of its own (4)
        --doubles       length of a block and of a letter (64)
        --delay         steps that a letter is under way (3)"""
          + Steps.USAGE;

  private static final int LETTER_TAGS = 5;

  private record Settings(int steps, int window, int doubles, int delay) {}

  /** Counters and sums: what a rank must know to go on from a safe point. */
  private static final class Progress implements BytesMarshallable {
    long step;
    long blocksReceived;
    double reports;
    double letters;

    @Override
    public void writeMarshallable(BytesOut<?> out) {
      out.writeLong(step);
      out.writeLong(blocksReceived);
      out.writeDouble(reports);
      out.writeDouble(letters);
    }

    @Override
    public void readMarshallable(BytesIn<?> in) {
      step = in.readLong();
      blocksReceived = in.readLong();
      reports = in.readDouble();
      letters = in.readDouble();
    }
  }

  /** A receive that is posted, for any source and any tag. */
  private record Posted(Request request, DoubleBuffer buffer) {}

  private final Settings settings;
  private final Steps pace;
  private final Comm ring = MPI.COMM_WORLD;
  private final Comm reports;
  private final Comm letters;
  private final int rank = MPI.COMM_WORLD.getRank();
  private final int size = MPI.COMM_WORLD.getSize();

  /** Blocks that a rank sends and receives in each step; a block's number is its tag. */
  private final int blocks;

  private final List<Posted> posted = new ArrayList<>();
  private final List<Request> sends = new ArrayList<>();
  private final DoubleBuffer[] outgoing;
  private final ArrayDeque<Request> letterSends = new ArrayDeque<>();
  private final ArrayDeque<DoubleBuffer> letterBuffers = new ArrayDeque<>();

  private Progress state;
  private double[] field;
  private double[] aside;
  private boolean[] arrived;

  private Pipeline(Settings settings, Steps pace) throws MPIException {
    this.settings = settings;
    this.pace = pace;
    this.reports = MPI.COMM_WORLD.dup();
    this.letters = MPI.COMM_WORLD.dup();
    this.blocks = 2 * settings.window;
    this.outgoing = new DoubleBuffer[blocks + 1];
    for (int i = 0; i < outgoing.length; i++) {
      outgoing[i] = direct(settings.doubles + 1);
    }
  }

  /** See the class. */
  public static void main(String[] args) {
    try {
      List<String> names =
          List.of("steps", "window", "doubles", "delay", "step-millis", "progress", "events");
      Arguments arguments = new Arguments(USAGE, names, args);
      Settings settings =
          new Settings(
              arguments.integer("steps", 200, 1),
              arguments.integer("window", 4, 1),
              arguments.integer("doubles", 64, 1),
              arguments.integer("delay", 3, 1));
      Steps pace = new Steps("pipeline", arguments);
      Cairn.run(args, cairn -> new Pipeline(settings, pace).run(cairn)); // cairn
    } catch (IllegalArgumentException e) {
      Arguments.refuse(e);
    }
  }

  private void run(Cairn cairn) throws MPIException, InterruptedException {
    pace.begin(cairn);
    state = cairn.state("progress", new Progress()); // cairn
    field = cairn.array("field", new double[blocks * settings.doubles]); // cairn
    // Blocks put aside until their turn, those of even steps and those of odd steps.
    aside = cairn.array("aside", new double[2 * blocks * settings.doubles]); // cairn
    arrived = cairn.array("arrived", new boolean[2 * blocks]); // cairn
    cairn.restore(); // cairn
    // At the start as after a restore: receives are posted (again), sends are not repeated.
    postReceives();

    while (state.step < settings.steps) {
      long step = state.step + 1;
      if (step > 1) {
        takeBlocks(step - 1);
        takeReports(step - 1);
      }
      if (step > settings.delay) {
        takeLetter(step - settings.delay);
      }
      completeSends();
      compute(step);
      pace.linger();
      sendBlocks(step);
      sendReport(step);
      sendLetter(step);
      state.step = step;
      pace.report(step, "%d blocks received", state.blocksReceived);
      cairn.safePoint(); // cairn
    }

    takeBlocks(settings.steps);
    takeReports(settings.steps);
    for (long step = Math.max(1, settings.steps - settings.delay + 1L);
        step <= settings.steps;
        step++) {
      takeLetter(step);
    }
    completeSends();
    finish();
  }

  /** Keeps as many receives posted as a step needs blocks, and none that would never end. */
  private void postReceives() throws MPIException {
    long toCome = (long) blocks * settings.steps - state.blocksReceived;
    while (posted.size() < Math.min(blocks, toCome)) {
      DoubleBuffer buffer = direct(settings.doubles + 1);
      posted.add(
          new Posted(
              ring.iRecv(buffer, settings.doubles + 1, MPI.DOUBLE, MPI.ANY_SOURCE, MPI.ANY_TAG),
              buffer));
    }
  }

  /** Receives blocks until all of {@code step} are there; puts aside what comes early. */
  private void takeBlocks(long step) throws MPIException {
    while (!allArrived(step)) {
      Request[] requests = posted.stream().map(Posted::request).toArray(Request[]::new);
      Status status = Request.waitAnyStatus(requests);
      DoubleBuffer buffer = posted.remove(status.getIndex()).buffer;
      long sentIn = (long) buffer.get(0);
      int block = status.getTag();
      boolean expected = sentIn == step || sentIn == step + 1;
      if (!expected || arrived[slot(sentIn, block)]) {
        throw new IllegalStateException(
            "rank %d waits for blocks of step %d and has received block %d of step %d from rank %d"
                .formatted(rank, step, block, sentIn, status.getSource()));
      }
      arrived[slot(sentIn, block)] = true;
      buffer.get(1, aside, slot(sentIn, block) * settings.doubles, settings.doubles);
      state.blocksReceived++;
      postReceives();
    }
  }

  private boolean allArrived(long step) {
    for (int block = 0; block < blocks; block++) {
      if (!arrived[slot(step, block)]) {
        return false;
      }
    }
    return true;
  }

  private int slot(long step, int block) {
    return (int) (step % 2) * blocks + block;
  }

  /** Every rank's report of a step, if this rank collects that step's. */
  private void takeReports(long step) throws MPIException {
    if (collector(step) != rank) {
      return;
    }
    double[] bySource = new double[size];
    double[] report = new double[1];
    for (int i = 0; i < size; i++) {
      Status status = reports.probe(MPI.ANY_SOURCE, reportTag(step));
      reports.recv(report, 1, MPI.DOUBLE, status.getSource(), reportTag(step));
      bySource[status.getSource()] = report[0];
    }
    for (double value : bySource) {
      state.reports = 0.5 * state.reports + value;
    }
  }

  private void takeLetter(long sentIn) throws MPIException {
    int source = (int) Math.floorMod(rank - sentIn, (long) size);
    double[] letter = new double[settings.doubles];
    letters.recv(letter, settings.doubles, MPI.DOUBLE, source, MPI.ANY_TAG);
    for (double value : letter) {
      state.letters = 0.75 * state.letters + value;
    }
  }

  /** Those of the step before; a letter's only after it must have been taken. */
  private void completeSends() throws MPIException {
    Request.waitAll(sends.toArray(new Request[0]));
    sends.clear();
    while (letterSends.size() > (state.step == settings.steps ? 0 : settings.delay)) {
      letterSends.remove().waitFor();
      letterBuffers.remove();
    }
  }

  /** Mixes what has come into the field, block by block. */
  private void compute(long step) {
    for (int block = 0; block < blocks; block++) {
      for (int i = 0; i < settings.doubles; i++) {
        int cell = block * settings.doubles + i;
        double came = aside[slot(step - 1, block) * settings.doubles + i];
        field[cell] =
            0.5 * field[cell] + 0.4 * came + Math.sqrt(1.0 + (int) ((rank + cell + step) % 17));
      }
      arrived[slot(step - 1, block)] = false;
    }
  }

  /** Even blocks to the right, odd ones to the left, in another order in each step. */
  private void sendBlocks(long step) throws MPIException {
    for (int i = 0; i < blocks; i++) {
      int block = (int) ((i + step) % blocks);
      int destination = Math.floorMod(block % 2 == 0 ? rank + 1 : rank - 1, size);
      outgoing[block].put(0, (double) step);
      outgoing[block].put(1, field, block * settings.doubles, settings.doubles);
      sends.add(ring.iSend(outgoing[block], settings.doubles + 1, MPI.DOUBLE, destination, block));
    }
  }

  private void sendReport(long step) throws MPIException {
    outgoing[blocks].put(0, field[0] + field[field.length - 1]);
    sends.add(reports.iSend(outgoing[blocks], 1, MPI.DOUBLE, collector(step), reportTag(step)));
  }

  private void sendLetter(long step) throws MPIException {
    DoubleBuffer letter = direct(settings.doubles);
    letter.put(0, field, 0, settings.doubles);
    int destination = (int) ((rank + step) % size);
    int tag = (int) (step % LETTER_TAGS);
    letterSends.add(letters.iSend(letter, settings.doubles, MPI.DOUBLE, destination, tag));
    letterBuffers.add(letter);
  }

  private int collector(long step) {
    return (int) (step % size);
  }

  /**
   * Ranks are never further apart than half the ring, so that tags may come again after a while.
   */
  private int reportTag(long step) {
    return (int) (step % (2L * size + 2));
  }

  private void finish() throws MPIException {
    Digest digest = new Digest();
    long base = (long) rank * (field.length + 2);
    for (int i = 0; i < field.length; i++) {
      digest.add(base + i, field[i]);
    }
    digest.add(base + field.length, state.reports);
    digest.add(base + field.length + 1, state.letters);
    long[] sum = {digest.value()};
    MPI.COMM_WORLD.allReduce(sum, 1, MPI.LONG, MPI.SUM);
    pace.result(
        sum[0],
        "pipeline %d steps, %d blocks of %d doubles, %d ranks",
        settings.steps,
        blocks,
        settings.doubles,
        size);
    letters.free();
    reports.free();
  }

  private static DoubleBuffer direct(int count) {
    return ByteBuffer.allocateDirect(count * Double.BYTES)
        .order(ByteOrder.nativeOrder())
        .asDoubleBuffer();
  }
}

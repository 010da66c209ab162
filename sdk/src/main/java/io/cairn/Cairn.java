// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import io.cairn.api.CairnException;
import io.cairn.api.CairnOptions;
import io.cairn.api.CheckpointListener;
import io.cairn.api.MisuseException;
import io.cairn.api.Region;
import java.util.Objects;
import mpi.Comm;
import mpi.Datatype;
import mpi.MPIException;
import mpi.Status;
import net.openhft.chronicle.bytes.BytesMarshallable;

/**
 * Consistent checkpoints of a running MPI program, from one rank's point of view. One in each
 * process.
 *
 * <pre>{@code
 * public static void main(String[] args) {
 *   Cairn.run(args, cairn -> {
 *     Region u = cairn.region("u", cells * Double.BYTES);
 *     Clock clock = cairn.state("clock", new Clock());
 *     cairn.restore();
 *     while (clock.step < steps) {
 *       exchangeHalos(MPI.COMM_WORLD, u.asDoubleBuffer());
 *       relax(u);
 *       clock.step++;
 *       cairn.safePoint();
 *     }
 *   });
 * }
 * }</pre>
 *
 * <p>The program registers what matters ({@link #region}, {@link #state}, {@link #array}), calls
 * {@link #restore} once, and calls {@link #safePoint} in its main loop; in between it keeps to the
 * contract in {@code docs/concepts.md}. All methods belong to the thread that made the Cairn,
 * except {@link #requestCheckpoint} and {@link #isEnabled}, which any thread may call.
 *
 * <p>Three ways to get one: {@link #run} does everything and is what most programs want; {@link
 * #open} is for a program that can't be one lambda; {@link #load} and {@link #attach} are for one
 * that initialises MPI itself.
 */
public final class Cairn implements AutoCloseable {

  private final Session session;
  private final boolean finishesMpi;
  private final Registrations registrations = new Registrations();
  private boolean done;
  private boolean closed;

  Cairn(Session session, boolean finishesMpi) {
    this.session = session;
    this.finishesMpi = finishesMpi;
  }

  /**
   * Runs a program with the default options; see {@link #run(String[], CairnOptions, CairnBody)}.
   *
   * @param args the program's arguments, for MPI
   */
  public static void run(String[] args, CairnBody body) {
    run(args, CairnOptions.defaults(), body);
  }

  /**
   * Initialises MPI, runs the program on this rank, and ends MPI. An exception of the program is
   * printed once with its rank and ends the job on all ranks at once.
   *
   * @param args the program's arguments, for MPI
   * @param options the program's wishes; system properties and the environment override them
   * @throws CairnException if Cairn can't start; nothing has run then
   */
  public static void run(String[] args, CairnOptions options, CairnBody body) {
    Objects.requireNonNull(body, "body");
    open(args, options).run(body);
  }

  void run(CairnBody body) {
    try {
      body.run(this);
      done();
    } catch (Throwable t) { // whatever it is, the other ranks would wait for this one for ever
      fail(t);
    }
    close();
  }

  /** Opens with the default options; see {@link #open(String[], CairnOptions)}. */
  public static Cairn open(String[] args) {
    return open(args, CairnOptions.defaults());
  }

  /**
   * Initialises MPI and starts Cairn. {@link #close} ends both, and must be preceded by {@link
   * #done}: without it the job is aborted, because an exception on one rank must not leave the
   * others waiting.
   *
   * <pre>{@code
   * try (Cairn cairn = Cairn.open(args)) {
   *   ...
   *   cairn.done();
   * }
   * }</pre>
   *
   * @param args the program's arguments, for MPI
   * @param options the program's wishes; system properties and the environment override them
   * @throws CairnException if Cairn can't start
   */
  public static Cairn open(String[] args, CairnOptions options) {
    return Sessions.open(args, options);
  }

  /**
   * First half of {@link #attach}: puts Cairn between the program and MPI. Call it before any class
   * of {@code mpi.*} is touched. Does nothing where system property or environment disable Cairn.
   */
  public static void load() {
    Sessions.load();
  }

  /** Attaches with the default options; see {@link #attach(CairnOptions)}. */
  public static Cairn attach() {
    return attach(CairnOptions.defaults());
  }

  /**
   * Starts Cairn in a program that has called {@link #load} and then {@code MPI.Init} itself.
   * {@link #close} must come before {@code MPI.Finalize}, and must be preceded by {@link #done}.
   *
   * @param options the program's wishes; system properties and the environment override them
   * @throws MisuseException if {@link #load} wasn't called before MPI was touched, or MPI isn't
   *     initialised
   * @throws CairnException if Cairn can't start
   */
  public static Cairn attach(CairnOptions options) {
    return Sessions.attach(options);
  }

  /**
   * Memory that is saved with every epoch: outside the heap, page-aligned, zeroed.
   *
   * @param name identifies it in images; the same on all ranks and in every launch
   * @param lengthBytes its size on this rank, in bytes; over 2 GiB too
   * @throws MisuseException for a name that is taken, a negative length, or after {@link #restore}
   * @throws OutOfMemoryError if the system has no memory left
   */
  public Region region(String name, long lengthBytes) {
    checkOpen();
    Registrations.length(name, lengthBytes);
    registrations.name("region", name);
    return session.region(name, lengthBytes);
  }

  /**
   * Registers an object that writes and reads itself: {@code writeMarshallable} is called at every
   * cut, {@code readMarshallable} by {@link #restore}.
   *
   * @param name identifies it in images; the same in every launch
   * @return {@code state}
   * @throws MisuseException for a name that is taken, a type that doesn't override both methods, or
   *     after {@link #restore}
   */
  public <T extends BytesMarshallable> T state(String name, T state) {
    checkOpen();
    Registrations.overridesBoth(name, state);
    registrations.name("state", name);
    session.state(name, state);
    return state;
  }

  /**
   * Registers an array whose elements are saved with every epoch and restored in place; its length
   * must be the same then.
   *
   * @param name identifies it in images; the same in every launch
   * @return {@code array}
   * @throws MisuseException for a name that is taken, or after {@link #restore}
   */
  public double[] array(String name, double[] array) {
    register(name, array);
    return array;
  }

  /** As {@link #array(String, double[])}. */
  public float[] array(String name, float[] array) {
    register(name, array);
    return array;
  }

  /** As {@link #array(String, double[])}. */
  public long[] array(String name, long[] array) {
    register(name, array);
    return array;
  }

  /** As {@link #array(String, double[])}. */
  public int[] array(String name, int[] array) {
    register(name, array);
    return array;
  }

  /** As {@link #array(String, double[])}. */
  public short[] array(String name, short[] array) {
    register(name, array);
    return array;
  }

  /** As {@link #array(String, double[])}. */
  public char[] array(String name, char[] array) {
    register(name, array);
    return array;
  }

  /** As {@link #array(String, double[])}. */
  public byte[] array(String name, byte[] array) {
    register(name, array);
    return array;
  }

  /** As {@link #array(String, double[])}. */
  public boolean[] array(String name, boolean[] array) {
    register(name, array);
    return array;
  }

  private void register(String name, Object array) {
    checkOpen();
    Objects.requireNonNull(array, "array");
    registrations.name("array", name);
    session.array(name, array);
  }

  /**
   * Brings back the newest epoch that is committed and valid on all ranks, if there is one. Call it
   * once on every rank, after all registrations, and before the first safe point; post receives
   * that were pending at the cut again after it, in the same order, and send nothing again.
   *
   * @return whether there was an epoch to restore; if not, everything registered is untouched
   * @throws CairnException if there are committed epochs and none is usable; the message says why
   *     of each
   */
  public boolean restore() {
    checkOpen();
    registrations.close();
    return session.restore();
  }

  /**
   * A place where this rank may be captured; a few nanoseconds when no epoch is due. Every rank
   * calls it at the same place of the program, the same number of times, unless the option {@code
   * cairn.safepoints} is {@code free}: then wherever, and as often as, it likes. Listeners are
   * called in here.
   */
  public void safePoint() {
    session.safePoint();
  }

  /**
   * Waits for a message, as {@code comm.probe} does, and is a safe point for as long as it waits:
   * the rank may be captured in here, even several times. A rank that is restored calls it again,
   * as if the call had not begun. For programs with {@code cairn.safepoints=free}; without Cairn it
   * is {@code comm.probe}.
   *
   * @param source rank in {@code comm}, or {@code MPI.ANY_SOURCE}
   * @param tag or {@code MPI.ANY_TAG}
   * @return the message's source, tag and length; it is still to be received, by this thread
   * @throws MisuseException if {@code cairn.safepoints} is {@code aligned}, before {@link #restore}
   *     and after {@link #done}
   */
  public Status probe(Comm comm, int source, int tag) throws MPIException {
    return JavaMpi.probe(session, comm, source, tag);
  }

  /**
   * Receives a message, as {@code comm.recv} does, and is a safe point until it is there, as {@link
   * #probe}. What is registered doesn't change before: a buffer that is captured here has its old
   * content.
   *
   * @param buffer a direct buffer or an array, as for {@code comm.recv}
   * @param count its length in elements of {@code type}
   * @param source rank in {@code comm}, or {@code MPI.ANY_SOURCE}
   * @param tag or {@code MPI.ANY_TAG}
   * @throws MisuseException as {@link #probe}
   */
  public Status receive(Comm comm, Object buffer, int count, Datatype type, int source, int tag)
      throws MPIException {
    return JavaMpi.receive(session, comm, buffer, count, type, source, tag);
  }

  /**
   * Asks for an epoch soon, on all ranks; any rank may ask. Returns at once. Any thread may call
   * it.
   */
  public void requestCheckpoint() {
    session.requestCheckpoint();
  }

  /** Adds a listener; called in the order of their adding. */
  public void addListener(CheckpointListener listener) {
    checkOpen();
    session.addListener(Objects.requireNonNull(listener, "listener"));
  }

  /** False if an option switched Cairn off: then nothing is saved or restored. */
  public boolean isEnabled() {
    return session.isEnabled();
  }

  /**
   * The program has come to its end as planned, and passes no safe point any more; now {@link
   * #close} ends it in good order. {@link #run} calls it when the body returns. Where {@code
   * cairn.safepoints} is {@code free}, call it when the main loop is over, before collectives that
   * other ranks may have to wait for.
   */
  public void done() {
    checkOpen();
    done = true;
    session.done();
  }

  /**
   * Ends Cairn on this rank: waits until all ranks have come here and a pending epoch is settled.
   * Ends MPI too if {@link #open} initialised it. Without {@link #done} before, aborts the job
   * instead.
   */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    if (!done) {
      abort(
          "Cairn was closed without done(): ending all ranks, because this one didn't come to its end.",
          null);
      return;
    }
    session.close();
    if (finishesMpi) {
      JavaMpi.finish();
    }
  }

  private void fail(Throwable cause) {
    closed = true;
    abort("the program failed on this rank; ending all ranks.", cause);
  }

  private void abort(String message, Throwable cause) {
    // Not through a logger: one that writes later wouldn't, because MPI ends the process now.
    System.err.print(Fatal.text(session.rank(), session.size(), message, cause));
    System.err.flush();
    System.out.flush();
    session.abort();
  }

  private void checkOpen() {
    if (closed) {
      throw new MisuseException("this Cairn is closed; call this before close()");
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.coordinate.sim.Program;
import io.cairn.coordinate.sim.Program.Communicator;
import io.cairn.coordinate.sim.Program.Message;
import io.cairn.coordinate.sim.Program.Receive;
import io.cairn.systemtests.programs.Script.Completion;
import io.cairn.systemtests.programs.Script.Creation;
import io.cairn.systemtests.programs.Script.Layout;
import io.cairn.systemtests.programs.Script.ReceiveForm;
import io.cairn.systemtests.programs.Script.SendForm;
import io.cairn.systemtests.programs.Script.Step;
import io.cairn.systemtests.programs.Script.Step.Take;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import mpi.Datatype;
import mpi.Group;
import mpi.Intracomm;
import mpi.MPI;
import mpi.MPIException;
import mpi.Prequest;
import mpi.Request;
import mpi.Status;

/** One rank that runs a script, and checks whatever it is given. */
final class Player {

  /** What a safe point does, with the number of the step that comes after it. */
  interface SafePoint {
    void at(int next) throws MPIException, InterruptedException;
  }

  /** What is around the scripts. */
  interface Surroundings {
    void requestCheckpoint();
  }

  private static final byte UNTOUCHED = 0x5A;

  /** A receive under way. */
  private record In(Take take, ByteBuffer buffer, Request request) {}

  /** A send under way. */
  private record Out(Request request, ByteBuffer buffer) {}

  /** A persistent request, used again by what is alike. */
  private static final class Kept {
    final Prequest request;
    final ByteBuffer buffer;
    boolean active;

    Kept(Prequest request, ByteBuffer buffer) {
      this.request = request;
      this.buffer = buffer;
    }
  }

  private final Script script;
  private final Program program;
  private final int rank;
  private final List<Step> steps;
  private final Intracomm[] communicators;
  private final int[][] orders;

  /** In the image: a sum of all that was received, and which message each receive got. */
  private final long[] digest;

  private final int[] got;

  private final Map<Integer, In> pending = new LinkedHashMap<>();
  private final Map<Integer, Out> open = new HashMap<>();
  private final Map<String, List<Kept>> kept = new HashMap<>();

  /** Of sends whose requests were freed. */
  private final List<ByteBuffer> alive = new ArrayList<>();

  private int at;

  /** Makes its communicators: collective over all ranks of the launch. */
  Player(Script script, long[] digest, int[] got) throws MPIException {
    this.script = script;
    this.digest = digest;
    this.got = got;
    program = script.program();
    rank = MPI.COMM_WORLD.getRank();
    steps = script.steps(rank);
    communicators = new Intracomm[program.communicators().size()];
    orders = new int[communicators.length][];
    for (Communicator c : program.communicators()) {
      orders[c.index()] = script.order(c);
      communicators[c.index()] = create(c, script.creation(c));
      if (c.has(rank)) {
        // A receive may be too short.
        communicators[c.index()].setErrhandler(MPI.ERRORS_RETURN);
      }
    }
  }

  private Intracomm create(Communicator c, Creation creation) throws MPIException {
    int[] order = orders[c.index()];
    boolean all = order.length == MPI.COMM_WORLD.getSize();
    int place = -1;
    for (int i = 0; i < order.length; i++) {
      if (order[i] == rank) {
        place = i;
      }
    }
    switch (creation) {
      case WORLD, DUP -> {
        if (all) {
          return creation == Creation.DUP ? MPI.COMM_WORLD.dup() : MPI.COMM_WORLD;
        }
        return MPI.COMM_WORLD.split(place < 0 ? MPI.UNDEFINED : 1, Math.max(0, place));
      }
      case SPLIT -> {
        return MPI.COMM_WORLD.split(place < 0 ? MPI.UNDEFINED : 1, Math.max(0, place));
      }
      default -> {
        Group world = MPI.COMM_WORLD.getGroup();
        Group members = world.incl(order);
        Intracomm made = null;
        if (creation == Creation.CREATE) {
          made = MPI.COMM_WORLD.create(members);
        } else if (place >= 0) {
          made = MPI.COMM_WORLD.createGroup(members, c.index());
        }
        members.free();
        world.free();
        return made;
      }
    }
  }

  /** The receives that were pending at a cut before this step, again and in order. */
  void postAgain(int next) throws MPIException {
    Map<Integer, Step.Post> posts = new LinkedHashMap<>();
    for (Step step : steps.subList(0, next)) {
      if (step instanceof Step.Post post) {
        posts.put(post.take().receive().id(), post);
      } else if (step instanceof Step.Await await) {
        await.receives().forEach(posts::remove);
      } else if (step instanceof Step.Cancel cancel) {
        posts.remove(cancel.receive());
      }
    }
    for (Step.Post post : posts.values()) {
      post(post);
    }
  }

  /** From a step on to the end. */
  void play(int first, SafePoint safePoint, Surroundings surroundings)
      throws MPIException, InterruptedException {
    for (at = first; at < steps.size(); at++) {
      Step step = steps.get(at);
      if (step instanceof Step.SafePoint) {
        safePoint.at(at + 1);
      } else if (step instanceof Step.Request) {
        surroundings.requestCheckpoint();
      } else {
        perform(step);
      }
    }
    requireOrder();
    if (!pending.isEmpty()) {
      throw wrong("receives left: %s".formatted(pending.keySet()));
    }
    if (!open.isEmpty()) {
      throw wrong("sends left: %s".formatted(open.keySet()));
    }
    for (List<Kept> alike : kept.values()) {
      for (Kept each : alike) {
        each.request.free();
      }
    }
    alive.clear();
  }

  void freeCommunicators() throws MPIException {
    for (Communicator c : program.communicators()) {
      Intracomm mine = communicators[c.index()];
      if (c.has(rank) && mine != MPI.COMM_WORLD) {
        mine.free();
      }
    }
  }

  private void perform(Step step) throws MPIException {
    if (step instanceof Step.Send send) {
      send(send);
    } else if (step instanceof Step.SendReceive both) {
      sendReceive(both);
    } else if (step instanceof Step.Block block) {
      block(block);
    } else if (step instanceof Step.Post post) {
      post(post);
    } else if (step instanceof Step.Await await) {
      await(await);
    } else if (step instanceof Step.Probe probe) {
      Receive r = probe.receive();
      check(r, communicator(r).probe(source(r), tag(r)), expected(r));
    } else if (step instanceof Step.Open open) {
      Out out = this.open.get(open.message());
      if (out != null && out.request.getStatus() != null) {
        throw wrong("it is, although nobody has asked for the message");
      }
    } else if (step instanceof Step.Cancel cancel) {
      In in = pending.remove(cancel.receive());
      in.request.cancel();
      Status status = in.request.waitStatus();
      if (!status.isCancelled()) {
        throw wrong("a receive that nothing is sent to was not cancelled");
      }
      finished(in.request);
    } else if (step instanceof Step.Collective collective) {
      collective(collective);
    }
  }

  // ---- failures

  private IllegalStateException wrong(String what) {
    return new IllegalStateException(
        "program %s: rank %d, step %d (%s): %s"
            .formatted(script.name(), rank, at, at < steps.size() ? steps.get(at) : "end", what));
  }

  // ---- where

  private Intracomm communicator(Receive r) {
    return communicators[r.communicator().index()];
  }

  private int memberOf(Communicator c, int world) {
    int[] order = orders[c.index()];
    for (int i = 0; i < order.length; i++) {
      if (order[i] == world) {
        return i;
      }
    }
    throw new AssertionError(world);
  }

  private int source(Receive r) {
    return r.source() == Program.ANY ? MPI.ANY_SOURCE : memberOf(r.communicator(), r.source());
  }

  private static int tag(Receive r) {
    return r.tag() == Program.ANY ? MPI.ANY_TAG : r.tag();
  }

  private Message expected(Receive r) {
    return r.expected() < 0 ? null : program.messages().get(r.expected());
  }

  // ---- buffers

  private static int bytes(Layout layout, int elements) {
    return layout == Layout.SPARSE_LONGS
        ? Math.max(1, (2 * elements - 1) * Long.BYTES)
        : Math.max(1, elements * layout.elementBytes());
  }

  private static ByteBuffer newBuffer(Layout layout, int elements) {
    return MPI.newByteBuffer(bytes(layout, elements));
  }

  /** Where the n-th byte of a message lies. */
  private static int place(Layout layout, int index) {
    return layout == Layout.SPARSE_LONGS
        ? index / Long.BYTES * 2 * Long.BYTES + index % Long.BYTES
        : index;
  }

  private void fill(ByteBuffer buffer, Step.Send send) {
    byte[] content = script.content(send.message());
    for (int i = 0; i < content.length; i++) {
      buffer.put(place(send.layout(), i), content[i]);
    }
  }

  private static void clear(ByteBuffer buffer) {
    for (int i = 0; i < buffer.capacity(); i++) {
      buffer.put(i, UNTOUCHED);
    }
  }

  /** A type for one call; the request keeps what it needs of it. */
  private static final class Typed implements AutoCloseable {
    final Datatype type;
    final int count;
    private final boolean derived;

    Typed(Layout layout, int elements) throws MPIException {
      derived = layout == Layout.SPARSE_LONGS;
      if (derived) {
        type = Datatype.createVector(elements, 1, 2, MPI.LONG);
        type.commit();
        count = 1;
      } else {
        type = layout == Layout.LONGS ? MPI.LONG : MPI.BYTE;
        count = elements;
      }
    }

    @Override
    public void close() throws MPIException {
      if (derived) {
        type.free();
      }
    }
  }

  // ---- sends

  private void send(Step.Send send) throws MPIException {
    Message m = send.message();
    Intracomm comm = communicators[m.communicator().index()];
    int to = memberOf(m.communicator(), m.destination());
    if (send.form().isPersistent()) {
      start(send, comm, to);
      return;
    }
    int elements = send.length() / send.layout().elementBytes();
    ByteBuffer buffer = newBuffer(send.layout(), elements);
    fill(buffer, send);
    try (Typed t = new Typed(send.layout(), elements)) {
      Request request = null;
      switch (send.form()) {
        case SEND -> comm.send(buffer, t.count, t.type, to, m.tag());
        case SSEND -> comm.sSend(buffer, t.count, t.type, to, m.tag());
        case RSEND -> comm.rSend(buffer, t.count, t.type, to, m.tag());
        case BSEND -> comm.bSend(buffer, t.count, t.type, to, m.tag());
        case ISEND, ISEND_FREE -> request = comm.iSend(buffer, t.count, t.type, to, m.tag());
        case ISSEND -> request = comm.isSend(buffer, t.count, t.type, to, m.tag());
        case IRSEND -> request = comm.irSend(buffer, t.count, t.type, to, m.tag());
        case IBSEND -> request = comm.ibSend(buffer, t.count, t.type, to, m.tag());
        default -> throw new AssertionError(send);
      }
      if (send.form() == SendForm.ISEND_FREE) {
        request.free();
        alive.add(buffer);
      } else if (request != null) {
        open.put(m.id(), new Out(request, buffer));
      } else {
        // The program may use a buffer again as soon as the call returns.
        clear(buffer);
      }
    }
  }

  private void start(Step.Send send, Intracomm comm, int to) throws MPIException {
    Message m = send.message();
    int elements = send.length() / send.layout().elementBytes();
    String alike =
        "%s %d %d %d %d %s"
            .formatted(send.form(), m.communicator().index(), to, m.tag(), elements, send.layout());
    Kept idle = idle(alike);
    if (idle == null) {
      ByteBuffer buffer = newBuffer(send.layout(), elements);
      try (Typed t = new Typed(send.layout(), elements)) {
        idle =
            keep(
                alike,
                switch (send.form()) {
                  case SEND_INIT -> comm.sendInit(buffer, t.count, t.type, to, m.tag());
                  case SSEND_INIT -> comm.sSendInit(buffer, t.count, t.type, to, m.tag());
                  case RSEND_INIT -> comm.rSendInit(buffer, t.count, t.type, to, m.tag());
                  case BSEND_INIT -> comm.bSendInit(buffer, t.count, t.type, to, m.tag());
                  default -> throw new AssertionError(send);
                },
                buffer);
      }
    }
    fill(idle.buffer, send);
    idle.active = true;
    idle.request.start();
    open.put(m.id(), new Out(idle.request, idle.buffer));
  }

  private Kept idle(String alike) {
    for (Kept each : kept.getOrDefault(alike, List.of())) {
      if (!each.active) {
        return each;
      }
    }
    return null;
  }

  private Kept keep(String alike, Prequest request, ByteBuffer buffer) {
    Kept created = new Kept(request, buffer);
    kept.computeIfAbsent(alike, a -> new ArrayList<>()).add(created);
    return created;
  }

  private void finished(Request request) {
    for (List<Kept> alike : kept.values()) {
      for (Kept each : alike) {
        if (each.request == request) {
          each.active = false;
        }
      }
    }
  }

  // ---- receives

  private void post(Step.Post post) throws MPIException {
    Take take = post.take();
    Receive r = take.receive();
    if (!post.persistent()) {
      ByteBuffer buffer = newBuffer(take.layout(), take.capacity());
      clear(buffer);
      try (Typed t = new Typed(take.layout(), take.capacity())) {
        Request request = communicator(r).iRecv(buffer, t.count, t.type, source(r), tag(r));
        pending.put(r.id(), new In(take, buffer, request));
      }
      return;
    }
    String alike =
        "receive %d %d %d %d %s"
            .formatted(
                r.communicator().index(), r.source(), r.tag(), take.capacity(), take.layout());
    Kept idle = idle(alike);
    if (idle == null) {
      ByteBuffer buffer = newBuffer(take.layout(), take.capacity());
      try (Typed t = new Typed(take.layout(), take.capacity())) {
        idle =
            keep(
                alike,
                communicator(r).recvInit(buffer, t.count, t.type, source(r), tag(r)),
                buffer);
      }
    }
    clear(idle.buffer);
    idle.active = true;
    idle.request.start();
    pending.put(r.id(), new In(take, idle.buffer, idle.request));
  }

  private void block(Step.Block block) throws MPIException {
    Take take = block.take();
    Receive r = take.receive();
    Intracomm comm = communicator(r);
    int source = source(r);
    int tag = tag(r);
    int capacity = take.capacity();
    if (block.form() == ReceiveForm.TRUNCATED) {
      capacity = script.length(expected(r)) / take.layout().elementBytes() - 1;
    }
    ByteBuffer buffer = newBuffer(take.layout(), take.capacity());
    clear(buffer);
    try (Typed t = new Typed(take.layout(), capacity)) {
      Status probed = null;
      Status status;
      switch (block.form()) {
        case RECV -> status = comm.recv(buffer, t.count, t.type, source, tag);
        case PROBE -> {
          probed = comm.probe(source, tag);
          status = comm.recv(buffer, t.count, t.type, probed.getSource(), probed.getTag());
        }
        case IPROBE -> {
          for (probed = comm.iProbe(source, tag); probed == null; ) {
            Thread.onSpinWait();
            probed = comm.iProbe(source, tag);
          }
          status = comm.recv(buffer, t.count, t.type, probed.getSource(), probed.getTag());
        }
        case MPROBE -> {
          mpi.Message matched = new mpi.Message();
          probed = matched.mProbe(source, tag, comm);
          status = matched.mRecv(buffer, t.count, t.type);
        }
        case IMPROBE -> {
          mpi.Message matched = new mpi.Message();
          for (probed = matched.imProbe(source, tag, comm); probed == null; ) {
            Thread.onSpinWait();
            probed = matched.imProbe(source, tag, comm);
          }
          status = matched.imRecv(buffer, t.count, t.type).waitStatus();
        }
        default -> {
          truncated(block, comm, buffer, t, capacity);
          return;
        }
      }
      Message m = received(take, buffer, status);
      if (probed != null) {
        check(r, probed, m);
      }
    }
  }

  private void truncated(Step.Block block, Intracomm comm, ByteBuffer buffer, Typed t, int capacity)
      throws MPIException {
    Receive r = block.take().receive();
    try {
      comm.recv(buffer, t.count, t.type, source(r), tag(r));
    } catch (MPIException e) {
      if (e.getErrorClass() != MPI.ERR_TRUNCATE) {
        throw wrong("fails with %s".formatted(e.getMessage()));
      }
      for (int i = bytes(block.take().layout(), capacity); i < buffer.capacity(); i++) {
        if (buffer.get(i) != UNTOUCHED) {
          throw wrong("byte %d, behind the end of the receive, was written".formatted(i));
        }
      }
      got[r.id()] = r.expected();
      digest[0] += Scene.mix(r.id(), e.getErrorClass());
      return;
    }
    throw wrong("found %d elements enough".formatted(t.count));
  }

  private void sendReceive(Step.SendReceive both) throws MPIException {
    Step.Send send = both.send();
    Take take = both.take();
    Receive r = take.receive();
    Intracomm comm = communicator(r);
    int to = memberOf(send.message().communicator(), send.message().destination());
    int with = send.message().tag();
    int elements = send.length() / send.layout().elementBytes();
    ByteBuffer buffer = newBuffer(send.layout(), elements);
    clear(buffer);
    fill(buffer, send);
    try (Typed t = new Typed(send.layout(), elements)) {
      if (both.replace()) {
        // What is beyond the message stays what was sent.
        byte[] sent = new byte[buffer.capacity()];
        buffer.get(0, sent);
        Status status = comm.sendRecvReplace(buffer, t.count, t.type, to, with, source(r), tag(r));
        received(new Take(r, take.layout(), elements), buffer, status, sent);
        return;
      }
      ByteBuffer in = newBuffer(take.layout(), take.capacity());
      clear(in);
      try (Typed to2 = new Typed(take.layout(), take.capacity())) {
        Status status =
            comm.sendRecv(
                buffer, t.count, t.type, to, with, in, to2.count, to2.type, source(r), tag(r));
        received(take, in, status);
      }
    }
  }

  // ---- completion

  private void await(Step.Await await) throws MPIException {
    List<In> ins = new ArrayList<>();
    List<Request> requests = new ArrayList<>();
    for (int receive : await.receives()) {
      In in = pending.remove(receive);
      if (in == null) {
        throw wrong("receive %d is not pending".formatted(receive));
      }
      ins.add(in);
      requests.add(in.request);
    }
    for (int message : await.sends()) {
      // After a restore there is nothing to wait for.
      Out out = open.remove(message);
      if (out != null) {
        requests.add(out.request);
      }
    }
    Request[] all = requests.toArray(new Request[0]);
    Request[] before = all.clone();
    Status[] statuses = complete(all, await.form());
    for (int i = 0; i < before.length; i++) {
      finished(before[i]);
      if (i < ins.size()) {
        received(ins.get(i).take, ins.get(i).buffer, statuses == null ? null : statuses[i]);
      }
    }
  }

  /** Returns the statuses, or null if this way tells none. */
  private Status[] complete(Request[] all, Completion form) throws MPIException {
    Status[] statuses = new Status[all.length];
    switch (form) {
      case WAIT -> {
        for (Request each : all) {
          each.waitFor();
        }
        return null;
      }
      case WAIT_STATUS -> {
        for (int i = 0; i < all.length; i++) {
          statuses[i] = all[i].waitStatus();
        }
      }
      case TEST -> {
        for (int i = 0; i < all.length; i++) {
          for (statuses[i] = all[i].testStatus(); statuses[i] == null; ) {
            Thread.onSpinWait();
            statuses[i] = all[i].testStatus();
          }
        }
      }
      case GET_STATUS -> {
        for (int i = 0; i < all.length; i++) {
          for (statuses[i] = all[i].getStatus(); statuses[i] == null; ) {
            Thread.onSpinWait();
            statuses[i] = all[i].getStatus();
          }
          all[i].waitFor();
        }
      }
      case WAITALL -> {
        Request.waitAll(all);
        return null;
      }
      case WAITALL_STATUS -> statuses = Request.waitAllStatus(all);
      case TESTALL -> {
        for (statuses = Request.testAllStatus(all); statuses == null; ) {
          Thread.onSpinWait();
          statuses = Request.testAllStatus(all);
        }
      }
      case WAITANY -> {
        for (int left = all.length; left > 0; left--) {
          put(statuses, Request.waitAnyStatus(all));
        }
      }
      case TESTANY -> {
        for (int left = all.length; left > 0; ) {
          Status status = Request.testAnyStatus(all);
          if (status == null) {
            Thread.onSpinWait();
          } else {
            put(statuses, status);
            left--;
          }
        }
      }
      case WAITSOME -> {
        for (int left = all.length; left > 0; ) {
          for (Status status : Request.waitSomeStatus(all)) {
            put(statuses, status);
            left--;
          }
        }
      }
      case TESTSOME -> {
        for (int left = all.length; left > 0; ) {
          Status[] some = Request.testSomeStatus(all);
          if (some.length == 0) {
            Thread.onSpinWait();
          }
          for (Status status : some) {
            put(statuses, status);
            left--;
          }
        }
      }
    }
    return statuses;
  }

  private void put(Status[] statuses, Status status) {
    int index = status.getIndex();
    if (!(index >= 0 && index < statuses.length && statuses[index] == null)) {
      throw wrong("request %d completes twice, or isn't one".formatted(index));
    }
    statuses[index] = status;
  }

  // ---- what came

  private Message received(Take take, ByteBuffer buffer, Status status) throws MPIException {
    byte[] untouched = new byte[buffer.capacity()];
    Arrays.fill(untouched, UNTOUCHED);
    return received(take, buffer, status, untouched);
  }

  /** Compares with what must have come, to the last byte of the buffer. */
  private Message received(Take take, ByteBuffer buffer, Status status, byte[] before)
      throws MPIException {
    Receive r = take.receive();
    Message m = expected(r);
    if (m == null) {
      long id = buffer.getLong(0);
      if (!(id >= 0
          && id < program.messages().size()
          && mayGet(r, program.messages().get((int) id)))) {
        throw wrong("receive %d got message %d".formatted(r.id(), id));
      }
      m = program.messages().get((int) id);
    }
    byte[] wanted = before.clone();
    byte[] content = script.content(m);
    for (int i = 0; i < content.length; i++) {
      wanted[place(take.layout(), i)] = content[i];
    }
    byte[] found = new byte[buffer.capacity()];
    buffer.get(0, found);
    int differs = Arrays.mismatch(wanted, found);
    if (differs >= 0) {
      throw wrong(
          "receive %d got %d at byte %d of %d, expected %d of %s, %d bytes (begins with %d)"
              .formatted(
                  r.id(),
                  found[differs],
                  differs,
                  found.length,
                  wanted[differs],
                  m,
                  content.length,
                  found.length >= Long.BYTES ? buffer.getLong(0) : -1));
    }
    got[r.id()] = m.id();
    // Which of a group's receives gets a message is chance, and so is what else that receive does.
    boolean certain = r.expected() >= 0;
    digest[0] += Scene.mix(Scene.mix(certain ? r.id() : -1, m.id()), Arrays.hashCode(content));
    if (status != null) {
      check(r, status, m);
      digest[0] += certain ? Scene.mix(Scene.mix(status.getTag(), status.getSource()), m.id()) : 0;
    }
    return m;
  }

  private boolean mayGet(Receive r, Message m) {
    return program.groups().stream()
        .anyMatch(g -> g.receives().contains(r.id()) && g.messages().contains(m.id()));
  }

  private void check(Receive r, Status status, Message m) throws MPIException {
    int source = memberOf(m.communicator(), m.source());
    int length = script.length(m);
    if (!(status.getSource() == source
        && status.getTag() == m.tag()
        && status.getCount(MPI.BYTE) == length
        && status.getElements(MPI.BYTE) == length
        && !status.isCancelled())) {
      throw wrong(
          ("receive %d: the status says source %d, tag %d, %d (%d) bytes, cancelled %s; expected"
                  + " source %d, tag %d, %d bytes of %s")
              .formatted(
                  r.id(),
                  status.getSource(),
                  status.getTag(),
                  status.getCount(MPI.BYTE),
                  status.getElements(MPI.BYTE),
                  status.isCancelled(),
                  source,
                  m.tag(),
                  length,
                  m));
    }
  }

  /** Receives that name no source got all there is, of each source in the order of sending. */
  private void requireOrder() {
    for (Program.Group group : program.groups()) {
      if (group.receives().isEmpty()
          || program.receives().get(group.receives().get(0)).rank() != rank) {
        continue;
      }
      Map<Integer, Integer> last = new HashMap<>();
      boolean[] seen = new boolean[program.messages().size()];
      for (int receive : group.receives()) {
        Message m = program.messages().get(got[receive]);
        if (seen[m.id()]) {
          throw wrong("%s was received twice".formatted(m));
        }
        seen[m.id()] = true;
        Integer before = last.put(m.source(), m.id());
        if (before != null && before > m.id()) {
          throw wrong("%s was overtaken by message %s".formatted(m, before));
        }
      }
    }
  }

  // ---- collectives

  private long contribution(Communicator c, int world, long count) {
    return Program.contribution(c, world, count);
  }

  private void collective(Step.Collective step) throws MPIException {
    Communicator c = step.communicator();
    Intracomm comm = communicators[c.index()];
    int[] order = orders[c.index()];
    int size = order.length;
    int me = memberOf(c, rank);
    int root = step.count() % size;
    long mine = contribution(c, rank, step.count());
    long sum = Program.collectiveResult(c, step.count());
    long[] each = new long[size];
    for (int i = 0; i < size; i++) {
      each[i] = contribution(c, order[i], step.count());
    }
    long[] in = new long[size];
    long[] one = {mine};
    long[] result = {0};
    switch (step.form()) {
      case BARRIER -> comm.barrier();
      case IBARRIER -> comm.iBarrier().waitFor();
      case ALLREDUCE -> {
        comm.allReduce(one, result, 1, MPI.LONG, MPI.SUM);
        agree(result[0], sum);
      }
      case IALLREDUCE -> {
        ByteBuffer buffer = MPI.newByteBuffer(Long.BYTES);
        buffer.putLong(0, mine);
        comm.iAllReduce(buffer, 1, MPI.LONG, MPI.SUM).waitFor();
        agree(buffer.getLong(0), sum);
      }
      case DUP_ALLREDUCE -> {
        Intracomm passing = comm.dup();
        passing.allReduce(one, result, 1, MPI.LONG, MPI.SUM);
        passing.free();
        agree(result[0], sum);
      }
      case ALLGATHER -> {
        comm.allGather(one, 1, MPI.LONG, in, 1, MPI.LONG);
        agree(in, each);
      }
      case ALLTOALL -> {
        long[] out = new long[size];
        long[] wanted = new long[size];
        for (int i = 0; i < size; i++) {
          out[i] = Scene.mix(mine, i);
          wanted[i] = Scene.mix(each[i], me);
        }
        comm.allToAll(out, 1, MPI.LONG, in, 1, MPI.LONG);
        agree(in, wanted);
      }
      case BCAST -> {
        comm.bcast(one, 1, MPI.LONG, root);
        agree(one[0], each[root]);
      }
      case IBCAST -> {
        ByteBuffer buffer = MPI.newByteBuffer(Long.BYTES);
        buffer.putLong(0, mine);
        comm.iBcast(buffer, 1, MPI.LONG, root).waitFor();
        agree(buffer.getLong(0), each[root]);
      }
      case REDUCE -> {
        comm.reduce(one, result, 1, MPI.LONG, MPI.SUM, root);
        agree(result[0], me == root ? sum : 0);
      }
      case GATHER -> {
        comm.gather(one, 1, MPI.LONG, in, 1, MPI.LONG, root);
        agree(in, me == root ? each : new long[size]);
      }
      case SCATTER -> {
        comm.scatter(each, 1, MPI.LONG, result, 1, MPI.LONG, root);
        agree(result[0], mine);
      }
      case SCAN -> {
        comm.scan(one, result, 1, MPI.LONG, MPI.SUM);
        agree(result[0], Arrays.stream(each).limit(me + 1L).sum());
      }
    }
  }

  private void agree(long found, long wanted) {
    if (found != wanted) {
      throw wrong("gives %d, expected %d".formatted(found, wanted));
    }
    digest[0] += Scene.mix(found, at);
  }

  private void agree(long[] found, long[] wanted) {
    if (!Arrays.equals(found, wanted)) {
      throw wrong(
          "gives %s, expected %s".formatted(Arrays.toString(found), Arrays.toString(wanted)));
    }
    digest[0] += Scene.mix(Arrays.hashCode(found), at);
  }
}

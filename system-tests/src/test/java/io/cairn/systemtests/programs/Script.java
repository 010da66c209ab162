// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests.programs;

import io.cairn.coordinate.sim.Dice;
import io.cairn.coordinate.sim.Program;
import io.cairn.coordinate.sim.Program.Communicator;
import io.cairn.coordinate.sim.Program.Group;
import io.cairn.coordinate.sim.Program.Message;
import io.cairn.coordinate.sim.Program.Op;
import io.cairn.coordinate.sim.Program.Receive;
import io.cairn.coordinate.sim.ProgramGenerator;
import io.cairn.coordinate.sim.ProgramParts;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * A program of the simulation, with each of its messages, receives and collectives in one of the
 * ways that MPI has for it. All of it follows from the seed, and each way from the number of what
 * is sent or received: what is left of a program that has lost a part is done as before.
 */
public final class Script {

  /**
   * How many bytes a send may have that must return without its receive. Open MPI's limits are
   * 1,024 bytes to oneself and more to others.
   */
  private static final int SMALL = 900;

  /**
   * The most bytes of a message that is received too short: with a longer one Open MPI writes on
   * behind the end of the receive's buffer ({@code docs/limits.md}).
   */
  private static final int SHORTENED = 4_000;

  /** How a message is sent. */
  enum SendForm {
    SEND,
    SSEND,
    RSEND,
    BSEND,
    ISEND,
    ISSEND,
    IRSEND,
    IBSEND,
    /** Never asked about. */
    ISEND_FREE,
    SEND_INIT,
    SSEND_INIT,
    RSEND_INIT,
    BSEND_INIT;

    boolean isPersistent() {
      return compareTo(SEND_INIT) >= 0;
    }

    /** Whether something is left to wait for. */
    boolean isOpen() {
      return compareTo(ISEND) >= 0 && this != ISEND_FREE;
    }
  }

  /** How a receive that blocks is done. */
  enum ReceiveForm {
    RECV,
    PROBE,
    IPROBE,
    MPROBE,
    IMPROBE,
    /** Too short: MPI reports it, and the message is gone. */
    TRUNCATED
  }

  /** How requests are completed. */
  enum Completion {
    WAIT,
    WAIT_STATUS,
    TEST,
    GET_STATUS,
    WAITALL,
    WAITALL_STATUS,
    TESTALL,
    WAITANY,
    TESTANY,
    WAITSOME,
    TESTSOME
  }

  /** Those that no member leaves before all have come, then the others. */
  enum CollectiveForm {
    BARRIER,
    ALLREDUCE,
    ALLGATHER,
    ALLTOALL,
    IBARRIER,
    IALLREDUCE,
    /** On a communicator that lives no longer. */
    DUP_ALLREDUCE,
    BCAST,
    IBCAST,
    REDUCE,
    GATHER,
    SCATTER,
    SCAN;

    boolean synchronizes() {
      return compareTo(BCAST) < 0;
    }
  }

  /** How a communicator is made. */
  enum Creation {
    WORLD,
    DUP,
    SPLIT,
    CREATE,
    CREATE_GROUP
  }

  /** How a message lies in the buffer. */
  enum Layout {
    BYTES,
    LONGS,
    /** Every other long. */
    SPARSE_LONGS;

    int elementBytes() {
      return this == BYTES ? 1 : Long.BYTES;
    }
  }

  /** One step of a rank; as text, what it does. */
  sealed interface Step {
    record Send(Message message, SendForm form, int length, Layout layout) implements Step {
      @Override
      public String toString() {
        return "%s %s, %d %s"
            .formatted(lower(form), message, length / layout.elementBytes(), lower(layout));
      }
    }

    /**
     * @param replace into the buffer that is sent from
     */
    record SendReceive(Send send, Take take, boolean replace) implements Step {
      @Override
      public String toString() {
        return (replace ? "sendrecv_replace " : "sendrecv ") + send + " and " + take;
      }
    }

    /**
     * Where a receive puts its message.
     *
     * @param capacity in elements
     */
    record Take(Receive receive, Layout layout, int capacity) {
      @Override
      public String toString() {
        return "receive %d (%s, from %s, tag %s, %s), up to %d %s"
            .formatted(
                receive.id(),
                receive.communicator().name(),
                any(receive.source()),
                any(receive.tag()),
                receive.expected() < 0 ? "any of its group" : "message " + receive.expected(),
                capacity,
                lower(layout));
      }
    }

    record Block(Take take, ReceiveForm form) implements Step {
      @Override
      public String toString() {
        return lower(form) + ": " + take;
      }
    }

    record Post(Take take, boolean persistent) implements Step {
      @Override
      public String toString() {
        return (persistent ? "recv_init, start: " : "irecv: ") + take;
      }
    }

    record Await(List<Integer> receives, List<Integer> sends, Completion form) implements Step {
      @Override
      public String toString() {
        return lower(form)
            + (receives.isEmpty() ? "" : " of receives " + receives)
            + (sends.isEmpty() ? "" : " of sends " + sends);
      }
    }

    record Probe(Receive receive) implements Step {
      @Override
      public String toString() {
        return "probe for message " + receive.expected();
      }
    }

    record Open(int message) implements Step {
      @Override
      public String toString() {
        return "send " + message + " must not be complete";
      }
    }

    record Cancel(int receive) implements Step {
      @Override
      public String toString() {
        return "cancel receive " + receive;
      }
    }

    /**
     * @param count how many there were on the communicator before
     */
    record Collective(Communicator communicator, int count, CollectiveForm form) implements Step {
      @Override
      public String toString() {
        return "%s on %s".formatted(lower(form), communicator.name());
      }
    }

    record Request() implements Step {
      @Override
      public String toString() {
        return "request a checkpoint";
      }
    }

    record SafePoint(int number) implements Step {
      @Override
      public String toString() {
        return "---- safe point " + number;
      }
    }
  }

  private static final int PROGRAM = 0;
  private static final int MESSAGE = 1;
  private static final int RECEIVE = 2;
  private static final int AWAIT = 3;
  private static final int COLLECTIVE = 4;
  private static final int COMMUNICATOR = 5;

  private final String name;
  private final long seed;
  private final Program program;
  private final boolean barriers;
  private final Map<Integer, Group> groupOf = new HashMap<>();
  private final boolean[] ready;

  private final boolean manySynchronous;

  /** Before which operation of its rank a send can't be complete, if it is synchronous. */
  private final Map<Integer, Integer> openUntil = new LinkedHashMap<>();

  private final List<List<Step>> steps = new ArrayList<>();

  private Script(String name, long seed, Program program) {
    this.name = name;
    this.seed = seed;
    this.program = program;
    int free = program.communicators().size() - 1;
    boolean isFree = false;
    for (Group group : program.groups()) {
      for (int receive : group.receives()) {
        groupOf.put(receive, group);
        isFree |= program.receives().get(receive).communicator().index() == free;
      }
    }
    barriers = isFree;
    ready = new boolean[program.messages().size()];
    manySynchronous = dice(PROGRAM, 0).chance(0.35);
    findOrder();
    for (int rank = 0; rank < program.size(); rank++) {
      steps.add(new Compiler(program.ops().get(rank)).compile());
    }
  }

  /** Reads {@code SEED/RANKS} or, with what is left of it, {@code SEED/RANKS=PART+PART}. */
  public static Script of(String name) {
    String[] parts = name.split("[/=]", -1);
    long seed = Long.parseLong(parts[0]);
    Program program = whole(seed, Integer.parseInt(parts[1]));
    if (parts.length > 2) {
      program = ProgramParts.keep(program, Set.of(parts[2].split("\\+", -1)));
    }
    return new Script(name, seed, program);
  }

  /** All parts of {@code SEED/RANKS}, or those that are left of it. */
  public static List<String> parts(String name) {
    String[] parts = name.split("[/=]", -1);
    return parts.length > 2
        ? List.of(parts[2].split("\\+", -1))
        : List.copyOf(ProgramParts.of(whole(Long.parseLong(parts[0]), Integer.parseInt(parts[1]))));
  }

  private static Program whole(long seed, int size) {
    Dice dice = new Dice(seed * 8 + size);
    return ProgramGenerator.generate(dice, ProgramGenerator.Kind.VALID, size);
  }

  /** How many ranks it needs. */
  public int size() {
    return program.size();
  }

  String name() {
    return name;
  }

  Program program() {
    return program;
  }

  List<Step> steps(int rank) {
    return rank < steps.size() ? steps.get(rank) : idle();
  }

  /** What ranks do that have no part in it: they pass its safe points. */
  private List<Step> idle() {
    return steps.get(0).stream().filter(Step.SafePoint.class::isInstance).toList();
  }

  /** All ranks' steps. */
  public String text() {
    StringBuilder text = new StringBuilder("program " + name + ":\n");
    for (Communicator c : program.communicators()) {
      text.append("  ").append(c.name()).append(": ").append(lower(creation(c)));
      text.append(", ranks ").append(Arrays.toString(order(c))).append('\n');
    }
    for (int rank = 0; rank < steps.size(); rank++) {
      text.append("  rank ").append(rank).append('\n');
      for (Step step : steps.get(rank)) {
        text.append("    ").append(step).append('\n');
      }
    }
    return text.toString();
  }

  private static String lower(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }

  private static String any(int value) {
    return value == Program.ANY ? "any" : Integer.toString(value);
  }

  private Dice dice(int what, long number) {
    return new Dice(Scene.mix(Scene.mix(seed, what), number));
  }

  // ---- communicators

  Creation creation(Communicator c) {
    if (c.index() == 0) {
      return Creation.WORLD;
    }
    Dice dice = dice(COMMUNICATOR, c.index());
    boolean all = c.members().length == program.size();
    return Creation.values()[dice.between(all ? 1 : 2, 4)];
  }

  /** World ranks in the order of their ranks in the communicator. */
  int[] order(Communicator c) {
    int[] order = c.members().clone();
    if (creation(c).compareTo(Creation.DUP) > 0) {
      Dice dice = dice(COMMUNICATOR, 1_000L + c.index());
      for (int i = order.length - 1; i > 0; i--) {
        int other = dice.below(i + 1);
        int swap = order[i];
        order[i] = order[other];
        order[other] = swap;
      }
    }
    return order;
  }

  CollectiveForm form(Communicator c, int count) {
    boolean mustSynchronize = barriers && c.index() == 0;
    List<CollectiveForm> forms =
        Arrays.stream(CollectiveForm.values())
            .filter(f -> !mustSynchronize || f.synchronizes())
            .toList();
    return forms.get(dice(COLLECTIVE, c.index() * 1_000_000L + count).below(forms.size()));
  }

  // ---- messages

  private boolean isGrouped(Message m) {
    return program.groups().stream().anyMatch(g -> g.messages().contains(m.id()));
  }

  int length(Message m) {
    Dice dice = dice(MESSAGE, m.id());
    int sort = dice.below(100);
    if (sort < 5) {
      return isGrouped(m) ? Long.BYTES : 0;
    }
    return sort < 60
        ? Long.BYTES * dice.between(1, 5)
        : sort < 80
            ? dice.between(9, 100)
            : sort < 93
                ? dice.between(200, SMALL)
                : sort < 98 ? dice.between(1_000, 9_000) : dice.between(70_000, 150_000);
  }

  /** What is in it: its number first, so that a receive for any message can tell which it got. */
  byte[] content(Message m) {
    byte[] content = new byte[length(m)];
    ByteBuffer bytes = ByteBuffer.wrap(content).order(ByteOrder.nativeOrder());
    long word = seed;
    for (int i = 0; i + Long.BYTES <= content.length; i += Long.BYTES) {
      bytes.putLong(i, i == 0 ? m.id() : word);
      word = Scene.mix(word, m.id());
    }
    for (int i = content.length & -Long.BYTES; i < content.length; i++) {
      content[i] = (byte) (word >>> (i % Long.BYTES * 8));
    }
    return content;
  }

  /** In some programs also those of which it is certain for how long they must stay open. */
  private boolean isSynchronous(Message m) {
    return m.synchronous()
        || (manySynchronous
            && openUntil.containsKey(m.id())
            && dice(MESSAGE, 2_000_000L + m.id()).chance(0.5));
  }

  private boolean isOfLongs(Message m) {
    return length(m) % Long.BYTES == 0 && !isGrouped(m) && dice(MESSAGE, -1L - m.id()).chance(0.6);
  }

  private Layout layout(Message m, Dice dice) {
    boolean sparse = dice.chance(0.3);
    return isOfLongs(m) ? sparse ? Layout.SPARSE_LONGS : Layout.LONGS : Layout.BYTES;
  }

  private Step.Send send(Message m, boolean awaitedAtOnce) {
    Dice dice = dice(MESSAGE, 1_000_000L + m.id());
    Layout layout = layout(m, dice);
    int length = length(m);
    boolean small = length <= SMALL;
    SendForm form;
    int choice = dice.below(100);
    if (isSynchronous(m)) {
      form =
          awaitedAtOnce && choice < 60
              ? SendForm.SSEND
              : choice < 70 ? SendForm.ISSEND : SendForm.SSEND_INIT;
    } else if (ready[m.id()] && dice.chance(0.7)) {
      form =
          small && choice < 40
              ? SendForm.RSEND
              : choice < 70 ? SendForm.IRSEND : SendForm.RSEND_INIT;
    } else if (!small) {
      form = choice < 60 ? SendForm.ISEND : SendForm.SEND_INIT;
    } else {
      form =
          choice < 25
              ? SendForm.SEND
              : choice < 45
                  ? SendForm.ISEND
                  : choice < 47
                      ? SendForm.ISEND_FREE
                      : choice < 60
                          ? SendForm.BSEND
                          : choice < 70
                              ? SendForm.IBSEND
                              : choice < 85 ? SendForm.SEND_INIT : SendForm.BSEND_INIT;
    }
    return new Step.Send(m, form, length, layout);
  }

  private Step.Take take(Receive r) {
    Dice dice = dice(RECEIVE, r.id());
    if (r.expected() >= 0) {
      Message m = program.messages().get(r.expected());
      Layout layout = layout(m, dice);
      int elements = length(m) / layout.elementBytes();
      return new Step.Take(r, layout, dice.chance(0.4) ? elements + dice.below(9) : elements);
    }
    int most = 1;
    if (groupOf.containsKey(r.id())) {
      for (int message : groupOf.get(r.id()).messages()) {
        most = Math.max(most, length(program.messages().get(message)));
      }
    }
    return new Step.Take(r, Layout.BYTES, most + dice.below(9));
  }

  private ReceiveForm receiveForm(Step.Take take) {
    Dice dice = dice(RECEIVE, 1_000_000L + take.receive().id());
    int choice = dice.below(100);
    int expected = take.receive().expected();
    if (choice < 1 && expected >= 0) {
      Message m = program.messages().get(expected);
      // Open MPI shortens a message to self without saying so.
      return length(m) >= 2 * Long.BYTES && length(m) <= SHORTENED && m.source() != m.destination()
          ? ReceiveForm.TRUNCATED
          : ReceiveForm.RECV;
    }
    return ReceiveForm.values()[choice < 50 ? 0 : dice.below(5)];
  }

  /** The synchronizing collectives of a rank, with their places among its operations. */
  private Map<Long, Integer> synchronizing(List<Op> ops) {
    Map<Long, Integer> places = new LinkedHashMap<>();
    int[] count = new int[program.communicators().size()];
    for (int i = 0; i < ops.size(); i++) {
      if (ops.get(i) instanceof Op.Collective collective) {
        int c = collective.communicator();
        if (form(program.communicators().get(c), count[c]).synchronizes()) {
          places.put(c * 1_000_000L + count[c], i);
        }
        count[c]++;
      }
    }
    return places;
  }

  /**
   * What is certain on whatever machine, for a message to oneself or by a collective between the
   * two that no member leaves before all have come: that a receive is posted before its message is
   * sent, which so may be sent ready; or only after the sender has come to the collective, up to
   * which a synchronous send is not complete.
   */
  private void findOrder() {
    Map<Integer, Integer> postedAt = new HashMap<>();
    Map<Integer, Integer> blockedAt = new HashMap<>();
    List<Map<Long, Integer>> collectivesAt = new ArrayList<>();
    for (List<Op> ops : program.ops()) {
      for (int i = 0; i < ops.size(); i++) {
        if (ops.get(i) instanceof Op.Post post) {
          Receive r = program.receives().get(post.receive());
          boolean blocks =
              i + 1 < ops.size()
                  && ops.get(i + 1) instanceof Op.Await a
                  && a.receive() == post.receive();
          if (r.expected() >= 0) {
            (blocks ? blockedAt : postedAt).put(r.expected(), i);
          } else if (groupOf.containsKey(r.id())) {
            // Any of the group may get it.
            for (int message : groupOf.get(r.id()).messages()) {
              blockedAt.merge(message, i, Math::min);
            }
          }
        }
      }
      collectivesAt.add(synchronizing(ops));
    }
    for (int rank = 0; rank < program.size(); rank++) {
      List<Op> ops = program.ops().get(rank);
      for (int i = 0; i < ops.size(); i++) {
        if (ops.get(i) instanceof Op.Send send) {
          Message m = program.messages().get(send.message());
          Integer posted = postedAt.get(m.id());
          int received = posted != null ? posted : blockedAt.getOrDefault(m.id(), -1);
          if (m.destination() == rank) {
            ready[m.id()] = posted != null && posted < i;
            continue;
          }
          Map<Long, Integer> there = collectivesAt.get(m.destination());
          for (Map.Entry<Long, Integer> collective : collectivesAt.get(rank).entrySet()) {
            int here = collective.getValue();
            int others = there.getOrDefault(collective.getKey(), -1);
            ready[m.id()] |= posted != null && here < i && posted < others;
            if (i < here && others >= 0 && others < received) {
              openUntil.put(m.id(), here);
            }
          }
        }
      }
    }
  }

  // ---- one rank

  /** Turns a rank's operations into steps. */
  private final class Compiler {
    private final List<Op> ops;
    private final List<Step> mine = new ArrayList<>();
    private final int[] collectives = new int[program.communicators().size()];

    /** Open sends that nobody has to wait for at a certain place, and after which step we do. */
    private final Map<Integer, Integer> open = new LinkedHashMap<>();

    private int at;
    private int safePoints;

    Compiler(List<Op> ops) {
      this.ops = ops;
    }

    List<Step> compile() {
      while (at < ops.size()) {
        step();
      }
      if (!open.isEmpty()) {
        await(List.of(), List.copyOf(open.keySet()));
      }
      return mine;
    }

    private Op op(int ahead) {
      return at + ahead < ops.size() ? ops.get(at + ahead) : new Op.SafePoint();
    }

    private void step() {
      Op op = op(0);
      if (op instanceof Op.Send send) {
        send(program.messages().get(send.message()));
      } else if (op instanceof Op.Post post) {
        Step.Take take = take(program.receives().get(post.receive()));
        if (op(1) instanceof Op.Await await && await.receive() == post.receive()) {
          if (dice(AWAIT, post.receive()).chance(0.7)) {
            mine.add(new Step.Block(take, receiveForm(take)));
            at += 2;
            return;
          }
        }
        mine.add(new Step.Post(take, dice(RECEIVE, 2_000_000L + post.receive()).chance(0.35)));
        at++;
      } else if (op instanceof Op.Await || op instanceof Op.AwaitSend) {
        awaits();
      } else {
        at++;
        if (op instanceof Op.Probe probe) {
          mine.add(new Step.Probe(program.receives().get(probe.receive())));
        } else if (op instanceof Op.Cancel cancel) {
          mine.add(new Step.Cancel(cancel.receive()));
        } else if (op instanceof Op.Collective collective) {
          Communicator c = program.communicators().get(collective.communicator());
          openUntil.forEach(
              (message, until) -> {
                if (until == at - 1
                    && ops.contains(new Op.Send(message))
                    && isSynchronous(program.messages().get(message))) {
                  mine.add(new Step.Open(message));
                }
              });
          mine.add(new Step.Collective(c, collectives[c.index()], form(c, collectives[c.index()])));
          collectives[c.index()]++;
        } else if (op instanceof Op.Request) {
          mine.add(new Step.Request());
        } else {
          mine.add(new Step.SafePoint(++safePoints));
        }
      }
    }

    private void send(Message m) {
      boolean awaitedAtOnce = op(1) instanceof Op.AwaitSend await && await.message() == m.id();
      Step.Send send = sendStep(m, awaitedAtOnce);
      if (!isSynchronous(m)
          && send.length() <= SMALL
          && op(1) instanceof Op.Post post
          && op(2) instanceof Op.Await await
          && await.receive() == post.receive()
          && dice(AWAIT, 1_000_000L + m.id()).chance(0.7)) {
        Step.Take take = take(program.receives().get(post.receive()));
        if (take.receive().communicator().index() == m.communicator().index()) {
          Step.Send plain = new Step.Send(m, SendForm.SEND, send.length(), send.layout());
          mine.add(new Step.SendReceive(plain, take, replaces(plain, take)));
          at += 3;
          return;
        }
      }
      mine.add(send);
      at++;
      if (send.form() == SendForm.SSEND) {
        at++; // awaited
      } else if (send.form().isOpen() && !ops.contains(new Op.AwaitSend(m.id()))) {
        boolean small = send.length() <= SMALL && !isSynchronous(m);
        int later = dice(AWAIT, 2_000_000L + m.id()).below(16);
        open.put(m.id(), small ? mine.size() + later : Integer.MAX_VALUE);
      }
    }

    private Step.Send sendStep(Message m, boolean awaitedAtOnce) {
      return Script.this.send(m, awaitedAtOnce);
    }

    /** One buffer, one type, one count: what comes must not be longer than what leaves. */
    private boolean replaces(Step.Send send, Step.Take take) {
      int expected = take.receive().expected();
      return expected >= 0
          && send.layout() == take.layout()
          && send.length() >= length(program.messages().get(expected))
          && dice(AWAIT, 3_000_000L + send.message().id()).chance(0.6);
    }

    private void awaits() {
      List<Integer> receives = new ArrayList<>();
      List<Integer> sends = new ArrayList<>();
      for (; ; at++) {
        if (op(0) instanceof Op.Await await) {
          receives.add(await.receive());
        } else if (op(0) instanceof Op.AwaitSend await) {
          sends.add(await.message());
        } else {
          break;
        }
      }
      open.forEach(
          (message, due) -> {
            if (due <= mine.size()) {
              sends.add(message);
            }
          });
      sends.forEach(open::remove);
      await(receives, sends);
    }

    private void await(List<Integer> receives, List<Integer> sends) {
      Dice dice =
          dice(
              AWAIT, receives.isEmpty() ? 4_000_000L + sends.get(0) : 5_000_000L + receives.get(0));
      Completion[] all = Completion.values();
      mine.add(new Step.Await(receives, sends, all[dice.below(all.length)]));
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate.sim;

import io.cairn.coordinate.sim.Program.Communicator;
import io.cairn.coordinate.sim.Program.Group;
import io.cairn.coordinate.sim.Program.Message;
import io.cairn.coordinate.sim.Program.Op;
import io.cairn.coordinate.sim.Program.Receive;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * The parts of a program that can be left out while the rest stays a program that ends and keeps
 * the contract: a message and the receive that gets it leave together, so that all others still get
 * what they got; a collective, a safe point or a rank leaves everywhere.
 *
 * <pre>
 * Part --> "r"Rank | "m"Message | "p"Receive | "c"Communicator"."Count | "s"SafePoint | "q"
 * </pre>
 *
 * {@code p} is a receive that nothing is sent to, {@code q} all requests for a checkpoint.
 */
public final class ProgramParts {

  private static final int NONE = -1;

  private final Program program;
  private final Set<String> kept;
  private final int[] rankOf;
  private final Set<Integer> messages = new HashSet<>();
  private final Set<Integer> receives = new HashSet<>();
  private final List<Group> groups = new ArrayList<>();
  private final List<Communicator> communicators = new ArrayList<>();

  private ProgramParts(Program program, Set<String> kept) {
    this.program = program;
    this.kept = kept;
    rankOf = new int[program.size()];
    int next = 0;
    for (int rank = 0; rank < rankOf.length; rank++) {
      rankOf[rank] = kept.contains("r" + rank) ? next++ : NONE;
    }
  }

  /** All there are, ranks first. */
  public static Set<String> of(Program program) {
    Set<String> parts = new LinkedHashSet<>();
    for (int rank = 0; rank < program.size(); rank++) {
      parts.add("r" + rank);
    }
    for (List<Op> ops : program.ops()) {
      int[] count = new int[program.communicators().size()];
      int safePoints = 0;
      for (Op op : ops) {
        if (op instanceof Op.Collective collective) {
          parts.add(collectivePart(collective, count));
        } else if (op instanceof Op.SafePoint) {
          parts.add("s" + ++safePoints);
        } else if (op instanceof Op.Send send) {
          parts.add("m" + send.message());
        } else if (op instanceof Op.Cancel cancel) {
          parts.add("p" + cancel.receive());
        } else if (op instanceof Op.Request) {
          parts.add("q");
        }
      }
    }
    return parts;
  }

  /** The program without all other parts. */
  public static Program keep(Program program, Set<String> parts) {
    return new ProgramParts(program, parts).reduce();
  }

  private static String collectivePart(Op.Collective collective, int[] count) {
    return "c" + collective.communicator() + "." + count[collective.communicator()]++;
  }

  private Program reduce() {
    for (Message m : program.messages()) {
      if (kept.contains("m" + m.id()) && stays(m.source()) && stays(m.destination())) {
        messages.add(m.id());
      }
    }
    for (Receive r : program.receives()) {
      if (stays(r.rank())
          && (r.expected() < 0 ? kept.contains("p" + r.id()) : messages.contains(r.expected()))) {
        receives.add(r.id());
      }
    }
    boolean free = false;
    for (Group group : program.groups()) {
      List<Integer> some = new ArrayList<>();
      List<Integer> theirs = new ArrayList<>();
      for (int i = 0; i < group.messages().size(); i++) {
        if (messages.contains(group.messages().get(i))) {
          some.add(group.messages().get(i));
          theirs.add(group.receives().get(i));
        }
      }
      receives.addAll(theirs);
      groups.add(new Group(theirs, some));
      free |= !theirs.isEmpty() && isFree(theirs.get(0));
    }
    for (Communicator c : program.communicators()) {
      int[] members = Arrays.stream(c.members()).filter(this::stays).map(r -> rankOf[r]).toArray();
      communicators.add(new Communicator(c.index(), c.id(), c.name(), members));
    }
    List<List<Op>> ops = new ArrayList<>();
    for (int rank = 0; rank < program.size(); rank++) {
      if (stays(rank)) {
        ops.add(reduce(program.ops().get(rank), free));
      }
    }
    return new Program(
        ops.size(),
        communicators,
        program.messages().stream().map(this::renamed).toList(),
        program.receives().stream().map(this::renamed).toList(),
        groups,
        ops);
  }

  private boolean stays(int rank) {
    return rankOf[rank] != NONE;
  }

  private boolean isFree(int receive) {
    return program.receives().get(receive).communicator().index()
        == program.communicators().size() - 1;
  }

  /** Of one that has left, whatever it says is never looked at. */
  private Message renamed(Message m) {
    return new Message(
        m.id(),
        communicators.get(m.communicator().index()),
        rankOf[m.source()],
        rankOf[m.destination()],
        m.tag(),
        m.synchronous(),
        m.payload());
  }

  private Receive renamed(Receive r) {
    return new Receive(
        r.id(),
        rankOf[r.rank()],
        communicators.get(r.communicator().index()),
        r.source() == Program.ANY ? Program.ANY : rankOf[r.source()],
        r.tag(),
        r.expected());
  }

  /**
   * @param free whether some receive anything from anybody: then all barriers stay, which keep them
   *     from what is sent after the next safe point
   */
  private List<Op> reduce(List<Op> ops, boolean free) {
    List<Op> some = new ArrayList<>();
    int[] count = new int[program.communicators().size()];
    int safePoints = 0;
    for (Op op : ops) {
      boolean stays;
      if (op instanceof Op.Send send) {
        stays = messages.contains(send.message());
      } else if (op instanceof Op.AwaitSend await) {
        stays = messages.contains(await.message());
      } else if (op instanceof Op.Post post) {
        stays = receives.contains(post.receive());
      } else if (op instanceof Op.Await await) {
        stays = receives.contains(await.receive());
      } else if (op instanceof Op.Probe probe) {
        stays = receives.contains(probe.receive());
      } else if (op instanceof Op.Cancel cancel) {
        stays = receives.contains(cancel.receive());
      } else if (op instanceof Op.Collective collective) {
        String part = collectivePart(collective, count);
        stays = kept.contains(part) || (free && collective.communicator() == 0);
      } else if (op instanceof Op.SafePoint) {
        stays = kept.contains("s" + ++safePoints);
      } else {
        stays = kept.contains("q");
      }
      if (stays) {
        some.add(op);
      }
    }
    return some;
  }
}

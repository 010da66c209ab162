// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate.sim;

import io.cairn.coordinate.sim.Program.Communicator;
import io.cairn.coordinate.sim.Program.Group;
import io.cairn.coordinate.sim.Program.Message;
import io.cairn.coordinate.sim.Program.Op;
import io.cairn.coordinate.sim.Program.Receive;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Makes programs that end whatever the network does, and that keep the application's contract, or
 * break it in one named way.
 *
 * <p>Time is counted in halves: a safe point follows every second one. A rank waits in a half only
 * for what was sent in an earlier half, and all members call their collectives at the end of a
 * half, so nothing waits in a circle. Because all that is sent before the same half is sent before
 * the same safe points, no message is early. Receives that name their source get the same messages
 * in every run: both sides rank each other by order alone, so there is one stable matching.
 */
public final class ProgramGenerator {

  public enum Kind {
    /** Keeps the contract. */
    VALID(0),
    /** Some messages are received before a safe point that their sender sends after it. */
    EARLY(1),
    /** One rank calls a collective on the other side of a safe point. */
    STRADDLING(2),
    /** One rank passes a safe point more or fewer than the others. */
    MISALIGNED(3),
    /** Ranks pass safe points wherever they like, and wait where they may be cut. */
    FREE(1_000_003);

    /** Keeps the kinds' seeds apart. */
    final int salt;

    Kind(int salt) {
      this.salt = salt;
    }
  }

  /** An operation and its place within its half. */
  private record Placed(double key, int minor, Op op) {}

  private final Dice dice;
  private final Kind kind;
  private final int size;
  private final int steps;
  private final int halves;
  private final List<Communicator> communicators = new ArrayList<>();
  private final List<Message> messages = new ArrayList<>();
  private final List<Receive> receives = new ArrayList<>();
  private final List<Group> groups = new ArrayList<>();
  private final List<List<List<Placed>>> placed = new ArrayList<>();
  private final double synchronousShare;

  // Of a free-running program.
  private final double safePointShare;
  private final double safeWaitShare;

  private ProgramGenerator(Dice dice, Kind kind, int size) {
    this.dice = dice;
    this.kind = kind;
    this.size = size;
    steps = size > 16 ? dice.between(3, 6) : dice.between(6, 18);
    halves = 2 * steps + 2;
    synchronousShare = kind != Kind.EARLY && dice.chance(0.3) ? 0.2 : 0;
    safePointShare = kind == Kind.FREE && dice.chance(0.7) ? dice.share() * 0.4 : 0;
    safeWaitShare = kind == Kind.FREE ? (dice.chance(0.7) ? 1 : dice.share()) : 0;
    for (int rank = 0; rank < size; rank++) {
      List<List<Placed>> mine = new ArrayList<>();
      for (int half = 0; half < halves; half++) {
        mine.add(new ArrayList<>());
      }
      placed.add(mine);
    }
  }

  public static Program generate(Dice dice, Kind kind, int size) {
    return new ProgramGenerator(dice, kind, size).build();
  }

  private Program build() {
    makeCommunicators();
    Set<Long> taken = new HashSet<>();
    int streams = dice.between(kind == Kind.EARLY ? size : 1, size * (size > 16 ? 1 : 2));
    for (int i = 0; i < streams; i++) {
      Communicator communicator = communicators.get(dice.below(communicators.size() - 1));
      int[] members = communicator.members();
      int source = members[dice.below(members.length)];
      int destination = members[dice.below(members.length)];
      boolean forward = source < destination;
      if ((kind == Kind.EARLY ? forward : dice.chance(0.05) || source != destination)
          && taken.add((communicator.index() * 100L + source) * 100L + destination)) {
        stream(communicator, source, destination);
      }
    }
    if (kind == Kind.EARLY && messages.isEmpty()) {
      stream(communicators.get(0), 0, size - 1);
    }
    boolean barriers = kind != Kind.EARLY && dice.chance(0.35);
    boolean anybody = barriers;
    // Free-running ranks need none: no message can be early.
    barriers &= kind != Kind.FREE;
    if (kind != Kind.EARLY) {
      for (int i = dice.below(3); i > 0; i--) {
        gather(communicators.get(dice.below(communicators.size() - 1)));
      }
      if (anybody) {
        int first = dice.below(size);
        for (int i = dice.between(1, 2); i > 0; i--) {
          free(communicators.get(communicators.size() - 1), (first + i) % size);
        }
      }
    }
    if (dice.chance(0.3)) {
      phantom();
    }
    return assemble(barriers);
  }

  private void makeCommunicators() {
    int[] all = new int[size];
    for (int i = 0; i < size; i++) {
      all[i] = i;
    }
    communicators.add(new Communicator(0, dice.next(), "MPI_COMM_WORLD", all));
    for (int i = dice.below(4); i > 0; i--) {
      List<Integer> some = new ArrayList<>();
      for (int rank = 0; rank < size; rank++) {
        if (dice.chance(0.6)) {
          some.add(rank);
        }
      }
      if (some.size() > 1) {
        int index = communicators.size();
        int[] members = some.stream().mapToInt(r -> r).toArray();
        communicators.add(new Communicator(index, dice.next(), "communicator " + index, members));
      }
    }
    // The last one is for receives that name neither source nor tag.
    int index = communicators.size();
    communicators.add(new Communicator(index, dice.next(), "the free communicator", all.clone()));
  }

  private Message message(
      Communicator communicator, int source, int destination, int tag, boolean synchronous) {
    int length = dice.chance(0.1) ? 0 : dice.below(40);
    byte[] payload = ByteBuffer.allocate(Integer.BYTES + length).putInt(messages.size()).array();
    for (int i = Integer.BYTES; i < payload.length; i++) {
      payload[i] = (byte) (messages.size() * 31 + i);
    }
    Message message =
        new Message(messages.size(), communicator, source, destination, tag, synchronous, payload);
    messages.add(message);
    return message;
  }

  private void place(int rank, int half, double key, int minor, Op op) {
    placed.get(rank).get(half).add(new Placed(key, minor, op));
  }

  /** Halves of {@code count} sends, in order. */
  private List<Integer> sendHalves() {
    List<Integer> sends = new ArrayList<>();
    double density = dice.share() * 1.2;
    int last = dice.chance(0.8) ? 2 * steps : halves - 1;
    for (int half = 0; half < last; half++) {
      for (double share = density; dice.chance(Math.min(0.95, share)); share /= 2) {
        sends.add(half);
      }
    }
    return sends;
  }

  /** Messages from one rank to another, received by source. */
  private void stream(Communicator communicator, int source, int destination) {
    int tags = dice.between(1, 3);
    int firstTag = dice.below(3);
    boolean anyTag = communicator.index() == 1 && dice.chance(0.6);
    List<Integer> halvesSent = sendHalves();
    List<Message> sent = new ArrayList<>();
    double[] keys = new double[halvesSent.size()];
    for (int i = 0; i < halvesSent.size(); i++) {
      keys[i] = (i > 0 && halvesSent.get(i).equals(halvesSent.get(i - 1)) ? keys[i - 1] : 0);
      keys[i] += (1 - keys[i]) * dice.share();
      boolean synchronous = source != destination && dice.chance(synchronousShare);
      Message m =
          message(communicator, source, destination, firstTag + dice.below(tags), synchronous);
      sent.add(m);
      place(source, halvesSent.get(i), keys[i], 0, new Op.Send(m.id()));
    }
    // The order in which they are received: as they were sent, but for other tags.
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < sent.size(); i++) {
      order.add(i);
    }
    if (dice.chance(0.5)) {
      for (int i = 0; i + 1 < order.size(); i++) {
        boolean differ = sent.get(order.get(i)).tag() != sent.get(order.get(i + 1)).tag();
        if (differ && dice.chance(0.5)) {
          Collections.swap(order, i, i + 1);
        }
      }
    }
    int[] wantedTags = new int[order.size()];
    for (int i = 0; i < order.size(); i++) {
      wantedTags[i] = anyTag && dice.chance(0.5) ? Program.ANY : sent.get(order.get(i)).tag();
    }
    int[] matched = match(wantedTags, sent);
    if (matched == null) {
      for (int i = 0; i < order.size(); i++) {
        wantedTags[i] = sent.get(order.get(i)).tag();
      }
      matched = match(wantedTags, sent);
    }
    int laziness = dice.below(7);
    int eagerness = dice.below(5);
    double blocking = kind == Kind.FREE ? 1 - dice.share() * 0.2 : dice.share();
    int posted = 0;
    double postedKey = 0;
    for (int i = 0; i < wantedTags.length; i++) {
      int hs = halvesSent.get(matched[i]);
      int earliest = kind == Kind.EARLY ? Math.max(0, hs - dice.below(4)) : hs + 1;
      int awaited = Math.min(halves - 1, Math.max(earliest + dice.below(laziness + 1), posted));
      int half = Math.max(posted, awaited - dice.below(eagerness + 1));
      boolean blocks = half == awaited && dice.chance(blocking);
      double key = half == posted ? postedKey : 0;
      key += (1 - key) * dice.share() * 0.5;
      posted = half;
      postedKey = key;
      Message m = sent.get(matched[i]);
      Receive r =
          new Receive(receives.size(), destination, communicator, source, wantedTags[i], m.id());
      receives.add(r);
      placeReceive(r, half, key, awaited, blocks);
      if (m.synchronous()) {
        int done = Math.max(hs, half + 1);
        if (done < halves) {
          double after = done == hs ? keys[matched[i]] : 0;
          double awaitKey = dice.chance(0.5) ? after : after + (1 - after) * dice.share();
          place(source, done, awaitKey, 1, new Op.AwaitSend(m.id()));
        }
      }
    }
  }

  private void placeReceive(Receive r, int half, double key, int awaited, boolean blocks) {
    place(r.rank(), half, key, 0, new Op.Post(r.id()));
    double awaitKey = half == awaited ? key + (1 - key) * dice.share() : dice.share();
    place(r.rank(), awaited, blocks ? key : awaitKey, blocks ? 1 : 2, new Op.Await(r.id()));
  }

  /** Which message each receive gets, or null if one is left over. */
  private static int[] match(int[] tags, List<Message> sent) {
    int[] matched = new int[tags.length];
    boolean[] taken = new boolean[tags.length];
    for (int m = 0; m < sent.size(); m++) {
      int r = 0;
      while (r < tags.length
          && (taken[r] || (tags[r] != Program.ANY && tags[r] != sent.get(m).tag()))) {
        r++;
      }
      if (r == tags.length) {
        return null;
      }
      taken[r] = true;
      matched[r] = m;
    }
    return matched;
  }

  /** Several sources send to one rank, which receives by a tag of that step's own. */
  private void gather(Communicator communicator) {
    if (communicator.index() == 1) {
      return; // Receives by any tag would take these messages.
    }
    int[] members = communicator.members();
    int destination = members[dice.below(members.length)];
    int firstTag = 1000 * (1 + groups.size());
    double share = dice.share();
    int posted = 0;
    double postedKey = 0;
    for (int step = 0; step < steps; step++) {
      List<Integer> ids = new ArrayList<>();
      int lastSent = 2 * step;
      List<int[]> synchronous = new ArrayList<>();
      for (int source : members) {
        if (source == destination || !dice.chance(share)) {
          continue;
        }
        double key = 0;
        int half = 2 * step;
        for (int n = dice.between(1, 3); n > 0; n--) {
          if (half == 2 * step && dice.chance(0.4)) {
            half++;
            key = 0;
          }
          key += (1 - key) * dice.share();
          boolean sync = dice.chance(synchronousShare);
          Message m = message(communicator, source, destination, firstTag + step, sync);
          ids.add(m.id());
          place(source, half, key, 0, new Op.Send(m.id()));
          lastSent = Math.max(lastSent, half);
          if (sync) {
            synchronous.add(new int[] {source, m.id()});
          }
        }
      }
      List<Integer> mine = new ArrayList<>();
      for (int i = 0; i < ids.size(); i++) {
        int awaited = Math.min(halves - 1, Math.max(posted, lastSent + 1 + dice.below(5)));
        int half = Math.max(posted, awaited - dice.below(5));
        double key = half == posted ? postedKey : 0;
        key += (1 - key) * dice.share() * 0.5;
        posted = half;
        postedKey = key;
        Receive r =
            new Receive(
                receives.size(), destination, communicator, Program.ANY, firstTag + step, -1);
        receives.add(r);
        mine.add(r.id());
        placeReceive(r, half, key, awaited, half == awaited && dice.chance(0.3));
      }
      for (int[] s : synchronous) {
        int done = Math.max(lastSent, posted) + 1;
        if (done < halves) {
          place(s[0], done, dice.share(), 0, new Op.AwaitSend(s[1]));
        }
      }
      groups.add(new Group(mine, ids));
    }
  }

  /**
   * Anybody sends to one rank, which receives whatever comes. There is a barrier before each safe
   * point, unless ranks run free.
   */
  private void free(Communicator communicator, int destination) {
    double share = dice.share() * 0.5;
    List<Integer> ids = new ArrayList<>();
    List<Integer> sentIn = new ArrayList<>();
    for (int half = 0; half < 2 * steps; half++) {
      for (int source = 0; source < size; source++) {
        double key = 0;
        while (source != destination && dice.chance(share)) {
          key += (1 - key) * dice.share();
          Message m = message(communicator, source, destination, dice.below(3), false);
          ids.add(m.id());
          sentIn.add(half);
          place(source, half, key, 0, new Op.Send(m.id()));
        }
      }
    }
    List<Integer> mine = new ArrayList<>();
    int laziness = dice.below(6);
    int posted = 0;
    double postedKey = 0;
    for (int half : sentIn) {
      int awaited = Math.min(halves - 1, Math.max(posted, half + 1 + dice.below(laziness + 1)));
      int at = Math.max(posted, awaited - dice.below(4));
      double key = at == posted ? postedKey : 0;
      key += (1 - key) * dice.share() * 0.5;
      posted = at;
      postedKey = key;
      Receive r =
          new Receive(receives.size(), destination, communicator, Program.ANY, Program.ANY, -1);
      receives.add(r);
      mine.add(r.id());
      placeReceive(r, at, key, awaited, at == awaited && dice.chance(0.3));
    }
    groups.add(new Group(mine, ids));
  }

  /** A receive that nothing is sent to, cancelled in the end. */
  private void phantom() {
    int rank = dice.below(size);
    int source = dice.chance(0.5) ? Program.ANY : dice.below(size);
    Receive r = new Receive(receives.size(), rank, communicators.get(0), source, 999_999, -1);
    receives.add(r);
    int half = dice.below(halves - 1);
    place(rank, half, dice.share(), 0, new Op.Post(r.id()));
    place(rank, dice.between(half + 1, halves - 1), dice.share(), 0, new Op.Cancel(r.id()));
  }

  private Program assemble(boolean barriers) {
    List<List<Op>> ops = new ArrayList<>();
    for (int rank = 0; rank < size; rank++) {
      ops.add(new ArrayList<>());
    }
    double collectives = kind == Kind.EARLY ? 0 : dice.share() * 0.4;
    if (kind == Kind.FREE) {
      collectives *= dice.chance(0.6) ? 0 : 0.2;
    }
    int odd = dice.below(size);
    int moved = kind == Kind.STRADDLING ? dice.below(steps) : -1;
    double requests = dice.chance(0.5) ? 0.05 : 0;
    for (int half = 0; half < halves; half++) {
      List<Communicator> calls = new ArrayList<>();
      for (Communicator c : communicators) {
        if (dice.chance(collectives)) {
          calls.add(c);
        }
      }
      boolean beforeSafePoint = half % 2 == 1 && half / 2 < steps;
      if (beforeSafePoint && (barriers || half / 2 == moved)) {
        calls.add(communicators.get(0));
      }
      for (int rank = 0; rank < size; rank++) {
        List<Op> mine = ops.get(rank);
        List<Placed> now = placed.get(rank).get(half);
        now.sort(Comparator.comparingDouble(Placed::key).thenComparingInt(Placed::minor));
        now.forEach(p -> mine.add(p.op()));
        if (dice.chance(requests)) {
          mine.add(new Op.Request());
        }
        for (Communicator c : calls) {
          if (c.has(rank)) {
            mine.add(new Op.Collective(c.index()));
          }
        }
        if (kind == Kind.FREE) {
          while (dice.chance(safePointShare)) {
            int begin = mine.size() - now.size() - calls.size();
            mine.add(dice.between(Math.max(0, begin), mine.size()), new Op.SafePoint());
          }
        } else if (beforeSafePoint) {
          boolean straddles = half / 2 == moved && rank == odd;
          mine.add(straddles ? mine.size() - 1 : mine.size(), new Op.SafePoint());
        }
      }
    }
    if (kind == Kind.MISALIGNED) {
      misalign(ops.get(odd));
    }
    for (List<Op> mine : ops) {
      if (kind == Kind.FREE) {
        addSafeWaits(mine);
      } else {
        addProbes(mine);
      }
    }
    return new Program(size, communicators, messages, receives, groups, ops);
  }

  /** A blocking receive waits where its rank may be cut. */
  private void addSafeWaits(List<Op> mine) {
    for (int i = 0; i + 1 < mine.size(); i++) {
      if (mine.get(i) instanceof Op.Post post
          && mine.get(i + 1) instanceof Op.Await await
          && await.receive() == post.receive()
          && dice.chance(safeWaitShare)) {
        mine.add(i++, new Op.SafeWait(post.receive()));
      }
    }
  }

  private void misalign(List<Op> mine) {
    List<Integer> safePoints = new ArrayList<>();
    for (int i = 0; i < mine.size(); i++) {
      if (mine.get(i) instanceof Op.SafePoint) {
        safePoints.add(i);
      }
    }
    if (dice.chance(0.5)) {
      // Ends early.
      for (int n = dice.between(1, 3); n > 0 && !safePoints.isEmpty(); n--) {
        mine.remove((int) safePoints.remove(safePoints.size() - 1));
      }
    } else {
      int at = safePoints.get(dice.below(safePoints.size()));
      if (dice.chance(0.5)) {
        mine.remove(at);
      } else {
        mine.add(at, new Op.SafePoint());
      }
    }
  }

  /** A blocking receive of a stream with none pending may be probed for first. */
  private void addProbes(List<Op> mine) {
    Set<Integer> pending = new HashSet<>();
    for (int i = 0; i < mine.size(); i++) {
      Op op = mine.get(i);
      if (op instanceof Op.Post post) {
        Receive r = receives.get(post.receive());
        boolean alone =
            pending.stream()
                .map(receives::get)
                .noneMatch(
                    p ->
                        p.communicator().index() == r.communicator().index()
                            && (p.source() == r.source() || p.source() == Program.ANY));
        boolean blocks =
            i + 1 < mine.size()
                && mine.get(i + 1) instanceof Op.Await await
                && await.receive() == r.id();
        if (r.source() != Program.ANY && alone && blocks && dice.chance(0.5)) {
          mine.add(i++, new Op.Probe(r.id()));
        }
        pending.add(r.id());
      } else if (op instanceof Op.Await await) {
        pending.remove(await.receive());
      } else if (op instanceof Op.Cancel cancel) {
        pending.remove(cancel.receive());
      }
    }
  }
}

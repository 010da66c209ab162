// SPDX-License-Identifier: Apache-2.0
// One rank's account of its channels, its pending receives and its queue of drained messages. No MPI here: the shim and
// the simulation tell it what happens, and it says what to capture.
//
// Every method but the constructor and channels() wants `lock` held by the caller: a receive must look into the queue,
// be posted and be registered in one step, or the agent drains the message in between and the receive waits for ever.
//
// The cut of an epoch, with the method that makes each transition:
//
//   IDLE -> RECORDING [cut] -> CLOSED [markersClosed] -> SEALED [seal] -> IDLE [commit]
//   IDLE -> BARE [bareCut] -> IDLE [commit]
//                any of them -> IDLE [abandon]
#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "channel_table.hpp"
#include "export.hpp"
#include "lock.hpp"

namespace cairn {

constexpr int kAny = -1;  // wildcard source or tag

// The bytes of a captured message. Shared: a message may wait in the queue and belong to a channel state at once.
struct Payload {
  explicit Payload(uint64_t length) : data(new char[length ? length : 1]), bytes(length) {}
  std::unique_ptr<char[]> data;
  uint64_t bytes;
};
using PayloadRef = std::shared_ptr<Payload>;

// A message that was taken off the network, or came back with an image, and that the application hasn't asked for yet.
struct Queued {
  uint64_t sequence;
  uint64_t communicator;
  int source;  // world rank
  int tag;
  PayloadRef payload;
};

// A receive that was posted and hasn't been handed to the application yet.
struct Receive {
  Receive* previous = nullptr;  // all pending receives, in order of sequence
  Receive* next = nullptr;
  uint64_t sequence = 0;  // order of posting; a message from the queue keeps the order in which it was drained
  uint64_t communicator = 0;
  int source = kAny;  // world rank or kAny; once matched, the message's own
  int tag = kAny;
  std::atomic<bool> busy{false};  // a thread of the application waits for or tests it right now
  bool matched = false;           // source and tag are the message's, and payload holds it
  bool fromQueue = false;         // served by replay
  bool pooled = false;            // the ledger's own; the others are their owner's
  void* owner = nullptr;          // the shim's
  PayloadRef payload;             // known before the application has it: peeked or from the queue
};

struct Message {  // one of the channel state
  uint64_t sequence;
  uint64_t communicator;
  int source;
  int tag;
  PayloadRef payload;
};

struct Marker {
  int destination;
  std::vector<char> bytes;
};

struct Communicator {
  std::string name;      // for reports
  uint64_t key = 0;      // parent and members; 0: there is only one like it
  uint64_t nth = 0;      // with this key, counted from 0, freed ones included
  uint64_t savedAs = 0;  // its id in the image of the cut
  int members = 0;
  int rank = 0;  // mine in it
  int root = 0;  // world rank of its rank 0
  int64_t collectives = 0;  // calls since the base
  int64_t atCut = 0;
  const char* lastCall = "";
  const char* lastCallAtCut = "";
  bool freed = false;
};

struct LedgerStatistics {
  uint64_t late = 0;      // messages recorded as channel state
  uint64_t drained = 0;   // messages the agent took off the network
  uint64_t replayed = 0;  // messages served from the queue
  uint64_t queued = 0;    // waiting now
  uint64_t bareCuts = 0;  // that moved the base
};

// Of this launch.
struct LedgerTotals {
  uint64_t sent = 0;         // messages
  uint64_t received = 0;     // messages handed over, those from an image too
  uint64_t collectives = 0;  // calls
};

struct Arriving {
  int64_t number;  // at least
  bool exact;      // false while a receive is pending that MPI may have matched with a message of the channel
};

class CAIRN_API Ledger {
 public:
  explicit Ledger(int worldRank, uint64_t stateLimitBytes = 1ull << 30);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  Lock lock;

  // --- what the application does (through the shim); inline, because every message pays for it ---

  void sent(uint64_t communicator, int destination, int tag) { outgoing_.at({communicator, destination, tag}).sent++; }
  void unsent(uint64_t communicator, int destination, int tag) { outgoing_.at({communicator, destination, tag}).sent--; }
  // A synchronous send that hasn't completed: it mustn't be drained, because that completes it early.
  void synchronous(uint64_t communicator, int destination, int tag, int change) {
    outgoing_.at({communicator, destination, tag}).synchronous += change;
  }

  // Between the cut and its end: late messages are kept.
  bool recording() const { return phase_ == Phase::RECORDING || phase_ == Phase::CLOSED; }

  bool queueEmpty() const { return queue_.empty(); }
  // The first message in the queue that a receive or probe would match, or null.
  const Queued* find(uint64_t communicator, int source, int tag) const;
  // Takes that message out for a receive that is being posted.
  Receive* take(const Queued* message);
  // `busy`: of a call that hands the message over itself.
  Receive* post(uint64_t communicator, int source, int tag, bool busy = false) {
    Receive* receive = fresh();
    post(receive, communicator, source, tag, busy);
    return receive;
  }
  // The same with a receive of the caller's, which belongs to the ledger until it is completed or cancelled.
  void post(Receive* receive, uint64_t communicator, int source, int tag, bool busy = false) {
    receive->sequence = ++sequence_;
    receive->communicator = communicator;
    receive->source = source;
    receive->tag = tag;
    receive->busy.store(busy, std::memory_order_relaxed);
    link(receive, pending_.previous);  // the youngest of all
  }
  // Whether the payload of a receive that completes now is wanted for the channel state.
  bool wants(const Receive* receive, int source, int tag) { return recording() && wantsNow(receive, source, tag); }
  // Handed to the application. `payload` when wanted. The receive is gone after this.
  void completed(Receive* receive, int source, int tag, PayloadRef payload) {
    Incoming& channel = incoming_.at({receive->communicator, source, tag});
    received(channel, receive);
    if (receive->fromQueue) statistics_.replayed++;
    if (recording()) record(channel, receive, std::move(payload));
    recycle(receive);
  }
  // The same in short, for the usual case: nothing of it is to be recorded, and it is not from the queue. False if it
  // isn't: nothing is done then.
  bool completedSimply(Receive* receive, int source, int tag) {
    if (__builtin_expect(receive->matched || phase_ == Phase::RECORDING, false)) return false;
    Incoming& channel = incoming_.at({receive->communicator, source, tag});
    if (__builtin_expect(phase_ == Phase::CLOSED, false)) {
      if (channel.late() > 0 || receive->sequence < channel.lastAtCut) return false;
    }
    received(channel, receive);
    unlink(receive);
    return true;
  }
  void cancelled(Receive* receive) { recycle(receive); }

  // Several with one `key` have ids of communicatorId(key, 0), (key, 1), ... in order of the calls that make them, which
  // is the same on all members; one made without blocking may be ready later. `nth` counts freed ones too. In an image
  // only those are counted that weren't freed: a program that restarts makes only them again.
  void communicator(uint64_t id, std::string name, int members, int rank, int root, uint64_t key = 0, uint64_t nth = 0);
  void communicatorFreed(uint64_t id);
  void collective(uint64_t id, const char* call);

  // While a veto is up no rank can be cut; says why. Counted: each veto() has its unveto(), or stays.
  void veto(const std::string& reason) { vetoes_[reason]++; }
  void unveto(const std::string& reason);

  // --- what the agent does ---

  void limit(uint64_t stateLimitBytes) { limit_ = stateLimitBytes; }

  void (*beforeCut)() = nullptr;  // to be called, without the lock, before each cut
  // Returns false, with the reason in refusal(), if the rank can't be cut here.
  bool cut(uint64_t epoch, int64_t safePoint, std::vector<Marker>& markers);
  const std::string& refusal() const { return refusal_; }
  void accept(int source, uint64_t epoch, const char* marker, size_t bytes);
  void markersClosed();

  // A bare cut moves the base and captures nothing: both ends of a channel subtract what the sender had sent when the cut
  // began. The difference of their counts stays what it is, so that it may be anywhere in the program, and nobody need
  // have received anything. Collectives keep their counts: no number is known to be right for all members.
  void bareCut(std::vector<Marker>& markers);
  void acceptBare(int source, const char* marker, size_t bytes);

  int64_t missing();
  // The (communicator, source) pairs that have late messages which nobody has asked for.
  std::set<std::pair<uint64_t, int>> drainable();
  // Whether a pending receive may hold a late message that is still missing.
  bool mayBeLate(const Receive* receive);
  void drained(uint64_t communicator, int source, int tag, PayloadRef payload);
  void peeked(Receive* receive, int source, int tag, PayloadRef payload);
  bool hasRoom() const { return recordedBytes_ < limit_; }
  const std::string& fault() const { return fault_; }
  void fail(const std::string& text);

  uint64_t channelFingerprint();
  uint64_t collectiveFingerprint() const;
  const std::map<uint64_t, Communicator>& communicators() const { return communicators_; }

  // Encodings are documented in docs/image-format.md.
  std::vector<Message> seal();
  std::vector<char> counts();
  static std::vector<char> encode(const std::vector<Message>& state);
  void commit();
  void abandon();
  // Before restore(), with the image's counts: of communicators that are alike, more must not have been made than were
  // alive at the cut, or what was saved for one would be given to another. Returns an empty string, or what is wrong.
  std::string surplus(const char* counts, uint64_t bytes);
  // Returns an empty string, or what is wrong with the bytes (then nothing has changed).
  std::string restore(const char* state, uint64_t bytes);

  // --- what others ask (ledger_views.cpp) ---

  // Keeps the numbers of messages over commits: the first of a channel in this launch is 0. For CAIRN_DRAIN=always.
  void number() { numbering_ = true; }
  // The number that the next message gets which is sent to that channel.
  int64_t nextSent(uint64_t communicator, int destination, int tag);
  // The number of the next message that can be taken off the network.
  Arriving nextArriving(uint64_t communicator, int source, int tag);

  LedgerTotals totals();
  std::string dump();  // for people: lines of text

  // Calls visit(Receive&) for each pending receive, in order of sequence.
  template <class Visit>
  void eachPending(Visit visit) {
    for (Receive* r = pending_.next; r != &pending_; r = r->next) visit(*r);
  }
  LedgerStatistics statistics() const;
  size_t channels() const { return outgoing_.size() + incoming_.size(); }  // wants no lock

 private:
  enum class Phase { IDLE, BARE, RECORDING, CLOSED, SEALED };

  struct Outgoing {
    ChannelId id{};
    int64_t sent = 0;  // since the base
    int64_t atCut = 0;
    int32_t synchronous = 0;
  };

  struct Record {
    uint64_t sequence;
    PayloadRef payload;
  };

  struct Incoming {
    ChannelId id{};
    int64_t received = 0;  // since the base; negative while late messages of the base are outstanding
    int64_t atCut = 0;
    uint64_t lastSequence = 0;  // highest sequence handed to the application
    uint64_t lastAtCut = 0;
    int64_t marked = 0;  // sent at the sender's cut, since the base; set by its marker
    bool synchronous = false;
    int64_t overtaken = 0;  // receives completed after the cut that were posted before one completed ahead of it
    std::vector<Record> records;  // completed after the cut

    int64_t late() const { return marked - atCut; }
  };

  void mark(int64_t safePoint, std::vector<Marker>& markers);
  void apply(int source, const char* marker, size_t bytes);
  bool known(const Incoming& channel) const;
  bool couldMatch(const Receive* receive, const ChannelId& channel) const;
  void candidates(const Incoming& channel, std::vector<Message>& out) const;
  int64_t missing(Incoming& channel);
  void early(const Incoming& channel, const char* how);
  bool wantsNow(const Receive* receive, int source, int tag);
  void record(Incoming& channel, const Receive* receive, PayloadRef payload);
  void linkInOrder(Receive* receive);

  static void received(Incoming& channel, const Receive* receive) {
    channel.received++;
    if (receive->sequence > channel.lastSequence) channel.lastSequence = receive->sequence;
  }

  // A receive that is not in use has no payload, is neither matched nor from the queue.
  Receive* fresh() {
    Receive* receive = free_;
    if (receive) {
      free_ = receive->next;
    } else {
      receive = &arena_.emplace_back();
      receive->pooled = true;
    }
    receive->owner = nullptr;
    return receive;
  }

  void link(Receive* receive, Receive* after) {
    receive->previous = after;
    receive->next = after->next;
    after->next->previous = receive;
    after->next = receive;
  }

  void unlink(Receive* receive) {
    receive->previous->next = receive->next;
    receive->next->previous = receive->previous;
    if (!receive->pooled) return;
    receive->next = free_;
    free_ = receive;
  }

  void recycle(Receive* receive) {
    receive->matched = false;
    receive->fromQueue = false;
    receive->payload.reset();
    unlink(receive);
  }

  std::string describe(uint64_t communicator) const;
  bool freed(uint64_t communicator) const;
  uint64_t savedAs(uint64_t communicator) const;
  void nameForImage();
  void claim(uint64_t id, uint64_t savedAs);

  const int me_;
  uint64_t limit_;
  Phase phase_ = Phase::IDLE;
  uint64_t epoch_ = 0;  // pending, or the last one seen
  int64_t safePoint_ = 0;
  uint64_t sequence_ = 0;
  uint64_t recordedBytes_ = 0;

  ChannelTable<Outgoing> outgoing_;
  ChannelTable<Incoming> incoming_;
  std::map<uint64_t, Communicator> communicators_;
  std::list<Queued> queue_;      // in order of arrival
  std::list<Queued> unclaimed_;  // restored, of communicators that haven't been created again

  Receive pending_;          // head of a ring: no case for an end of the list
  Receive* free_ = nullptr;  // linked by `next`
  std::deque<Receive> arena_;

  struct Stash {
    int source;
    uint64_t epoch;
    std::vector<char> bytes;
  };
  std::vector<Stash> stash_;          // markers of a cut that this rank hasn't made yet
  std::map<int, int64_t> marked_;     // sources whose marker is here, with the safe point of their cut
  std::vector<Incoming*> open_;       // channels with late messages
  std::map<std::string, int> vetoes_;
  std::string refusal_;
  std::string fault_;
  LedgerStatistics statistics_;
  LedgerTotals beforeBase_;  // what the counts since the base don't have any more

  bool numbering_ = false;
  std::map<ChannelId, int64_t> sentBeforeBase_, arrivedBeforeBase_;  // with numbering_ only
};

}  // namespace cairn

// SPDX-License-Identifier: Apache-2.0
#include "ledger.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "bytes.hpp"
#include "hash.hpp"

namespace cairn {

namespace {
constexpr uint32_t kSynchronous = 1;  // flag of a marker's entry
}

Ledger::Ledger(int worldRank, uint64_t stateLimitBytes) : me_(worldRank), limit_(stateLimitBytes) {
  pending_.previous = pending_.next = &pending_;
}

Ledger::~Ledger() = default;

// --- pending receives ------------------------------------------------------------------------------------------------

// A message from the queue may be older than receives that are pending.
void Ledger::linkInOrder(Receive* receive) {
  Receive* before = pending_.previous;
  while (before != &pending_ && before->sequence > receive->sequence) before = before->previous;
  link(receive, before);
}

const Queued* Ledger::find(uint64_t communicator, int source, int tag) const {
  for (const Queued& message : queue_) {
    if (message.communicator == communicator && (source == kAny || source == message.source) &&
        (tag == kAny || tag == message.tag)) {
      return &message;
    }
  }
  return nullptr;
}

Receive* Ledger::take(const Queued* message) {
  auto at = std::find_if(queue_.begin(), queue_.end(), [&](const Queued& q) { return &q == message; });
  assert(at != queue_.end());
  Receive* receive = fresh();
  receive->sequence = at->sequence;
  receive->communicator = at->communicator;
  receive->source = at->source;
  receive->tag = at->tag;
  receive->matched = true;
  receive->fromQueue = true;
  receive->payload = at->payload;
  receive->busy.store(false, std::memory_order_relaxed);
  queue_.erase(at);
  linkInOrder(receive);
  return receive;
}

bool Ledger::wantsNow(const Receive* receive, int source, int tag) {
  if (receive->matched) return false;  // its payload is known
  Incoming& channel = incoming_.at({receive->communicator, source, tag});
  if (!known(channel)) return true;  // kept provisionally
  int64_t late = channel.late();
  if (late <= 0) return false;
  // Later in matching order than all late messages of the channel: sent after the cut.
  int64_t before = 0;
  for (const Record& record : channel.records) before += record.sequence < receive->sequence;
  return before < late;
}

void Ledger::record(Incoming& channel, const Receive* receive, PayloadRef payload) {
  if (receive->sequence < channel.lastAtCut) channel.overtaken++;
  if (receive->matched) payload = receive->payload;
  if (!payload) return;
  // A payload from the queue or a peek is shared, not copied, but counts: the queue no longer holds it.
  recordedBytes_ += payload->bytes;
  channel.records.push_back({receive->sequence, std::move(payload)});
  if (recordedBytes_ > limit_) {
    fail("the channel state is larger than the limit: " + std::to_string(recordedBytes_) + " bytes of late messages " +
         "recorded, limit " + std::to_string(limit_) + " (option cairn.channel.limit)");
  }
}

// --- communicators ---------------------------------------------------------------------------------------------------

void Ledger::communicator(uint64_t id, std::string name, int members, int rank, int root, uint64_t key, uint64_t nth) {
  Communicator& entry = communicators_[id];
  entry.name = std::move(name);
  entry.key = key;
  entry.nth = nth;
  entry.savedAs = id;
  entry.members = members;
  entry.rank = rank;
  entry.root = root;
  entry.freed = false;
  if (unclaimed_.empty()) return;
  uint64_t older = 0;
  for (const auto& other : communicators_) {
    older += other.second.key == key && !other.second.freed && other.second.nth < nth;
  }
  claim(id, key ? communicatorId(key, older) : id);
}

// What was saved for the communicator is its now.
void Ledger::claim(uint64_t id, uint64_t savedAs) {
  for (auto message = unclaimed_.begin(); message != unclaimed_.end();) {
    auto next = std::next(message);
    if (message->communicator == savedAs) {
      message->communicator = id;
      incoming_.at({id, message->source, message->tag}).received--;
      beforeBase_.received++;
      queue_.splice(queue_.end(), unclaimed_, message);
    }
    message = next;
  }
}

void Ledger::nameForImage() {
  std::vector<std::pair<uint64_t, Communicator*>> all;
  for (auto& entry : communicators_) all.emplace_back(entry.first, &entry.second);
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::make_pair(a.second->key, a.second->nth) < std::make_pair(b.second->key, b.second->nth);
  });
  uint64_t key = 0, n = 0;
  for (auto& each : all) {
    Communicator& c = *each.second;
    if (c.key != key) n = 0;
    key = c.key;
    // Nobody will create a freed one again: its messages must not be taken for those of its successor.
    c.savedAs = key == 0 ? each.first : c.freed ? mix(each.first, key) : communicatorId(key, n++);
  }
}

uint64_t Ledger::savedAs(uint64_t communicator) const {
  auto at = communicators_.find(communicator);
  return at == communicators_.end() ? communicator : at->second.savedAs;
}

bool Ledger::freed(uint64_t communicator) const {
  auto at = communicators_.find(communicator);
  return at != communicators_.end() && at->second.freed;
}

void Ledger::communicatorFreed(uint64_t id) {
  auto at = communicators_.find(id);
  if (at == communicators_.end()) return;
  at->second.freed = true;
  bool waiting = false;
  for (auto message = queue_.begin(); message != queue_.end();) {
    if (message->communicator == id) {
      waiting = true;
      // Gone for good; counted as received, or no later epoch could ever find it.
      incoming_.at({id, message->source, message->tag}).received++;
      beforeBase_.received--;
      message = queue_.erase(message);
    } else {
      ++message;
    }
  }
  if (waiting && recording()) fail(at->second.name + " was freed while captured messages on it had not been received");
}

void Ledger::collective(uint64_t id, const char* call) {
  Communicator& entry = communicators_[id];
  entry.collectives++;
  entry.lastCall = call;
}

void Ledger::unveto(const std::string& reason) {
  auto at = vetoes_.find(reason);
  if (at != vetoes_.end() && --at->second == 0) vetoes_.erase(at);
}

std::string Ledger::describe(uint64_t communicator) const {
  auto at = communicators_.find(communicator);
  return at == communicators_.end() ? "a communicator that this rank has not created" : at->second.name;
}

// --- the cut ---------------------------------------------------------------------------------------------------------

bool Ledger::cut(uint64_t epoch, int64_t safePoint, std::vector<Marker>& markers) {
  assert(phase_ == Phase::IDLE);
  refusal_.clear();
  for (const auto& veto : vetoes_) refusal_ += (refusal_.empty() ? "" : "; ") + veto.first;
  if (!refusal_.empty()) return false;
  if (!unclaimed_.empty()) {
    const Queued& message = unclaimed_.front();
    refusal_ = "a restored message from rank " + std::to_string(message.source) + ", tag " +
               std::to_string(message.tag) + ", waits for a communicator that was not created again";
    return false;
  }

  phase_ = Phase::RECORDING;
  epoch_ = epoch;
  safePoint_ = safePoint;
  fault_.clear();
  mark(safePoint, markers);
  incoming_.each([](Incoming& channel) {
    channel.atCut = channel.received;
    channel.lastAtCut = channel.lastSequence;
  });
  nameForImage();
  for (auto& entry : communicators_) {
    entry.second.atCut = entry.second.collectives;
    entry.second.lastCallAtCut = entry.second.lastCall;
  }

  // Markers that were faster than this rank's own cut; what is older belongs to an abandoned epoch.
  std::vector<Stash> stash;
  stash.swap(stash_);
  for (Stash& early : stash) {
    if (early.epoch == epoch) apply(early.source, early.bytes.data(), early.bytes.size());
    if (early.epoch > epoch) stash_.push_back(std::move(early));
  }
  return true;
}

// Marker --> SafePoint:i64, Count:u32, Pad:u32, (Communicator:u64, Tag:i32, Flags:u32, Sent:i64)*
void Ledger::mark(int64_t safePoint, std::vector<Marker>& markers) {
  std::map<int, std::vector<const Outgoing*>> byPeer;
  outgoing_.each([&](Outgoing& channel) {
    channel.atCut = channel.sent;
    if (channel.sent != 0 || channel.synchronous != 0) byPeer[channel.id.peer].push_back(&channel);
  });
  for (auto& peer : byPeer) {
    Marker marker{peer.first, {}};
    put<int64_t>(marker.bytes, safePoint);
    put<uint32_t>(marker.bytes, static_cast<uint32_t>(peer.second.size()));
    put<uint32_t>(marker.bytes, 0);
    for (const Outgoing* channel : peer.second) {
      put<uint64_t>(marker.bytes, channel->id.communicator);
      put<int32_t>(marker.bytes, channel->id.tag);
      put<uint32_t>(marker.bytes, channel->synchronous > 0 ? kSynchronous : 0);
      put<int64_t>(marker.bytes, channel->atCut);
    }
    markers.push_back(std::move(marker));
  }
}

void Ledger::bareCut(std::vector<Marker>& markers) {
  assert(phase_ == Phase::IDLE);
  phase_ = Phase::BARE;
  fault_.clear();
  mark(0, markers);
}

void Ledger::acceptBare(int source, const char* marker, size_t bytes) {
  assert(phase_ == Phase::BARE);
  apply(source, marker, bytes);
}

void Ledger::accept(int source, uint64_t epoch, const char* marker, size_t bytes) {
  if (epoch == epoch_ && phase_ == Phase::RECORDING) {
    apply(source, marker, bytes);
  } else if (epoch > epoch_) {
    stash_.push_back({source, epoch, std::vector<char>(marker, marker + bytes)});
  }
}

void Ledger::apply(int source, const char* marker, size_t bytes) {
  Cursor in(marker, bytes);
  int64_t safePoint = in.get<int64_t>();
  uint32_t count = in.get<uint32_t>();
  in.get<uint32_t>();
  for (uint32_t i = 0; i < count && in.good(); i++) {
    uint64_t communicator = in.get<uint64_t>();
    int32_t tag = in.get<int32_t>();
    uint32_t flags = in.get<uint32_t>();
    int64_t sent = in.get<int64_t>();
    Incoming& channel = incoming_.at({communicator, source, tag});
    channel.marked = sent;
    channel.synchronous = flags & kSynchronous;
  }
  if (!in.good()) fail("a marker from rank " + std::to_string(source) + " is malformed: " + std::to_string(bytes) + " bytes");
  marked_[source] = safePoint;
}

bool Ledger::known(const Incoming& channel) const {
  return phase_ == Phase::CLOSED || marked_.count(channel.id.peer) != 0;
}

void Ledger::early(const Incoming& channel, const char* how) {
  auto sender = marked_.find(channel.id.peer);
  int64_t theirs = sender == marked_.end() ? safePoint_ : sender->second;
  fail("early message: rank " + std::to_string(me_) + " received, before its safe point " + std::to_string(safePoint_) +
       ", a message that rank " + std::to_string(channel.id.peer) + " sent after its safe point " +
       std::to_string(theirs) + " (" + describe(channel.id.communicator) + ", tag " + std::to_string(channel.id.tag) +
       ", " + how + "); no message may be received before a safe point that its sender sends after the same safe point");
}

void Ledger::markersClosed() {
  assert(phase_ == Phase::RECORDING);
  phase_ = Phase::CLOSED;
  open_.clear();
  incoming_.each([&](Incoming& channel) {
    int64_t late = channel.late();
    if (late < 0) {  // C2: received at cut <= sent at cut
      early(channel, (std::to_string(channel.atCut) + " received and " + std::to_string(channel.marked) +
                      " sent since the base").c_str());
      return;
    }
    bool hole = false;
    for (const Receive* r = pending_.next; r != &pending_ && r->sequence < channel.lastAtCut; r = r->next) hole |= couldMatch(r, channel.id);
    if (late > 0 || hole || channel.overtaken > 0) {
      open_.push_back(&channel);
    } else {
      channel.records.clear();  // kept provisionally, sent after the cut
    }
  });
}

bool Ledger::couldMatch(const Receive* receive, const ChannelId& channel) const {
  return receive->communicator == channel.communicator &&
         (receive->source == kAny || receive->source == channel.peer) &&
         (receive->tag == kAny || receive->tag == channel.tag);
}

// The messages on the channel that the application did not have at the cut, as far as they are known, in matching order.
void Ledger::candidates(const Incoming& channel, std::vector<Message>& out) const {
  const ChannelId& id = channel.id;
  out.clear();
  for (const Record& record : channel.records) {
    out.push_back({record.sequence, id.communicator, id.peer, id.tag, record.payload});
  }
  for (const Receive* r = pending_.next; r != &pending_; r = r->next) {
    if (r->matched && couldMatch(r, id)) out.push_back({r->sequence, id.communicator, id.peer, id.tag, r->payload});
  }
  for (const Queued& q : queue_) {
    if (q.communicator == id.communicator && q.source == id.peer && q.tag == id.tag) {
      out.push_back({q.sequence, id.communicator, id.peer, id.tag, q.payload});
    }
  }
  std::sort(out.begin(), out.end(), [](const Message& a, const Message& b) { return a.sequence < b.sequence; });
}

int64_t Ledger::missing(Incoming& channel) {
  std::vector<Message> known;
  candidates(channel, known);
  int64_t late = channel.late();
  // A receive that completed after the cut, but was posted before one that completed ahead of it, holds an older message
  // of the channel than one the application had: it is late, or the other one was early (C2).
  int64_t older = channel.overtaken;
  for (const Receive* r = pending_.next; r != &pending_ && r->sequence < channel.lastAtCut; r = r->next) {
    older += r->matched && couldMatch(r, channel.id);
  }
  if (older > late) {
    early(channel, "it overtook an older one that the application has not received");
    return 0;
  }
  if (static_cast<int64_t>(known.size()) < late) return late - static_cast<int64_t>(known.size());
  // Messages match receives in posting order: an older receive that could match and hasn't completed has been matched
  // with a message already, perhaps one of this channel. Its turn must be known before ours is.
  uint64_t last = late > 0 ? known[static_cast<size_t>(late) - 1].sequence : 0;
  last = std::max(last, channel.lastAtCut);
  for (const Receive* r = pending_.next; r != &pending_ && r->sequence < last; r = r->next) {
    if (!r->matched && couldMatch(r, channel.id)) return 1;
  }
  return 0;
}

int64_t Ledger::missing() {
  if (phase_ != Phase::CLOSED) return phase_ == Phase::SEALED ? 0 : 1;
  int64_t total = 0;
  for (Incoming* channel : open_) {
    int64_t now = missing(*channel);
    total += now;
    if (now == 0 || !freed(channel->id.communicator)) continue;
    bool pending = false;
    for (const Receive* r = pending_.next; r != &pending_ && !pending; r = r->next) {
      pending = !r->matched && couldMatch(r, channel->id);
    }
    if (!pending) {
      fail("rank " + std::to_string(me_) + " freed " + describe(channel->id.communicator) + " before it received " +
           std::to_string(now) + " messages from rank " + std::to_string(channel->id.peer) + ", tag " +
           std::to_string(channel->id.tag) + ": nobody can receive or capture them any more");
    }
  }
  return total;
}

std::set<std::pair<uint64_t, int>> Ledger::drainable() {
  std::set<std::pair<uint64_t, int>> wishes;
  if (phase_ != Phase::CLOSED) return wishes;
  for (Incoming* channel : open_) {
    std::vector<Message> known;
    candidates(*channel, known);
    if (static_cast<int64_t>(known.size()) >= channel->late()) continue;
    // What a pending receive could match has been matched by MPI, or hasn't arrived: nothing of it can be taken, and
    // what would be taken instead may have been sent after the cut.
    bool pending = false;
    for (const Receive* r = pending_.next; r != &pending_ && !pending; r = r->next) pending = !r->matched && couldMatch(r, channel->id);
    if (!pending) wishes.insert({channel->id.communicator, channel->id.peer});
  }
  // Draining a synchronous send would complete it before the application receives it: such sources are left alone, until
  // it has received what was sent synchronously.
  incoming_.each([&](Incoming& channel) {
    if (channel.synchronous && missing(channel) > 0) wishes.erase({channel.id.communicator, channel.id.peer});
  });
  return wishes;
}

bool Ledger::mayBeLate(const Receive* receive) {
  if (phase_ != Phase::CLOSED || receive->matched) return false;
  for (Incoming* channel : open_) {
    if (couldMatch(receive, channel->id) && missing(*channel) > 0) return true;
  }
  return false;
}

void Ledger::drained(uint64_t communicator, int source, int tag, PayloadRef payload) {
  statistics_.drained++;
  if (recording()) recordedBytes_ += payload->bytes;  // outside an epoch it is no part of a channel state
  queue_.push_back({++sequence_, communicator, source, tag, std::move(payload)});
}

void Ledger::peeked(Receive* receive, int source, int tag, PayloadRef payload) {
  assert(!receive->matched);
  receive->source = source;
  receive->tag = tag;
  receive->matched = true;
  receive->payload = std::move(payload);
}

void Ledger::fail(const std::string& text) {
  if (fault_.empty()) fault_ = text;
}

// C1: summed over all ranks, sent at cut = received at cut + channel state, channel by channel. In a bare cut nothing is
// noted of what was received: what both ends are about to subtract is compared.
uint64_t Ledger::channelFingerprint() {
  uint64_t sum = 0;
  // The last epoch that this rank has cut may have been another one's on others.
  uint64_t epoch = phase_ == Phase::BARE ? 0 : epoch_;
  outgoing_.each([&](Outgoing& channel) {
    sum += channelKey(epoch, channel.id.communicator, me_, channel.id.peer, channel.id.tag) *
           static_cast<uint64_t>(channel.atCut);
  });
  incoming_.each([&](Incoming& channel) {
    std::vector<Message> known;
    int64_t state = channel.late();
    if (phase_ == Phase::CLOSED && state > 0) {
      candidates(channel, known);
      state = std::min(state, static_cast<int64_t>(known.size()));
    }
    sum -= channelKey(epoch, channel.id.communicator, channel.id.peer, me_, channel.id.tag) *
           static_cast<uint64_t>(channel.atCut + state);
  });
  return sum;
}

// C4: summed over all ranks, zero when within each communicator all members counted the same.
uint64_t Ledger::collectiveFingerprint() const {
  uint64_t sum = 0;
  for (const auto& entry : communicators_) {
    const Communicator& c = entry.second;
    if (c.atCut == 0) continue;  // created after the cut perhaps, and not yet by all its members
    uint64_t key = collectiveKey(epoch_, entry.first, static_cast<uint64_t>(c.atCut));
    if (c.rank == 0) sum += static_cast<uint64_t>(c.members) * key;
    sum -= key;
  }
  return sum;
}

std::vector<Message> Ledger::seal() {
  assert(phase_ == Phase::CLOSED);
  std::vector<Message> state;
  for (Incoming* channel : open_) {
    std::vector<Message> known;
    candidates(*channel, known);
    size_t late = static_cast<size_t>(std::max<int64_t>(0, channel->late()));
    assert(known.size() >= late);
    known.resize(late);  // C3: exactly the late ones, the rest was sent after the cut
    for (Message& message : known) message.communicator = savedAs(message.communicator);
    state.insert(state.end(), known.begin(), known.end());
  }
  std::sort(state.begin(), state.end(), [](const Message& a, const Message& b) { return a.sequence < b.sequence; });
  incoming_.each([](Incoming& channel) {
    channel.records.clear();
    channel.records.shrink_to_fit();
  });
  statistics_.late += state.size();
  recordedBytes_ = 0;
  phase_ = Phase::SEALED;
  return state;
}

// ChannelState --> Count:u64, (Communicator:u64, Source:i32, Tag:i32, Length:u64, Bytes, padding to 8)*
std::vector<char> Ledger::encode(const std::vector<Message>& state) {
  size_t size = 8;
  for (const Message& message : state) size += 24 + (message.payload->bytes + 7) / 8 * 8;
  std::vector<char> out;
  out.reserve(size);
  put<uint64_t>(out, state.size());
  for (const Message& message : state) {
    put<uint64_t>(out, message.communicator);
    put<int32_t>(out, message.source);
    put<int32_t>(out, message.tag);
    put<uint64_t>(out, message.payload->bytes);
    out.insert(out.end(), message.payload->data.get(), message.payload->data.get() + message.payload->bytes);
    out.resize((out.size() + 7) / 8 * 8, 0);
  }
  return out;
}

// Counts --> Outgoing:u64, Incoming:u64, Communicators:u64,
//            (Communicator:u64, Destination:i32, Tag:i32, Sent:i64)*,
//            (Communicator:u64, Source:i32, Tag:i32, Received:i64, Late:i64)*,
//            (Communicator:u64, Members:i32, Rank:i32, Collectives:i64)*
std::vector<char> Ledger::counts() {
  std::vector<char> out;
  std::vector<Outgoing*> sent;
  std::vector<Incoming*> received;
  outgoing_.each([&](Outgoing& channel) {
    if (channel.atCut != 0) sent.push_back(&channel);
  });
  incoming_.each([&](Incoming& channel) {
    if (channel.atCut != 0 || channel.marked != 0) received.push_back(&channel);
  });
  auto saved = [this](const ChannelId& id) { return ChannelId{savedAs(id.communicator), id.peer, id.tag}; };
  auto bySaved = [&](auto* a, auto* b) { return saved(a->id) < saved(b->id); };
  std::sort(sent.begin(), sent.end(), bySaved);
  std::sort(received.begin(), received.end(), bySaved);
  std::map<uint64_t, const Communicator*> named;
  for (const auto& entry : communicators_) named[savedAs(entry.first)] = &entry.second;
  put<uint64_t>(out, sent.size());
  put<uint64_t>(out, received.size());
  put<uint64_t>(out, named.size());
  for (Outgoing* channel : sent) {
    put<uint64_t>(out, savedAs(channel->id.communicator));
    put<int32_t>(out, channel->id.peer);
    put<int32_t>(out, channel->id.tag);
    put<int64_t>(out, channel->atCut);
  }
  for (Incoming* channel : received) {
    put<uint64_t>(out, savedAs(channel->id.communicator));
    put<int32_t>(out, channel->id.peer);
    put<int32_t>(out, channel->id.tag);
    put<int64_t>(out, channel->atCut);
    put<int64_t>(out, channel->late());
  }
  for (const auto& entry : named) {
    put<uint64_t>(out, entry.first);
    put<int32_t>(out, entry.second->members);
    put<int32_t>(out, entry.second->rank);
    put<int64_t>(out, entry.second->atCut);
  }
  return out;
}

void Ledger::commit() {
  bool bare = phase_ == Phase::BARE;
  assert(bare || phase_ == Phase::SEALED);
  statistics_.bareCuts += bare;
  outgoing_.each([&](Outgoing& channel) {
    channel.sent -= channel.atCut;
    beforeBase_.sent += static_cast<uint64_t>(channel.atCut);
    if (numbering_ && channel.atCut != 0) sentBeforeBase_[channel.id] += channel.atCut;
  });
  incoming_.each([&](Incoming& channel) {
    channel.received -= channel.marked;
    beforeBase_.received += static_cast<uint64_t>(channel.marked);
    if (numbering_ && channel.marked != 0) arrivedBeforeBase_[channel.id] += channel.marked;
  });
  for (auto entry = communicators_.begin(); !bare && entry != communicators_.end();) {
    entry->second.collectives -= entry->second.atCut;
    beforeBase_.collectives += static_cast<uint64_t>(entry->second.atCut);
    if (entry->second.freed && entry->second.collectives == 0) {
      entry = communicators_.erase(entry);
    } else {
      ++entry;
    }
  }
  outgoing_.retain([](const Outgoing& channel) { return channel.sent != 0 || channel.synchronous != 0; });
  incoming_.retain([&](const Incoming& channel) {
    if (channel.received != 0) return true;
    for (const Receive* r = pending_.next; r != &pending_ && r->sequence < channel.lastSequence; r = r->next) {
      if (couldMatch(r, channel.id)) return true;
    }
    return false;
  });
  abandon();
}

void Ledger::abandon() {
  phase_ = Phase::IDLE;
  outgoing_.each([](Outgoing& channel) { channel.atCut = 0; });
  incoming_.each([](Incoming& channel) {
    channel.atCut = 0;
    channel.lastAtCut = 0;
    channel.marked = 0;
    channel.synchronous = false;
    channel.overtaken = 0;
    channel.records.clear();
  });
  marked_.clear();
  open_.clear();
  fault_.clear();
  recordedBytes_ = 0;
  // What was peeked stays matched: MPI won't change its mind, nor the bytes before the application has them.
}

std::string Ledger::surplus(const char* counts, uint64_t bytes) {
  Cursor in(counts, bytes);
  uint64_t sent = in.get<uint64_t>(), received = in.get<uint64_t>(), communicators = in.get<uint64_t>();
  std::set<uint64_t> saved;
  for (uint64_t i = 0; i < sent && in.good(); i++) {
    in.get<uint64_t>(), in.get<uint64_t>(), in.get<uint64_t>();
  }
  for (uint64_t i = 0; i < received && in.good(); i++) {
    in.get<uint64_t>(), in.get<uint64_t>(), in.get<uint64_t>(), in.get<uint64_t>();
  }
  for (uint64_t i = 0; i < communicators && in.good(); i++) {
    saved.insert(in.get<uint64_t>());
    in.get<uint64_t>(), in.get<uint64_t>();
  }
  if (!in.good() || in.remaining() != 0) return "the counts are malformed: " + std::to_string(bytes) + " bytes";
  nameForImage();
  constexpr int kNamed = 3;
  std::string wrong;
  int more = -kNamed;
  for (const auto& entry : communicators_) {
    const Communicator& c = entry.second;
    if (c.key == 0 || c.freed || saved.count(c.savedAs)) continue;
    // Without one that is like it there is nothing to confuse it with.
    uint64_t alike = 0;
    while (saved.count(communicatorId(c.key, alike))) alike++;
    if (alike == 0) continue;
    if (++more > 0) continue;
    wrong += (wrong.empty() ? "" : "; ") + c.name + " was made before restore(), but of those like it (same parent, same " +
             "ranks in order) only " + std::to_string(alike) + " " + (alike == 1 ? "was" : "were") + " alive at the cut";
  }
  if (more > 0) wrong += "; and " + std::to_string(more) + " more";
  if (!wrong.empty()) wrong += "; make again only what was alive at the cut, in the same order, and all others after restore()";
  return wrong;
}

std::string Ledger::restore(const char* state, uint64_t bytes) {
  std::vector<Queued> messages;
  Cursor in(state, bytes);
  uint64_t count = in.get<uint64_t>();
  for (uint64_t i = 0; i < count; i++) {
    Queued message{};
    message.communicator = in.get<uint64_t>();
    message.source = in.get<int32_t>();
    message.tag = in.get<int32_t>();
    uint64_t length = in.get<uint64_t>();
    if (!in.good() || length > in.remaining()) {
      return "message " + std::to_string(i) + " of " + std::to_string(count) + " ends beyond the " +
             std::to_string(bytes) + " bytes of the channel state";
    }
    message.payload = std::make_shared<Payload>(length);
    in.copy(message.payload->data.get(), length);
    in.align();
    messages.push_back(std::move(message));
  }
  if (!in.good() || in.remaining() != 0) {
    return std::to_string(in.remaining()) + " bytes too many or too few after " + std::to_string(count) + " messages";
  }
  for (Queued& message : messages) {
    message.sequence = ++sequence_;
    unclaimed_.push_back(std::move(message));
  }
  nameForImage();  // as a cut would now: of what was created before the restore
  for (const auto& entry : communicators_) {
    if (!entry.second.freed) claim(entry.first, entry.second.savedAs);
  }
  return "";
}

LedgerStatistics Ledger::statistics() const {
  LedgerStatistics now = statistics_;
  now.queued = queue_.size() + unclaimed_.size();
  return now;
}

}  // namespace cairn

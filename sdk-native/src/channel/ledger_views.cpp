// SPDX-License-Identifier: Apache-2.0
// What others ask the ledger about its books: numbers of messages, totals, a text for people.
#include <algorithm>

#include "ledger.hpp"

namespace cairn {

namespace {

std::string any(int value) { return value == kAny ? "any" : std::to_string(value); }

int64_t before(const std::map<ChannelId, int64_t>& base, const ChannelId& id) {
  auto at = base.find(id);
  return at == base.end() ? 0 : at->second;
}

}  // namespace

int64_t Ledger::nextSent(uint64_t communicator, int destination, int tag) {
  ChannelId id{communicator, destination, tag};
  Outgoing* channel = outgoing_.find(id);
  return before(sentBeforeBase_, id) + (channel ? channel->sent : 0);
}

Arriving Ledger::nextArriving(uint64_t communicator, int source, int tag) {
  ChannelId id{communicator, source, tag};
  Incoming* channel = incoming_.find(id);
  Arriving next{before(arrivedBeforeBase_, id) + (channel ? channel->received : 0), true};
  for (const Receive* r = pending_.next; r != &pending_; r = r->next) {
    if (!couldMatch(r, id)) continue;
    if (r->matched) {
      next.number++;
    } else {
      next.exact = false;
    }
  }
  for (const Queued& q : queue_) next.number += q.communicator == communicator && q.source == source && q.tag == tag;
  return next;
}

LedgerTotals Ledger::totals() {
  LedgerTotals totals = beforeBase_;
  outgoing_.each([&](Outgoing& channel) { totals.sent += static_cast<uint64_t>(channel.sent); });
  incoming_.each([&](Incoming& channel) { totals.received += static_cast<uint64_t>(channel.received); });
  for (const auto& entry : communicators_) totals.collectives += static_cast<uint64_t>(entry.second.collectives);
  return totals;
}

std::string Ledger::dump() {
  LedgerTotals t = totals();
  LedgerStatistics s = statistics();
  std::string text = "rank " + std::to_string(me_) + ": " + std::to_string(t.sent) + " sent, " +
                     std::to_string(t.received) + " received, " + std::to_string(t.collectives) + " collectives, " +
                     std::to_string(s.drained) + " drained, " + std::to_string(s.replayed) + " replayed, " +
                     std::to_string(s.late) + " late, " + std::to_string(s.bareCuts) + " bare cuts\n";
  for (const auto& entry : communicators_) {
    const Communicator& c = entry.second;
    text += c.name + (c.freed ? " (freed)" : "") + ": rank " + std::to_string(c.rank) + " of " +
            std::to_string(c.members) + ", " + std::to_string(c.collectives) + " collectives since the base" +
            (c.collectives ? std::string(", the last ") + c.lastCall : "") + "\n";
  }
  auto byId = [](auto* a, auto* b) { return a->id < b->id; };
  std::vector<Outgoing*> sent;
  outgoing_.each([&](Outgoing& channel) { sent.push_back(&channel); });
  std::sort(sent.begin(), sent.end(), byId);
  for (Outgoing* channel : sent) {
    text += "to " + std::to_string(channel->id.peer) + ", tag " + std::to_string(channel->id.tag) + ", " +
            describe(channel->id.communicator) + ": " + std::to_string(channel->sent) + " sent since the base";
    if (channel->synchronous) text += ", " + std::to_string(channel->synchronous) + " synchronous ones pending";
    text += "\n";
  }
  std::vector<Incoming*> received;
  incoming_.each([&](Incoming& channel) { received.push_back(&channel); });
  std::sort(received.begin(), received.end(), byId);
  for (Incoming* channel : received) {
    text += "from " + std::to_string(channel->id.peer) + ", tag " + std::to_string(channel->id.tag) + ", " +
            describe(channel->id.communicator) + ": " + std::to_string(channel->received) +
            " received since the base\n";
  }
  for (const Queued& q : queue_) {
    text += "queued: from " + std::to_string(q.source) + ", tag " + std::to_string(q.tag) + ", " +
            describe(q.communicator) + ": " + std::to_string(q.payload->bytes) + " bytes\n";
  }
  eachPending([&](const Receive& r) {
    text += "pending receive: from " + any(r.source) + ", tag " + any(r.tag) + ", " + describe(r.communicator) +
            (r.matched ? ", its message is known" : "") + "\n";
  });
  for (const auto& veto : vetoes_) text += "no epoch now: " + veto.first + "\n";
  return text;
}

}  // namespace cairn

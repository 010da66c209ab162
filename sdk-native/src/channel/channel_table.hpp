// SPDX-License-Identifier: Apache-2.0
// A hash table from channel to its account, made for the message path: one probe in the usual case, stable addresses.
#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <vector>

#include "hash.hpp"

namespace cairn {

// One rank's end of a channel: `peer` is the world rank at the other end.
struct ChannelId {
  uint64_t communicator;
  int32_t peer;
  int32_t tag;

  bool operator==(const ChannelId& o) const {
    return communicator == o.communicator && peer == o.peer && tag == o.tag;
  }
  bool operator<(const ChannelId& o) const {
    if (communicator != o.communicator) return communicator < o.communicator;
    if (peer != o.peer) return peer < o.peer;
    return tag < o.tag;
  }
  uint64_t hash() const {
    // One multiplication: the message path pays for each more. Fibonacci hashing takes the high bits.
    uint64_t x = communicator ^ (uint64_t(uint32_t(peer)) << 32) ^ uint32_t(tag);
    x ^= x >> 29;
    return x * 0x9e3779b97f4a7c15ull;
  }
};

// Account is a plain struct with a member `ChannelId id`.
template <class Account>
class ChannelTable {
 public:
  ChannelTable() : slots_(64, nullptr) { none_.id.peer = INT32_MIN; }
  ChannelTable(const ChannelTable&) = delete;
  ChannelTable& operator=(const ChannelTable&) = delete;

  Account& at(ChannelId id) {
    if (__builtin_expect(last_->id == id, true)) return *last_;
    return lookUp(id);
  }

  Account* find(const ChannelId& id) {
    for (size_t i = id.hash() >> shift_;; i = (i + 1) & (slots_.size() - 1)) {
      if (!slots_[i]) return nullptr;
      if (slots_[i]->id == id) return slots_[i];
    }
  }

  template <class Visit>
  void each(Visit visit) {
    for (Account* account : slots_)
      if (account) visit(*account);
  }

  // Keeps what `keep` says, forgets the rest.
  template <class Keep>
  void retain(Keep keep) {
    std::vector<Account*> old(64, nullptr);
    old.swap(slots_);
    shift_ = 64 - 6;
    used_.store(0, std::memory_order_relaxed);
    last_ = &none_;
    for (Account* account : old) {
      if (!account) continue;
      if (keep(*account)) {
        place(account);
      } else {
        *account = Account{};
        free_.push_back(account);
      }
    }
  }

  // Any thread, at any time.
  size_t size() const { return used_.load(std::memory_order_relaxed); }

 private:
  __attribute__((noinline)) Account& lookUp(ChannelId id) {
    Account* found = find(id);
    if (!found) found = insert(id);
    last_ = found;
    return *found;
  }

  Account* insert(const ChannelId& id) {
    Account* account;
    if (free_.empty()) {
      account = &arena_.emplace_back();
    } else {
      account = free_.back();
      free_.pop_back();
    }
    account->id = id;
    place(account);
    return account;
  }

  void place(Account* account) {
    if ((size() + 1) * 2 > slots_.size()) grow();
    size_t i = account->id.hash() >> shift_;
    while (slots_[i]) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = account;
    used_.store(size() + 1, std::memory_order_relaxed);  // one writes at a time
  }

  void grow() {
    std::vector<Account*> old(slots_.size() * 2, nullptr);
    old.swap(slots_);
    shift_--;
    for (Account* account : old) {
      if (!account) continue;
      size_t i = account->id.hash() >> shift_;
      while (slots_[i]) i = (i + 1) & (slots_.size() - 1);
      slots_[i] = account;
    }
  }

  std::vector<Account*> slots_;  // a power of two, at most half full
  int shift_ = 64 - 6;
  std::atomic<size_t> used_{0};
  Account none_{};  // of no channel
  Account* last_ = &none_;
  std::deque<Account> arena_;
  std::vector<Account*> free_;
};

}  // namespace cairn

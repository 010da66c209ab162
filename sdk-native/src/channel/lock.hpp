// SPDX-License-Identifier: Apache-2.0
// The lock that guards a ledger. Nearly always one thread takes it, for each message, and the agent a few times in an
// epoch: so it favours a thread that has taken it many times in a row. That thread takes it with plain stores and loads;
// an atomic exchange would wait until the stores of the message before have reached the other core. Whoever else wants
// the lock takes the favour away first, for about a microsecond (docs/decisions/0004).
//
// Ordinary path: an exchange on `taken_`. Favoured path, with the store-load race of Dekker's algorithm:
//
//   favoured thread F                       another thread R, which has taken `taken_`
//   1. seat.inside = true                   1. favoured_ = nobody
//   2. favoured_ == seat? then it is in     2. membarrier(2)
//                                           3. wait until !seat.inside
//
// The membarrier is a full barrier in F too, at some point of F's program order. Before F's 2: F sees that it is favoured
// no more, and backs off. After it: `inside` was stored before, and R waits. Both may happen, neither can't.
// A thread writes to its own seat only, and seats don't change hands: a thread that was held up between its first look
// and step 1 meanwhile disturbs nobody who was favoured since.
#pragma once
#include <pthread.h>

#include <atomic>
#include <cstdint>

#include "export.hpp"

namespace cairn {

class CAIRN_API Lock {
 public:
  // `patience`: so many times in a row has a thread to take the lock before it is favoured.
  explicit Lock(uint32_t patience = 1000);
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  void lock() {
    Seat* seat = favoured_.load(std::memory_order_acquire);
    if (__builtin_expect(seat->thread == self(), true)) {
      seat->inside.store(true, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);  // the compiler; R's membarrier does the rest
      if (__builtin_expect(favoured_.load(std::memory_order_acquire) == seat, true)) {
        holder_ = seat;
        return;
      }
      seat->inside.store(false, std::memory_order_release);
    }
    lockOrdinarily();
  }

  void unlock() {
    if (__builtin_expect(holder_ != nullptr, true)) {
      holder_->inside.store(false, std::memory_order_release);
    } else {
      taken_.store(false, std::memory_order_release);
    }
  }

  // How often a thread has become the favoured one. Lock held.
  uint64_t favours() const { return favours_; }

 private:
  struct Seat {
    uintptr_t thread = 0;  // constant once the seat can be reached through favoured_
    std::atomic<bool> inside{false};
  };

  // Differs between living threads; a thread that gets the number of a dead one may have its seat, too.
  static uintptr_t self() {
#if defined(__GNUC__) && !defined(__clang__) && (defined(__x86_64__) || defined(__aarch64__))
    return reinterpret_cast<uintptr_t>(__builtin_thread_pointer());
#else
    return (uintptr_t)pthread_self();
#endif
  }

  void lockOrdinarily();
  void considerFavour();

  static constexpr int kSeats = 16;  // more threads than that are never favoured

  std::atomic<Seat*> favoured_;
  Seat* holder_ = nullptr;  // of the thread that holds the lock; null if it came the ordinary way
  std::atomic<bool> taken_{false};

  // Guarded by taken_.
  uint32_t patience_;
  uint32_t streak_ = 0;  // times in a row that `last_` has taken the lock the ordinary way
  uintptr_t last_ = 0;
  uint64_t favours_ = 0;
  Seat nobody_;
  Seat seats_[kSeats];
};

}  // namespace cairn

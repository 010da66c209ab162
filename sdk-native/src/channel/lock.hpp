// SPDX-License-Identifier: Apache-2.0
// The lock that guards a ledger: a few nanoseconds when free, polite when ranks outnumber cores.
#pragma once
#include <sched.h>
#include <time.h>

#include <atomic>

namespace cairn {

class Lock {
 public:
  void lock() {
    if (!taken_.exchange(true, std::memory_order_acquire)) return;
    waitAndLock();
  }

  void unlock() { taken_.store(false, std::memory_order_release); }

 private:
  void waitAndLock() {
    for (int tries = 0;; tries++) {
      if (!taken_.load(std::memory_order_relaxed) && !taken_.exchange(true, std::memory_order_acquire)) return;
      if (tries < 64) {
        relax();
      } else if (tries < 128) {
        sched_yield();  // the holder may wait for this very core
      } else {
        timespec pause{0, 50'000};
        nanosleep(&pause, nullptr);
      }
    }
  }

  static void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  std::atomic<bool> taken_{false};
};

}  // namespace cairn

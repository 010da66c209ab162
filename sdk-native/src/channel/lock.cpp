// SPDX-License-Identifier: Apache-2.0
#include "lock.hpp"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace cairn {

namespace {

bool membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; }

// Once in a process, before the kernel lets it use the barrier. Old kernels and some sandboxes don't have it: then nobody
// is ever favoured.
bool barrierReady() {
  static const bool ready = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
  return ready;
}

// A full barrier in every running thread of this process.
void barrierEverywhere() {
  if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) return;
  // A child of a fork may have to register again.
  if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) return;
  perror("cairn: membarrier(2) worked when the process started and fails now");
  abort();
}

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Polite when ranks outnumber cores: the holder may wait for this very core.
template <class Free>
void waitUntil(Free free) {
  for (int tries = 0; !free(); tries++) {
    if (tries < 64) {
      relax();
    } else if (tries < 128) {
      sched_yield();
    } else {
      timespec pause{0, 50'000};
      nanosleep(&pause, nullptr);
    }
  }
}

}  // namespace

Lock::Lock(uint32_t patience) : favoured_(&nobody_), patience_(barrierReady() ? patience : 0) {}

void Lock::lockOrdinarily() {
  while (taken_.exchange(true, std::memory_order_acquire)) {
    waitUntil([&] { return !taken_.load(std::memory_order_relaxed); });
  }
  Seat* favoured = favoured_.load(std::memory_order_relaxed);
  if (favoured != &nobody_) {
    favoured_.store(&nobody_, std::memory_order_release);
    barrierEverywhere();
    waitUntil([&] { return !favoured->inside.load(std::memory_order_acquire); });
    streak_ = 0;
  }
  holder_ = nullptr;
  if (last_ != self()) {
    last_ = self();
    streak_ = 0;
  }
  if (streak_ < patience_ && ++streak_ == patience_) considerFavour();
}

// This thread holds the lock, and is favoured from the next time on.
void Lock::considerFavour() {
  for (Seat& seat : seats_) {
    if (seat.thread != 0 && seat.thread != last_) continue;
    if (seat.thread == 0) seat.thread = last_;  // only then: others may read it
    favours_++;
    favoured_.store(&seat, std::memory_order_release);
    return;
  }
}

}  // namespace cairn

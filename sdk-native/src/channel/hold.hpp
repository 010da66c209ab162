// SPDX-License-Identifier: Apache-2.0
// Where a free-running rank's sends and collectives wait from its own cut to the last rank's. No MPI here.
//
//   OFF -> ON [open], ON -> HELD [begin], HELD -> ON [end, or a call's limit runs out], ON or HELD -> OFF [close]
//
// What isn't held pays for one look: held().
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>

#include "export.hpp"

namespace cairn {

class CAIRN_API Hold {
 public:
  bool on() const { return state_.load(std::memory_order_acquire) == ON; }
  bool off() const { return state_.load(std::memory_order_acquire) == OFF; }
  bool held() const { return state_.load(std::memory_order_acquire) == HELD; }

  void open();
  bool close();  // false if it was closed before; lets everything go

  void begin(int64_t limitNanos);  // right before the ledger is cut
  void end();

  // For a call that others may wait for: returns when the hold has ended. When the limit runs out first the call is
  // named in overdue(), and all calls of this rank go on.
  void wait(const std::string& call);
  std::string overdue();    // empty if none; stays until the next hold begins
  bool waiting();           // some call waits now
  int64_t waitedNanos();    // longest wait of this hold so far

  // Messages may be taken off the network for a held rank only where no rank sends synchronously: taking the message
  // would complete the send early. So a rank's first synchronous send waits until all agents know that there are some.
  void announce();  // from now on there are agents that want to know
  void stop();      // no agent is there any more: nothing waits
  void synchronous() {
    if (!announced_.load(std::memory_order_acquire)) waitForAnnouncement();
  }
  bool synchronousUsed();
  void synchronousKnown();

 private:
  enum State : uint8_t { OFF, ON, HELD };
  using Clock = std::chrono::steady_clock;

  void waitForAnnouncement();

  std::atomic<uint8_t> state_{OFF};
  std::atomic<bool> announced_{false};  // or nobody wants to know
  std::mutex mutex_;
  std::condition_variable changed_;
  bool announcing_ = false;
  bool used_ = false;
  int64_t limitNanos_ = 0;
  int64_t longestNanos_ = 0;
  int waiting_ = 0;
  Clock::time_point since_;  // of the first that waits now
  std::string overdue_;
};

}  // namespace cairn

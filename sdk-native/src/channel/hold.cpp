// SPDX-License-Identifier: Apache-2.0
#include "hold.hpp"

#include <algorithm>

namespace cairn {

namespace {

// A waiting thread looks at the clock this often at least.
constexpr std::chrono::milliseconds kSlice{50};

int64_t nanosSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

void Hold::open() {
  std::lock_guard<std::mutex> guard(mutex_);
  state_.store(ON, std::memory_order_release);
}

bool Hold::close() {
  std::lock_guard<std::mutex> guard(mutex_);
  bool was = state_.exchange(OFF) != OFF;
  announcing_ = false;
  changed_.notify_all();
  return was;
}

void Hold::begin(int64_t limitNanos) {
  std::lock_guard<std::mutex> guard(mutex_);
  overdue_.clear();
  longestNanos_ = 0;
  limitNanos_ = limitNanos;
  if (state_.load() == ON) state_.store(HELD, std::memory_order_release);
}

void Hold::end() {
  std::lock_guard<std::mutex> guard(mutex_);
  if (state_.load() == HELD) state_.store(ON, std::memory_order_release);
  changed_.notify_all();
}

void Hold::wait(const std::string& call) {
  std::unique_lock<std::mutex> guard(mutex_);
  if (state_.load() != HELD) return;
  Clock::time_point begin = Clock::now();
  if (waiting_++ == 0) since_ = begin;
  while (state_.load() == HELD) {
    int64_t left = limitNanos_ - nanosSince(begin);
    if (left <= 0) {
      overdue_ = call;
      state_.store(ON, std::memory_order_release);
      changed_.notify_all();
      break;
    }
    auto slice = std::min<std::chrono::nanoseconds>(kSlice, std::chrono::nanoseconds(left));
    changed_.wait_for(guard, slice);
  }
  waiting_--;
  longestNanos_ = std::max(longestNanos_, nanosSince(begin));
}

std::string Hold::overdue() {
  std::lock_guard<std::mutex> guard(mutex_);
  return overdue_;
}

bool Hold::waiting() {
  std::lock_guard<std::mutex> guard(mutex_);
  return waiting_ > 0;
}

int64_t Hold::waitedNanos() {
  std::lock_guard<std::mutex> guard(mutex_);
  return waiting_ > 0 ? std::max(longestNanos_, nanosSince(since_)) : longestNanos_;
}

void Hold::announce() {
  std::lock_guard<std::mutex> guard(mutex_);
  announcing_ = true;
  // What was used before is known with the first pulse.
  announced_.store(used_, std::memory_order_release);
}

void Hold::stop() {
  std::lock_guard<std::mutex> guard(mutex_);
  if (state_.load() == HELD) state_.store(ON, std::memory_order_release);
  announcing_ = false;
  changed_.notify_all();
}

void Hold::waitForAnnouncement() {
  std::unique_lock<std::mutex> guard(mutex_);
  used_ = true;
  while (announcing_ && !announced_.load()) changed_.wait_for(guard, kSlice);
  announced_.store(true, std::memory_order_release);
}

bool Hold::synchronousUsed() {
  std::lock_guard<std::mutex> guard(mutex_);
  return used_;
}

void Hold::synchronousKnown() {
  std::lock_guard<std::mutex> guard(mutex_);
  announced_.store(true, std::memory_order_release);
  changed_.notify_all();
}

}  // namespace cairn

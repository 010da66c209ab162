// SPDX-License-Identifier: Apache-2.0
#include "channel/lock.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

using namespace cairn;

namespace {

// What the lock guards: not atomic, so that a thread sanitizer and the counts tell when two threads were in at once.
struct Guarded {
  long first = 0;
  long second = 0;

  bool step() {
    bool whole = first == second;
    first++;
    second++;
    return whole;
  }
};

void take(Lock& lock, int times) {
  for (int i = 0; i < times; i++) std::lock_guard<Lock> guard(lock);
}

uint64_t favours(Lock& lock) {
  std::lock_guard<Lock> guard(lock);
  return lock.favours();
}

}  // namespace

TEST(Lock, shouldFavourAThreadThatTakesItManyTimesInARow) {
  Lock lock(10);
  take(lock, 9);
  EXPECT_EQ(0u, lock.favours());
  take(lock, 1000);
  EXPECT_EQ(1u, lock.favours());
}

TEST(Lock, shouldTakeTheFavourAwayAndGiveItAgain) {
  Lock lock(10);
  take(lock, 100);
  std::thread([&] { take(lock, 1); }).join();
  take(lock, 8);
  EXPECT_EQ(1u, favours(lock));  // the ninth in a row
  take(lock, 1);
  EXPECT_EQ(2u, favours(lock));
}

TEST(Lock, shouldBeOrdinaryWithoutPatience) {
  Lock lock(0);
  take(lock, 100'000);
  EXPECT_EQ(0u, favours(lock));
}

TEST(Lock, shouldServeMoreThreadsThanItHasSeatsFor) {
  Lock lock(2);
  std::atomic<int> running{0};
  std::vector<std::thread> threads;
  Guarded guarded;
  std::atomic<bool> whole{true};
  for (int t = 0; t < 40; t++) {
    threads.emplace_back([&] {
      running++;
      while (running < 40) std::this_thread::yield();  // all alive at once: none has another's seat
      for (int i = 0; i < 200; i++) {
        std::lock_guard<Lock> guard(lock);
        if (!guarded.step()) whole = false;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(whole);
  EXPECT_EQ(40 * 200, guarded.first);
}

// One thread that is favoured most of the time, and others that take the favour away again and again: the application
// and its agent. Favoured after two, so that the change of hands is what is tested.
TEST(Lock, shouldLetOneThreadInAtATime) {
  Lock lock(2);
  Guarded guarded;
  std::atomic<bool> whole{true}, stop{false};
  std::atomic<long> taken{0};
  auto once = [&] {
    std::lock_guard<Lock> guard(lock);
    if (!guarded.step()) whole = false;
  };
  std::thread application([&] {
    while (!stop.load(std::memory_order_relaxed)) {
      once();
      taken.store(taken.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
  });
  constexpr int kVisits = 500;
  std::vector<std::thread> agents;
  for (int a = 0; a < 2; a++) {
    agents.emplace_back([&] {
      for (int i = 0; i < kVisits; i++) {
        once();
        // Until the application is favoured again, most probably. Asleep, so that it has a core to get there.
        for (long before = taken; taken.load(std::memory_order_relaxed) < before + 10;) {
          std::this_thread::sleep_for(std::chrono::microseconds(20));
        }
      }
    });
  }
  for (auto& agent : agents) agent.join();
  stop = true;
  application.join();
  EXPECT_TRUE(whole);
  EXPECT_EQ(taken + 2 * kVisits, guarded.first);
  EXPECT_EQ(guarded.first, guarded.second);
  EXPECT_GT(favours(lock), 100u);
}

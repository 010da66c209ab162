// SPDX-License-Identifier: Apache-2.0
#include "channel/hold.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

using namespace cairn;

namespace {

constexpr int64_t kLong = 3'600'000'000'000;  // an hour: no test waits for it

void await(const std::function<bool()>& condition) {
  while (!condition()) std::this_thread::yield();
}

}  // namespace

TEST(Hold, shouldLetCallsPassUntilItBeginsAndAfterItEnds) {
  Hold hold;
  EXPECT_TRUE(hold.off());
  hold.begin(kLong);
  EXPECT_TRUE(hold.off()) << "there is nothing to hold before MPI is initialised";
  hold.open();
  EXPECT_TRUE(hold.on());
  hold.wait("a send");  // isn't held
  hold.begin(kLong);
  EXPECT_TRUE(hold.held());
  EXPECT_FALSE(hold.on());
  hold.end();
  EXPECT_TRUE(hold.on());
  EXPECT_TRUE(hold.close());
  EXPECT_FALSE(hold.close());
  EXPECT_EQ("", hold.overdue());
}

TEST(Hold, shouldKeepAllThreadsWaitingUntilItEnds) {
  Hold hold;
  hold.open();
  for (int round = 0; round < 20; round++) {
    hold.begin(kLong);
    std::atomic<int> entered{0}, through{0};
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; i++) {
      callers.emplace_back([&] {
        entered++;
        hold.wait("a send");
        through++;
      });
    }
    await([&] { return entered == 4 && hold.waiting(); });
    EXPECT_EQ(0, through);
    hold.end();
    for (std::thread& caller : callers) caller.join();
    EXPECT_EQ(4, through);
    EXPECT_FALSE(hold.waiting());
    EXPECT_GT(hold.waitedNanos(), 0);
    EXPECT_EQ("", hold.overdue());
  }
}

TEST(Hold, shouldNameTheCallWhoseLimitRunsOutAndLetAllOthersGo) {
  Hold hold;
  hold.open();
  hold.begin(2'000'000);
  hold.wait("a send to rank 3");
  EXPECT_EQ("a send to rank 3", hold.overdue());
  EXPECT_TRUE(hold.on()) << "what comes next isn't held again";
  EXPECT_GE(hold.waitedNanos(), 2'000'000);
  hold.end();
  EXPECT_EQ("a send to rank 3", hold.overdue()) << "kept until the agent has seen it";
  hold.begin(kLong);
  EXPECT_EQ("", hold.overdue());
}

TEST(Hold, shouldLetGoWhenItIsClosedOrTheAgentIsGone) {
  for (bool closes : {true, false}) {
    Hold hold;
    hold.open();
    hold.begin(kLong);
    std::thread caller([&] { hold.wait("MPI_Barrier"); });
    await([&] { return hold.waiting(); });
    if (closes) {
      hold.close();
    } else {
      hold.stop();
    }
    caller.join();
    EXPECT_EQ("", hold.overdue());
  }
}

TEST(Hold, shouldKeepTheFirstSynchronousSendUntilAllAgentsKnow) {
  Hold hold;
  hold.open();
  hold.announce();
  EXPECT_FALSE(hold.synchronousUsed());
  std::atomic<bool> sent{false};
  std::thread sender([&] {
    hold.synchronous();
    sent = true;
  });
  await([&] { return hold.synchronousUsed(); });
  EXPECT_FALSE(sent);
  hold.synchronousKnown();
  sender.join();
  hold.synchronous();  // the second one doesn't wait
}

TEST(Hold, shouldNotKeepSynchronousSendsWithoutAnAgent) {
  Hold before;
  before.open();
  before.synchronous();
  EXPECT_TRUE(before.synchronousUsed());
  before.announce();
  before.synchronous();  // known with the first pulse

  Hold after;
  after.open();
  after.announce();
  std::thread sender([&] { after.synchronous(); });
  await([&] { return after.synchronousUsed(); });
  after.stop();
  sender.join();
}

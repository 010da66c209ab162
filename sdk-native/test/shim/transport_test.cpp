// SPDX-License-Identifier: Apache-2.0
// What the transport does by itself, over the test's own MPI.
#include "shim/transport.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

using namespace cairn;

namespace {

struct TransportTest : testing::Test {
  Transport transport;
  ~TransportTest() override { transport.close(); }

  void send(int tag, const std::string& text) {
    EXPECT_EQ(static_cast<int>(text.size()),
              transport.test(transport.send(0, tag, text.data(), static_cast<int>(text.size()))));
  }
};

}  // namespace

TEST_F(TransportTest, shouldServeReceivesOfATagInTheirOrderWhoeverAsks) {
  char first[8], second[8], other[8];
  auto* a = transport.receive(0, 1, first, 8);
  auto* b = transport.receive(0, 1, second, 8);
  auto* c = transport.receive(0, 2, other, 8);
  EXPECT_EQ(-1, transport.test(b));
  send(1, "one");
  EXPECT_EQ(-1, transport.test(b));
  EXPECT_EQ(-1, transport.test(c));
  send(1, "twelve");
  EXPECT_EQ(6, transport.test(b));
  EXPECT_EQ(3, transport.test(a));
  EXPECT_EQ("one", std::string(first, 3));
  EXPECT_EQ("twelve", std::string(second, 6));
  send(2, "");
  EXPECT_EQ(0, transport.test(c));
}

TEST_F(TransportTest, shouldWriteNothingOfAMessageThatIsLongerThanTheRoom) {
  char room[8] = "before!";
  auto* receive = transport.receive(0, 1, room, 3);
  send(1, "four");
  try {
    transport.test(receive);
    FAIL() << "received";
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ("the message is longer than the room: found 4 bytes, room for 3", e.what());
  }
  EXPECT_STREQ("before!", room);
  receive = transport.receive(0, 1, room, 3);
  send(1, "abc");
  EXPECT_EQ(3, transport.test(receive));
  EXPECT_STREQ("abcore!", room);
}

TEST_F(TransportTest, shouldTakeBackAReceiveThatNothingHasComeFor) {
  char first[8], second[8];
  auto* a = transport.receive(0, 1, first, 8);
  auto* b = transport.receive(0, 1, second, 8);
  EXPECT_TRUE(transport.cancel(a));
  send(1, "one");
  EXPECT_FALSE(transport.cancel(b));
  EXPECT_EQ(3, transport.test(b));
  EXPECT_EQ("one", std::string(second, 3));
}

TEST_F(TransportTest, shouldGatherTwice) {
  for (const std::string& text : {std::string("abc"), std::string()}) {
    transport.startGather({text.begin(), text.end()});
    EXPECT_TRUE(transport.testGather());
    EXPECT_EQ(std::vector<int>{static_cast<int>(text.size())}, transport.gatheredLengths());
    EXPECT_EQ(text, std::string(transport.gathered().begin(), transport.gathered().end()));
  }
}

// A rank that gathers still receives: the sender may wait for that before it gathers too.
TEST_F(TransportTest, shouldMatchWhileItGathers) {
  char room[8];
  auto* receive = transport.receive(0, 1, room, 8);
  auto* send = transport.send(0, 1, "one", 3);
  transport.startGather({});
  EXPECT_TRUE(transport.testGather());
  EXPECT_TRUE(receive->matched);
  EXPECT_EQ(3, transport.test(send));
  EXPECT_EQ(3, transport.test(receive));
}

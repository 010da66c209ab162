// SPDX-License-Identifier: Apache-2.0
#include "channel/ledger.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "channel/bytes.hpp"

using namespace cairn;

namespace {

constexpr uint64_t kWorld = 7;

PayloadRef bytes(const std::string& text) {
  auto payload = std::make_shared<Payload>(text.size());
  std::memcpy(payload->data.get(), text.data(), text.size());
  return payload;
}

std::string text(const PayloadRef& payload) { return std::string(payload->data.get(), payload->bytes); }

// Two ranks and the markers between them, without a network: the test says what arrives when.
struct Pair {
  Ledger sender{0};
  Ledger receiver{1};
  std::vector<Marker> toReceiver, toSender;

  Pair() {
    for (Ledger* ledger : {&sender, &receiver}) {
      ledger->communicator(kWorld, "MPI_COMM_WORLD", 2, ledger == &receiver, 0);
    }
  }

  void send(int tag) { sender.sent(kWorld, 1, tag); }
  Receive* post(int source, int tag) { return receiver.post(kWorld, source, tag); }
  void complete(Receive* receive, int tag, const std::string& payload) {
    if (receiver.completedSimply(receive, 0, tag)) return;  // tried first, as the shim does
    bool wanted = receiver.wants(receive, 0, tag);
    receiver.completed(receive, 0, tag, wanted ? bytes(payload) : nullptr);
  }
  void receive(int tag, const std::string& payload) { complete(post(0, tag), tag, payload); }
  void cutBoth(uint64_t epoch) {
    ASSERT_TRUE(sender.cut(epoch, 10, toReceiver));
    ASSERT_TRUE(receiver.cut(epoch, 10, toSender));
  }
  void exchange(uint64_t epoch) {
    for (const Marker& m : toReceiver) receiver.accept(0, epoch, m.bytes.data(), m.bytes.size());
    for (const Marker& m : toSender) sender.accept(1, epoch, m.bytes.data(), m.bytes.size());
    toReceiver.clear();
    toSender.clear();
    sender.markersClosed();
    receiver.markersClosed();
  }
  std::vector<Message> sealBoth() {
    EXPECT_EQ(0, sender.missing());
    EXPECT_EQ(0, receiver.missing());
    EXPECT_EQ(0u, sender.channelFingerprint() + receiver.channelFingerprint());
    EXPECT_EQ(0u, sender.collectiveFingerprint() + receiver.collectiveFingerprint());
    EXPECT_TRUE(sender.seal().empty());
    std::vector<Message> state = receiver.seal();
    EXPECT_EQ(0u, sender.channelFingerprint() + receiver.channelFingerprint());
    return state;
  }
  void commitBoth() {
    sender.commit();
    receiver.commit();
  }
};

}  // namespace

TEST(Ledger, shouldRecordALateMessageThatTheApplicationReceives) {
  Pair p;
  p.send(5);
  p.send(5);
  p.receive(5, "one");
  p.cutBoth(1);
  p.exchange(1);
  EXPECT_EQ(1, p.receiver.missing());
  p.receive(5, "two");
  auto state = p.sealBoth();
  ASSERT_EQ(1u, state.size());
  EXPECT_EQ("two", text(state[0].payload));
  EXPECT_EQ(1u, p.receiver.statistics().late);
}

TEST(Ledger, shouldLeaveOutWhatWasSentAfterTheCut) {
  Pair p;
  p.send(5);
  p.cutBoth(1);
  p.send(5);  // after the cut
  p.receive(5, "late");
  p.receive(5, "after");  // kept provisionally: the marker isn't here yet
  p.exchange(1);
  auto state = p.sealBoth();
  ASSERT_EQ(1u, state.size());
  EXPECT_EQ("late", text(state[0].payload));
}

TEST(Ledger, shouldForgetProvisionalMessagesOfAnUnmarkedChannel) {
  Pair p;
  p.cutBoth(1);
  p.send(3);
  p.receive(3, "after");
  EXPECT_TRUE(p.toReceiver.empty());  // no traffic, no marker
  p.exchange(1);
  EXPECT_TRUE(p.sealBoth().empty());
}

TEST(Ledger, shouldNameAnEarlyMessage) {
  Pair p;
  std::vector<Marker> markers;
  ASSERT_TRUE(p.sender.cut(1, 10, p.toReceiver));
  p.send(9);
  p.receive(9, "early");
  ASSERT_TRUE(p.receiver.cut(1, 10, p.toSender));
  p.exchange(1);
  std::string fault = p.receiver.fault();
  for (const char* part : {"early message", "rank 1", "rank 0", "MPI_COMM_WORLD", "tag 9", "safe point 10"}) {
    EXPECT_NE(std::string::npos, fault.find(part)) << part << " in: " << fault;
  }
  p.sender.abandon();
  p.receiver.abandon();
  EXPECT_EQ("", p.receiver.fault());
  // The base stayed: the next cut is consistent, and knows the message as received.
  p.cutBoth(2);
  p.exchange(2);
  EXPECT_TRUE(p.sealBoth().empty());
}

TEST(Ledger, shouldCarryAMessageOverSeveralCuts) {
  Pair p;
  p.send(5);
  for (uint64_t epoch = 1; epoch <= 3; epoch++) {
    p.cutBoth(epoch);
    p.exchange(epoch);
    if (epoch == 1) {
      EXPECT_EQ(1u, p.receiver.drainable().size());
      p.receiver.drained(kWorld, 0, 5, bytes("patient"));
    }
    auto state = p.sealBoth();
    ASSERT_EQ(1u, state.size()) << "epoch " << epoch;
    EXPECT_EQ("patient", text(state[0].payload));
    p.commitBoth();
  }
  const Queued* queued = p.receiver.find(kWorld, kAny, kAny);
  ASSERT_NE(nullptr, queued);
  Receive* receive = p.receiver.take(queued);
  p.receiver.completed(receive, 0, 5, nullptr);
  p.cutBoth(4);
  p.exchange(4);
  EXPECT_TRUE(p.sealBoth().empty());
  EXPECT_EQ(1u, p.receiver.statistics().drained);
  EXPECT_EQ(1u, p.receiver.statistics().replayed);
}

TEST(Ledger, shouldOrderByPostingNotByCompletion) {
  Pair p;
  p.send(5);
  p.send(5);
  Receive* first = p.post(kAny, 5);
  Receive* second = p.post(kAny, 5);
  p.cutBoth(1);
  p.send(5);  // after the cut, to a receive that is posted after the others
  Receive* third = p.post(kAny, 5);
  p.exchange(1);
  p.complete(third, 5, "three");
  EXPECT_GT(p.receiver.missing(), 0);
  p.complete(second, 5, "two");
  EXPECT_GT(p.receiver.missing(), 0) << "the first one may still be of this channel";
  p.complete(first, 5, "one");
  auto state = p.sealBoth();
  ASSERT_EQ(2u, state.size());
  EXPECT_EQ("one", text(state[0].payload));
  EXPECT_EQ("two", text(state[1].payload));
}

TEST(Ledger, shouldTellALateMessageThatWasOvertakenBeforeTheCut) {
  Pair p;
  p.send(5);
  p.send(5);
  Receive* first = p.post(0, 5);
  p.complete(p.post(0, 5), 5, "two");  // waited for ahead of the first
  p.cutBoth(1);
  p.exchange(1);
  EXPECT_EQ(1, p.receiver.missing());
  p.complete(first, 5, "one");
  auto state = p.sealBoth();
  ASSERT_EQ(1u, state.size());
  EXPECT_EQ("one", text(state[0].payload));
}

TEST(Ledger, shouldFindAnEarlyMessageBehindAnOvertakenOne) {
  Pair p;
  Receive* first = p.post(0, 5);
  Receive* second = p.post(0, 5);
  p.send(5);
  ASSERT_TRUE(p.sender.cut(1, 10, p.toReceiver));
  p.send(5);                     // after the sender's cut ...
  p.complete(second, 5, "two");  // ... and received before the receiver's: the counts alone are equal
  ASSERT_TRUE(p.receiver.cut(1, 10, p.toSender));
  p.exchange(1);
  EXPECT_GT(p.receiver.missing(), 0);
  p.complete(first, 5, "one");
  p.receiver.missing();
  EXPECT_NE(std::string::npos, p.receiver.fault().find("early message")) << p.receiver.fault();
}

TEST(Ledger, shouldNotDrainWhatAPendingReceiveCouldMatch) {
  Pair p;
  p.send(5);
  Receive* pending = p.post(kAny, kAny);
  p.cutBoth(1);
  p.exchange(1);
  EXPECT_TRUE(p.receiver.drainable().empty());
  EXPECT_TRUE(p.receiver.mayBeLate(pending));
  p.receiver.peeked(pending, 0, 5, bytes("peeked"));
  auto state = p.sealBoth();
  ASSERT_EQ(1u, state.size());
  EXPECT_EQ("peeked", text(state[0].payload));
  p.commitBoth();
  // Not received yet: late for the next cut as well.
  p.cutBoth(2);
  p.exchange(2);
  state = p.sealBoth();
  ASSERT_EQ(1u, state.size());
  p.receiver.completed(pending, 0, 5, nullptr);
  p.commitBoth();
  p.cutBoth(3);
  p.exchange(3);
  EXPECT_TRUE(p.sealBoth().empty());
}

TEST(Ledger, shouldLeaveSynchronousSendsOnTheNetwork) {
  Pair p;
  p.send(5);
  p.sender.synchronous(kWorld, 1, 6, 1);
  p.send(6);
  p.cutBoth(1);
  p.exchange(1);
  EXPECT_TRUE(p.receiver.drainable().empty());
  p.sender.abandon();
  p.receiver.abandon();
  p.sender.synchronous(kWorld, 1, 6, -1);
  p.cutBoth(2);
  p.exchange(2);
  EXPECT_EQ(1u, p.receiver.drainable().size());
}

// Its other messages can be fetched then: nobody has to receive them for the epoch.
TEST(Ledger, shouldDrainASourceAgainWhenItsSynchronousSendHasBeenReceived) {
  Pair p;
  p.send(5);
  p.sender.synchronous(kWorld, 1, 6, 1);
  p.send(6);
  p.cutBoth(1);
  p.exchange(1);
  EXPECT_TRUE(p.receiver.drainable().empty());
  p.receive(6, "synchronous");
  EXPECT_EQ(1u, p.receiver.drainable().size());
  EXPECT_EQ(1, p.receiver.missing());
}

TEST(Ledger, shouldRestoreWhatItEncoded) {
  Pair p;
  for (int i = 0; i < 3; i++) p.send(i);
  p.cutBoth(1);
  p.exchange(1);
  for (int i = 0; i < 3; i++) p.receiver.drained(kWorld, 0, i, bytes(std::string(static_cast<size_t>(i * 5), 'x')));
  std::vector<char> encoded = Ledger::encode(p.sealBoth());

  Pair again;
  ASSERT_EQ("", again.receiver.restore(encoded.data(), encoded.size()));
  again.cutBoth(2);  // before anything was received: the same channel state again
  again.exchange(2);
  EXPECT_EQ(encoded, Ledger::encode(again.sealBoth()));
  again.commitBoth();
  for (int i = 0; i < 3; i++) {
    const Queued* queued = again.receiver.find(kWorld, kAny, kAny);
    ASSERT_NE(nullptr, queued);
    EXPECT_EQ(i, queued->tag) << "in the order in which they were sent";
    EXPECT_EQ(static_cast<uint64_t>(i * 5), queued->payload->bytes);
    again.receiver.completed(again.receiver.take(queued), 0, i, nullptr);
  }
  EXPECT_TRUE(again.receiver.queueEmpty());
  again.cutBoth(3);
  again.exchange(3);
  EXPECT_TRUE(again.sealBoth().empty());
}

TEST(Ledger, shouldRefuseAChannelStateOfTheWrongLength) {
  Pair p;
  p.send(1);
  p.cutBoth(1);
  p.exchange(1);
  p.receiver.drained(kWorld, 0, 1, bytes("payload"));
  std::vector<char> good = Ledger::encode(p.sealBoth());
  for (size_t length = 0; length < good.size(); length++) {
    Ledger fresh(1);
    // An exact allocation, so that the address sanitizer sees a read beyond it.
    std::vector<char> cut(good.begin(), good.begin() + static_cast<long>(length));
    EXPECT_NE("", fresh.restore(cut.data(), cut.size())) << length;
    EXPECT_TRUE(fresh.queueEmpty());
  }
  Ledger fresh(1);
  std::vector<char> huge = good;
  uint64_t length = UINT64_MAX;
  std::memcpy(huge.data() + 8 + 16, &length, sizeof length);
  EXPECT_NE("", fresh.restore(huge.data(), huge.size()));
}

TEST(Ledger, shouldIgnoreMarkersOfAnAbandonedEpoch) {
  Pair p;
  p.send(5);
  ASSERT_TRUE(p.sender.cut(1, 10, p.toReceiver));
  p.receive(5, "one");
  p.sender.abandon();
  std::vector<Marker> stray;
  stray.swap(p.toReceiver);
  for (const Marker& m : stray) p.receiver.accept(0, 1, m.bytes.data(), m.bytes.size());
  p.cutBoth(2);
  for (const Marker& m : stray) p.receiver.accept(0, 1, m.bytes.data(), m.bytes.size());
  p.exchange(2);
  EXPECT_TRUE(p.sealBoth().empty());
}

TEST(Ledger, shouldTakeMarkersThatOutrunTheReceiversCut) {
  Pair p;
  p.send(5);
  ASSERT_TRUE(p.sender.cut(1, 10, p.toReceiver));
  for (const Marker& m : p.toReceiver) p.receiver.accept(0, 1, m.bytes.data(), m.bytes.size());
  p.toReceiver.clear();
  ASSERT_TRUE(p.receiver.cut(1, 10, p.toSender));
  p.exchange(1);
  EXPECT_EQ(1, p.receiver.missing());
}

TEST(Ledger, shouldNotCancelOutWrongCollectiveCounts) {
  // 5, 4, 6, 5 calls sum to what 5, 5, 5, 5 would.
  uint64_t sum = 0;
  for (int rank = 0; rank < 4; rank++) {
    Ledger ledger(rank);
    ledger.communicator(kWorld, "MPI_COMM_WORLD", 4, rank, 0);
    int calls[] = {5, 4, 6, 5};
    for (int i = 0; i < calls[rank]; i++) ledger.collective(kWorld, "MPI_Barrier");
    std::vector<Marker> markers;
    ASSERT_TRUE(ledger.cut(1, 1, markers));
    sum += ledger.collectiveFingerprint();
  }
  EXPECT_NE(0u, sum);
}

TEST(Ledger, shouldNotMindACommunicatorThatSomeMembersHaveCreatedAfterTheCut) {
  Pair p;
  std::vector<Marker> markers;
  ASSERT_TRUE(p.sender.cut(1, 1, markers));
  ASSERT_TRUE(p.receiver.cut(1, 1, markers));
  p.sender.communicator(kWorld + 1, "a communicator", 2, 0, 0);
  EXPECT_EQ(0u, p.sender.collectiveFingerprint() + p.receiver.collectiveFingerprint());
  p.sender.collective(kWorld + 1, "MPI_Barrier");
  EXPECT_EQ(0u, p.sender.collectiveFingerprint() + p.receiver.collectiveFingerprint());
}

TEST(Ledger, shouldSeeThatOnlySomeMembersHaveCalledACollective) {
  for (int caller : {0, 1}) {
    Pair p;
    (caller == 0 ? p.sender : p.receiver).collective(kWorld, "MPI_Barrier");
    std::vector<Marker> markers;
    ASSERT_TRUE(p.sender.cut(1, 1, markers));
    ASSERT_TRUE(p.receiver.cut(1, 1, markers));
    EXPECT_NE(0u, p.sender.collectiveFingerprint() + p.receiver.collectiveFingerprint());
  }
}

TEST(Ledger, shouldCountCollectivesFromTheBase) {
  Pair p;
  auto callBoth = [&](const char* call) {
    p.sender.collective(kWorld, call);
    p.receiver.collective(kWorld, call);
  };
  callBoth("MPI_Barrier");
  callBoth("MPI_Barrier");
  p.cutBoth(1);
  EXPECT_EQ(2, p.sender.communicators().at(kWorld).atCut);
  callBoth("MPI_Bcast");  // after the cut: counts for the next one
  p.exchange(1);
  EXPECT_TRUE(p.sealBoth().empty());
  p.commitBoth();
  p.sender.collective(kWorld, "MPI_Barrier");
  p.cutBoth(2);
  EXPECT_EQ(2, p.sender.communicators().at(kWorld).atCut);
  EXPECT_EQ(1, p.receiver.communicators().at(kWorld).atCut);
  EXPECT_NE(0u, p.sender.collectiveFingerprint() + p.receiver.collectiveFingerprint());
}

TEST(Ledger, shouldRefuseACutByName) {
  Ledger ledger(0);
  ledger.veto("MPI_Iallreduce is pending");
  ledger.veto("MPI_Iallreduce is pending");
  std::vector<Marker> markers;
  EXPECT_FALSE(ledger.cut(1, 1, markers));
  EXPECT_EQ("MPI_Iallreduce is pending", ledger.refusal());
  ledger.unveto("MPI_Iallreduce is pending");
  EXPECT_FALSE(ledger.cut(1, 1, markers));
  ledger.unveto("MPI_Iallreduce is pending");
  EXPECT_TRUE(ledger.cut(1, 1, markers));
}

TEST(Ledger, shouldFailWhenTheChannelStateExceedsItsLimit) {
  Pair p;
  p.receiver.limit(10);
  for (int i = 0; i < 3; i++) p.send(1);
  p.cutBoth(1);
  p.exchange(1);
  p.receive(1, "12345");
  EXPECT_EQ("", p.receiver.fault());
  p.receive(1, "123456");
  EXPECT_NE(std::string::npos, p.receiver.fault().find("cairn.channel.limit")) << p.receiver.fault();
}

TEST(Ledger, shouldForgetSettledChannels) {
  Pair p;
  for (uint64_t epoch = 1; epoch <= 20; epoch++) {
    for (int tag = 0; tag < 500; tag++) {
      p.send(static_cast<int>(epoch) * 1000 + tag);
      p.receive(static_cast<int>(epoch) * 1000 + tag, "");
    }
    p.cutBoth(epoch);
    p.exchange(epoch);
    EXPECT_TRUE(p.sealBoth().empty());
    p.commitBoth();
    EXPECT_EQ(0u, p.sender.channels());
    EXPECT_EQ(0u, p.receiver.channels());
  }
}

TEST(Ledger, shouldFailWhenACommunicatorIsFreedOverUnreceivedMessages) {
  Pair p;
  for (Ledger* ledger : {&p.sender, &p.receiver}) {
    ledger->communicator(11, "communicator 1 of ranks 0,1", 2, ledger == &p.receiver, 0);
  }
  p.sender.sent(11, 1, 1);
  p.cutBoth(1);
  p.exchange(1);
  p.receiver.drained(11, 0, 1, bytes("left"));
  p.receiver.communicatorFreed(11);
  EXPECT_NE(std::string::npos, p.receiver.fault().find("communicator 1 of ranks 0,1")) << p.receiver.fault();
  EXPECT_TRUE(p.receiver.queueEmpty());
  p.sender.abandon();
  p.receiver.abandon();
  // It is gone, and later epochs don't look for it.
  p.cutBoth(2);
  p.exchange(2);
  EXPECT_TRUE(p.sealBoth().empty());
}

TEST(Ledger, shouldNameACommunicatorThatWasFreedOverMessagesOnTheNetwork) {
  Pair p;
  p.receiver.communicator(11, "communicator 1 of ranks 0,1", 2, 1, 0);
  p.sender.sent(11, 1, 3);
  p.receiver.communicatorFreed(11);
  p.cutBoth(1);
  p.exchange(1);
  EXPECT_EQ(1, p.receiver.missing());
  EXPECT_NE(std::string::npos, p.receiver.fault().find("rank 1 freed communicator 1 of ranks 0,1 before it received 1 "
                                                       "messages from rank 0, tag 3"))
      << p.receiver.fault();
}

TEST(Ledger, shouldWaitForAReceiveThatOutlivesItsCommunicator) {
  Pair p;
  p.receiver.communicator(11, "communicator 1 of ranks 0,1", 2, 1, 0);
  p.sender.sent(11, 1, 3);
  Receive* pending = p.receiver.post(11, 0, 3);
  p.receiver.communicatorFreed(11);
  p.cutBoth(1);
  p.exchange(1);
  EXPECT_EQ(1, p.receiver.missing());
  EXPECT_EQ("", p.receiver.fault());
  p.receiver.completed(pending, 0, 3, bytes("late"));
  EXPECT_EQ(0, p.receiver.missing());
}

TEST(Ledger, shouldGiveRestoredMessagesToTheCommunicatorThatIsCreatedAgain) {
  constexpr uint64_t key = 99;
  auto create = [](Pair& p, uint64_t n) {
    for (Ledger* ledger : {&p.sender, &p.receiver}) {
      ledger->communicator(communicatorId(key, n), "n-th", 2, ledger == &p.receiver, 0, key, n);
    }
    return communicatorId(key, n);
  };
  // One is created in each step and freed in the next; the cut finds the third and the fifth.
  Pair p;
  for (uint64_t n = 0; n < 5; n++) create(p, n);
  for (uint64_t n : {0, 1, 3}) {
    p.sender.communicatorFreed(communicatorId(key, n));
    p.receiver.communicatorFreed(communicatorId(key, n));
  }
  for (uint64_t n : {2, 4}) p.sender.sent(communicatorId(key, n), 1, 7);
  p.cutBoth(1);
  p.exchange(1);
  p.receiver.drained(communicatorId(key, 4), 0, 7, bytes("of the fifth"));
  p.receiver.drained(communicatorId(key, 2), 0, 7, bytes("of the third"));
  std::vector<char> encoded = Ledger::encode(p.sealBoth());

  Pair again;
  // Before the restore: one that was freed at once, then the older one.
  create(again, 0);
  again.sender.communicatorFreed(communicatorId(key, 0));
  again.receiver.communicatorFreed(communicatorId(key, 0));
  uint64_t older = create(again, 1);
  ASSERT_EQ("", again.receiver.restore(encoded.data(), encoded.size()));
  EXPECT_EQ(2u, again.receiver.statistics().queued);
  EXPECT_EQ(nullptr, again.receiver.find(communicatorId(key, 0), kAny, kAny));
  ASSERT_NE(nullptr, again.receiver.find(older, kAny, kAny));
  EXPECT_EQ("of the third", text(again.receiver.find(older, kAny, kAny)->payload));
  // The other one's isn't there yet, so there is nothing to cut.
  std::vector<Marker> markers;
  EXPECT_FALSE(again.receiver.cut(2, 20, markers));
  EXPECT_NE(std::string::npos, again.receiver.refusal().find("not created again")) << again.receiver.refusal();
  uint64_t younger = create(again, 2);
  ASSERT_NE(nullptr, again.receiver.find(younger, kAny, kAny));
  EXPECT_EQ("of the fifth", text(again.receiver.find(younger, kAny, kAny)->payload));
  again.cutBoth(3);
  again.exchange(3);
  EXPECT_EQ(encoded, Ledger::encode(again.sealBoth()));
}

TEST(Ledger, shouldRefuseMoreCommunicatorsThanWereAliveAtTheCut) {
  constexpr uint64_t key = 99, other = 98;
  auto create = [](Ledger& ledger, uint64_t like, uint64_t n) {
    ledger.communicator(communicatorId(like, n), "number " + std::to_string(n + 1), 2, 1, 0, like, n);
  };
  // The second of three is freed.
  Pair p;
  for (uint64_t n = 0; n < 3; n++) create(p.receiver, key, n);
  p.receiver.communicatorFreed(communicatorId(key, 1));
  p.cutBoth(1);
  p.exchange(1);
  p.sealBoth();
  std::vector<char> counts = p.receiver.counts();

  Pair again;
  create(again.receiver, key, 0);
  EXPECT_EQ("", again.receiver.surplus(counts.data(), counts.size())) << "the other one may follow";
  create(again.receiver, key, 1);
  create(again.receiver, other, 0);
  EXPECT_EQ("", again.receiver.surplus(counts.data(), counts.size())) << "nothing was like the last one";
  create(again.receiver, key, 2);
  std::string wrong = again.receiver.surplus(counts.data(), counts.size());
  EXPECT_NE(std::string::npos, wrong.find("number 3 was made before restore()")) << wrong;
  EXPECT_NE(std::string::npos, wrong.find("only 2 were alive at the cut")) << wrong;
  again.receiver.communicatorFreed(communicatorId(key, 1));
  EXPECT_EQ("", again.receiver.surplus(counts.data(), counts.size())) << "freed again, as in the first run";

  for (size_t length = 0; length < counts.size(); length++) {
    std::vector<char> cut(counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_NE("", again.receiver.surplus(cut.data(), cut.size())) << length;
  }
}

// One that was made without blocking may be known on a rank only after younger ones.
TEST(Ledger, shouldNameCommunicatorsInTheOrderOfTheirCallsNotOfTheirCompletion) {
  constexpr uint64_t key = 99;
  Pair p;
  for (uint64_t n : {0, 1}) p.sender.communicator(communicatorId(key, n), "n-th", 2, 0, 0, key, n);
  for (uint64_t n : {1, 0}) p.receiver.communicator(communicatorId(key, n), "n-th", 2, 1, 0, key, n);
  p.sender.sent(communicatorId(key, 1), 1, 7);
  p.cutBoth(1);
  p.exchange(1);
  p.receiver.drained(communicatorId(key, 1), 0, 7, bytes("of the second"));
  std::vector<Message> state = p.sealBoth();
  ASSERT_EQ(1u, state.size());
  EXPECT_EQ(communicatorId(key, 1), state[0].communicator);
}

int64_t exactly(Arriving next) { return next.exact ? next.number : -1; }

// Sender and receiver number the messages of a channel alike, over commits and restores.
TEST(Ledger, shouldNumberMessagesAlikeAtBothEnds) {
  Pair p;
  p.sender.number();
  p.receiver.number();
  int64_t number = 0;
  auto sendNumbered = [&](Pair& pair) {
    EXPECT_EQ(number, pair.sender.nextSent(kWorld, 1, 5));
    pair.send(5);
    number++;
  };
  for (uint64_t epoch = 1; epoch <= 3; epoch++) {
    sendNumbered(p);
    p.receive(5, "received");
    sendNumbered(p);  // crosses the cut
    sendNumbered(p);  // so does this
    EXPECT_EQ(number - 2, exactly(p.receiver.nextArriving(kWorld, 0, 5)));
    p.cutBoth(epoch);
    p.exchange(epoch);
    p.receiver.drained(kWorld, 0, 5, bytes("first"));
    EXPECT_EQ(number - 1, exactly(p.receiver.nextArriving(kWorld, 0, 5)));
    Receive* pending = p.post(kAny, kAny);
    EXPECT_FALSE(p.receiver.nextArriving(kWorld, 0, 5).exact) << "the receive may hold a message of the channel";
    EXPECT_EQ(number - 1, p.receiver.nextArriving(kWorld, 0, 5).number) << "at least";
    EXPECT_FALSE(p.receiver.nextArriving(kWorld, 0, 6).exact);
    p.receiver.peeked(pending, 0, 5, bytes("second"));
    EXPECT_EQ(number, exactly(p.receiver.nextArriving(kWorld, 0, 5)));
    EXPECT_EQ(2u, p.sealBoth().size());
    p.commitBoth();
    EXPECT_EQ(number, exactly(p.receiver.nextArriving(kWorld, 0, 5)));
    Receive* queued = p.receiver.take(p.receiver.find(kWorld, 0, 5));
    EXPECT_EQ(number, exactly(p.receiver.nextArriving(kWorld, 0, 5)));
    p.receiver.completed(queued, 0, 5, nullptr);
    p.receiver.completed(pending, 0, 5, nullptr);
    EXPECT_EQ(number, exactly(p.receiver.nextArriving(kWorld, 0, 5)));
  }
  EXPECT_EQ(number, p.sender.nextSent(kWorld, 1, 5));
  EXPECT_EQ(0, exactly(p.receiver.nextArriving(kWorld, 0, 6)));
  EXPECT_EQ(0, exactly(p.receiver.nextArriving(8, 0, 5)));

  p.send(5);
  p.cutBoth(4);
  p.exchange(4);
  p.receiver.drained(kWorld, 0, 5, bytes("kept"));
  std::vector<char> encoded = Ledger::encode(p.sealBoth());
  Pair again;
  again.receiver.number();
  ASSERT_EQ("", again.receiver.restore(encoded.data(), encoded.size()));
  EXPECT_EQ(0, again.sender.nextSent(kWorld, 1, 5));
  EXPECT_EQ(0, exactly(again.receiver.nextArriving(kWorld, 0, 5))) << "a restored message is on no network";
  again.receiver.completed(again.receiver.take(again.receiver.find(kWorld, 0, 5)), 0, 5, nullptr);
  EXPECT_EQ(0, exactly(again.receiver.nextArriving(kWorld, 0, 5)));
}

TEST(Ledger, shouldTotalOverCommitsAndRestores) {
  Pair p;
  for (uint64_t epoch = 1; epoch <= 3; epoch++) {
    p.send(1);
    p.receive(1, "");
    p.send(2);
    for (Ledger* ledger : {&p.sender, &p.receiver}) ledger->collective(kWorld, "MPI_Barrier");
    p.cutBoth(epoch);
    p.exchange(epoch);
    p.receive(2, "late");
    EXPECT_EQ(1u, p.sealBoth().size());
    p.commitBoth();
    EXPECT_EQ(2 * epoch, p.sender.totals().sent);
    EXPECT_EQ(2 * epoch, p.receiver.totals().received);
    EXPECT_EQ(epoch, p.receiver.totals().collectives);
  }
  p.send(3);
  p.cutBoth(4);
  p.exchange(4);
  p.receiver.drained(kWorld, 0, 3, bytes("kept"));
  std::vector<char> encoded = Ledger::encode(p.sealBoth());
  Ledger again(1);
  again.communicator(kWorld, "MPI_COMM_WORLD", 2, 1, 0);
  ASSERT_EQ("", again.restore(encoded.data(), encoded.size()));
  EXPECT_EQ(0u, again.totals().received);
  again.completed(again.take(again.find(kWorld, 0, 3)), 0, 3, nullptr);
  EXPECT_EQ(1u, again.totals().received);
}

// Drained in no epoch, a message is no part of a channel state, whatever its length.
TEST(Ledger, shouldNotHoldTheLimitAgainstWhatWasDrainedInNoEpoch) {
  Pair p;
  p.receiver.limit(100);
  for (int i = 0; i < 3; i++) {
    p.send(1);
    p.receiver.drained(kWorld, 0, 1, bytes(std::string(80, 'x')));
    p.receiver.completed(p.receiver.take(p.receiver.find(kWorld, 0, 1)), 0, 1, nullptr);
  }
  p.send(1);
  p.cutBoth(1);
  p.exchange(1);
  p.receive(1, std::string(80, 'y'));
  EXPECT_EQ("", p.receiver.fault());
  EXPECT_EQ(1u, p.sealBoth().size());
}

TEST(Ledger, shouldTellPeopleWhatItKeeps) {
  Pair p;
  p.send(4);
  p.sender.synchronous(kWorld, 1, 4, 1);
  p.sender.collective(kWorld, "MPI_Bcast");
  p.sender.drained(kWorld, 1, 9, bytes("abc"));
  p.sender.post(kWorld, kAny, 3);
  p.sender.veto("MPI_Ibarrier is pending");
  std::string dump = p.sender.dump();
  for (const char* line :
       {"rank 0: 1 sent, 0 received, 1 collectives, 1 drained, 0 replayed, 0 late, 0 bare cuts\n",
        "MPI_COMM_WORLD: rank 0 of 2, 1 collectives since the base, the last MPI_Bcast\n",
        "to 1, tag 4, MPI_COMM_WORLD: 1 sent since the base, 1 synchronous ones pending\n",
        "queued: from 1, tag 9, MPI_COMM_WORLD: 3 bytes\n", "pending receive: from any, tag 3, MPI_COMM_WORLD\n",
        "no epoch now: MPI_Ibarrier is pending\n"}) {
    EXPECT_NE(std::string::npos, dump.find(line)) << "no line '" << line << "' in:\n" << dump;
  }
}

TEST(Ledger, shouldKeepItsBooksUnderThreads) {
  Ledger ledger(0);
  ledger.communicator(kWorld, "MPI_COMM_WORLD", 1, 0, 0);
  auto work = [&](int tag) {
    for (int i = 0; i < 5000; i++) {
      std::lock_guard<Lock> guard(ledger.lock);
      ledger.sent(kWorld, 0, tag);
      ledger.completed(ledger.post(kWorld, 0, tag), 0, tag, nullptr);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) threads.emplace_back(work, i);
  for (auto& thread : threads) thread.join();
  std::vector<Marker> markers;
  ASSERT_TRUE(ledger.cut(1, 1, markers));
  ASSERT_EQ(1u, markers.size());
  ledger.accept(0, 1, markers[0].bytes.data(), markers[0].bytes.size());
  ledger.markersClosed();
  EXPECT_EQ(0, ledger.missing());
  EXPECT_EQ(0u, ledger.channelFingerprint());
}

// --- bare cuts -------------------------------------------------------------------------------------------------------

namespace {

// Nobody stops for a bare cut: `meanwhile` is what the application does between its begin and its end.
template <class Meanwhile>
void moveBase(Pair& p, Meanwhile meanwhile) {
  p.sender.bareCut(p.toReceiver);
  meanwhile();
  p.receiver.bareCut(p.toSender);
  for (const Marker& m : p.toReceiver) p.receiver.acceptBare(0, m.bytes.data(), m.bytes.size());
  for (const Marker& m : p.toSender) p.sender.acceptBare(1, m.bytes.data(), m.bytes.size());
  p.toReceiver.clear();
  p.toSender.clear();
  EXPECT_EQ(0u, p.sender.channelFingerprint() + p.receiver.channelFingerprint());
  p.commitBoth();
}

}  // namespace

TEST(Ledger, shouldStaySmallWithATagForEachMessage) {
  Pair p;
  for (int tag = 0; tag < 100000; tag++) {
    p.send(tag);
    p.receive(tag, "x");
    if (tag % 1000 == 999) moveBase(p, [] {});
    ASSERT_GE(1000u, p.sender.channels());
    ASSERT_GE(1000u, p.receiver.channels());
  }
  EXPECT_EQ(0u, p.sender.channels() + p.receiver.channels());
  EXPECT_EQ(100u, p.sender.statistics().bareCuts);
  EXPECT_EQ(100000u, p.sender.totals().sent);
  EXPECT_EQ(100000u, p.receiver.totals().received);
}

// What is on its way when the base moves is late at the next cut, no less and no more.
TEST(Ledger, shouldKnowLateMessagesFromBeforeABareCut) {
  Pair p;
  p.send(1);
  p.send(2);
  p.send(2);
  p.receive(2, "first of 2");
  moveBase(p, [&] {
    p.send(2);  // after its sender began
    p.send(3);
    p.receive(3, "received before the receiver began");
  });
  EXPECT_EQ(2u, p.sender.channels());  // 2 and 3: sent after the base
  moveBase(p, [] {});
  EXPECT_EQ(0u, p.sender.channels());
  EXPECT_EQ(2u, p.receiver.channels());  // 1 and 2: still to come
  p.cutBoth(1);
  p.exchange(1);
  EXPECT_EQ(3, p.receiver.missing());
  p.receive(2, "second of 2");
  p.receive(1, "the one of 1");
  p.receive(2, "third of 2");
  auto state = p.sealBoth();
  ASSERT_EQ(3u, state.size());
  EXPECT_EQ("second of 2", text(state[0].payload));
  EXPECT_EQ("the one of 1", text(state[1].payload));
  EXPECT_EQ("third of 2", text(state[2].payload));
  p.commitBoth();
  EXPECT_EQ(0u, p.sender.channels() + p.receiver.channels());
}

TEST(Ledger, shouldNameAnEarlyMessageAfterABareCut) {
  Pair p;
  p.send(9);
  moveBase(p, [] {});
  p.receive(9, "of the old base");
  ASSERT_TRUE(p.sender.cut(1, 10, p.toReceiver));
  p.send(9);
  p.receive(9, "early");
  ASSERT_TRUE(p.receiver.cut(1, 10, p.toSender));
  p.exchange(1);
  EXPECT_NE(std::string::npos, p.receiver.fault().find("early message")) << p.receiver.fault();
}

// A message that was drained, or came with an image, is received when the application has it.
TEST(Ledger, shouldKeepItsQueueOverABareCut) {
  Pair p;
  p.send(4);
  p.receiver.drained(kWorld, 0, 4, bytes("drained"));
  moveBase(p, [] {});
  EXPECT_EQ(1u, p.receiver.statistics().queued);
  p.cutBoth(1);
  p.exchange(1);
  auto state = p.sealBoth();
  ASSERT_EQ(1u, state.size());
  EXPECT_EQ("drained", text(state[0].payload));
  std::vector<char> image = Ledger::encode(state);
  p.commitBoth();

  Pair again;
  EXPECT_EQ("", again.receiver.restore(image.data(), image.size()));
  moveBase(again, [] {});
  again.receiver.completed(again.receiver.take(again.receiver.find(kWorld, 0, 4)), 0, 4, nullptr);
  EXPECT_EQ(0u, again.sender.channels());
  moveBase(again, [] {});
  EXPECT_EQ(0u, again.receiver.channels());
}

// The channel has nothing outstanding, but an older receive is pending that may hold a message of it: at the next cut
// its place must be known.
TEST(Ledger, shouldKeepTheHoleRuleOverABareCut) {
  Pair p;
  Receive* older = p.post(kAny, kAny);
  p.send(5);
  p.send(5);
  p.receive(5, "matched by the younger receive, says its envelope");
  moveBase(p, [] {});
  p.cutBoth(1);
  p.exchange(1);
  EXPECT_NE(0, p.receiver.missing());
  p.complete(older, 5, "older");
  auto state = p.sealBoth();
  ASSERT_EQ(1u, state.size());
  EXPECT_EQ("older", text(state[0].payload));
}

TEST(Ledger, shouldLeaveTheBaseWhereItIsWhenABareCutIsAbandoned) {
  Pair p;
  p.send(5);
  p.send(6);
  p.receive(6, "x");
  p.sender.bareCut(p.toReceiver);
  p.receiver.bareCut(p.toSender);
  p.receiver.acceptBare(0, p.toReceiver[0].bytes.data(), p.toReceiver[0].bytes.size() - 1);
  EXPECT_NE(std::string::npos, p.receiver.fault().find("malformed")) << p.receiver.fault();
  p.sender.abandon();
  p.receiver.abandon();
  p.toReceiver.clear();
  EXPECT_EQ("", p.receiver.fault());
  EXPECT_EQ(0u, p.receiver.statistics().bareCuts);
  p.cutBoth(1);
  p.exchange(1);
  p.receive(5, "late");
  EXPECT_EQ(1u, p.sealBoth().size());
}

// The pulse compares what both ends are about to subtract.
TEST(Ledger, shouldNotMoveTheBaseOnWordsThatDiffer) {
  Pair p;
  p.send(5);
  p.sender.bareCut(p.toReceiver);
  p.receiver.bareCut(p.toSender);
  EXPECT_NE(0u, p.sender.channelFingerprint() + p.receiver.channelFingerprint());
}

// An epoch may be abandoned before all ranks have cut: they know different last epochs.
TEST(Ledger, shouldCompareBareCutsOfRanksThatWereCutInDifferentEpochs) {
  Pair p;
  p.send(5);
  ASSERT_TRUE(p.sender.cut(3, 10, p.toReceiver));
  p.toReceiver.clear();
  p.sender.abandon();
  moveBase(p, [] {});  // compares
}

TEST(Ledger, shouldCountCollectivesFromTheLastEpochNotFromABareCut) {
  Pair p;
  p.sender.collective(kWorld, "MPI_Bcast");
  p.receiver.collective(kWorld, "MPI_Bcast");
  p.cutBoth(1);
  p.exchange(1);
  p.sealBoth();
  p.commitBoth();
  p.sender.collective(kWorld, "MPI_Bcast");
  moveBase(p, [] {});
  EXPECT_EQ(2u, p.sender.totals().collectives);
  p.receiver.collective(kWorld, "MPI_Bcast");
  p.cutBoth(2);
  EXPECT_EQ(1, p.sender.communicators().at(kWorld).atCut);
  EXPECT_EQ(0u, p.sender.collectiveFingerprint() + p.receiver.collectiveFingerprint());
}

TEST(Ledger, shouldNumberMessagesAlikeOverABareCut) {
  Pair p;
  p.sender.number();
  p.receiver.number();
  p.send(5);
  p.send(5);
  p.receive(5, "first");
  moveBase(p, [&] { p.send(5); });
  EXPECT_EQ(3, p.sender.nextSent(kWorld, 1, 5));
  EXPECT_EQ(1, p.receiver.nextArriving(kWorld, 0, 5).number);
  p.receive(5, "second");
  EXPECT_EQ(2, p.receiver.nextArriving(kWorld, 0, 5).number);
}

// A synchronous send that hasn't completed is told in the next marker too.
TEST(Ledger, shouldRememberSynchronousSendsOverABareCut) {
  Pair p;
  p.send(5);
  p.sender.synchronous(kWorld, 1, 5, 1);
  moveBase(p, [] {});
  p.cutBoth(1);
  p.exchange(1);
  EXPECT_EQ(1, p.receiver.missing());
  EXPECT_TRUE(p.receiver.drainable().empty());
}

// SPDX-License-Identifier: Apache-2.0
// Threads in the shim's wrappers, and an agent that cuts, drains and commits as fast as it can; for the sanitizers.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "shim/shim.hpp"

using namespace cairn;

extern void (*beforeIprobe)();  // fake_mpi.cpp

namespace {

constexpr int kThreads = 4;
constexpr int kSteps = 600;        // at least, and until the agent has committed
constexpr int kCommits = 12;       // so many epochs,
constexpr int kMostSteps = 60'000;  // but no longer
constexpr int kForms = 8;
constexpr int kBehind = 5;  // steps that a message waits for its receive
constexpr int kNever = 1000;

// Lets all threads through when all have come.
class Meeting {
 public:
  void wait() {
    std::unique_lock<std::mutex> guard(mutex_);
    long turn = turn_;
    if (++here_ == kThreads) {
      here_ = 0;
      turn_++;
      all_.notify_all();
    }
    all_.wait(guard, [&] { return turn_ != turn; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_;
  int here_ = 0;
  long turn_ = 0;
};

int64_t content(int thread, int step, int form) { return (thread * 100'000L + step) * 10 + form; }
int tagOf(int thread, int form) { return thread * kForms + form; }

class Stress {
 public:
  Stress() {
    for (MPI_Comm& comm : own_) MPI_Comm_dup(MPI_COMM_WORLD, &comm);
  }

  void run() {
    std::thread agent([this] { settleEpochs(); });
    std::vector<std::thread> others;
    for (int t = 1; t < kThreads; t++) others.emplace_back([this, t] { work(t); });
    work(0);
    for (std::thread& other : others) other.join();
    ended_ = true;
    agent.join();
    for (MPI_Comm& comm : own_) MPI_Comm_free(&comm);
  }

  long committed() const { return epoch_; }
  int steps() const { return steps_; }

 private:
  void work(int thread) {
    for (int step = 0; step < steps_ + kBehind; step++) {
      if (step < steps_) send(thread, step);
      if (step >= kBehind) receive(thread, step - kBehind);
      meeting_.wait();
      if (thread == 0) safePoint(step + 1);  // the others are outside MPI
      meeting_.wait();
    }
  }

  MPI_Comm commOf(int thread, int form) { return form % 2 ? own_[thread] : MPI_COMM_WORLD; }

  void send(int thread, int step) {
    for (int form = 0; form < kForms; form++) {
      int64_t value = content(thread, step, form);
      if (form < kForms / 2) {
        MPI_Send(&value, 1, MPI_INT64_T, 0, tagOf(thread, form), commOf(thread, form));
      } else {
        MPI_Request request;
        MPI_Isend(&value, 1, MPI_INT64_T, 0, tagOf(thread, form), commOf(thread, form), &request);
        MPI_Wait(&request, MPI_STATUS_IGNORE);
      }
    }
  }

  void receive(int thread, int step) {
    for (int form = 0; form < kForms; form++) {
      int64_t value = -1;
      MPI_Status status{};
      MPI_Comm comm = commOf(thread, form);
      int tag = tagOf(thread, form);
      take(form, &value, thread, tag, comm, &status);
      EXPECT_EQ(content(thread, step, form), value) << "form " << form;
      EXPECT_EQ(tag, status.MPI_TAG) << "form " << form;
      EXPECT_EQ(0, status.MPI_SOURCE) << "form " << form;
    }
  }

  void take(int form, int64_t* value, int thread, int tag, MPI_Comm comm, MPI_Status* status) {
    MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
    MPI_Message message;
    int done = 0;
    switch (form) {
      case 0: MPI_Recv(value, 1, MPI_INT64_T, 0, tag, comm, status); break;
      case 1:
        MPI_Irecv(value, 1, MPI_INT64_T, MPI_ANY_SOURCE, tag, comm, requests);
        MPI_Wait(requests, status);
        break;
      case 2:
        MPI_Irecv(value, 1, MPI_INT64_T, 0, tag, comm, requests);
        while (!done) MPI_Test(requests, &done, status);
        break;
      case 3:
        MPI_Probe(0, tag, comm, status);
        MPI_Irecv(value, 1, MPI_INT64_T, status->MPI_SOURCE, status->MPI_TAG, comm, &requests[1]);
        MPI_Waitany(2, requests, &done, status);
        break;
      case 4:
        MPI_Mprobe(0, tag, comm, &message, MPI_STATUS_IGNORE);
        MPI_Mrecv(value, 1, MPI_INT64_T, &message, status);
        break;
      case 5: {
        MPI_Status both[2] = {};
        MPI_Irecv(value, 1, MPI_INT64_T, 0, tag, comm, requests);
        MPI_Irecv(nullptr, 0, MPI_BYTE, 0, kNever + thread, comm, &requests[1]);
        MPI_Cancel(&requests[1]);
        MPI_Waitall(2, requests, both);
        EXPECT_TRUE(both[1]._cancelled);
        *status = both[0];
        break;
      }
      case 6:
        MPI_Recv_init(value, 1, MPI_INT64_T, 0, tag, comm, requests);
        MPI_Start(requests);
        MPI_Wait(requests, status);
        MPI_Request_free(requests);
        break;
      default:
        MPI_Irecv(value, 1, MPI_INT64_T, 0, tag, comm, requests);
        while (!done) MPI_Request_get_status(*requests, &done, status);
        MPI_Wait(requests, MPI_STATUS_IGNORE);
    }
  }

  void safePoint(int done) {
    if (pending_.load(std::memory_order_acquire)) return;
    Ledger& ledger = *shim().ledger;
    ledger.beforeCut();
    Guard guard(ledger.lock);
    bool enough = epoch_ >= kCommits && ledger.statistics().late > 0 && ledger.statistics().drained > 0;
    if (done >= kSteps && enough) steps_ = std::min(steps_, done);
    bool cut = ledger.cut(static_cast<uint64_t>(epoch_ + 1), ++safePoint_, markers_);
    ASSERT_TRUE(cut) << ledger.refusal();
    pending_.store(true, std::memory_order_release);
  }

  // The agent's thread: takes each cut to its commit.
  void settleEpochs() {
    while (!ended_ || pending_) {
      if (!pending_.load(std::memory_order_acquire)) {
        std::this_thread::yield();
        continue;
      }
      Ledger& ledger = *shim().ledger;
      {
        Guard guard(ledger.lock);
        for (const Marker& marker : markers_) {
          ledger.accept(0, static_cast<uint64_t>(epoch_ + 1), marker.bytes.data(), marker.bytes.size());
        }
        markers_.clear();
        ledger.markersClosed();
      }
      for (bool whole = false; !whole;) {
        drain();
        Guard guard(ledger.lock);
        whole = ledger.missing() == 0;
        ASSERT_EQ("", ledger.fault());
      }
      Guard guard(ledger.lock);
      ledger.seal();
      ASSERT_EQ(0u, ledger.channelFingerprint());
      ASSERT_EQ(0u, ledger.collectiveFingerprint());
      ledger.commit();
      epoch_++;
      pending_.store(false, std::memory_order_release);
    }
  }

  MPI_Comm own_[kThreads];
  Meeting meeting_;
  int steps_ = kMostSteps;  // changes while all threads meet
  int64_t safePoint_ = 0;
  std::atomic<bool> ended_{false};
  std::atomic<bool> pending_{false};  // a cut isn't settled; hands the following to and fro
  long epoch_ = 0;
  std::vector<Marker> markers_;
};

}  // namespace

class ShimTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    int provided = 0;
    ASSERT_EQ(MPI_SUCCESS, MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided));
  }
  static void TearDownTestSuite() { EXPECT_EQ(MPI_SUCCESS, MPI_Finalize()); }
};

// The agent drains just when a probe has looked into the queue and hasn't asked MPI yet.
TEST_F(ShimTest, shouldNotProbeForAYoungerMessageWhileAnOlderOneIsDrained) {
  static std::thread agent;
  static std::atomic<bool> drained;
  MPI_Comm comm;
  MPI_Comm_dup(MPI_COMM_WORLD, &comm);
  int64_t older[2] = {1, 1}, younger = 2, got[2];
  MPI_Send(older, 16, MPI_BYTE, 0, 7, comm);
  MPI_Send(&younger, 8, MPI_BYTE, 0, 7, comm);
  drained = false;
  static CommInfo* info;
  {
    Guard guard(shim().ledger->lock);
    info = shim().find(comm);
  }
  beforeIprobe = [] {
    beforeIprobe = nullptr;
    agent = std::thread([] {
      Guard guard(shim().ledger->lock);
      drained = drainOne(info, 0, MPI_ANY_TAG);
    });
    // It can't get the lock, but there is nothing else to see that by.
    for (int i = 0; i < 100 && !drained; i++) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  };
  int flag = 0;
  MPI_Status status;
  EXPECT_EQ(MPI_SUCCESS, MPI_Iprobe(0, 7, comm, &flag, &status));
  EXPECT_TRUE(flag);
  EXPECT_EQ(16u, status._ucount);
  agent.join();
  EXPECT_TRUE(drained);
  EXPECT_EQ(MPI_SUCCESS, MPI_Iprobe(0, 7, comm, &flag, &status));
  EXPECT_TRUE(flag);
  EXPECT_EQ(16u, status._ucount) << "in the queue by now";
  for (int expected : {16, 8}) {
    EXPECT_EQ(MPI_SUCCESS, MPI_Recv(got, 16, MPI_BYTE, 0, 7, comm, &status));
    EXPECT_EQ(static_cast<size_t>(expected), status._ucount);
  }
  MPI_Comm_free(&comm);
}

TEST_F(ShimTest, shouldHandOverEachMessageOnceToThreadsWhileAnAgentDrains) {
  LedgerTotals before;
  LedgerStatistics old;
  {
    Guard guard(shim().ledger->lock);
    before = shim().ledger->totals();
    old = shim().ledger->statistics();
  }
  Stress stress;
  stress.run();
  {
    Ledger& ledger = *shim().ledger;
    Guard guard(ledger.lock);
    LedgerTotals totals = ledger.totals();
    uint64_t messages = 1ull * kThreads * static_cast<uint64_t>(stress.steps()) * kForms;
    EXPECT_EQ(messages, totals.sent - before.sent);
    EXPECT_EQ(messages, totals.received - before.received);
    EXPECT_EQ(0u, ledger.statistics().queued);
    ledger.eachPending([](Receive&) { ADD_FAILURE() << "a receive is pending"; });
    EXPECT_GT(ledger.statistics().late, 0u);
    EXPECT_GT(ledger.statistics().drained, old.drained);
    EXPECT_EQ(ledger.statistics().drained, ledger.statistics().replayed);
    EXPECT_GE(stress.committed(), kCommits);
  }
}

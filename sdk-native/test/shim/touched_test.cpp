// SPDX-License-Identifier: Apache-2.0
// Receives whose bytes come by DMA: the fake MPI writes them through another mapping of the same memory, which no
// protection of the first one notices.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <set>
#include <thread>

#include "page/page_tracker.hpp"
#include "page/pages.hpp"
#include "shim/shim.hpp"

using namespace cairn;

extern ptrdiff_t adapterOffset;  // fake_mpi.cpp

namespace {

constexpr int kPages = 64;
using Set = std::set<size_t>;

class Adapter : public testing::Test {
 protected:
  void SetUp() override {
    if (tracker.tracking() != Tracking::USERFAULTFD) GTEST_SKIP() << tracker.reason();
    int file = memfd_create("memory", MFD_CLOEXEC);
    ASSERT_GE(file, 0);
    ASSERT_EQ(0, ftruncate(file, static_cast<off_t>(bytes)));
    memory = map(file);
    alias = map(file);
    ::close(file);
    ASSERT_NE(MAP_FAILED, memory);
    ASSERT_NE(MAP_FAILED, alias);
    std::memset(memory, 1, bytes);
    int level = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &level);
    adapterOffset = alias - memory;
    setTouched({{at(0), at(kPages)}});
    region = std::make_unique<TrackedRegion>(tracker, at(0), bytes);
    ASSERT_TRUE(region->begin(1)) << region->problem();
    written();
  }
  void TearDown() override {
    if (!memory) return;
    adapterOffset = 0;
    setTouched({});
    MPI_Finalize();
    region.reset();
    munmap(memory, bytes);
    munmap(alias, bytes);
  }

  char* map(int file) {
    return static_cast<char*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
  }
  uintptr_t at(int page) const { return reinterpret_cast<uintptr_t>(memory) + static_cast<size_t>(page) * page_; }
  char* page(int number) const { return memory + static_cast<size_t>(number) * page_; }

  // What counts as written since this was last asked, as in a cut whose epoch is committed.
  Set written() {
    region->scan();
    Set pages;
    uint64_t bounds[2 * kPages];
    size_t runs = region->runs(0, kPages, bounds);
    for (size_t i = 0; i < runs; i++) {
      for (size_t p = bounds[2 * i]; p < bounds[2 * i + 1]; p++) pages.insert(p);
    }
    region->clear();
    return pages;
  }
  void send(int tag, size_t length) {
    std::vector<char> text(length, static_cast<char>(tag));
    MPI_Send(text.data(), static_cast<int>(length), MPI_BYTE, 0, tag, MPI_COMM_WORLD);
  }

  PageTracker tracker;
  size_t page_ = pageSize();
  size_t bytes = kPages * page_;
  char* memory = nullptr;
  char* alias = nullptr;
  std::unique_ptr<TrackedRegion> region;
};

}  // namespace

TEST_F(Adapter, shouldWriteUnnoticed) {
  alias[3 * page_] = 2;
  EXPECT_EQ(2, memory[3 * page_]);
  EXPECT_EQ(Set(), written()) << "else these tests can't fail";
}

TEST_F(Adapter, shouldBeNoticedInReceivesThatBlock) {
  send(7, 2 * page_);
  MPI_Recv(page(3) + 10, static_cast<int>(2 * page_), MPI_BYTE, 0, 7, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  EXPECT_EQ(7, *(page(3) + 10));
  EXPECT_EQ(Set({3, 4, 5}), written());
  send(8, 1);  // less than there is room for
  MPI_Recv(page(9), static_cast<int>(page_ * 3), MPI_BYTE, 0, 8, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  EXPECT_EQ(Set({9}), written());
  MPI_Status status;
  char one = 9;
  MPI_Sendrecv(&one, 1, MPI_BYTE, 0, 4, page(20), 1, MPI_BYTE, 0, 4, MPI_COMM_WORLD, &status);
  EXPECT_EQ(Set({20}), written());
  MPI_Message message;
  send(5, 1);
  MPI_Mprobe(0, 5, MPI_COMM_WORLD, &message, &status);
  MPI_Mrecv(page(21), 1, MPI_BYTE, &message, &status);
  EXPECT_EQ(Set({21}), written());
}

TEST_F(Adapter, shouldBeNoticedInReceivesThatDoNotBlock) {
  enum { WAIT, TEST, WAITALL, WAITANY, STATUS, FREE, KINDS };
  for (int kind = 0; kind < KINDS; kind++) {
    MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
    MPI_Irecv(page(kind), 1, MPI_BYTE, 0, kind + 1, MPI_COMM_WORLD, &requests[0]);
    send(kind + 1, 1);
    int flag = 0, index = 0;
    switch (kind) {
      case WAIT: MPI_Wait(requests, MPI_STATUS_IGNORE); break;
      case TEST: MPI_Test(requests, &flag, MPI_STATUS_IGNORE); break;
      case WAITALL: MPI_Waitall(2, requests, MPI_STATUSES_IGNORE); break;
      case WAITANY: MPI_Waitany(2, requests, &index, MPI_STATUS_IGNORE); break;
      case STATUS: MPI_Request_get_status(requests[0], &flag, MPI_STATUS_IGNORE); break;
      case FREE: MPI_Request_free(requests); break;
    }
    EXPECT_EQ(kind + 1, *page(kind));
    EXPECT_EQ(Set({static_cast<size_t>(kind)}), written()) << kind;
    if (kind == STATUS) MPI_Wait(requests, MPI_STATUS_IGNORE);
    written();
  }
}

TEST_F(Adapter, shouldBeNoticedInEachStartOfAPersistentReceive) {
  MPI_Request request;
  MPI_Recv_init(page(2), 1, MPI_BYTE, 0, 1, MPI_COMM_WORLD, &request);
  for (int i = 0; i < 3; i++) {
    MPI_Start(&request);
    send(1, 1);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    EXPECT_EQ(Set({2}), written());
  }
  MPI_Request_free(&request);
}

TEST_F(Adapter, shouldBeNoticedWhileAReceiveIsPendingAndOnceAfter) {
  MPI_Request request;
  MPI_Irecv(page(4), static_cast<int>(2 * page_), MPI_BYTE, 0, 1, MPI_COMM_WORLD, &request);
  for (int cut = 0; cut < 3; cut++) {
    touchPending();
    EXPECT_EQ(Set({4, 5}), written()) << cut;
  }
  send(1, page_ + 1);
  touchPending();
  EXPECT_EQ(Set({4, 5}), written()) << "nobody has asked for it yet";
  MPI_Wait(&request, MPI_STATUS_IGNORE);
  EXPECT_EQ(Set({4, 5}), written());
  touchPending();
  EXPECT_EQ(Set(), written());
}

TEST_F(Adapter, shouldBeNoticedInCollectives) {
  char mine[3] = {5, 6, 7};
  int count = 3, offset = 0;
  MPI_Request request;
  MPI_Iallgather(mine, 3, MPI_BYTE, page(6) - 1, 3, MPI_BYTE, MPI_COMM_WORLD, &request);
  MPI_Wait(&request, MPI_STATUS_IGNORE);
  EXPECT_EQ(7, *(page(6) + 1));
  EXPECT_EQ(Set({5, 6}), written());
  MPI_Iallgatherv(mine, 3, MPI_BYTE, page(8), &count, &offset, MPI_BYTE, MPI_COMM_WORLD, &request);
  MPI_Wait(&request, MPI_STATUS_IGNORE);
  EXPECT_EQ(Set({8}), written());
  MPI_Allgather(mine, 3, MPI_BYTE, page(10), 3, MPI_BYTE, MPI_COMM_WORLD);
  EXPECT_EQ(Set({10}), written());
  MPI_Bcast(page(11), 2, MPI_INT, 1, MPI_COMM_WORLD);
  EXPECT_EQ(Set({11}), written());
  MPI_Gather(mine, 3, MPI_BYTE, page(12), 3, MPI_BYTE, 1, MPI_COMM_WORLD);
  EXPECT_EQ(Set(), written()) << "another rank is the root";
}

TEST_F(Adapter, shouldCountEverythingAsWrittenAfterAWindow) {
  MPI_Win window = nullptr;
  MPI_Win_free(&window);
  EXPECT_EQ(static_cast<size_t>(kPages), written().size());
  EXPECT_EQ(Set(), written());
}

namespace {

constexpr int kThreads = 3;
constexpr int kOwnPages = kPages / 4;  // of each thread; the rest is nobody's
constexpr int kCuts = 300;             // at least, while threads receive
constexpr int kMostReceives = 200'000;

// Receives until there were cuts enough; returns how often.
int receiveAndReceive(char* memory, size_t page, int thread, const std::atomic<int>& cuts) {
  int64_t value = 0;
  int step = 0;
  for (; step < kMostReceives && cuts < kCuts; step++) {
    int64_t sent = thread * 1'000'000L + step;
    char* at = memory + (thread * kOwnPages + step % kOwnPages) * page + (step / kOwnPages) % (page / 8) * 8;
    MPI_Request request = MPI_REQUEST_NULL;
    int done = 0;
    switch (step % 4) {
      case 0:
        MPI_Send(&sent, 1, MPI_INT64_T, 0, thread, MPI_COMM_WORLD);
        MPI_Recv(at, 1, MPI_INT64_T, 0, thread, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        break;
      case 1:
        MPI_Irecv(at, 1, MPI_INT64_T, 0, thread, MPI_COMM_WORLD, &request);
        MPI_Send(&sent, 1, MPI_INT64_T, 0, thread, MPI_COMM_WORLD);
        MPI_Wait(&request, MPI_STATUS_IGNORE);
        break;
      case 2:
        MPI_Irecv(at, 1, MPI_INT64_T, 0, thread, MPI_COMM_WORLD, &request);
        MPI_Send(&sent, 1, MPI_INT64_T, 0, thread, MPI_COMM_WORLD);
        while (!done) MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        break;
      default: MPI_Allgather(&sent, 1, MPI_INT64_T, at, 1, MPI_INT64_T, MPI_COMM_WORLD);
    }
    std::memcpy(&value, at, sizeof value);
    EXPECT_EQ(sent, value) << "thread " << thread;
    if (thread == 0 && step % 1000 == 999) writtenAnywhere();
  }
  return step;
}

}  // namespace

// What is copied at each cut of the pages that count as written is, in the end, what the memory holds.
TEST_F(Adapter, shouldLoseNoReceiveOfAnyThreadWhileWrittenPagesAreAskedFor) {
  // The copy reads through a mapping of its own, as what it may see half written counts as written again.
  char* seen = static_cast<char*>(mremap(memory, 0, bytes, MREMAP_MAYMOVE));
  ASSERT_NE(MAP_FAILED, seen);
  std::vector<char> copy(seen, seen + bytes);
  auto cut = [&] {
    touchPending();
    for (size_t p : written()) std::memcpy(&copy[p * page_], seen + p * page_, page_);
  };
  std::atomic<int> cuts{0}, ended{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; t++) {
    threads.emplace_back([&, t] {
      EXPECT_GT(receiveAndReceive(memory, page_, t, cuts), kOwnPages);
      ended++;
    });
  }
  for (; ended < kThreads; cuts++) {
    cut();
    if (cuts % 50 == 49) setTouched({{at(0), at(kPages)}});
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  cut();
  for (size_t p = 0; p < kPages; p++) {
    ASSERT_EQ(0, std::memcmp(&copy[p * page_], seen + p * page_, page_)) << "page " << p << " after " << cuts << " cuts";
  }
  EXPECT_EQ(Set(), written());
  munmap(seen, bytes);
}
